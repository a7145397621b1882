"""Each rule is kept by a good log and broken, alone, by a bad one."""

from __future__ import annotations

import pytest
from attrs import evolve

from callflow.session.inputs import (
    Audio,
    Detached,
    EndCause,
    MarkDone,
    MarkFate,
    Over,
    Pressed,
    SendClear,
    SendMark,
    SendMedia,
    Started,
)
from callflow.testing.rules import SERVER, Breach, Kind, check
from callflow.testing.wirelog import Closed, Interrupted, Malformed, OneWay, Opened, Queued, TasksLeft, WireLog
from callflow.wire.messages import Clear, Unknown
from tests.testing.logs import APP, CLEAR, IN, OTHER, OUT, SPEECH, START, STOP, Line, key, log, mark, media, stream
from tests.testing.model_server import speech

STREAM = SERVER[:-6]
"""The rules about one stream; ``test_call_rules.py`` has those beyond it."""

UTTERANCE: Line = (0.1, APP, Queued("u", SPEECH))
LONG: Line = (0.1, APP, Queued("u", speech(1, 12_800)))
FIRST: Line = (0.1, OUT, media())
SECOND: Line = (0.1, OUT, media(SPEECH[3200:]))
SHORT: Line = (0.1, APP, Queued("b", b"\1" * 320))
SHORT_SENT: Line = (0.1, OUT, media(b"\1" * 320))
TAKEN_BACK: Line = (0.1, APP, Interrupted())
CLEARED: Line = (0.1, OUT, CLEAR)
MARKED: Line = (0.1, OUT, mark("m"))
STOPPED: Line = (1.0, IN, STOP)
OVER: Line = (1.0, APP, Over(EndCause.STOP))
CUT_OFF: list[Line] = [(1.0, IN, Closed()), (1.0, APP, Over(EndCause.PEER_GONE))]
HUNG_UP: list[Line] = [(1.0, OUT, Closed(code=1000)), (1.0, APP, Over(EndCause.FLOW))]
FAULTED: Line = (0.3, APP, Over(EndCause.PROTOCOL))
LIMIT = Over(EndCause.LIMIT)

# Good logs, with how many times each could have broken the rule.

