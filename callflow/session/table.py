"""The session's transition table: every state, every input, what happens. The only place that says so.

The table is code (``machine.py`` looks rows up and holds no ``if state``), document (``docs/reference/session.md`` and
its diagram are drawn from it) and oracle (the search in ``tests/session`` walks every configuration it can reach).

Nine states. Six are the protocol's own; ``idle``, ``accepted`` and ``detached`` are what a link that is not there yet,
or no longer, needs:

* ``streaming``: no mark outstanding. ``marked``: marks are out, none older than a clear. ``cleared``: a clear overtook
  marks that are not accounted for yet. The three are facts about two queues, with names; the search proves it.
* Exotel does not say whether marks come back after a clear (D25). With the two queues, *stale* before the clear and
  *fresh* after it, each mark gets the right fate if they do, late or at once, and if they do not.

A cell holds rows in order; the first whose guard holds is taken, and the last has none.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from attrs import frozen

from callflow.session.inputs import (
    EndCause,
    Hangup,
    Input,
    PassthruCame,
    Reattach,
    SendClear,
    SendMark,
    SendMedia,
    SocketClosed,
    SocketOpened,
    Timer,
    TimerDue,
    Undecodable,
    Verdict,
)
from callflow.wire.audio import BLOCK, LARGEST_CHUNK
from callflow.wire.messages import Clear, Connected, Dtmf, Mark, Media, Start, Stop, Unknown


class S(enum.Enum):
    """States of the session."""

    __hash__ = object.__hash__  # members are single; Enum's own hash is a Python call, made for every frame

    IDLE = "idle"
    PASSTHRU = "passthru-received"
    ACCEPTED = "accepted"
    CONNECTED = "connected"
    STREAMING = "streaming"
    MARKED = "marked"
    CLEARED = "cleared"
    DETACHED = "detached"
    STOPPED = "stopped"


LIVE = (S.STREAMING, S.MARKED, S.CLEARED)
"""A link is there and ``start`` was taken in: the only states in which anything is sent (R15, R25)."""

OPENING = (S.ACCEPTED, S.CONNECTED)
"""A link is there and ``start`` is awaited."""


class In(enum.Enum):
    """Kinds of input: the table's lines. The value is the name in the documents."""

    __hash__ = object.__hash__  # as in ``S``

    PASSTHRU = "Passthru"
    SOCKET_OPENED = "socket opened"
    SOCKET_CLOSED = "socket closed"
    REATTACH = "reattach"
    CONNECTED = "connected"
    START = "start"
    MEDIA = "media"
    DTMF = "dtmf"
    MARK = "mark"
    CLEAR = "clear (inbound)"
    STOP = "stop"
    UNDECODABLE = "undecodable"
    UNKNOWN = "unknown event"
    SEND_MEDIA = "send media"
    SEND_MARK = "send mark"
    SEND_CLEAR = "send clear"
    HANGUP = "hang up"
    ATTACH_TIMER = "attach timer"
    OPEN_TIMER = "open timer"
    STALL_TIMER = "stall timer"
    IDLE_TIMER = "idle timer"
    MARK_TIMER = "mark timer"
    FLUSH_TIMER = "flush timer"
    RESUME_TIMER = "resume timer"


_KINDS: Mapping[type, In] = {
    PassthruCame: In.PASSTHRU,
    SocketOpened: In.SOCKET_OPENED,
    SocketClosed: In.SOCKET_CLOSED,
    Reattach: In.REATTACH,
    Connected: In.CONNECTED,
    Start: In.START,
    Media: In.MEDIA,
    Dtmf: In.DTMF,
    Mark: In.MARK,
    Clear: In.CLEAR,
    Stop: In.STOP,
    Undecodable: In.UNDECODABLE,
    Unknown: In.UNKNOWN,
    SendMedia: In.SEND_MEDIA,
    SendMark: In.SEND_MARK,
    SendClear: In.SEND_CLEAR,
    Hangup: In.HANGUP,
}

_TIMERS: Mapping[Timer, In] = {
    Timer.ATTACH: In.ATTACH_TIMER,
    Timer.OPEN: In.OPEN_TIMER,
    Timer.STALL: In.STALL_TIMER,
    Timer.IDLE: In.IDLE_TIMER,
    Timer.MARK: In.MARK_TIMER,
    Timer.FLUSH: In.FLUSH_TIMER,
    Timer.RESUME: In.RESUME_TIMER,
}


