"""The call beside: it finds what one call's trouble does to another, and is no trouble itself."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import trio
from attrs import define
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from callflow import Call, Dtmf, Flow, Hangup, State
from callflow.line.script import parse, render
from callflow.testing import replay
from callflow.testing.failure import CallFailed
from callflow.testing.hunting import hunt, usual_settings
from callflow.testing.lawbook import LawBroken
from callflow.testing.machine import CallMachine
from callflow.testing.neighbour import NUMBER, ONE_IN, neighbour_for
from callflow.testing.replaying import Verdict
from callflow.testing.seen import Seen, in_the_end
from tests.testing.test_machine import BankLine

C = Call[None]

BESIDE = "beside 2.003s keys 1\nbeside 9.003s hangup\n"
LOST = "ring\nwait 1s\ndrop\nwait 1s\nreconnect\nwait 1s\n"


def drawn(examples: int) -> settings:
    return settings(usual_settings(), max_examples=examples, derandomize=True, database=None)


def judged(machine: type[CallMachine], text: str) -> int:
    """Play a script on a machine, and say how often the law had a case."""
    machine.begin_run()
    machine.play(parse(text))
    return machine.so_far.premises.get("neighbours", 0)


# What is found.


class Memory:
    """A call's data. With the next call everything is forgotten that is kept for all."""

    def __init__(self) -> None:
        Calm.lost = False


class Calm(State[Memory], timeout=30.0):
    """Keeps what it should keep of a call where all calls find it."""

    lost = False

    def on_detached(self, call: Call[Memory]) -> None:
        Calm.lost = True

    def on_dtmf(self, call: Call[Memory], key: Dtmf) -> Farewell | None:
        return Farewell() if Calm.lost else None

    def on_timeout(self, call: Call[Memory]) -> Farewell:
        return Farewell()


class Farewell(Hangup[Memory]): ...


leaky = Flow("leaky", start=Calm, data=Memory)


class Leaky(CallMachine, flow=leaky): ...


class Careless(CallMachine, flow=leaky, laws={"neighbours": False}): ...


def test_what_one_call_leaves_for_another_is_found_and_its_call_is_short() -> None:
    with pytest.raises(CallFailed, match="only beside a call in trouble: ") as found:
        hunt(Leaky, drawn(400))

    lines = [line.split() for line in render(found.value.failure.script or parse("hangup")).splitlines()]
    assert [line[0] for line in lines] == ["seed", "law", "order", *["beside"] * (len(lines) - 5), "ring", "takeover"]


def test_the_breach_says_what_is_different_first_and_when() -> None:
    with pytest.raises(LawBroken) as broken:
        Leaky.play(parse(BESIDE + LOST))

    left, stayed = "state left state=Calm by=on_dtmf to=Farewell", "state stayed state=Calm by=on_dtmf"
    said = f"only beside a call in trouble: {left}; only alone: {stayed}"
    assert (broken.value.words, broken.value.at) == (said, 2.103)


def test_it_is_not_looked_for_where_the_law_is_off() -> None:
    hunt(Careless, drawn(100))

    assert (sorted(Careless.bound.off), Careless.so_far.premises.get("neighbours", 0)) == (["neighbours"], 0)


LINE = """\
from callflow import Call, Dtmf, Flow, Hangup, State

class Talk:
    def __init__(self) -> None:
        Calm.lost = False

class Calm(State[Talk], timeout=30.0):
    lost = False
    def on_detached(self, call: Call[Talk]) -> None:
        Calm.lost = LEAKS
    def on_dtmf(self, call: Call[Talk], key: Dtmf) -> "Bye | None":
        return Bye() if Calm.lost else None
    def on_timeout(self, call: Call[Talk]) -> "Bye":
        return Bye()

class Bye(Hangup[Talk]): ...

line = Flow("line", start=Calm, data=Talk)
"""


@pytest.mark.parametrize(("leaks", "verdict"), [("True", Verdict.FAILED), ("False", Verdict.FIXED)])
def test_a_call_that_was_found_is_judged_the_same_when_it_is_replayed(
    tmp_path: Path, leaks: str, verdict: Verdict
) -> None:
    (tmp_path / "line.py").write_text(LINE.replace("LEAKS", leaks))
    script = tmp_path / "found.call"
    script.write_text("flow line.py:line\nlaw neighbours\norder 0\n" + BESIDE + LOST)

    assert replay(script).verdict is verdict


# What is no breach.


class Bye(Hangup[None]): ...


