"""The messages of an AgentStream link, as frozen values.

One type serves both directions: Exotel and we send the same ``Media``, ``Mark`` and ``Clear``. Every spelling that
exists on the wire ends in ``callflow.wire.exotel``; above it a message has one form. Times are seconds.

``exotel.md`` in docstrings is our protocol reference; its findings are in ``docs/reference/wire.md``.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from attrs import Factory, field, frozen

KEYS = "0123456789*#"
"""The keys of a telephone, as they stand in ``Dtmf.digit``."""


class StopReason(enum.Enum):
    """Why Exotel says that a stream stopped. ``reason`` on the wire is free text (exotel.md §6.7)."""

    STOPPED = "stopped"
    """The flow stopped the stream."""
    CALL_ENDED = "call ended"
    """The call is over; also the text ``canceled or call ended`` of real calls."""
    HANGUP = "hangup"
    """The caller hung up, where the text says so."""
    OTHER = "other"
    """Anything else; see ``Stop.text``."""


@frozen(kw_only=True)
class Connected:
    """First message of a link, before anything is known of the call."""

    parameters: Mapping[str, str] = Factory(dict)
    """Custom parameters, which one Beta page places here (D12)."""


@frozen(kw_only=True)
class MediaFormat:
    """What ``start`` says about the audio. Only the rate can be relied on (exotel.md §6.2)."""

    encoding: str = ""
    """As sent: ``base64``, ``raw/slin``, ``audio/x-mulaw`` …; names the codec only where it names mu-law."""
    sample_rate: int | None = None
    """Hertz, or None where it was absent or no number."""
    bit_rate: str = ""
    """As sent; kept and never used (D11)."""


@frozen(kw_only=True)
class Start:
    """The stream begins: identifiers, numbers, parameters and the audio's format. Comes once a link."""

    stream_sid: str
    call_sid: str
    account_sid: str = ""
    caller: str = ""
    """The number that rings (``from`` on the wire); national or E.164."""
    called: str = ""
    """The number rung (``to`` on the wire)."""
    parameters: Mapping[str, str] = Factory(dict)
    media_format: MediaFormat = MediaFormat()
    sequence_number: int | None = None


def _size(payload: bytes) -> str:
    return f"<{len(payload)} bytes>"


@frozen(kw_only=True)
class Media:
    """A piece of audio, in the line's own coding."""

    payload: bytes = field(repr=_size)
    """Shown by its length alone: audio is personal, and long."""
    stream_sid: str = ""
    sequence_number: int | None = None
    chunk: int | None = None
    timestamp: float | None = None
    """Seconds since the stream began, as the sender says; never used as a clock (D4)."""
    track: str = ""


@frozen(kw_only=True)
class Dtmf:
    """The caller pressed a key."""

    digit: str
    """One character of ``KEYS``."""
    stream_sid: str = ""
    duration: float | None = None
    """Seconds that the key was held."""
    sequence_number: int | None = None


@frozen(kw_only=True)
class Mark:
    """Ours: report when the audio up to here was played. Exotel's: it was (or was cleared)."""

    name: str
    stream_sid: str = ""
    sequence_number: int | None = None


@frozen(kw_only=True)
class Clear:
    """Ours: throw away what was not picked up for playing. Exotel's: the caller asked to start over (no action)."""

    stream_sid: str = ""
    sequence_number: int | None = None


@frozen(kw_only=True)
class Stop:
    """The stream is over; nothing sent from now on is heard."""

    stream_sid: str = ""
    call_sid: str = ""
    account_sid: str = ""
    reason: StopReason = StopReason.OTHER
    text: str = ""
    """The reason as sent."""
    sequence_number: int | None = None


@frozen(kw_only=True)
class Unknown:
    """An event that this version does not know. Counted and ignored, never an error."""

    event: str
    """Its name, at most 64 characters, control characters replaced."""


Message = Connected | Start | Media | Dtmf | Mark | Clear | Stop | Unknown
"""Everything that ``decode`` returns."""

Outbound = Media | Mark | Clear
"""Everything that a server may send (exotel.md §7)."""
