"""R35 to R40: what is beyond one stream. Each is kept by a good log and broken, alone, by a bad one."""

from __future__ import annotations

import pytest

from callflow.session.inputs import Detached, EndCause, Over, Resumed, Started
from callflow.testing.rules import SERVER, check
from callflow.testing.wirelog import (
    Applet,
    Arrival,
    Asked,
    Closed,
    Dropped,
    Entry,
    Exchange,
    Fact,
    Opened,
    Ping,
    Pong,
    Ran,
    Reached,
    Request,
    Side,
    TasksLeft,
    WireLog,
)
from callflow.wire.messages import Connected, Start
from tests.testing.logs import APP, IN, OUT, STOP, media
from tests.testing.model_server import OWN

Line = tuple[float, Side, Arrival | Fact, int]

FIRST = Start(stream_sid=OWN, call_sid="call")
SECOND = Start(stream_sid="other", call_sid="call")
GONE: list[Line] = [(1.0, IN, Closed(), 1), (1.0, APP, Detached(), 1)]
RESTART: Line = (6.0, OUT, Closed(code=1012, clean=True), 1)
RESUMED: Line = (6.0, APP, Resumed(SECOND), 2)
SEPARATE: Line = (6.0, APP, Started(SECOND), 2)
OVER: list[Line] = [(9.0, IN, STOP, 1), (9.0, APP, Over(EndCause.STOP), 1)]
PASSTHRU = Request(applet=Applet.PASSTHRU, call_sid="call")
STATUS = Request(applet=Applet.STATUS, call_sid="call", status="completed")


def log(*lines: Line) -> WireLog:
    return WireLog([Entry(*line) for line in lines])


def opening(at: float, start: Start, conn: int) -> list[Line]:
    return [(at, IN, Asked(), conn), (at, OUT, Opened(), conn), (at, IN, Connected(), conn), (at, IN, start, conn)]


def stream(*lines: Line) -> WireLog:
    return log(*opening(0.0, FIRST, 1), (0.0, APP, Started(FIRST), 1), *lines)


def meeting(before: list[Line], *after: Line) -> WireLog:
    """Let a second connection of the call come at 5 s."""
    return stream(*before, *opening(5.0, SECOND, 2), *after)


def closing(code: int, cause: EndCause, dropped: float = 1.0) -> WireLog:
    return stream(
        (1.0, APP, Over(cause), 1), (1.0, OUT, Closed(code=code, clean=True), 1), (dropped, OUT, Dropped(), 1)
    )


def http(*whats: Exchange | Reached) -> WireLog:
    return log(*[(float(at), IN if isinstance(what, Exchange) else APP, what, 0) for at, what in enumerate(whats)])


GOOD: dict[str, list[tuple[int, WireLog]]] = {
    "R35": [
        (1, meeting([], (5.5, IN, media(), 1), SEPARATE, (7.0, OUT, media(), 1), *OVER)),
        (1, meeting(GONE, RESUMED)),
        (1, meeting([], RESTART, RESUMED)),
        (1, meeting([], (5.0, IN, media(), 1), RESTART, RESUMED)),
        (1, meeting([], (5.5, IN, Closed(), 1), (5.5, APP, Detached(), 1), RESUMED)),
        (1, meeting([(1.0, IN, STOP, 1), (1.0, APP, Over(EndCause.STOP), 1)], SEPARATE)),
        (1, meeting([], SEPARATE, (7.0, APP, Over(EndCause.DRAIN), 1), (7.0, OUT, Closed(code=1012, clean=True), 1))),
        (0, stream()),
    ],
    "R36": [
        (2, closing(1000, EndCause.FLOW, 6.0)),
        (2, closing(1012, EndCause.DRAIN)),
        (1, log((0.0, OUT, Opened(), 1), (9.0, OUT, Closed(code=1008, clean=True), 1))),
        (0, stream(*OVER)),
    ],
    "R37": [(1, stream()), (1, stream((0.0, APP, Ran("data"), 1)))],
    "R38": [(2, http(Exchange(request=PASSTHRU, answer=302, seconds=1.9), Exchange(request=STATUS, answer=200)))],
    "R39": [
        (
            1,
            http(
                Reached(request=PASSTHRU),
                Exchange(request=PASSTHRU, answer=200),
                Reached(request=PASSTHRU, repeated=True),
                Exchange(request=PASSTHRU, answer=200),
                Reached(request=STATUS),
                Exchange(request=STATUS, answer=200),
            ),
        ),
    ],
    "R40": [
        (
            2,
            stream(
                (1.0, IN, Ping(b"a"), 1), (1.0, IN, Ping(b"b"), 1), (1.0, OUT, Pong(b"b"), 1), (2.0, IN, media(), 1)
            ),
        ),
    ],
}

