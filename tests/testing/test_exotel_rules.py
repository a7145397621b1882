"""Exotel's own rules: kept by a good log, broken, alone, by a bad one; the simulator keeps all but one of them."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
import trio
from attrs import evolve
from trio.testing import MockClock

from callflow.line.memory import Conditions
from callflow.line.profile import BREAKABLE, Profile
from callflow.line.telephone import Telephone
from callflow.session.inputs import EndCause, Over
from callflow.testing.recorded import recorded
from callflow.testing.rules import ALL, EXOTEL, Breach, Kind, Verdict, check
from callflow.testing.wirelog import Closed, Malformed, OneWay, Opened, Side, WireLog
from callflow.wire.exotel import BAD_BASE64
from callflow.wire.messages import Clear, Connected, Start
from tests.line.bot import Bot, ringing
from tests.testing.logs import APP, CLEAR, IN, OUT, SPEECH, START, STOP, Line, key, log, mark, media, stream
from tests.testing.model_server import OWN

CONNECTED: Line = (0.0, IN, Connected())
STARTED: Line = (0.0, IN, START)
HEARD: Line = (0.5, IN, media())
ASKED: Line = (0.1, OUT, mark("m"))
SPOKEN: Line = (0.1, OUT, media(SPEECH[:3200]))  # 0.2 s
ENDING: list[Line] = [(1.0, IN, STOP), (1.0, APP, Over(EndCause.STOP))]
GONE: list[Line] = [(1.0, IN, Closed()), (1.0, APP, Over(EndCause.PEER_GONE))]
ONE_WAY: Line = (0.0, APP, OneWay())


def numbered(*numbers: int) -> WireLog:
    first = Start(stream_sid=OWN, call_sid="call", sequence_number=numbers[0])
    return log(CONNECTED, (0.0, IN, first), *[(0.1, IN, media(sequence_number=n)) for n in numbers[1:]])


GOOD: dict[str, list[tuple[int, WireLog]]] = {
    "R1": [(1, log((0.0, OUT, Opened()), CONNECTED, STARTED)), (0, log((0.0, OUT, Opened())))],
    "R2": [(1, log(CONNECTED, STARTED, HEARD)), (0, log(CONNECTED))],
    "R3": [(4, stream(HEARD, (0.6, IN, Clear(stream_sid=OWN)), (0.7, IN, key("1")), (1.0, IN, STOP)))],
    "R4": [
        (3, numbered(1, 2, 3)),
        (0, log(CONNECTED, STARTED)),
        (
            2,
            stream(
                (0.1, IN, media(sequence_number=1)),
                (0.2, IN, Malformed("no event")),
                (0.3, IN, media(sequence_number=3)),
            ),
        ),
    ],
    "R5": [(2, stream((0.1, IN, media(chunk=1)), (0.2, IN, key("1")), (0.3, IN, media(chunk=2))))],
    "R6": [(3, stream(*[(0.1 * n, IN, media(timestamp=0.1 * n)) for n in (1, 2, 9)]))],
    "R7": [(2, stream(HEARD, (0.6, IN, media(b"")), (0.7, IN, Malformed("no event"))))],
    "R8": [(1, stream(ASKED, (0.2, IN, mark("m"))))],
    "R9": [(2, stream(ASKED, (0.2, OUT, mark("n")), (0.3, IN, mark("m")), (0.4, IN, mark("n"))))],
    "R10": [
        (1, stream(SPOKEN, ASKED, (0.3, IN, mark("m")))),
        (0, stream(SPOKEN, ASKED, (0.1, OUT, CLEAR), (0.1, IN, mark("m")))),
    ],
    "R11": [(1, stream(HEARD, *ENDING, (1.0, IN, Closed())))],
    "R12": [(1, stream(*GONE)), (0, stream())],
    "R13": [(1, stream(ONE_WAY, HEARD))],
    "R14": [(1, stream(*ENDING, (1.5, IN, Closed()))), (1, stream(*ENDING, (1.5, OUT, Closed())))],
}

BAD: list[tuple[str, float, str, WireLog]] = [
    ("R1", 0.0, "start came first", log(STARTED, HEARD)),
    ("R1", 0.0, "connected again", log(CONNECTED, CONNECTED, STARTED)),
    ("R2", 0.0, "start again", log(CONNECTED, STARTED, STARTED)),
    ("R2", 0.0, "media before start", log(CONNECTED, (0.0, IN, media()), STARTED)),
    ("R3", 0.5, "dtmf with stream_sid 'foreign'", stream((0.5, IN, evolve(key("1"), stream_sid="foreign")))),
    ("R3", 0.5, "media with stream_sid ''", stream((0.5, IN, media(sid="")))),
    ("R4", 0.0, "sequence_number 2 after 0", numbered(2, 3)),
    ("R4", 0.1, "sequence_number 4 after 2", numbered(1, 2, 4)),
    ("R4", 0.1, "sequence_number 2 after 2", numbered(1, 2, 2)),
    ("R5", 0.1, "chunk 0 after 0", stream((0.1, IN, media(chunk=0)))),
    ("R5", 0.2, "chunk 3 after 1", stream((0.1, IN, media(chunk=1)), (0.2, IN, media(chunk=3)))),
    (
        "R6",
        0.3,
        "timestamp 0.100 s after 0.200 s",
        stream((0.2, IN, media(timestamp=0.2)), (0.3, IN, media(timestamp=0.1))),
    ),
    ("R6", 0.2, "timestamp 1700000000.000 s is still to come", stream((0.2, IN, media(timestamp=1_700_000_000.0)))),
    ("R7", 0.5, "a payload of 319 bytes", stream((0.5, IN, media(bytes(319))))),
    ("R7", 0.5, BAD_BASE64, stream((0.5, IN, Malformed(BAD_BASE64)))),
    ("R8", 0.2, "mark 'n' was never sent", stream(ASKED, (0.2, IN, mark("n")))),
    ("R8", 0.0, "mark 'm' was never sent", stream((0.0, IN, mark("m")), ASKED)),
    ("R9", 0.3, "mark 'm' again", stream(ASKED, (0.2, IN, mark("m")), (0.3, IN, mark("m")))),
    (
        "R9",
        0.4,
        "mark 'm' after 'n'",
        stream(ASKED, (0.2, OUT, mark("n")), (0.3, IN, mark("n")), (0.4, IN, mark("m"))),
    ),
    ("R10", 0.2, "mark 'm' is 0.100 s early", stream(SPOKEN, ASKED, (0.2, IN, mark("m")))),
    ("R11", 1.0, "stop after stop", stream(*ENDING, (1.0, IN, STOP))),
    ("R11", 1.0, "media after stop", stream(*ENDING, (1.0, IN, media()))),
    ("R12", 1.1, "media after the end of the connection", stream(*GONE, (1.1, IN, media()))),
    ("R13", 0.5, "dtmf on a one-way stream", stream(ONE_WAY, (0.5, IN, key("1")))),
    ("R14", 3.0, "the connection ended 2.000 s after stop", stream(*ENDING, (3.0, IN, Closed()))),
]


@pytest.mark.parametrize(("rule", "number"), [(rule, n) for rule, logs in GOOD.items() for n in range(len(logs))])
def test_a_good_log_keeps_exotels_rules_and_tries_its_own(rule: str, number: int) -> None:
    cases, good = GOOD[rule][number]
    verdict = check(good, rules=EXOTEL)

    assert (verdict.breaches, verdict.premises[rule]) == ((), cases)


@pytest.mark.parametrize("number", range(len(BAD)), ids=[f"{rule}: {words}" for rule, _, words, _ in BAD])
def test_a_bad_log_breaks_its_rule_and_no_other_of_exotels(number: int) -> None:
    rule, at, words, bad = BAD[number]
    breaches = check(bad, rules=EXOTEL).breaches

    assert [evolve(breach, at=round(breach.at, 3)) for breach in breaches] == [Breach(rule, at, words)]


def test_every_rule_of_exotels_has_a_good_log_and_a_bad_one() -> None:
    broken = dict.fromkeys(rule for rule, _, _, _ in BAD)

    assert [rule.id for rule in EXOTEL] == list(GOOD) == list(broken) == [f"R{n}" for n in range(1, 15)]


def test_three_of_exotels_rules_are_hard() -> None:
    hard = [rule.id for rule in EXOTEL if rule.kind is Kind.HARD]

    assert hard == ["R8", "R12", "R13"]


def test_each_rule_names_whose_it_is() -> None:
    sides = Counter(rule.side for rule in ALL)

    assert (sides[Side.IN], sides[Side.OUT]) == (len(EXOTEL), len(ALL) - len(EXOTEL))


# The simulator.


async def converse(phone: Telephone, bot: Bot) -> None:
    """Say and press enough for every rule to have its chance."""
    for number in range(6):
        await bot.send(
            bot.say.media(SPEECH), bot.say.mark(f"a{number}"), bot.say.media(SPEECH), bot.say.mark(f"b{number}")
        )
        await phone.wait(0.7)
        await phone.press("5", gap=0.1)
        if number % 2:
            await bot.send(bot.say.clear())
    await phone.wait(2.0)
    await phone.hang_up()
    await bot.over.wait()


def call(profile: Profile, seed: int) -> WireLog:
    """Make a call to a bot that talks, in virtual time, and give what the telephone saw of it."""
    made: list[WireLog] = []

    async def main() -> None:
        async with ringing(Conditions(lag=0.05), profile=profile, random=Random(seed)) as (phone, bot):
            await converse(phone, bot)
        made.append(recorded(phone, one_way=profile.one_way))

    trio.run(main, clock=MockClock(autojump_threshold=0))
    return made[0]


def test_the_simulator_keeps_every_rule_of_exotels_and_tries_it() -> None:
    profiles = [
        Profile(),
        Profile(echoes_cleared_marks="late"),
        Profile(one_way=True),
        Profile(close_after_stop="clean"),
    ]
    total = sum([check(call(profile, 0), rules=EXOTEL) for profile in profiles], Verdict())

    assert (total.breaches, [rule for rule, cases in total.premises.items() if not cases]) == ((), [])


@pytest.mark.parametrize("rule", sorted(BREAKABLE))
def test_the_simulator_breaks_the_rule_that_it_is_told_to_and_no_other(rule: str) -> None:
    profile = Profile(breaks={rule}, one_way=rule == "R13")
    verdicts = [check(call(profile, seed), rules=EXOTEL) for seed in range(3)]

    assert {breach.rule for verdict in verdicts for breach in verdict.breaches} == {rule}


def test_a_recording_ends_where_the_connection_did() -> None:
    ended = call(Profile(), 0).entries[-1]

    assert ended.what == Closed(code=1006)
