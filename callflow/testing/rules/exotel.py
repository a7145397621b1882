"""Exotel's side (R1 to R14): what it says first and last, how it counts, and which marks it echoes.

All but three are soft: Exotel's own pages and real calls break them now and then, and a server has to survive each.
What a far end does behind its own ``stop`` is a matter of R11 alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from callflow.testing.rules.rule import ROUNDING, Case, Kind, Limits, rule
from callflow.testing.wirelog import Closed, Entry, Malformed, OneWay, Side, WireLog, name_of
from callflow.wire.audio import Coding
from callflow.wire.exotel import BAD_BASE64
from callflow.wire.messages import Clear, Connected, Dtmf, Mark, Media, Message, Start, Stop, Unknown

AHEAD = 1.0
"""Seconds that a timestamp may run ahead of the stream's own time: the way to the server is not always as long."""


@rule("R1", reads="all that arrives", kind=Kind.SOFT, side=Side.IN)
def connected_first(log: WireLog, limits: Limits) -> Iterator[Case]:
    """The first message is connected, and it occurs once."""
    for place, entry in enumerate(_messages(log)):
        if isinstance(entry.what, Connected):
            yield Case(entry.at, "connected again" if place else "")
        elif place == 0:
            yield Case(entry.at, f"{name_of(entry.what)} came first")


@rule("R2", reads="all that arrives until stop", kind=Kind.SOFT, side=Side.IN)
def start_once_and_early(log: WireLog, limits: Limits) -> Iterator[Case]:
    """Exactly one start comes, directly after connected, before any media, dtmf, mark or stop."""
    started = early = False
    for entry in _messages(log):
        match entry.what:
            case Start():
                yield Case(entry.at, "start again" if started else "")
                started = True
            case Media() | Dtmf() | Mark() | Stop() if not (started or early):
                early = True
                yield Case(entry.at, f"{name_of(entry.what)} before start")
            case _:
                pass


@rule("R3", reads="start and all that follows", kind=Kind.SOFT, side=Side.IN)
def one_stream_sid(log: WireLog, limits: Limits) -> Iterator[Case]:
    """Every message from start on has the stream_sid of start."""
    own: str | None = None
    for entry in _until_stop(log):
        match entry.what:
            case Start(stream_sid=sid) if own is None:
                own = sid
            case Start() | Media() | Dtmf() | Mark() | Clear() | Stop() as message if own is not None:
                sid = message.stream_sid
                yield Case(entry.at, "" if sid == own else f"{name_of(message)} with stream_sid {sid!r}")
            case _:
                pass


@rule("R4", reads="sequence numbers that arrive, from start until stop", kind=Kind.SOFT, side=Side.IN)
def numbered_from_start(log: WireLog, limits: Limits) -> Iterator[Case]:
    """sequence_number is 1 on start and grows by 1 with each following message of any type."""
    last, unread, started = 0, 0, False
    for entry in _until_stop(log):
        started = started or isinstance(entry.what, Start)
        number = getattr(entry.what, "sequence_number", None)
        if number is not None and started:
            counted = last < number <= last + 1 + unread  # what could not be read had a number too
            yield Case(entry.at, "" if counted else f"sequence_number {number} after {last}")
            last, unread = number, 0
        elif started:
            unread += isinstance(entry.what, Malformed | Unknown)


@rule("R5", reads="media.chunk of what arrives until stop", kind=Kind.SOFT, side=Side.IN)
def chunks_counted(log: WireLog, limits: Limits) -> Iterator[Case]:
    """media.chunk starts at 1 and grows by 1 with each media."""
    last = unread = 0
    for entry in _until_stop(log):
        match entry.what:
            case Malformed():
                unread += 1
            case Media(chunk=int(chunk)):
                counted = last < chunk <= last + 1 + unread
                yield Case(entry.at, "" if counted else f"chunk {chunk} after {last}")
                last, unread = chunk, 0
            case _:
                pass


@rule("R6", reads="start; media.timestamp of what arrives until stop", kind=Kind.SOFT, side=Side.IN)
def timestamps_grow(log: WireLog, limits: Limits) -> Iterator[Case]:
    """media.timestamp never decreases, starts near 0 and follows the stream."""
    began: float | None = None
    latest = 0.0
    for entry in _until_stop(log):
        match entry.what:
            case Start() if began is None:
                began = entry.at
            case Media(timestamp=float(stamp)) if began is not None:
                wrong = f"timestamp {stamp:.3f} s after {latest:.3f} s" if stamp < latest - ROUNDING else ""
                ahead = stamp > entry.at - began + AHEAD
                yield Case(entry.at, wrong or (f"timestamp {stamp:.3f} s is still to come" if ahead else ""))
                latest = stamp
            case _:
                pass


@rule("R7", reads="media that arrives until stop, start for the coding", kind=Kind.SOFT, side=Side.IN)
def whole_samples(log: WireLog, limits: Limits) -> Iterator[Case]:
    """A payload is valid base64 and holds whole samples."""
    sample = 1 if log.line.coding is Coding.MULAW else 2
    for entry in _until_stop(log):
        match entry.what:
            case Media(payload=payload):
                yield Case(entry.at, f"a payload of {len(payload)} bytes" if len(payload) % sample else "")
            case Malformed(reason=reason) if reason == BAD_BASE64:
                yield Case(entry.at, reason)
            case _:
                pass


# Marks.