BAD: list[tuple[str, str, WireLog]] = [
    (
        "R35",
        "the call was taken over, and its older link was alive",
        meeting([], (5.5, IN, media(), 1), RESTART, RESUMED),
    ),
    ("R35", "the call was taken over, and its older link was not closed", meeting([], RESUMED)),
    (
        "R35",
        "the call was taken over, and its older link was not asked",
        meeting([], (5.0, OUT, Closed(code=1012, clean=True), 1), (5.0, APP, Resumed(SECOND), 2)),
    ),
    ("R35", "a call that was over went on", meeting([(1.0, IN, STOP, 1), (1.0, APP, Over(EndCause.STOP), 1)], RESUMED)),
    ("R35", "the older link was closed, and its call did not go on", meeting([], RESTART, SEPARATE)),
    ("R36", "closed 1001, and flow ended the call", closing(1001, EndCause.FLOW)),
    ("R36", "closed 1000, and app_error ended the call", closing(1000, EndCause.APP_ERROR)),
    ("R36", "dropped 8.000 s after the close", closing(1000, EndCause.FLOW, 9.0)),
    (
        "R36",
        "the transport was never dropped",
        stream(
            (1.0, APP, Over(EndCause.FLOW), 1),
            (1.0, OUT, Closed(code=1000, clean=True), 1),
            (1.0, APP, TasksLeft(0), 1),
        ),
    ),
    (
        "R37",
        "ran before the upgrade was answered",
        log((0.0, IN, Asked(), 1), (0.0, APP, Ran("data"), 1), (0.0, OUT, Opened(), 1)),
    ),
    ("R38", "a passthru was never answered", http(Exchange(request=PASSTHRU))),
    ("R38", "a passthru was answered after 3.000 s", http(Exchange(request=PASSTHRU, answer=200, seconds=3.0))),
    ("R38", "a status callback was answered 500", http(Exchange(request=STATUS, answer=500))),
    (
        "R39",
        "a passthru reached the application again",
        http(Reached(request=PASSTHRU), Exchange(request=PASSTHRU, answer=200), Reached(request=PASSTHRU)),
    ),
    (
        "R39",
        "a passthru reached the application again",
        http(
            Reached(request=PASSTHRU),
            Exchange(request=PASSTHRU, answer=200, failed=True),
            Reached(request=PASSTHRU),
            Exchange(request=PASSTHRU, answer=200),
            Reached(request=PASSTHRU),
        ),
    ),
    ("R40", "a ping was not answered in 0.050 s", stream((1.0, IN, Ping(b"a"), 1), (2.0, IN, media(), 1))),
    ("R40", "a ping was not answered in 0.050 s", stream((1.0, IN, Ping(b"a"), 1), (1.0, OUT, Pong(b"b"), 1), *OVER)),
    ("R40", "a ping was not answered in 0.050 s", stream((1.0, IN, Ping(), 1), *OVER)),
]


@pytest.mark.parametrize(("rule", "number"), [(rule, n) for rule, logs in GOOD.items() for n in range(len(logs))])
def test_a_good_log_keeps_every_rule_and_tries_its_own(rule: str, number: int) -> None:
    cases, good = GOOD[rule][number]
    verdict = check(good)

    assert (verdict.breaches, verdict.premises[rule]) == ((), cases)


@pytest.mark.parametrize("number", range(len(BAD)), ids=[f"{rule}: {words}" for rule, words, _ in BAD])
def test_a_bad_log_breaks_its_rule_and_no_other(number: int) -> None:
    rule, words, bad = BAD[number]

    assert [(breach.rule, breach.words) for breach in check(bad).breaches] == [(rule, words)]


def test_every_rule_beyond_a_stream_has_a_good_log_and_a_bad_one() -> None:
    rules = [rule.id for rule in SERVER[-6:]]

    assert rules == list(GOOD) == list(dict.fromkeys(rule for rule, _, _ in BAD)) == [f"R{n}" for n in range(35, 41)]


def test_a_ping_that_the_end_overtook_needs_no_answer() -> None:
    cut_off = stream((1.0, IN, Ping(b"a"), 1), (1.02, IN, STOP, 1), (1.02, APP, Over(EndCause.STOP), 1))

    assert check(cut_off).breaches == ()


def test_each_connection_is_judged_by_itself() -> None:
    both = meeting([], (5.5, IN, media(), 1), SEPARATE, (7.0, OUT, media(sid="other"), 1), *OVER)

    assert [breach.rule for breach in check(both).breaches] == ["R16"]


def test_http_is_on_no_connection() -> None:
    assert http(Exchange(request=PASSTHRU)).connections() == []