MESSAGES = frozenset(
    {In.CONNECTED, In.START, In.MEDIA, In.DTMF, In.MARK, In.CLEAR, In.STOP, In.UNKNOWN},
)
"""What the far end sends and can be read: it ends a row of malformed messages, which nothing of ours does."""


def kind_of(event: Input) -> In:
    """Say which line of the table an input belongs to."""
    return _TIMERS[event.timer] if isinstance(event, TimerDue) else _KINDS[type(event)]


class Facts(Protocol):
    """What guards may look at: all that a session knows beside its state."""

    announced: bool
    """A Passthru named the call."""
    stream_sid: str
    resumes: bool
    """A lost link is waited for."""
    raw: bool
    """The flow relays: its payloads are exempt from R17."""
    malformed_in_row: int
    malformed_limit: int
    stale: list[str]
    """Marks that a clear overtook, oldest first."""
    fresh: list[str]
    """Marks sent since, oldest first."""


Guard = Callable[[Facts, Input], bool]


def is_announced(facts: Facts, event: Input) -> bool:
    """a Passthru named the call"""
    return facts.announced


def may_resume(facts: Facts, event: Input) -> bool:
    """lost links are waited for"""
    return facts.resumes


def reports_a_stream(facts: Facts, event: Input) -> bool:
    """it reports a stream"""
    return isinstance(event, PassthruCame) and bool(event.stream_sid)


def reports_our_stream(facts: Facts, event: Input) -> bool:
    """it reports this stream"""
    return isinstance(event, PassthruCame) and event.stream_sid == facts.stream_sid


def is_foreign(facts: Facts, event: Input) -> bool:
    """another stream's id"""
    return isinstance(event, Media | Dtmf) and event.stream_sid not in ("", facts.stream_sid)


def budget_is_spent(facts: Facts, event: Input) -> bool:
    """too many of them in a row"""
    return facts.malformed_in_row + 1 >= facts.malformed_limit


def is_legal_payload(facts: Facts, event: Input) -> bool:
    """a legal size, or a raw flow"""
    size = len(event.payload) if isinstance(event, SendMedia) else 0
    return size > 0 and (facts.raw or (size <= LARGEST_CHUNK and size % BLOCK == 0))


def is_new_name(facts: Facts, event: Input) -> bool:
    """a name that is not outstanding"""
    return isinstance(event, SendMark) and event.name not in facts.stale and event.name not in facts.fresh


def _echo(event: Input) -> str:
    return event.name if isinstance(event, Mark) else ""


def ends_the_queues(facts: Facts, event: Input) -> bool:
    """the last mark outstanding"""
    queue = facts.stale + facts.fresh
    return bool(queue) and queue[-1] == _echo(event)


def is_fresh(facts: Facts, event: Input) -> bool:
    """a mark sent since the last clear"""
    return _echo(event) in facts.fresh


def ends_the_stale(facts: Facts, event: Input) -> bool:
    """the last mark from before that clear"""
    return bool(facts.stale) and facts.stale[-1] == _echo(event)


def is_stale(facts: Facts, event: Input) -> bool:
    """a mark from before that clear"""
    return _echo(event) in facts.stale


def one_fresh(facts: Facts, event: Input) -> bool:
    """one mark sent since the last clear"""
    return len(facts.fresh) == 1


def some_fresh(facts: Facts, event: Input) -> bool:
    """marks sent since the last clear"""
    return bool(facts.fresh)


def otherwise(facts: Facts, event: Input) -> bool:
    """always"""
    return True


class Effect(enum.Enum):
    """What a row does besides moving. Each is one method of the machine; none of them looks at the state."""

    __hash__ = object.__hash__  # as in ``S``

    NOTHING = "nothing"
    ANNOUNCE = "note the Passthru"
    OPEN = "start the open timer"
    RETURN = "wait for Exotel's retry"
    BEGIN = "tell Started"
    RESUME = "marks lost, tell Resumed"
    KEEP_EARLY = "keep the audio until start"
    COUNT_MALFORMED = "count it"
    TELL_AUDIO = "tell Audio"
    TELL_KEY = "tell Pressed"
    TELL_START_OVER = "tell StartOver"
    TELL_QUIET = "tell Quiet"
    ECHO = "account for the mark and those before it"
    ASSUME = "account for the head of the queue"
    FLUSH = "account for the marks from before the last clear"
    SEND = "send it"
    QUEUE_MARK = "send it, queue fresh"
    OVERTAKE = "send it, fresh becomes stale"
    DETACH = "marks lost, tell Detached"
    END = "marks lost, tell Over"