@rule("R8", reads="marks sent and echoed", side=Side.IN)
def echoes_of_what_was_sent(log: WireLog, limits: Limits) -> Iterator[Case]:
    """A mark that arrives has a name that the server sent before on this connection."""
    sent = set[str]()
    for entry in _both_ways(log, Mark):
        match entry:
            case Entry(side=Side.OUT, what=Mark(name=name)):
                sent.add(name)
            case Entry(side=Side.IN, what=Mark(name=name)):
                yield Case(entry.at, "" if name in sent else f"mark {name!r} was never sent")
            case _:
                pass


@rule("R9", reads="marks sent and echoed", kind=Kind.SOFT, side=Side.IN)
def echoes_in_order(log: WireLog, limits: Limits) -> Iterator[Case]:
    """Echoes of marks come in the order in which the marks were sent, each at most once."""
    sent, reached = list[str](), -1
    for entry in _both_ways(log, Mark):
        match entry:
            case Entry(side=Side.OUT, what=Mark(name=name)):
                sent.append(name)
            case Entry(side=Side.IN, what=Mark(name=name)) if name in sent:
                later = sent[reached + 1 :]  # where a name was given twice, each of the two has an echo
                place = reached + 1 + later.index(name) if name in later else sent.index(name)
                words = f"mark {name!r} again" if place == reached else f"mark {name!r} after {sent[reached]!r}"
                yield Case(entry.at, words if place <= reached else "")
                reached = max(reached, place)
            case _:
                pass


@rule("R10", reads="media, marks and clears sent, marks echoed; start for the format", kind=Kind.SOFT, side=Side.IN)
def echoes_after_the_audio(log: WireLog, limits: Limits) -> Iterator[Case]:
    """An echo does not come before the audio ahead of its mark could have been played, unless a clear came between."""
    line, plays_until = log.line, 0.0
    due = dict[str, float]()
    for entry in _both_ways(log, Media, Mark, Clear):
        match entry:
            case Entry(at=at, side=Side.OUT, what=Media(payload=payload)):
                plays_until = max(plays_until, at) + line.seconds(len(payload))
            case Entry(at=at, side=Side.OUT, what=Mark(name=name)):
                due.setdefault(name, max(plays_until, at))
            case Entry(at=at, side=Side.OUT, what=Clear()):
                plays_until = at  # what was picked up plays on; how much that is cannot be known
                due.clear()
            case Entry(at=at, side=Side.IN, what=Mark(name=name)) if name in due:
                early = due.pop(name) - at
                yield Case(at, f"mark {name!r} is {early:.3f} s early" if early > ROUNDING else "")
            case _:
                pass


# The end.


@rule("R11", reads="all that arrives from stop on", kind=Kind.SOFT, side=Side.IN)
def silent_after_stop(log: WireLog, limits: Limits) -> Iterator[Case]:
    """At most one stop comes, and no message after it."""
    stopped = False
    for entry in _messages(log):
        if stopped:
            yield Case(entry.at, f"{name_of(entry.what)} after stop")
        elif isinstance(entry.what, Stop):
            stopped = True
            yield Case(entry.at)


@rule("R12", reads="all that arrives from Exotel's close on", side=Side.IN)
def an_end_is_an_end(log: WireLog, limits: Limits) -> Iterator[Case]:
    """The connection may end at any moment, in any way; when it has ended nothing more comes on it."""
    ended = False
    for entry in log.arriving():
        if ended:
            yield Case(entry.at, f"{name_of(entry.what)} after the end of the connection")
        elif isinstance(entry.what, Closed):
            ended = True
            yield Case(entry.at)


@rule("R13", reads="OneWay; keys and marks that arrive", side=Side.IN)
def nothing_to_answer_one_way(log: WireLog, limits: Limits) -> Iterator[Case]:
    """Keys and marks come only on two-way streams."""
    if not log.has(OneWay):
        return
    yield Case(log.entries[0].at)
    for entry in _until_stop(log):
        if isinstance(entry.what, Dtmf | Mark):
            yield Case(entry.at, f"{name_of(entry.what)} on a one-way stream")


@rule("R14", reads="stop, the close that follows it", kind=Kind.SOFT, side=Side.IN)
def gone_after_stop(log: WireLog, limits: Limits) -> Iterator[Case]:
    """After stop the connection ends within about one second."""
    stopped = next((at for at, _ in log.each(Side.IN, Stop)), None)
    closed = next((entry.at for entry in log.of(Closed)), None)
    if stopped is not None and closed is not None and closed >= stopped:
        late = closed - stopped
        yield Case(closed, f"the connection ended {late:.3f} s after stop" if late > limits.linger + ROUNDING else "")


_MESSAGES = frozenset((*get_args(Message), Malformed))


def _messages(log: WireLog) -> list[Entry]:
    """Give what Exotel said, without the life of the connection."""
    return log.once("messages", lambda log: [entry for entry in log.arriving() if type(entry.what) in _MESSAGES])


def _until_stop(log: WireLog) -> Iterator[Entry]:
    for entry in _messages(log):
        yield entry
        if isinstance(entry.what, Stop):
            return


def _both_ways(log: WireLog, *kinds: type) -> Iterator[Entry]:
    """Give what passed of these kinds until ``stop`` or a close."""
    end = log.end()
    return (log.entries[place] for place in log.places(*kinds) if end is None or place < end[0])
