"""When something may be sent, to whom, whole, in order and numbered; and that odd messages change nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from callflow.session.inputs import Audio, Frame, Pressed, Resumed, SendClear, SendMark, SendMedia, Started
from callflow.testing.rules.rule import Case, Limits, rule
from callflow.testing.wirelog import (
    Asked,
    Closed,
    Entry,
    Life,
    Malformed,
    OneWay,
    Opened,
    Ping,
    Pong,
    Queued,
    Side,
    WireLog,
    name_of,
)
from callflow.wire.messages import Clear, Dtmf, Mark, Media, Outbound, Start, Stop, Unknown

RUBBISH_IN_A_ROW = 50
"""Malformed messages after which a server may close (exotel.md §21)."""


@rule("R15", reads="every entry before start; Queued for output that came too early")
def nothing_before_start(log: WireLog, limits: Limits) -> Iterator[Case]:
    """Nothing is sent before start was taken in."""
    for entry in log.entries:
        if entry.side is Side.IN and isinstance(entry.what, Start):
            return
        if entry.side is Side.IN or isinstance(entry.what, Queued):
            yield Case(entry.at)
        elif entry.side is Side.OUT and not isinstance(entry.what, Life):
            yield Case(entry.at, f"{name_of(entry.what)} before start")


@rule("R16", reads="start, all that is sent")
def own_stream_sid(log: WireLog, limits: Limits) -> Iterator[Case]:
    """Every outbound message has the connection's own stream_sid."""
    starts = log.starts()
    if not starts:
        return
    known = {start.stream_sid for _, start in starts}  # that of a second start is a matter of R32
    for place, entry in log.outgoing():
        if place > starts[0][0] and not isinstance(entry.what, Malformed):
            sid = getattr(entry.what, "stream_sid", "")
            yield Case(entry.at, "" if sid in known else f"{name_of(entry.what)} with stream_sid {sid!r}")


@rule("R25", reads="stop, closes, all that is sent")
def silent_after_the_end(log: WireLog, limits: Limits) -> Iterator[Case]:
    """No application message is sent after stop was read, after the peer's close, or after our own close."""
    end = log.end()
    if end is None:
        return
    yield Case(end[1].at)
    crossing = log.crossing if end[1].side is Side.IN else 0.0
    for place, entry in log.outgoing():
        if place > end[0] and entry.at - end[1].at >= crossing:
            yield Case(entry.at, f"{name_of(entry.what)} after {name_of(end[1].what)}")


@rule("R26", reads="all that is sent; SendMedia, SendMark and SendClear for the order")
def whole_and_in_order(log: WireLog, limits: Limits) -> Iterator[Case]:
    """Messages are whole, and their order on the wire is that in which they were submitted."""
    frames = deque(cast("Frame", entry.what) for entry in log.of(SendMedia, SendMark, SendClear))
    judged = bool(frames)
    for _, entry in log.outgoing():
        match entry.what:
            case Malformed(reason=reason):
                yield Case(entry.at, f"no whole message: {reason}")
            case Media() | Mark() | Clear() as message if judged:
                place = _place(frames, message)
                wrong = "was not submitted" if place is None else "overtook another" if place else ""
                yield Case(entry.at, f"{name_of(message)} {wrong}" if wrong else "")
                if place is not None:
                    del frames[place]
            case _:
                yield Case(entry.at)


def _place(frames: Iterable[Frame], message: Outbound) -> int | None:
    for place, frame in enumerate(frames):
        if _is(frame, message):
            return place
    return None


def _is(frame: Frame, message: Outbound) -> bool:
    match frame, message:
        case SendMedia(payload=submitted), Media(payload=payload):
            return submitted == payload
        case SendMark(name=submitted_name), Mark(name=name):
            return submitted_name == name
    return isinstance(frame, SendClear) and isinstance(message, Clear)


@rule("R27", reads="OneWay, all that is sent")
def silent_one_way(log: WireLog, limits: Limits) -> Iterator[Case]:
    """On a unidirectional stream nothing is sent but WebSocket control frames."""
    if not log.has(OneWay):
        return
    yield Case(log.entries[0].at)
    for _, entry in log.outgoing():
        yield Case(entry.at, f"{name_of(entry.what)} on a one-way stream")