GOOD: dict[str, list[tuple[int, WireLog]]] = {
    "R15": [
        (2, log((0.0, IN, Opened()), (0.1, APP, Queued("u", SPEECH)), (0.2, IN, START), (0.2, OUT, media()))),
        (1, log((0.0, IN, Opened()), (0.0, APP, OneWay()), (9.0, OUT, Closed(code=1008)))),
    ],
    "R16": [(3, stream((0.1, OUT, media()), (0.1, OUT, mark("m")), (0.2, OUT, CLEAR)))],
    "R17": [(2, stream((0.1, OUT, media(b"\1" * 320)), (0.2, OUT, mark("m")), (0.3, OUT, media())))],
    "R18": [
        (1, stream((0.1, OUT, media()), (0.2, OUT, media(b"\1" * 320)), (0.2, OUT, mark("m")), (0.3, OUT, media()))),
    ],
    "R19": [
        (
            2,
            stream(
                (0.1, APP, Queued("u", SPEECH[:3000])),
                (0.1, APP, Queued("u", SPEECH[3000:3300])),
                (0.1, OUT, media()),
                (0.1, OUT, media(SPEECH[3200:3300] + bytes(220))),
                (0.1, OUT, mark("m")),
            ),
        ),
    ],
    "R20": [
        (
            3,
            stream(
                (0.1, OUT, media(bytes(6400))),
                (0.1, OUT, media()),
                (0.5, OUT, CLEAR),  # and what was sent no longer counts
                (0.5, OUT, media(bytes(9600))),
            ),
        ),
    ],
    "R21": [
        (
            2,
            stream(
                (0.1, APP, Queued("a", SPEECH[:3200])),
                (0.1, OUT, media()),
                (0.1, OUT, mark("m")),
                (0.1, APP, Queued("b", SPEECH[3200:])),
                (0.1, IN, mark("m")),
                (0.1, OUT, media(SPEECH[3200:])),
                (0.1, OUT, mark("n")),
            ),
        ),
    ],
    "R22": [(2, stream((0.1, OUT, mark("a")), (0.1, OUT, mark("b"))))],
    "R23": [
        (
            1,
            stream(
                (0.1, APP, Queued("a", SPEECH)),
                TAKEN_BACK,
                (0.1, OUT, media()),  # was on its way
                CLEARED,
                SHORT,
                SHORT_SENT,
            ),
        ),
        (
            1,
            stream(
                (0.1, APP, Queued("a", bytes(6400))),
                TAKEN_BACK,
                CLEARED,
                (0.1, APP, Queued("b", bytes(6400))),
                (0.1, OUT, media(bytes(3200))),
                (0.1, OUT, media(bytes(3200))),
            ),
        ),  # silence is nobody's
        (1, stream(TAKEN_BACK, UTTERANCE, CLEARED, FIRST)),  # queued after the interrupt
        (1, stream(TAKEN_BACK, TAKEN_BACK, CLEARED)),
        (2, stream(TAKEN_BACK, TAKEN_BACK, CLEARED, CLEARED)),
        (0, stream(UTTERANCE, FIRST, TAKEN_BACK, *CUT_OFF)),  # nothing is owed to a stream that ended
    ],
    "R24": [
        (
            2,
            stream(
                (0.1, OUT, mark("a")),
                (0.1, OUT, mark("b")),
                (0.5, IN, mark("a")),
                (0.5, APP, MarkDone("a", MarkFate.PLAYED)),
                (0.6, APP, MarkDone("b", MarkFate.ASSUMED)),
                (0.9, IN, mark("b")),  # late: changes nothing
                STOPPED,
                OVER,
            ),
        ),
        (0, stream(MARKED)),  # still waits
    ],
    "R25": [(1, stream((0.1, OUT, media()), STOPPED, (1.0, OUT, Closed(code=1000)), OVER))],
    "R26": [
        (
            3,
            stream(
                (0.1, APP, SendMedia(SPEECH[:3200])),
                (0.1, OUT, media()),
                (0.1, APP, SendMark("m")),
                (0.1, APP, SendClear()),
                (0.1, OUT, mark("m")),
                (0.1, OUT, CLEAR),
            ),
        ),
    ],
    "R27": [(1, stream((0.0, APP, OneWay()), (0.1, IN, media())))],
    "R28": [
        (1, stream(STOPPED, (1.05, APP, Over(EndCause.STOP)))),
        (1, stream((1.0, IN, Closed()), (1.0, APP, Detached()))),
        (0, stream((1.0, OUT, Closed(code=1000)), (2.0, APP, Over(EndCause.FLOW)))),  # our own end
        (0, stream((1.0, APP, Over(EndCause.FLOW)), (2.0, IN, STOP))),  # known before
    ],
    "R29": [
        (1, stream(STOPPED, OVER, (1.1, IN, Closed()))),
        (1, stream((1.0, APP, Over(EndCause.FLOW)), (1.0, IN, STOP))),  # what was decided first
        (1, stream((1.0, IN, Closed()), (1.0, APP, Over(EndCause.TOO_BIG)))),
        (0, stream((1.0, IN, Closed()), (1.0, APP, Detached()))),
    ],
    "R30": [
        (1, stream(STOPPED, OVER, (1.0, APP, TasksLeft(3)), (6.0, APP, TasksLeft(0)))),
        (1, stream(STOPPED, OVER, (2.0, APP, TasksLeft(0)), (9.0, APP, TasksLeft(0)))),
    ],
    "R31": [
        (2, stream((0.1, IN, Malformed("not JSON")), (0.2, IN, Unknown(event="x")), (0.3, OUT, media()))),
        (1, stream((0.1, IN, Malformed("not JSON")), (0.2, IN, media()), (0.3, OUT, Closed(code=1003)), FAULTED)),
        (0, stream((0.3, OUT, Closed(code=1003)), FAULTED)),
        (50, stream(*[(0.1, IN, Malformed("not JSON"))] * 50, (0.1, OUT, Closed(code=1003)), FAULTED)),
    ],
    "R32": [
        (2, stream((0.1, IN, OTHER), (0.2, IN, START), (0.3, OUT, media()))),
        (1, stream((0.1, IN, OTHER), (0.2, IN, key("1")), (0.2, APP, Pressed(key("1"))))),
    ],
    "R33": [
        (
            2,
            stream(
                (0.1, IN, key("1", 7)),
                (0.1, APP, Pressed(key("1", 7))),
                (0.2, IN, media(sequence_number=8)),
                (0.2, APP, Audio(media(sequence_number=8))),
                (0.3, IN, key("2", 3)),
                (0.3, APP, Pressed(key("2", 3))),
                (0.4, IN, evolve(key("3"), stream_sid="another call's")),
                (0.5, IN, mark("m", 4)),
                STOPPED,
                OVER,
                (1.0, IN, key("4", 5)),  # too late to be told
            ),
        ),
    ],
    "R34": [
        (
            3,
            stream(
                (0.1, OUT, media(sequence_number=1, chunk=1, timestamp=0.0)),
                (0.1, OUT, CLEAR),
                (0.2, OUT, mark("m", 2)),
                (0.2, OUT, media(sequence_number=3, chunk=2, timestamp=0.2)),
            ),
        ),
    ],
}

