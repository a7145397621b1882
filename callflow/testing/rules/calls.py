"""Beyond one stream: two connections of one call, what is answered over HTTP, and the connection's own life."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping

from callflow.session.inputs import (
    EndCause,
    MarkDone,
    Over,
    Pressed,
    Resumed,
    Started,
)
from callflow.testing.rules.rule import ROUNDING, Case, Limits, rule
from callflow.testing.wirelog import (
    RESTART,
    Asked,
    Closed,
    Dropped,
    Entry,
    Exchange,
    Opened,
    Ping,
    Pong,
    Queued,
    Ran,
    Reached,
    Request,
    Side,
    TasksLeft,
    WireLog,
    name_of,
)
from callflow.wire.messages import Start, Stop


@rule("R35", reads="starts of one call_sid on several connections, Started, Resumed, Over, closes", whole=True)
def calls_told_apart(log: WireLog, limits: Limits) -> Iterator[Case]:
    """Two connections with one call_sid are two calls, unless the older is gone or silent: then the call goes on."""
    for place, start in log.starts():
        if older := _older(log, place, start):
            entry = log.entries[place]
            words = [_wrong_meeting(log, place, conn) for conn in older]
            goes_on = any(isinstance(e.what, Resumed) for _, e in _from(log, place, entry.conn))
            # a call that goes on does so for one of them, and none may be disturbed by a new one
            yield Case(entry.at, min(words, key=len) if goes_on else max(words, key=len))


def _older(log: WireLog, place: int, start: Start) -> list[int]:
    """Find the connections before that have had a start of the same call."""
    conn = log.entries[place].conn
    starts = [log.entries[n] for n, before in log.starts() if n < place and before.call_sid == start.call_sid]
    return list(dict.fromkeys(e.conn for e in starts if e.conn != conn))


def _wrong_meeting(log: WireLog, place: int, older: int) -> str:
    """Say what is wrong with how a second connection of a call was taken."""
    conn = log.entries[place].conn
    fate = next((n for n, e in _from(log, place, conn) if isinstance(e.what, Started | Resumed)), None)
    end = next((n for n in log.places(Closed, Stop) if log.entries[n].conn == older), None)
    restarted = end is not None and end > place and log.entries[end].what == Closed(code=RESTART, clean=True)
    over = next((n for n in log.places(Over) if log.entries[n].conn == older), None)
    if fate is None or isinstance(log.entries[fate].what, Started):
        goes_on = any(n >= place for n in log.places(Resumed))  # there, or where a third one came
        disturbed = restarted and over is None and not goes_on
        return "the older link was closed, and its call did not go on" if disturbed else ""
    if over is not None and over < fate:
        return "a call that was over went on"
    if any(isinstance(e.what, Closed) for e in log.entries[:fate] if e.conn == older and e.side is Side.IN):
        return ""  # lost, before the newer came or while it was asked for a sign of life
    # What is read in the instant of the start came before it, and answers no question.
    asked_at = log.entries[place].at
    told = (e for n, e in _from(log, place, older) if n < fate and e.at > asked_at)
    if any(e.side is Side.IN and not isinstance(e.what, Closed) for e in told):
        return "the call was taken over, and its older link was alive"
    if log.entries[fate].at <= asked_at:
        return "the call was taken over, and its older link was not asked"
    return "" if restarted else "the call was taken over, and its older link was not closed"


def _from(log: WireLog, place: int, conn: int) -> Iterator[tuple[int, Entry]]:
    here = log.once(("places", conn), lambda log: [n for n, e in enumerate(log.entries) if e.conn == conn])
    return ((n, log.entries[n]) for n in here[bisect_right(here, place) :])


# The connection.

_CODES: Mapping[EndCause, frozenset[int]] = {
    EndCause.STOP: frozenset({1000}),
    EndCause.FLOW: frozenset({1000}),
    EndCause.LIMIT: frozenset({1000}),
    EndCause.IDLE: frozenset({1001}),
    EndCause.POLICY: frozenset({1008}),
    EndCause.PROTOCOL: frozenset({1002, 1003, 1007}),
    EndCause.TOO_BIG: frozenset({1009}),
    EndCause.APP_ERROR: frozenset({1011}),
    EndCause.APP_TIMEOUT: frozenset({1011}),
    EndCause.DRAIN: frozenset({1001, RESTART}),
}
"""What a close of ours says, by what ended the call (exotel.md §16)."""


@rule("R36", reads="our close, Over, Dropped, TasksLeft")
def closed_in_order(log: WireLog, limits: Limits) -> Iterator[Case]:
    """The server's close has the code of its cause, 1000 for a flow's end, and the transport is dropped soon after."""
    closed = next(((at, what) for at, what in log.each(Side.OUT, Closed)), None)
    if closed is None:
        return
    at, close = closed
    cause = next((over.cause for _, over in log.each(Side.APP, Over)), None)
    fits = cause is None or close.code in _CODES.get(cause, {close.code})
    yield Case(at, "" if fits or cause is None else f"closed {close.code}, and {cause.value} ended the call")
    dropped = next((at for at, _ in log.each(Side.OUT, Dropped)), None)
    if dropped is not None:
        late = dropped - at
        yield Case(dropped, f"dropped {late:.3f} s after the close" if late > limits.close + ROUNDING else "")
    elif log.has(TasksLeft):
        yield Case(at, "the transport was never dropped")


@rule("R37", reads="Asked, Opened, and what the application did between them")
def answered_first(log: WireLog, limits: Limits) -> Iterator[Case]:
    """The upgrade is answered before any work of the application."""
    asked = False
    for entry in log.entries:
        match entry.what:
            case Asked():
                asked = True
                yield Case(entry.at)
            case Opened():
                return
            case Ran() | Queued() | Started() | Pressed() | MarkDone() if asked:
                yield Case(entry.at, f"{name_of(entry.what)} before the upgrade was answered")
            case _:
                pass


@rule("R40", reads="pings that arrive, pongs sent, the end")
def pings_are_answered(log: WireLog, limits: Limits) -> Iterator[Case]:
    """A ping is answered by a pong with its content at any time, also while audio is sent."""
    if not log.has(Ping):
        return
    waiting = list[tuple[float, Ping]]()
    allowed = limits.notice + log.crossing + ROUNDING
    end = log.end()
    for entry in log.entries[: None if end is None else end[0]]:
        for at, _ in [each for each in waiting if entry.at - each[0] > allowed]:
            yield Case(at, f"a ping was not answered in {allowed:.3f} s")
        waiting = [each for each in waiting if entry.at - each[0] <= allowed]
        match entry:
            case Entry(side=Side.IN, what=Ping() as ping):
                waiting.append((entry.at, ping))
                yield Case(entry.at)
            case Entry(side=Side.OUT, what=Pong(payload=payload)):
                known = [n for n, (_, ping) in enumerate(waiting) if ping.payload == payload]
                waiting = waiting[known[-1] + 1 :] if known else waiting  # one answer may do for several
            case _:
                pass
    until = end[1].at if end is not None else float("-inf")
    for at, _ in waiting:
        if until - at > allowed:
            yield Case(at, f"a ping was not answered in {allowed:.3f} s")


# HTTP.


@rule("R38", reads="Exchange", whole=True)
def applets_are_answered(log: WireLog, limits: Limits) -> Iterator[Case]:
    """A Passthru, a stream URL and a status callback are answered in time, whatever the application does."""
    for entry in log.of(Exchange):
        if isinstance(entry.what, Exchange):
            yield Case(entry.at, _wrong_answer(entry.what, limits))


def _wrong_answer(asked: Exchange, limits: Limits) -> str:
    applet = asked.request.applet.value
    if asked.answer is None:
        return f"a {applet} was never answered"
    if asked.seconds > limits.answer + limits.notice + ROUNDING:
        return f"a {applet} was answered after {asked.seconds:.3f} s"
    return f"a {applet} was answered {asked.answer}" if asked.answer >= 500 else ""


@rule("R39", reads="Exchange and Reached of equal requests", whole=True)
def repeats_once(log: WireLog, limits: Limits) -> Iterator[Case]:
    """A repeated Passthru or status callback reaches the application once, or is flagged, unless it failed there."""
    answered, reached = set[Request](), set[Request]()
    for entry in log.of(Exchange, Reached):
        match entry.what:
            case Exchange(request=request, failed=failed):
                if request in answered:
                    yield Case(entry.at)
                answered.add(request)
                if failed:
                    reached.discard(request)
            case Reached(request=request, repeated=flagged):
                if request in reached and not flagged:
                    yield Case(entry.at, f"a {request.applet.value} reached the application again")
                reached.add(request)
            case _:
                pass