@frozen
class Row:
    """One line of a cell."""

    verdict: Verdict
    target: S | None
    """None: the state stays."""
    effect: Effect
    guard: Guard = otherwise


def to(target: S, effect: Effect, guard: Guard = otherwise) -> Row:
    return Row(Verdict.MOVED, target, effect, guard)


def keep(effect: Effect, guard: Guard = otherwise) -> Row:
    return Row(Verdict.KEPT, None, effect, guard)


def fault(effect: Effect, guard: Guard = otherwise) -> Row:
    return Row(Verdict.FAULT, S.STOPPED, effect, guard)


def odd(effect: Effect = Effect.NOTHING, guard: Guard = otherwise) -> Row:
    return Row(Verdict.ODD, None, effect, guard)


def odd_if(guard: Guard) -> Row:
    return Row(Verdict.ODD, None, Effect.NOTHING, guard)


_ODD = (odd(),)
_IGNORED = (Row(Verdict.IGNORED, None, Effect.NOTHING),)
_REFUSED = (Row(Verdict.REFUSED, None, Effect.NOTHING),)
_END = (to(S.STOPPED, Effect.END),)
_DETACHED_OR_OVER = (to(S.DETACHED, Effect.DETACH, may_resume), to(S.STOPPED, Effect.END))
_RETRY_OR_OVER = (to(S.PASSTHRU, Effect.RETURN, is_announced), to(S.STOPPED, Effect.END))
_MALFORMED = (fault(Effect.END, budget_is_spent), odd(Effect.COUNT_MALFORMED))

Cell = tuple[Row, ...]
Cells = Mapping[S | tuple[S, ...], Cell]

