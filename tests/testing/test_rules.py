"""Each rule is kept by a good log and broken, alone, by a bad one."""

from __future__ import annotations

import pytest
from attrs import evolve

from callflow.session.inputs import (
    Audio,
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
from callflow.testing.rules import ALL, Kind, Rule, check
from callflow.testing.wirelog import Closed, Interrupted, Malformed, OneWay, Opened, Queued, TasksLeft, WireLog
from callflow.wire.messages import Clear, Unknown
from tests.testing.logs import APP, CLEAR, IN, OTHER, OUT, SPEECH, START, STOP, Line, key, log, mark, media, stream

# One good log and the bad ones beside it, for each rule.

GOOD = {
    "R15": log((0.0, IN, Opened()), (0.1, APP, Queued("u", SPEECH)), (0.2, IN, START), (0.2, OUT, media())),
    "R16": stream((0.1, OUT, media()), (0.1, OUT, mark("m")), (0.2, OUT, CLEAR)),
    "R17": stream((0.1, OUT, media(b"\1" * 320)), (0.2, OUT, mark("m")), (0.3, OUT, media())),
    "R18": stream((0.1, OUT, media()), (0.2, OUT, media(b"\1" * 320)), (0.2, OUT, mark("m")), (0.3, OUT, media())),
    "R19": stream(
        (0.1, APP, Queued("u", SPEECH[:3000])),
        (0.1, APP, Queued("u", SPEECH[3000:3300])),
        (0.1, OUT, media()),
        (0.1, OUT, media(SPEECH[3200:3300] + bytes(220))),
    ),
    "R20": stream(
        (0.1, OUT, media(bytes(6400))),
        (0.1, OUT, media()),
        (0.5, OUT, CLEAR),  # and what was sent no longer counts
        (0.5, OUT, media(bytes(9600))),
    ),
    "R21": stream(
        (0.1, APP, Queued("a", SPEECH[:3200])),
        (0.1, OUT, media()),
        (0.1, OUT, mark("m")),
        (0.1, APP, Queued("b", SPEECH[3200:])),
        (0.1, OUT, media(SPEECH[3200:])),
        (0.1, OUT, mark("n")),
    ),
    "R22": stream((0.1, OUT, mark("a")), (0.1, OUT, mark("b"))),
    "R23": stream(
        (0.1, APP, Queued("a", SPEECH)),
        (0.1, APP, Interrupted(1)),
        (0.1, OUT, media()),  # was on its way
        (0.1, OUT, CLEAR),
        (0.1, APP, Queued("b", b"\2" * 320)),
        (0.1, OUT, media(b"\2" * 320)),
    ),
    "R24": stream(
        (0.1, OUT, mark("a")),
        (0.1, OUT, mark("b")),
        (0.5, IN, mark("a")),
        (0.5, APP, MarkDone("a", MarkFate.PLAYED)),
        (0.6, APP, MarkDone("b", MarkFate.ASSUMED)),
        (0.9, IN, mark("b")),  # late: changes nothing
        (1.0, IN, STOP),
        (1.0, APP, Over(EndCause.STOP)),
    ),
    "R25": stream((0.1, OUT, media()), (0.2, IN, STOP), (0.2, OUT, Closed(code=1000)), (0.2, APP, Over(EndCause.STOP))),
    "R26": stream(
        (0.1, APP, SendMedia(SPEECH[:3200])),
        (0.1, OUT, media()),
        (0.1, APP, SendMark("m")),
        (0.1, APP, SendClear()),
        (0.1, OUT, mark("m")),
        (0.1, OUT, CLEAR),
    ),
    "R27": stream((0.0, APP, OneWay()), (0.1, IN, media())),
    "R28": stream((1.0, IN, STOP), (1.05, APP, Over(EndCause.STOP))),
    "R29": stream((1.0, IN, STOP), (1.0, APP, Over(EndCause.STOP)), (1.1, IN, Closed())),
    "R30": stream((1.0, IN, STOP), (1.0, APP, Over(EndCause.STOP)), (1.0, APP, TasksLeft(3)), (6.0, APP, TasksLeft(0))),
    "R31": stream((0.1, IN, Malformed("not JSON")), (0.2, IN, Unknown(event="x")), (0.3, OUT, media())),
    "R32": stream((0.1, IN, OTHER), (0.2, IN, START), (0.3, OUT, media())),
    "R33": stream(
        (0.1, IN, key("1", 7)),
        (0.1, APP, Pressed(key("1", 7))),
        (0.2, IN, media(sequence_number=3)),
        (0.2, APP, Audio(media(sequence_number=3))),
        (0.3, IN, key("2", 3)),
        (0.3, APP, Pressed(key("2", 3))),
        (0.4, IN, evolve(key("3"), stream_sid="another call's")),
    ),
    "R34": stream(
        (0.1, OUT, media(sequence_number=1, chunk=1, timestamp=0.0)),
        (0.1, OUT, CLEAR),
        (0.2, OUT, mark("m", 2)),
        (0.2, OUT, media(sequence_number=3, chunk=2, timestamp=0.2)),
    ),
}

UTTERANCE: Line = (0.1, APP, Queued("u", SPEECH))
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
FAULTED: Line = (0.1, APP, Over(EndCause.PROTOCOL))

BAD: dict[str, dict[str, WireLog]] = {
    "R15": {
        "media before start": log((0.0, IN, Opened()), FIRST, (0.2, IN, START)),
        "a mark, and no start ever": log((0.0, IN, Opened()), MARKED),
    },
    "R16": {
        "another stream_sid": stream((0.1, OUT, media(sid="foreign"))),
        "a clear without one": stream((0.1, OUT, Clear())),
    },
    "R17": {
        "not whole blocks": stream((0.1, OUT, media(bytes(3300)))),
        "empty": stream((0.1, OUT, media(b""))),
    },
    "R18": {"a small one in the middle": stream(SHORT_SENT, FIRST)},
    "R19": {
        "a chunk doubled": stream(UTTERANCE, FIRST, FIRST, SECOND),
        "a chunk lost": stream((0.1, APP, Queued("u", SPEECH + bytes(3200))), FIRST, (0.1, OUT, media(bytes(3200)))),
        "chunks exchanged": stream(UTTERANCE, SECOND, FIRST),
        "altered": stream(UTTERANCE, (0.1, OUT, media(b"\xee" * 3200))),
        "padded with noise": stream((0.1, APP, Queued("u", b"\1")), (0.1, OUT, media(b"\1" + b"\2" * 319))),
        "padded too much": stream((0.1, APP, Queued("u", b"\1")), (0.1, OUT, media(b"\1" + bytes(639)))),
        "an utterance left out": stream(SHORT, UTTERANCE, FIRST, SECOND),
    },
    "R20": {
        "0.8 s at once": stream(FIRST, FIRST, FIRST, FIRST),
        "drifting ahead": stream(*[(n * 0.19, OUT, media()) for n in range(60)]),
    },
    "R21": {
        "a mark before the last chunk": stream(UTTERANCE, FIRST, MARKED, SECOND),
        "later audio before the mark": stream(UTTERANCE, FIRST, SECOND, SHORT, SHORT_SENT),
    },
    "R22": {"a name twice": stream(MARKED, MARKED)},
    "R23": {
        "no clear": stream(TAKEN_BACK),
        "a second clear": stream(TAKEN_BACK, CLEARED, CLEARED),
        "old audio behind the clear": stream(UTTERANCE, FIRST, TAKEN_BACK, CLEARED, SECOND),
        "new audio before the clear": stream(UTTERANCE, FIRST, TAKEN_BACK, SHORT, SHORT_SENT, CLEARED),
    },
    "R24": {
        "a wait that ends twice": stream(
            MARKED,
            (0.5, APP, MarkDone("m", MarkFate.ASSUMED)),
            (0.6, IN, mark("m")),
            (0.6, APP, MarkDone("m", MarkFate.PLAYED)),
        ),
        "a wait that never ends": stream(MARKED, STOPPED, OVER),
        "played without an echo": stream(MARKED, (0.5, APP, MarkDone("m", MarkFate.PLAYED))),
    },
    "R25": {
        "media after stop": stream(STOPPED, OVER, (1.0, OUT, media())),
        "a clear after the peer's close": stream(*CUT_OFF, (1.1, OUT, CLEAR)),
        "media after our close": stream(*HUNG_UP, (1.0, OUT, media())),
    },
    "R26": {
        "a torn message": stream((0.1, OUT, Malformed("not JSON"))),
        "one overtook another": stream((0.1, APP, SendMark("a")), (0.1, APP, SendMark("m")), MARKED),
        "nobody submitted it": stream((0.1, APP, SendMark("a")), MARKED),
    },
    "R27": {"media on a tap": stream((0.0, APP, OneWay()), FIRST)},
    "R28": {
        "noticed late": stream(STOPPED, (1.2, APP, Over(EndCause.STOP))),
        "a close noticed late": stream((0.5, IN, Closed()), (1.0, APP, Over(EndCause.PEER_GONE))),
    },
    "R29": {
        "reported twice": stream(STOPPED, OVER, OVER),
        "never reported": stream(STOPPED),
        "a later cause": stream(STOPPED, *CUT_OFF),
        "a stop that never came": stream((1.0, OUT, Closed(code=1000)), OVER),
    },
    "R30": {
        "a task is left": stream(STOPPED, OVER, (9.0, APP, TasksLeft(1))),
        "gone too late": stream(STOPPED, OVER, (6.1, APP, TasksLeft(0))),
    },
    "R31": {
        "closed for one": stream((0.1, IN, Malformed("not JSON")), (0.1, OUT, Closed(code=1003)), FAULTED),
        "closed for an unknown event": stream((0.1, IN, Unknown(event="x")), (0.1, OUT, Closed(code=1007)), FAULTED),
    },
    "R32": {
        "the second start's stream_sid": stream((0.1, IN, OTHER), (0.2, OUT, media(sid="other"))),
        "begun twice": stream((0.1, IN, OTHER), (0.1, APP, Started(OTHER))),
    },
    "R33": {
        "a key dropped": stream((0.1, IN, key("1", 7)), (0.1, APP, Pressed(key("1", 7))), (0.2, IN, key("2", 7))),
        "keys reordered": stream(
            (0.1, IN, key("1", 2)),
            (0.2, IN, key("2", 1)),
            (0.2, APP, Pressed(key("2", 1))),
            (0.2, APP, Pressed(key("1", 2))),
        ),
        "audio reordered": stream(
            (0.1, IN, media(b"1")),
            (0.2, IN, media(b"2")),
            (0.2, APP, Audio(media(b"2"))),
            (0.2, APP, Audio(media(b"1"))),
        ),
    },
    "R34": {
        "begins with 0": stream((0.1, OUT, mark("m", 0))),
        "a gap": stream((0.1, OUT, mark("a", 1)), (0.1, OUT, mark("b", 3))),
        "a chunk not counted": stream((0.1, OUT, media(chunk=1)), (0.2, OUT, media(chunk=1))),
        "back in time": stream((0.1, OUT, media(timestamp=0.2)), (0.2, OUT, media(timestamp=0.1))),
    },
}


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.id)
def test_a_good_log_keeps_every_rule_and_tries_its_own(rule: Rule) -> None:
    verdict = check(GOOD[rule.id])

    assert verdict.breaches == ()
    assert verdict.premises[rule.id] > 0


@pytest.mark.parametrize(("rule", "words"), [(rule, words) for rule, logs in BAD.items() for words in logs])
def test_a_bad_log_breaks_its_rule_and_no_other(rule: str, words: str) -> None:
    broken = {breach.rule for breach in check(BAD[rule][words]).breaches}

    assert broken == {rule}


def test_every_rule_has_a_good_log_and_a_bad_one() -> None:
    rules = [rule.id for rule in ALL]

    assert (list(GOOD), list(BAD)) == (rules, rules)


def test_the_rules_are_those_of_the_servers_side() -> None:
    numbers = [rule.id for rule in ALL]

    assert numbers == [f"R{n}" for n in range(15, 35)]


def test_every_rule_says_what_it_asks_in_one_sentence() -> None:
    sentences = [rule.sentence for rule in ALL]

    assert all(s and "\n" not in s and s.endswith(".") and s.count(". ") == 0 for s in sentences)


def test_one_rule_is_soft() -> None:
    soft = [rule.id for rule in ALL if rule.kind is Kind.SOFT]

    assert soft == ["R18"]