@rule("R31", reads="malformed and unknown messages, our close")
def rubbish_is_survived(log: WireLog, limits: Limits) -> Iterator[Case]:
    """Malformed messages and unknown events never end the session by themselves, unless 50 come in a row."""
    if not log.has(Malformed, Unknown):
        return
    row, odd = 0, False
    for entry in log.entries:
        match entry:
            case Entry(at=at, side=Side.IN, what=Malformed() | Unknown() as what):
                row, odd = (row + 1 if isinstance(what, Malformed) else 0), True
                yield Case(at)
            case Entry(what=Ping() | Pong() | Asked() | Opened()):
                pass  # no message, so none that would end a row
            case Entry(side=Side.IN):
                row, odd = 0, False
            case Entry(at=at, side=Side.OUT, what=Closed(code=1003 | 1007 as code)):
                if odd and row < RUBBISH_IN_A_ROW:
                    yield Case(at, f"closed {code} after {row} malformed messages in a row")
                return


@rule("R32", reads="starts, all that is sent, Started")
def first_start_counts(log: WireLog, limits: Limits) -> Iterator[Case]:
    """A second start does not replace the first on the same connection."""
    starts = log.starts()
    if len(starts) < 2:
        return
    first, others = starts[0][1].stream_sid, {start.stream_sid for _, start in starts[1:]}
    for place, _ in starts[1:]:
        yield Case(log.entries[place].at)
    for _, entry in log.outgoing():
        if getattr(entry.what, "stream_sid", first) in others - {first}:
            yield Case(entry.at, f"{name_of(entry.what)} with the stream_sid of a later start")
    for at, _ in list(log.each(Side.APP, Started))[1:]:
        yield Case(at, "the stream began a second time")


@rule("R33", reads="sequence numbers that arrive, keys, Started, Pressed; Audio if the server notes it")
def numbers_change_nothing(log: WireLog, limits: Limits) -> Iterator[Case]:
    """Duplicate, missing or decreasing sequence numbers change nothing, and nothing is reordered."""
    if not log.has(Started, Resumed):
        return
    came = list(_came(log))
    numbers = [getattr(entry.what, "sequence_number", None) for entry in came]
    for entry, number, before in zip(came[1:], numbers[1:], numbers, strict=False):
        if number is None or before is None or number != before + 1:
            yield Case(entry.at)
    at = log.entries[-1].at
    keys = [entry.what for entry in came if isinstance(entry.what, Dtmf)]
    if keys != [pressed.key for _, pressed in log.each(Side.APP, Pressed)]:
        yield Case(at, "the keys that were told are not the keys that came")
    audio = [entry.what for entry in came if isinstance(entry.what, Media)]
    if not _in_order([told.media for _, told in log.each(Side.APP, Audio)], audio):
        yield Case(at, "the audio that was told is not in the order in which it came")


def _came(log: WireLog) -> Iterator[Entry]:
    """Give the numbered messages of the stream from its start to its end."""
    starts, end = log.starts(), log.end()
    for first, start in starts[:1]:
        for place in log.places(Start, Media, Dtmf, Mark, Clear, Stop):
            entry = log.entries[place]
            in_stream = first <= place and (end is None or place < end[0])
            if in_stream and entry.side is Side.IN and getattr(entry.what, "stream_sid", "") in ("", start.stream_sid):
                yield entry


def _in_order(some: Sequence[Media], whole: Sequence[Media]) -> bool:
    rest = iter(whole)
    return all(any(media == other for other in rest) for media in some)


@rule("R34", reads="counters of what is sent")
def numbered_without_gaps(log: WireLog, limits: Limits) -> Iterator[Case]:
    """If sent, sequence_number and chunk start at 1 and grow by 1, and timestamp never decreases."""
    last, latest = {"sequence_number": 0, "chunk": 0}, 0.0
    for _, entry in log.outgoing():
        wrong, counts = list[str](), False
        for name, before in last.items():
            if (number := getattr(entry.what, name, None)) is not None:
                counts, last[name] = True, number
                if number != before + 1:
                    wrong.append(f"{name} {number} after {before}")
        at = getattr(entry.what, "timestamp", None)
        if at is not None and at < latest:
            wrong.append(f"timestamp {at:.3f} s after {latest:.3f} s")
        latest = latest if at is None else at
        if counts or at is not None:
            yield Case(entry.at, ", ".join(wrong))
