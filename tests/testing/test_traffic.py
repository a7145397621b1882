"""Sessions as Exotel would send them: those that keep every rule, and those with a mistake that is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
import trio
from attrs import evolve
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from callflow import Call, Dtmf, Flow, Hangup, State, Tap
from callflow.call.call import CallTask
from callflow.line.oddities import Oddity, Place
from callflow.session.inputs import Input, SendMark, SendMedia, SocketOpened, Verdict
from callflow.session.machine import Session as Machine
from callflow.testing import run, traffic
from callflow.testing.rules import EXOTEL, check
from callflow.testing.rules import Verdict as Judged
from callflow.testing.seeding import task_order
from callflow.testing.sending import Delivery
from callflow.testing.stage import Stage
from callflow.testing.traffic import MISTAKES, Layout, Sent, Session
from callflow.wire.exotel import decode
from callflow.wire.messages import Dtmf as Key
from callflow.wire.messages import Mark, Media

C = Call[None]


class Choose(State[None], timeout=8.0):
    def on_dtmf(self, call: C, key: Dtmf) -> Bye | None:
        return Bye() if key.digit == "#" else None

    def on_timeout(self, call: C) -> Bye:
        return Bye()


class Bye(Hangup[None]): ...


line = Flow("line", start=Choose)
fast = Flow("fast", start=Choose, rate=16000)


class Listen(Tap[None]):
    def on_hangup(self, call: object) -> None: ...


def drawn(strategy: st.SearchStrategy[Session], count: int = 300) -> list[Session]:
    """Draw the same sessions each time."""
    found: list[Session] = []

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def draw(session: Session) -> None:
        found.append(session)

    draw()
    return found


def simplest(strategy: st.SearchStrategy[Session]) -> Session:
    """Give what shrinking leads to; Hypothesis tries it first."""
    return drawn(strategy, 1)[0]


# Conformant.


@given(traffic.conformant())
def test_what_is_expected_is_what_the_text_says(session: Session) -> None:
    assert [decode(text) for text in session.texts] == session.messages


@given(traffic.conformant())
def test_a_conformant_session_keeps_every_rule(session: Session) -> None:
    assert check(session.wire_log(), rules=EXOTEL).breaches == ()


def test_conformant_sessions_try_every_rule() -> None:
    judged = sum((check(each.wire_log(), rules=EXOTEL) for each in drawn(traffic.conformant())), Judged())
    one_way = check(drawn(traffic.conformant(Flow("tap", start=Listen)), 20)[-1].wire_log(), rules=EXOTEL)

    assert {rule for rule, count in (judged + one_way).premises.items() if not count} == set()


@given(traffic.conformant())
def test_a_session_of_callflow_takes_every_message_of_a_conformant_one(session: Session) -> None:
    machine = Machine()
    machine.feed(SocketOpened())
    odd = [what for _, what in session.conversation() if machine.feed(as_input(what)).verdict not in TAKEN]

    assert odd == []


TAKEN = (Verdict.MOVED, Verdict.KEPT)


def as_input(what: Sent | Media | Mark) -> Input:
    """Give a frame as the session takes it, and a reply as its server orders it."""
    match what:
        case Media(payload=payload):
            return SendMedia(payload)
        case Mark(name=name):
            return SendMark(name)
        case _:
            assert what.message is not None
            return what.message


def _spelled(session: Session) -> str:
    start = next(text for text in session.texts if '"start"' in str(text))
    return str(start)


@pytest.mark.parametrize(
    "seen",
    [
        lambda text: '"sequence_number":1,' in text,
        lambda text: '"sequence_number":"1"' in text,
        lambda text: "equence" not in text,
        lambda text: '"streamSid"' in text,
        lambda text: '": "' in text,
        lambda text: "\\/" in text,
        lambda text: "24000" in text,
        lambda text: "mulaw" in text,
    ],
    ids=["ints", "strings", "no counters", "camel case", "blanks", "escaped slashes", "another rate", "mu-law"],
)
def test_the_spellings_of_real_peers_come_up(seen: Callable[[str], bool]) -> None:
    assert any(map(seen, map(_spelled, drawn(traffic.conformant(), 200))))


@pytest.mark.parametrize("layout", Layout)
def test_a_layout_changes_no_meaning(layout: Layout) -> None:
    found = next(each for each in drawn(traffic.conformant()) if _layout_of(each) is layout)

    assert [decode(text) for text in found.texts] == found.messages


def _layout_of(session: Session) -> Layout:
    text = "".join(map(str, session.texts))
    if '": "' in text:
        return Layout.BLANKS
    return Layout.SLASHES if "\\/" in text else Layout.COMPACT


def test_a_flow_s_keys_and_rate_are_drawn() -> None:
    sessions = drawn(traffic.conformant(fast), 100)
    keys = Counter(each.digit for session in sessions for each in session.messages if isinstance(each, Key))

    assert {session.form.rate for session in sessions} == {16000}
    assert keys["#"] > keys["7"]


def test_a_tap_gets_no_keys_and_no_echoes() -> None:
    sessions = drawn(traffic.conformant(Flow("tap", start=Listen)), 100)

    assert {type(each) for session in sessions for each in session.messages} & {Key, Mark} == set()


def test_no_echo_comes_where_none_is_wanted() -> None:
    sessions = drawn(traffic.conformant(echoes=False), 100)

    assert [each for session in sessions for each in session.messages if isinstance(each, Mark)] == []


def test_the_shortest_session_is_a_beginning_and_an_end() -> None:
    shortest = simplest(traffic.conformant())

    assert [type(each).__name__ for each in shortest.messages] == ["Connected", "Start", "Stop"]


# Near misses.


@given(traffic.near())
def test_a_near_miss_has_one_mistake_or_a_few_and_says_which(session: Session) -> None:
    assert 1 <= len(session.mistakes) <= 3


def test_what_is_beside_a_session_is_no_mistake_in_it() -> None:
    with pytest.raises(ValueError, match="ping is beside a session, and no mistake in it"):
        traffic.near(mistakes={"ping"})


def test_every_mistake_is_drawn() -> None:
    seen = Counter(oddity for session in drawn(traffic.near(), 1000) for oddity, _ in session.mistakes)

    assert {oddity for oddity in MISTAKES if seen[oddity] < 5} == set()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_that_is_asked_for_comes_alone_in_the_shortest_session(mistake: Oddity) -> None:
    shortest = simplest(traffic.near(mistakes={mistake.value}))

    assert [oddity for oddity, _ in shortest.mistakes] == [mistake]
    assert len(shortest.frames) <= 3 + MORE.get(mistake.place, 0)


MORE = {Place.STREAM: 1, Place.BEGINNING: 1, Place.ECHO: 2, Place.END: 1}
"""Frames, at most, that a mistake adds to the three that every session has."""


def test_shrinking_finds_the_one_mistake_that_matters() -> None:
    some = settings(database=None, derandomize=True, max_examples=1000)
    shortest = find(traffic.near(), lambda session: None in session.messages, settings=some)

    assert [type(each).__name__ for each in shortest.messages] == ["Connected", "Start", "NoneType", "Stop"]


BROKEN = {
    Oddity.NO_CONNECTED: {"R1"},
    Oddity.EARLY_MEDIA: {"R2"},
    Oddity.START_TWICE: {"R2"},
    Oddity.CONNECTED_AGAIN: {"R1"},
    Oddity.START_AGAIN: {"R2"},
    Oddity.START_OF_ANOTHER_CALL: {"R2", "R3"},
    Oddity.FOREIGN_MEDIA: {"R3"},
    Oddity.FOREIGN_KEY: {"R3"},
    Oddity.UNKNOWN_MARK: {"R8"},
    Oddity.NUMBERED_MEDIA: {"R4", "R5", "R6"},
    Oddity.CAMEL_MEDIA: {"R4"},
    Oddity.BARE_MEDIA: {"R3"},
    Oddity.BAD_BASE64: {"R7"},
    Oddity.ODD_BYTES: {"R7"},
    Oddity.MARK_AGAIN: {"R9"},
    Oddity.MARKS_SWAPPED: {"R9"},
    Oddity.STOP_AGAIN: {"R11"},
}
"""The rules that mistakes break. The others break none, or say what is no message, or are spelled in another way."""


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_breaks_the_rules_that_it_is_about_and_no_others(mistake: Oddity) -> None:
    sessions = drawn(traffic.near(mistakes={mistake}, most=1), 30)
    broken = {breach.rule for each in sessions for breach in check(each.wire_log(), rules=EXOTEL).breaches}

    # A start without a number shifts the count of those behind it.
    assert broken - ({"R4"} if mistake is Oddity.BARE_START else set()) == BROKEN.get(mistake, set())


@pytest.mark.parametrize("wrong", [{"mistakes": {"rain"}}, {"mistakes": set()}, {"most": 0}])
def test_what_is_no_choice_of_mistakes_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"rain|at least one"):
        traffic.near(**wrong)  # type: ignore[arg-type]  # wrong on purpose


# Fed to the real server.


async def play(session: Session, flow: Flow[None]) -> tuple[Delivery, list[CallTask], list[CallTask]]:
    """Send a session while a neighbour's call is on; give what came of it, its calls, and the neighbour's."""
    stage = Stage(flow)
    async with trio.open_nursery() as nursery:
        await stage.open(nursery)
        neighbour = await stage.ring(call_sid="0neighbour0")
        delivery = await traffic.send(session, stage.network.dial)
        alive = not neighbour.ended.is_set() or neighbour.now >= 8.0  # else its own time-out ended it
        await neighbour.hang_up()
        await trio.sleep(25.0)
        left = stage.leftovers()
        nursery.cancel_scope.cancel()
    assert alive
    assert left == {}
    own = [call for call in stage.calls if call.start is not None and call.start.call_sid == session.start.call_sid]
    return delivery, own, [call for call in stage.calls if call not in own]


@given(traffic.conformant(line, echoes=False))
def test_the_server_finds_nothing_odd_about_a_conformant_session(session: Session) -> None:
    _, [call], _ = run(play, session, line)

    assert call.driver.session.counts[Verdict.ODD] == 0


@given(traffic.near(line, echoes=False))
def test_no_mistake_raises_leaves_something_or_ends_a_neighbour_s_call(session: Session) -> None:
    _, _, others = run(play, session, line)

    assert [call.driver.session.counts[Verdict.ODD] for call in others[:1]] == [0]


COUNTED = {
    oddity
    for oddity in MISTAKES
    if oddity
    not in {
        # Other spellings of what is right, which are read like any.
        Oddity.BARE_START, Oddity.KEY_AS_NUMBER, Oddity.FLAT_KEY, Oddity.NUMBERED_MEDIA, Oddity.CAMEL_MEDIA,
        Oddity.BARE_MEDIA, Oddity.ODD_BYTES, Oddity.EMPTY_MEDIA, Oddity.INBOUND_CLEAR,
        # What does not come cannot be counted; and a Passthru comes when it comes.
        Oddity.NO_CONNECTED, Oddity.LOST_MARK, Oddity.NO_STOP,
        Oddity.PASSTHRU_LATE, Oddity.PASSTHRU_AGAIN, Oddity.PASSTHRU_NEVER,
    }
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_server_counts_what_is_odd_and_takes_what_is_only_spelled_in_another_way(mistake: Oddity) -> None:
    odd = strange_of(simplest(traffic.near(line, {mistake}, most=1, echoes=False)))

    assert (odd > strange_of(simplest(traffic.conformant(line, echoes=False)))) == (mistake in COUNTED)


def strange_of(session: Session) -> int:
    """Count what the server found odd or ignored; of any stream that is the end of its connection behind stop.

    The line stays for a moment: a reset takes what was not read yet with it.
    """
    with task_order(0):
        _, [call], _ = run(play, evolve(session, closes_at=session.closes_at + 1.0), line)
    counts = call.driver.session.counts
    return counts[Verdict.ODD] + counts[Verdict.IGNORED]
