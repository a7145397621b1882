"""What can happen to a call's protocol, and what the session answers: frozen values, no behaviour.

Messages from the wire are inputs as they are; the other inputs are the life of the link, the commands of our own side
and the timers. ``Outcome`` is the answer to each of them.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

from attrs import field, frozen

from callflow.wire.messages import Clear, Connected, Dtmf, Mark, Media, Start, Stop, Unknown


class EndCause(enum.Enum):
    """Why a call ended: a closed set; exactly one per call, the first wins (R29)."""

    STOP = "stop"
    """Exotel sent ``stop``; not always the caller's doing."""
    FLOW = "flow"
    """The flow reached a final state and closed."""
    PEER_GONE = "peer_gone"
    """The link went without ``stop`` and did not come back."""
    LOST = "lost"
    """Found open when the process started again."""
    IDLE = "idle"
    """Nothing came for longer than Exotel's silences last."""
    PROTOCOL = "protocol"
    """The far end broke the WebSocket or sent rubbish without end."""
    TOO_BIG = "too_big"
    """A message past the size limit."""
    POLICY = "policy"
    """Refused: it may not be here, or says so too late."""
    LIMIT = "limit"
    """The call reached the longest time allowed."""
    APP_ERROR = "app_error"
    """User code raised, and the flow had no way on."""
    APP_TIMEOUT = "app_timeout"
    """User code did not end in the time it has."""
    DRAIN = "drain"
    """The server stopped."""


class EndedBy(enum.Enum):
    """Whose doing the end was."""

    CALLER = "caller"
    FLOW = "flow"
    NETWORK = "network"
    SERVER = "server"
    UNKNOWN = "unknown"
    """``stop`` does not tell; a Passthru after the stream may (exotel.md §12.1)."""


class Timer(enum.Enum):
    """The session's own clocks. One of each; setting one that runs restarts it."""

    ATTACH = "attach"
    OPEN = "open"
    STALL = "stall"
    IDLE = "idle"
    MARK = "mark"
    FLUSH = "flush"
    RESUME = "resume"


@frozen(kw_only=True)
class PassthruCame:
    """Exotel announced the call over HTTP, or reported what became of its stream."""

    stream_sid: str = ""
    """Stream that the report is about; empty before the stream (D27)."""


@frozen
class SocketOpened:
    """A link was accepted for this call."""


@frozen
class SocketClosed:
    """The link is gone, with or without a close frame (R12)."""

    cause: EndCause = EndCause.PEER_GONE
    """What it is called if the call ends by it: ``peer_gone``, ``protocol``, ``too_big``."""


@frozen
class Reattach:
    """A ``start`` for this call came on another link, and the call goes on there."""

    start: Start
    early: tuple[Media, ...] = ()
    """Audio that came on that link before its ``start``."""


@frozen
class Undecodable:
    """A message came that is none (R31)."""

    reason: str = ""


@frozen
class SendMedia:
    """The writer is about to send one chunk."""

    payload: bytes = field(repr=False)


@frozen
class SendMark:
    """The writer is about to send a mark."""

    name: str


@frozen
class SendClear:
    """The writer is about to send a clear."""


@frozen
class Hangup:
    """Our side ends the call."""

    cause: EndCause
    code: int = 1000
    """WebSocket close code (exotel.md §16)."""


@frozen
class TimerDue:
    """A session timer ran out."""

    timer: Timer


Input = (
    Connected | Start | Media | Dtmf | Mark | Clear | Stop | Unknown | Undecodable
    | PassthruCame | SocketOpened | SocketClosed | Reattach
    | SendMedia | SendMark | SendClear | Hangup | TimerDue
)  # fmt: skip
"""Everything that ``Session.feed`` takes."""


class Verdict(enum.Enum):
    """What the session made of an input."""

    __hash__ = object.__hash__  # members are single; Enum's own hash is a Python call, made for every frame

    MOVED = "moved"
    """Another state."""
    KEPT = "kept"
    """The same state; what it brought is handed on."""
    IGNORED = "ignored"
    """Nothing, by design. Counted."""
    ODD = "odd"
    """A breach that is survived: recorded, not handed on."""
    FAULT = "fault"
    """The far end went too far: the call is stopped and the link closed."""
    REFUSED = "refused"
    """Our own side asked for what is not allowed: nothing is sent. The driver raises."""


# What a call is told.


@frozen
class Started:
    """The stream is there: audio flows from now on."""

    start: Start


@frozen
class Resumed:
    """The call goes on over a new link; marks of the old one are lost."""

    start: Start


@frozen
class Pressed:
    """The caller pressed a key."""

    key: Dtmf


@frozen
class Audio:
    """A piece of the caller's audio."""

    media: Media


class MarkFate(enum.Enum):
    """What became of a mark. One each (R24)."""

    PLAYED = "played"
    """Echoed, with no clear in between: the audio before it was heard."""
    CLEARED = "cleared"
    """A clear overtook it, and it came back after that; whether its audio was heard cannot be known."""
    DROPPED = "dropped"
    """A clear overtook it, and it did not come back."""
    ASSUMED = "assumed"
    """No echo in the time that its audio needs, and some."""
    SKIPPED = "skipped"
    """A later mark came back without it. A line plays in order, so its audio was played."""
    LOST = "lost"
    """Its link went, or the call ended first."""


@frozen
class MarkDone:
    """A mark is accounted for."""

    name: str
    fate: MarkFate


@frozen
class StartOver:
    """Exotel sent ``clear``: the caller asks to start over, says one page. No action of ours (D24)."""


@frozen
class Quiet:
    """Nothing came on the link for the stall time: it may be half-open. Told again each time that passes."""


@frozen
class Detached:
    """The link is gone; the call waits for another."""


@frozen
class Over:
    """The call is over. The last thing told, exactly once."""

    cause: EndCause


Told = Started | Resumed | Pressed | Audio | MarkDone | StartOver | Quiet | Detached | Over

Frame = SendMedia | SendMark | SendClear


@frozen
class Close:
    """The link, if there is one, is to be closed with this code."""

    code: int


@frozen(kw_only=True)
class Outcome:
    """The answer to one input. The driver does, in this order: write the frames, tell, set the timers, close."""

    verdict: Verdict
    told: tuple[Told, ...] = ()
    frames: tuple[Frame, ...] = ()
    """To be written now, in order, on the current link and no other."""
    arm: Mapping[Timer, bool] = MappingProxyType({})
    """Timers to start afresh (True) or to stop (False). How long each runs is the driver's (``Timing``)."""
    close: Close | None = None