_LINES: Mapping[In, tuple[Cells, Cell]] = {
    # kind: (cells that differ, what all other states do); ``stopped`` ignores everything that is not written out.
    In.PASSTHRU: (
        {
            S.IDLE: (odd_if(reports_a_stream), to(S.PASSTHRU, Effect.ANNOUNCE)),
            OPENING: (keep(Effect.ANNOUNCE),),
            S.DETACHED: (to(S.STOPPED, Effect.END, reports_our_stream), odd()),
            S.STOPPED: (keep(Effect.NOTHING),),
        },
        _ODD,
    ),
    In.SOCKET_OPENED: ({(S.IDLE, S.PASSTHRU): (to(S.ACCEPTED, Effect.OPEN),)}, _ODD),
    In.SOCKET_CLOSED: ({OPENING: _RETRY_OR_OVER, LIVE: _DETACHED_OR_OVER}, _IGNORED),
    In.REATTACH: (
        # Before ``start`` there is nothing to resume: the call begins, on another link than the one it waited for.
        {S.IDLE: _REFUSED, (S.PASSTHRU, *OPENING): (to(S.STREAMING, Effect.BEGIN),)},
        (to(S.STREAMING, Effect.RESUME),),
    ),
    In.CONNECTED: ({S.ACCEPTED: (to(S.CONNECTED, Effect.NOTHING),)}, _ODD),
    In.START: ({OPENING: (to(S.STREAMING, Effect.BEGIN),)}, _ODD),
    In.MEDIA: ({OPENING: (odd(Effect.KEEP_EARLY),), LIVE: (odd_if(is_foreign), keep(Effect.TELL_AUDIO))}, _ODD),
    In.DTMF: ({LIVE: (odd_if(is_foreign), keep(Effect.TELL_KEY))}, _ODD),
    In.MARK: (
        {
            S.MARKED: (
                to(S.STREAMING, Effect.ECHO, ends_the_queues),
                keep(Effect.ECHO, is_fresh),
                odd(),
            ),
            S.CLEARED: (
                to(S.STREAMING, Effect.ECHO, ends_the_queues),
                to(S.MARKED, Effect.ECHO, is_fresh),
                to(S.MARKED, Effect.ECHO, ends_the_stale),
                keep(Effect.ECHO, is_stale),
                odd(),
            ),
        },
        _ODD,
    ),
    In.CLEAR: ({LIVE: (keep(Effect.TELL_START_OVER),)}, _ODD),
    In.STOP: ({OPENING: _END, LIVE: _END}, _ODD),
    In.UNDECODABLE: ({OPENING: _MALFORMED, LIVE: _MALFORMED}, _ODD),
    In.UNKNOWN: ({}, _IGNORED),
    In.SEND_MEDIA: ({LIVE: (keep(Effect.SEND, is_legal_payload), *_REFUSED), S.STOPPED: _REFUSED}, _REFUSED),
    In.SEND_MARK: (
        {
            S.STREAMING: (to(S.MARKED, Effect.QUEUE_MARK),),  # every name is new: none is outstanding
            (S.MARKED, S.CLEARED): (keep(Effect.QUEUE_MARK, is_new_name), *_REFUSED),
            S.STOPPED: _REFUSED,
        },
        _REFUSED,
    ),
    In.SEND_CLEAR: (
        {
            S.STREAMING: (keep(Effect.SEND),),
            S.MARKED: (to(S.CLEARED, Effect.OVERTAKE),),
            S.CLEARED: (keep(Effect.OVERTAKE),),
            S.STOPPED: _REFUSED,
        },
        _REFUSED,
    ),
    In.HANGUP: ({}, _END),
    In.ATTACH_TIMER: ({S.PASSTHRU: _END}, _IGNORED),
    In.OPEN_TIMER: ({OPENING: (fault(Effect.END),)}, _IGNORED),
    In.STALL_TIMER: ({LIVE: (keep(Effect.TELL_QUIET),)}, _IGNORED),
    In.IDLE_TIMER: ({LIVE: _DETACHED_OR_OVER}, _IGNORED),
    In.MARK_TIMER: (
        {
            S.MARKED: (to(S.STREAMING, Effect.ASSUME, one_fresh), keep(Effect.ASSUME)),
            S.CLEARED: (
                to(S.STREAMING, Effect.ASSUME, one_fresh),
                to(S.MARKED, Effect.ASSUME, some_fresh),
                *_IGNORED,
            ),
        },
        _IGNORED,
    ),
    In.FLUSH_TIMER: ({S.CLEARED: (to(S.MARKED, Effect.FLUSH, some_fresh), to(S.STREAMING, Effect.FLUSH))}, _IGNORED),
    In.RESUME_TIMER: ({S.DETACHED: _END}, _IGNORED),
}


@frozen
class End:
    """What an ending input means: the cause it gives the call, and the code that closes the link."""

    cause: EndCause | None = None
    """None: the input says it itself, or it was settled when the link was lost."""
    code: int | None = None
    """None: the link is gone, or the input says it."""


ENDS: Mapping[In, End] = {
    In.STOP: End(EndCause.STOP, 1000),
    In.PASSTHRU: End(),
    In.SOCKET_CLOSED: End(),
    In.UNDECODABLE: End(EndCause.PROTOCOL, 1003),
    In.OPEN_TIMER: End(EndCause.POLICY, 1008),
    In.IDLE_TIMER: End(EndCause.IDLE, 1001),
    In.ATTACH_TIMER: End(EndCause.PEER_GONE),
    In.RESUME_TIMER: End(),
    In.HANGUP: End(),
}
"""How each input that can end a call ends it. A call that never reached ``start`` has no record (faults §2)."""


def _states(key: S | tuple[S, ...]) -> Iterable[S]:
    return (key,) if isinstance(key, S) else key


def _spread(cells: Cells, rest: Cell) -> Mapping[S, Cell]:
    line = dict.fromkeys(S, rest) | {S.STOPPED: _IGNORED}
    for key, cell in cells.items():
        line.update(dict.fromkeys(_states(key), cell))
    return line


TABLE: Mapping[tuple[S, In], Cell] = {
    (state, kind): cell for kind, (cells, rest) in _LINES.items() for state, cell in _spread(cells, rest).items()
}
"""Every cell: 9 states by 24 kinds of input."""
