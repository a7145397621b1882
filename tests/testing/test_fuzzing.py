"""Fuzzing a flow that nobody wrote a test for: what it finds, what it reached, and the same again by a seed."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from attrs import define

from callflow import Call, Dtmf, Flow, Hangup, State
from callflow.errors import SettingsError
from callflow.line.script import parse, render
from callflow.testing.fuzzing import Budget, Fuzzed, Plan, Progress, fuzz, machine_for
from examples.tap import tap

C = Call[None]


class Bye(Hangup[None]): ...


class Desk:
    """A service that answers after a while; nothing in it says how it fails."""

    async def ask(self) -> int:
        await trio.sleep(0.5)
        return 1


class Choose(State[None], timeout=4.0):
    def on_dtmf(self, call: C, pressed: Dtmf) -> Ask | None:
        return Ask() if pressed.digit == "1" else None

    def on_timeout(self, call: C) -> Bye:
        return Bye()


class Ask(State[None], timeout=3.0):
    async def run(self, call: C) -> Bye:
        await call.get(Desk).ask()
        return Bye()

    def on_timeout(self, call: C) -> Bye:
        return Bye()

    def on_error(self, call: C, error: Exception) -> Bye:
        return Bye()


sound = Flow("sound", start=Choose, provide=[Desk()])


class Careless(State[None], timeout=3.0):
    """Has no state for a service that fails."""

    async def run(self, call: C) -> Bye:
        await call.get(Desk).ask()
        return Bye()

    def on_timeout(self, call: C) -> Bye:
        return Bye()


careless = Flow("careless", start=Careless, provide=[Desk()])


class Mistaken(State[None], timeout=4.0):
    def on_dtmf(self, call: C, pressed: Dtmf) -> Bye | None:
        if pressed.digit == "7":
            raise KeyError("seven")
        return Bye() if pressed.digit == "1" else None

    def on_timeout(self, call: C) -> Bye:
        return Bye()


mistaken = Flow("mistaken", start=Mistaken)


def run(flow: Flow[Any], *, seed: int = 1, calls: int = 60, steps: int = 12) -> Fuzzed:
    return fuzz(machine_for(flow), Plan(seed=seed, budget=Budget(calls), steps=steps))


# The budget.


@pytest.mark.parametrize(
    ("text", "budget"),
    [("500", Budget(500)), ("30s", Budget(None, 30.0)), ("5m", Budget(None, 300.0)), ("2h", Budget(None, 7200.0))],
)
def test_a_budget_is_calls_or_a_time(text: str, budget: Budget) -> None:
    assert Budget.parse(text) == budget


@pytest.mark.parametrize("text", ["", "0", "0s", "-3", "1.5m", "soon", "10d"])
def test_what_is_no_budget_is_refused_with_how_to_write_one(text: str) -> None:
    with pytest.raises(SettingsError, match=r"is no budget; write a number of calls, like 500, or a time, like 30s"):
        Budget.parse(text)


def test_a_run_ends_when_its_calls_are_made() -> None:
    done = run(sound, calls=40)

    assert 40 <= done.coverage.calls <= 45


def test_a_run_ends_when_its_time_is_over() -> None:
    done = fuzz(machine_for(sound), Plan(seed=1, budget=Budget(None, 0.5)))

    assert 0.5 <= done.seconds < 10.0


def test_a_run_ends_when_somebody_stops_it() -> None:
    told: list[Progress] = []
    done = fuzz(machine_for(sound), Plan(seed=1), tell=told.append, stop=lambda: len(told) >= 5)

    assert (done.interrupted, len(told), done.failure) == (True, 5, None)


# What it finds.


def test_a_sound_flow_has_nothing_found_and_every_edge_taken() -> None:
    done = run(sound)

    assert (done.failure, done.edges, done.states) == (None, (5, 5), (3, 3))


def test_a_mistake_is_found_as_one_short_call_with_the_line_that_raised() -> None:
    failure = run(mistaken, calls=200).failure

    assert failure is not None
    assert failure.script is not None
    assert render(failure.script).splitlines()[-1] == "keys 7"
    assert failure.came.startswith("Mistaken.on_dtmf: KeyError: 'seven' (tests/testing/test_fuzzing.py:")


def test_a_service_that_fails_is_told_where_the_flow_has_no_state_for_it() -> None:
    failure = run(careless).failure

    assert failure is not None
    assert failure.came.startswith("Careless.run: ServiceFailed: desk fails at ask, as it was told to (")


class Both(State[None], timeout=3.0):
    """Asks twice at once, so that a nursery makes a group of what fails."""

    async def run(self, call: C) -> Bye:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call.get(Desk).ask)
            nursery.start_soon(call.get(Desk).ask)
        return Bye()

    def on_timeout(self, call: C) -> Bye:
        return Bye()

    def on_error(self, call: C, error: Exception) -> Bye:
        return Bye()


both = Flow("both", start=Both, provide=[Desk()])


def test_a_group_of_what_services_raise_may_be_taken_by_the_flow() -> None:
    done = run(both)

    assert (done.failure, done.edges) == (None, (3, 3))


def test_a_one_way_flow_is_called_by_a_stream_applet() -> None:
    assert run(tap).failure is None


def test_a_law_that_is_off_is_not_broken() -> None:
    machine = machine_for(mistaken, laws={"no-errors": False})
    done = fuzz(machine, Plan(seed=1, budget=Budget(60)))

    assert done.failure is None
    assert machine.bound.off == {"no-errors"}


def test_a_run_is_held_to_the_edges_that_are_required() -> None:
    done = fuzz(machine_for(never), Plan(seed=1, budget=Budget(20), require_edges=0.9))

    assert done.shortfall == "50% of the edges were taken and 90% are required; not: Never.run -> Bye"


# What it says of itself.


class Never(State[None], timeout=2.0):
    async def run(self, call: C) -> Bye:
        await trio.sleep_forever()

    def on_timeout(self, call: C) -> Bye:
        return Bye()


never = Flow("never", start=Never, provide=[Desk()])


def test_what_was_not_reached_is_named() -> None:
    done = run(never, calls=20)

    assert done.thin_spots == ["edge never taken: Never.run -> Bye", "service never asked: desk"]
    assert "subflows" in done.untried_laws


def test_a_service_that_cannot_be_copied_is_named() -> None:
    class Held(Desk):
        def __deepcopy__(self, memo: object) -> Held:
            raise TypeError("there is one of me")

    done = run(Flow("held", start=Choose, provide=[Held()]), calls=5)

    assert "service that keeps what earlier calls left: held" in done.thin_spots


def test_progress_goes_from_nothing_to_the_whole_budget() -> None:
    told: list[Progress] = []
    fuzz(machine_for(sound), Plan(seed=1, budget=Budget(40)), tell=told.append)

    assert (told[0].calls, told[0].all_edges) == (0, 5)
    assert [each.share for each in told] == sorted(each.share for each in told)
    assert told[-1].share >= 0.9


# The same twice.


def test_the_same_seed_does_the_same() -> None:
    first, again = (run(sound, seed=9, calls=80) for _ in range(2))

    assert (first.coverage.steps, first.coverage.seconds, first.coverage.edges) == (
        again.coverage.steps,
        again.coverage.seconds,
        again.coverage.edges,
    )


def test_another_seed_does_something_else() -> None:
    first, other = run(sound, seed=9, calls=80), run(sound, seed=10, calls=80)

    assert first.coverage.seconds != other.coverage.seconds


# What callers leave behind.


@define
class Ledger:
    """Fails from the second entry on, as a double would that is not made anew for each example."""

    entries: int = 0

    def add(self) -> None:
        self.entries += 1
        if self.entries > 1:
            raise ValueError("another call was here")


class Write(State[None], timeout=2.0):
    async def run(self, call: C) -> Bye:
        call.get(Ledger).add()
        return Bye()

    def on_timeout(self, call: C) -> Bye:
        return Bye()


writing = Flow("writing", start=Write, provide=[Ledger()])


def test_what_a_service_keeps_does_not_go_from_one_example_to_the_next() -> None:
    machine = machine_for(writing)
    machine.begin_run()
    for _ in range(2):
        machine.play(parse("ring\nwait 1s\n"))

    assert machine.so_far.failure is None