# Bad logs, with what is found in them: that, and nothing else.

BAD: list[tuple[str, float, str, WireLog]] = [
    ("R15", 0.1, "media before start", log((0.0, IN, Opened()), FIRST, (0.2, IN, START))),
    ("R15", 0.1, "mark before start", log((0.0, IN, Opened()), MARKED)),
    ("R16", 0.1, "media with stream_sid 'foreign'", stream((0.1, OUT, media(sid="foreign")))),
    ("R16", 0.1, "clear with stream_sid ''", stream((0.1, OUT, Clear()))),
    ("R17", 0.1, "a payload of 3300 bytes", stream((0.1, OUT, media(bytes(3300))))),
    ("R17", 0.1, "a payload of 0 bytes", stream((0.1, OUT, media(b"")))),
    ("R18", 0.1, "320 bytes, and the utterance went on", stream(SHORT_SENT, (0.2, IN, mark("m")), (0.3, OUT, media()))),
    ("R19", 0.2, "3200 bytes that were not next", stream(UTTERANCE, FIRST, (0.2, OUT, media()), SECOND)),
    (
        "R19",
        0.2,
        "3200 bytes of utterance 'u' are missing",
        stream(LONG, FIRST, (0.2, OUT, media(speech(1, 9600)[6400:])), (0.3, OUT, media(speech(1, 12_800)[9600:]))),
    ),
    (
        "R19",
        0.1,
        "320 bytes that were not next",
        stream((0.1, APP, Queued("u", b"\1")), (0.1, OUT, media(b"\2" * 320))),
    ),
    (
        "R19",
        0.1,
        "320 bytes that were not next",
        stream((0.1, APP, Queued("u", b"\1")), (0.1, OUT, media(b"\1" + b"\2" * 319))),
    ),
    (
        "R19",
        0.1,
        "640 bytes that were not next",
        stream((0.1, APP, Queued("u", b"\1")), (0.1, OUT, media(b"\1" + bytes(639)))),
    ),
    ("R19", 0.1, "320 bytes of utterance 'b' never went out", stream(SHORT, UTTERANCE, FIRST, SECOND)),
    ("R20", 0.1, "0.800 s ahead, 0.600 s allowed", stream(FIRST, FIRST, FIRST, FIRST)),
    ("R20", 7.79, "0.610 s ahead, 0.600 s allowed", stream(*[(n * 0.19, OUT, media()) for n in range(42)])),
    ("R21", 0.1, "3200 bytes of 'u' before its end", stream(UTTERANCE, FIRST, MARKED, SECOND)),
    (
        "R21",
        0.2,
        "audio of 'b' before the mark of 'a'",
        stream(
            (0.1, APP, Queued("a", SPEECH[:3200])),
            FIRST,
            (0.1, APP, Queued("b", b"\1" * 3520)),
            (0.2, OUT, media(b"\1" * 3200)),
            SHORT_SENT,
        ),
    ),
    ("R22", 0.1, "mark 'm' again", stream(MARKED, MARKED)),
    ("R23", 0.1, "no clear was sent", stream(TAKEN_BACK)),
    ("R23", 0.2, "a clear, and nothing was interrupted", stream(TAKEN_BACK, CLEARED, (0.2, OUT, CLEAR))),
    (
        "R23",
        0.2,
        "a clear, and nothing was interrupted",
        stream(TAKEN_BACK, CLEARED, UTTERANCE, FIRST, (0.2, OUT, CLEAR), SHORT, SHORT_SENT),
    ),
    ("R23", 0.1, "audio of 'u', which was taken back", stream(UTTERANCE, FIRST, TAKEN_BACK, CLEARED, SECOND)),
    ("R23", 0.1, "audio of 'b' before the clear", stream(UTTERANCE, FIRST, TAKEN_BACK, SHORT, SHORT_SENT, CLEARED)),
    (
        "R24",
        0.6,
        "the wait for mark 'm' ended again",
        stream(
            MARKED,
            (0.5, APP, MarkDone("m", MarkFate.ASSUMED)),
            (0.6, IN, mark("m")),
            (0.6, APP, MarkDone("m", MarkFate.PLAYED)),
        ),
    ),
    ("R24", 0.1, "the wait for mark 'm' never ended", stream(MARKED, STOPPED, OVER)),
    (
        "R24",
        0.5,
        "mark 'm' is said to be played, and there was no echo",
        stream(MARKED, (0.5, APP, MarkDone("m", MarkFate.PLAYED))),
    ),
    ("R25", 1.0, "media after stop", stream(STOPPED, OVER, (1.0, OUT, media()))),
    ("R25", 1.1, "clear after closed", stream(*CUT_OFF, (1.1, OUT, CLEAR))),
    ("R25", 1.0, "media after closed", stream(*HUNG_UP, (1.0, OUT, media()))),
    ("R25", 1.0, "media after closed", stream(*HUNG_UP, (1.0, OUT, media()), crossing=0.5)),  # we know our own close
    ("R26", 0.1, "no whole message: not JSON", stream((0.1, OUT, Malformed("not JSON")))),
    ("R26", 0.1, "mark overtook another", stream((0.1, APP, SendMark("a")), (0.1, APP, SendMark("m")), MARKED)),
    (
        "R26",
        0.1,
        "media overtook another",
        stream((0.1, APP, SendClear()), (0.1, APP, SendMedia(SPEECH[:3200])), FIRST),
    ),
    ("R26", 0.1, "mark was not submitted", stream((0.1, APP, SendMark("a")), MARKED)),
    ("R27", 0.1, "media on a one-way stream", stream((0.0, APP, OneWay()), FIRST)),
    ("R28", 1.2, "stop was noticed after 0.200 s", stream(STOPPED, (1.2, APP, Over(EndCause.STOP)))),
    (
        "R28",
        1.0,
        "closed was noticed after 0.500 s",
        stream((0.5, IN, Closed()), (1.0, APP, Over(EndCause.PEER_GONE))),
    ),
    ("R29", 1.0, "the end was reported again", stream(STOPPED, OVER, OVER)),
    ("R29", 1.0, "the end was never reported", stream(STOPPED)),
    ("R29", 1.0, "peer_gone was reported, and stop (in) came first", stream(STOPPED, *CUT_OFF)),
    ("R29", 1.0, "stop was reported, and closed (out) came first", stream((1.0, OUT, Closed(code=1000)), OVER)),
    ("R29", 1.0, "stop was reported, and nothing came first", stream(OVER)),
    ("R29", 1.0, "limit was reported, and closed (in) came first", stream((1.0, IN, Closed()), (1.0, APP, LIMIT))),
    ("R30", 9.0, "1 tasks outlived the stream", stream(STOPPED, OVER, (9.0, APP, TasksLeft(1)))),
    (
        "R30",
        6.1,
        "the last task ended after 5.100 s",
        stream(STOPPED, OVER, (1.0, APP, TasksLeft(3)), (6.1, APP, TasksLeft(0))),
    ),
    (
        "R31",
        0.3,
        "closed 1003 after 2 malformed messages in a row",
        stream(
            (0.1, IN, Malformed("not JSON")),
            (0.1, IN, Malformed("not JSON")),
            (0.3, OUT, Closed(code=1003)),
            (0.3, APP, Over(EndCause.PROTOCOL)),
        ),
    ),
    (
        "R31",
        0.3,
        "closed 1003 after 49 malformed messages in a row",
        stream(*[(0.1, IN, Malformed("not JSON"))] * 49, (0.3, OUT, Closed(code=1003)), FAULTED),
    ),
    (
        "R31",
        0.1,
        "closed 1007 after 0 malformed messages in a row",
        stream((0.1, IN, Unknown(event="x")), (0.1, OUT, Closed(code=1007)), FAULTED),
    ),
    (
        "R32",
        0.2,
        "media with the stream_sid of a later start",
        stream((0.1, IN, OTHER), (0.2, OUT, media(sid="other"))),
    ),
    ("R32", 0.1, "the stream began a second time", stream((0.1, IN, OTHER), (0.1, APP, Started(OTHER)))),
    (
        "R33",
        0.2,
        "the keys that were told are not the keys that came",
        stream((0.1, IN, key("1", 7)), (0.1, APP, Pressed(key("1", 7))), (0.2, IN, key("2", 7))),
    ),
    (
        "R33",
        0.2,
        "the keys that were told are not the keys that came",
        stream(
            (0.1, IN, key("1", 2)),
            (0.2, IN, key("2", 1)),
            (0.2, APP, Pressed(key("2", 1))),
            (0.2, APP, Pressed(key("1", 2))),
        ),
    ),
    (
        "R33",
        0.2,
        "the audio that was told is not in the order in which it came",
        stream(
            (0.1, IN, media(b"1")),
            (0.2, IN, media(b"2")),
            (0.2, APP, Audio(media(b"2"))),
            (0.2, APP, Audio(media(b"1"))),
        ),
    ),
    ("R34", 0.1, "sequence_number 0 after 0", stream((0.1, OUT, mark("m", 0)))),
    ("R34", 0.1, "sequence_number 3 after 1", stream((0.1, OUT, mark("a", 1)), (0.1, OUT, mark("b", 3)))),
    (
        "R34",
        0.2,
        "sequence_number 1 after 1, chunk 1 after 1",
        stream((0.1, OUT, media(sequence_number=1, chunk=1)), (0.2, OUT, media(sequence_number=1, chunk=1))),
    ),
    (
        "R34",
        0.2,
        "timestamp 0.100 s after 0.200 s",
        stream((0.1, OUT, media(timestamp=0.2)), (0.2, OUT, media(timestamp=0.1))),
    ),
]


