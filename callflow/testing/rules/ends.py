"""What ends once and in time: the wait for a mark, the stream, its tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from callflow.session.inputs import Detached, EndCause, MarkDone, MarkFate, Over, Resumed, Started
from callflow.testing.rules.rule import ROUNDING, Case, Limits, rule
from callflow.testing.wirelog import RESTART, Closed, Entry, Side, TasksLeft, WireLog, name_of
from callflow.wire.messages import Mark, Stop


@rule("R22", reads="marks sent")
def unique_marks(log: WireLog, limits: Limits) -> Iterator[Case]:
    """Outbound mark names are unique in a stream."""
    seen: set[str] = set()
    for at, mark in log.each(Side.OUT, Mark):
        yield Case(at, f"mark {mark.name!r} again" if mark.name in seen else "")
        seen.add(mark.name)


@rule("R24", reads="marks sent and echoed, Started, MarkDone, stop, closes")
def one_end_of_each_wait(log: WireLog, limits: Limits) -> Iterator[Case]:
    """Every wait for a mark ends exactly once: played, cleared, timed out, or stream ended."""
    if not log.has(Started, Resumed):
        return
    sent, echoed, ended = list[tuple[str, float]](), set[str](), Counter[str]()
    for entry in log.of(Mark, MarkDone):
        match entry:
            case Entry(at=at, side=Side.OUT, what=Mark(name=name)):
                sent.append((name, at))
            case Entry(side=Side.IN, what=Mark(name=name)):
                echoed.add(name)
            case Entry(at=at, what=MarkDone(name=name, fate=fate)):
                again = ended[name] and ended[name] >= sum(name == other for other, _ in sent)
                unheard = fate is MarkFate.PLAYED and name not in echoed
                words = f"mark {name!r} is said to be played, and there was no echo" if unheard else ""
                yield Case(at, f"the wait for mark {name!r} ended again" if again else words)
                ended[name] += 1
    if log.end() is not None:
        for name, at in sent:
            if name not in ended:
                yield Case(at, f"the wait for mark {name!r} never ended")


@rule("R28", reads="stop, the peer's close, Over or Detached")
def end_is_noticed(log: WireLog, limits: Limits) -> Iterator[Case]:
    """Reading never waits for the application: stop and close are noticed when they arrive."""
    end = log.end()
    if end is None or end[1].side is not Side.IN:
        return
    for place in log.places(Over, Detached)[:1]:
        entry = log.entries[place]
        late = entry.at - end[1].at
        if place > end[0]:
            slow = late > limits.notice + log.crossing + ROUNDING
            yield Case(entry.at, f"{name_of(end[1].what)} was noticed after {late:.3f} s" if slow else "")


@rule("R29", reads="Started, Over, stop, closes")
def one_report_of_the_end(log: WireLog, limits: Limits) -> Iterator[Case]:
    """The end of a stream is reported to the application exactly once, with the first cause winning."""
    reports = [
        (place, at, over.cause) for place, (at, over) in zip(log.places(Over), log.each(Side.APP, Over), strict=True)
    ]
    end = log.end()
    for _, at, _ in reports[1:]:
        yield Case(at, "the end was reported again")
    if reports:
        place, at, cause = reports[0]
        before = None if end is None or end[0] > place else end[1]
        crossed = before is not None and at - before.at < log.crossing  # the report may not have known of it
        yield Case(at, "" if crossed else _wrong_cause(cause, before))
    elif end is not None and log.has(Started, Resumed) and not log.has(Detached) and not _goes_on(end[1]):
        yield Case(end[1].at, "the end was never reported")


def _goes_on(end: Entry) -> bool:
    """Whether the link was closed for another of the same call; then R35 judges."""
    return end.side is Side.OUT and isinstance(end.what, Closed) and end.what.code == RESTART


_LINK_CAUSES = frozenset({EndCause.PEER_GONE, EndCause.PROTOCOL, EndCause.TOO_BIG})
"""What the end of a connection can mean when it is Exotel's side that ends it."""


def _wrong_cause(cause: EndCause, end: Entry | None) -> str:
    """Say why a cause cannot be, given what came on the wire before its report."""
    match end:
        case Entry(side=Side.IN, what=Stop()):
            fits = cause is EndCause.STOP
        case Entry(side=Side.IN):
            fits = cause in _LINK_CAUSES
        case _:
            fits = cause is not EndCause.STOP
    first = "nothing" if end is None else f"{name_of(end.what)} ({end.side.value})"
    return "" if fits else f"{cause.value} was reported, and {first} came first"


@rule("R30", reads="TasksLeft, Detached, Over, stop, closes")
def nothing_left(log: WireLog, limits: Limits) -> Iterator[Case]:
    """When the stream has ended, and the wait for another, all tasks of the session end within the grace time."""
    ended_at = _end_of_tasks(log)
    counts = list(log.each(Side.APP, TasksLeft))
    if ended_at is None or not counts:
        return
    at, last = counts[-1]
    gone = next((at for at, left in counts if left.count == 0 and at >= ended_at), at)
    late = gone - ended_at
    if last.count:
        yield Case(at, f"{last.count} tasks outlived the stream")
    else:
        yield Case(gone, f"the last task ended after {late:.3f} s" if late > limits.grace + ROUNDING else "")


def _end_of_tasks(log: WireLog) -> float | None:
    """Find the moment from which tasks have to end; None where the log does not say so."""
    if log.has(Detached):  # the call outlives its link
        return next((entry.at for entry in log.of(Over)), None)
    end = log.end()
    return None if end is None else end[1].at