class Settles(State[None], timeout=30.0):
    """Two tasks are due in one instant, and who is first decides what is said."""

    async def run(self, call: C) -> Bye | Other:
        first: list[str] = []

        async def arrive(name: str) -> None:
            await trio.sleep(3.0)
            first.append(name)

        async with trio.open_nursery() as nursery:
            for name in "abcd":
                nursery.start_soon(arrive, name)
        return Bye() if first[0] in "ab" else Other()

    def on_timeout(self, call: C) -> Bye:
        return Bye()


class Other(Hangup[None]): ...


racing = Flow("racing", start=Settles)


class Racing(CallMachine, flow=racing): ...


def test_a_call_that_goes_by_the_order_of_tasks_is_no_case() -> None:
    orders = range(12)

    cases = [judged(Racing, f"order {order}\nseed 0\n{BESIDE}{LOST}wait 9s\n") for order in orders]

    assert 0 in cases


@define
class Desk:
    """A service at which one call notices another: it tells how many are there."""

    there: int = 0

    async def serve(self) -> int:
        self.there += 1
        try:
            await trio.sleep(2.0)
            return self.there
        finally:
            self.there -= 1


class Asks(State[None], timeout=30.0):
    async def run(self, call: C) -> Bye:
        logging.getLogger("asks").info("asked")
        await trio.sleep(await call.get(Desk).serve())
        return Bye()

    def on_timeout(self, call: C) -> Bye:
        return Bye()


asks = Flow("asks", start=Asks)
desk = Desk()
one_desk = Flow("one-desk", start=Asks, provide=[desk])


class OwnDesk(CallMachine, flow=asks, services={"desk": Desk}): ...


class OneDesk(CallMachine, flow=one_desk): ...


class OneDouble(CallMachine, flow=asks, services={"desk": lambda: desk}): ...


@pytest.mark.parametrize(("machine", "cases"), [(OwnDesk, 1), (OneDesk, 0), (OneDouble, 0)])
def test_services_are_its_own_or_it_is_no_case(machine: type[CallMachine], cases: int) -> None:
    assert judged(machine, BESIDE + "service desk hangs\n" * (machine is OwnDesk) + LOST) == cases


@pytest.mark.parametrize(
    ("text", "cases"),
    [
        (LOST, 0),
        (BESIDE + "ring\nwait 3s\nhangup\n", 0),
        (BESIDE + LOST, 1),
        (BESIDE + "ring\nwait 12s\ndrop\n", 0),
        (BESIDE + "begins start-twice\nring\nwait 1s\n", 1),
        (BESIDE + "at 1s drop\nring\nwait 1s\n", 1),
        (BESIDE + "service bank fails\nring\nwait 1s\n", 1),
        (BESIDE + "lag 400ms\nnetwork rough\nechoes no\n" + LOST, 1),
    ],
    ids=["alone", "no trouble", "lost", "lost later", "odd", "by the clock", "service", "bad line"],
)
def test_a_call_beside_trouble_is_a_case(text: str, cases: int) -> None:
    assert judged(BankLine, text) == cases


# Who is beside.


class Noted(CallMachine, flow=asks, services={"desk": Desk}):
    """Looks at everything that a property may look at."""

    @in_the_end
    def there_is_one_call(self, seen: Seen[None]) -> None:
        assert seen.call.start is not None
        assert (seen.call.start.caller != NUMBER, list(seen.log)) == (True, ["asked"])


def test_it_is_in_nothing_that_is_told_of_the_call() -> None:
    judged(Noted, BESIDE + LOST)

    assert (Noted.so_far.coverage.calls, Noted.so_far.coverage.examples) == (1, 1)


def test_one_example_of_so_many_has_a_neighbour_and_it_hangs_up() -> None:
    plans = [neighbour_for(BankLine.reading, number) for number in range(50 * ONE_IN)]

    last = {render(parse("hangup")) for plan in plans if plan}
    assert (sum(map(bool, plans)), last) == (50, {"hangup\n"})


def test_a_header_says_all_that_is_done_beside() -> None:
    script = parse(BESIDE + "ring\n")

    assert (render(script), len(script.header.beside)) == (BESIDE + "ring\n", 2)


@pytest.mark.timeout(120)
def test_the_bank_is_the_same_beside_any_trouble() -> None:
    BankLine.begin_run()
    run_state_machine_as_test(BankLine, settings=drawn(100))

    assert BankLine.so_far.premises["neighbours"] > 3