@pytest.mark.parametrize(("rule", "number"), [(rule, n) for rule, logs in GOOD.items() for n in range(len(logs))])
def test_a_good_log_keeps_every_rule_and_tries_its_own(rule: str, number: int) -> None:
    cases, good = GOOD[rule][number]
    verdict = check(good)

    assert (verdict.breaches, verdict.premises[rule]) == ((), cases)


@pytest.mark.parametrize("number", range(len(BAD)), ids=[f"{rule}: {words}" for rule, _, words, _ in BAD])
def test_a_bad_log_breaks_its_rule_and_no_other(number: int) -> None:
    rule, at, words, bad = BAD[number]

    assert [evolve(breach, at=round(breach.at, 3)) for breach in check(bad).breaches] == [Breach(rule, at, words)]


def test_every_rule_of_a_stream_has_a_good_log_and_a_bad_one() -> None:
    rules = [rule.id for rule in STREAM]

    assert (list(GOOD), list(dict.fromkeys(rule for rule, _, _, _ in BAD))) == (rules, rules)


def test_the_rules_are_those_of_the_servers_side_of_a_stream() -> None:
    numbers = [rule.id for rule in STREAM]

    assert numbers == [f"R{n}" for n in range(15, 35)]


def test_every_rule_says_what_it_asks_in_one_sentence() -> None:
    sentences = [rule.sentence for rule in SERVER]

    assert all(s and "\n" not in s and s.endswith(".") and s.count(". ") == 0 for s in sentences)


def test_one_rule_is_soft() -> None:
    soft = [rule.id for rule in SERVER if rule.kind is Kind.SOFT]

    assert soft == ["R18"]
