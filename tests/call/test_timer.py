"""The timer actor: when deadlines are called, and in which order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import trio
from attrs import Factory, define
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from callflow.call.timer import Deadlines
from tests.call.stage import in_virtual_time


@define
class Log:
    """Deadlines under a running actor, and what was called when."""

    deadlines: Deadlines = Factory(Deadlines)
    called: list[tuple[float, str]] = Factory(list)

    def set(self, name: str, at: float) -> None:
        self.deadlines.set(name, at, partial(self.note, name))

    def note(self, name: str) -> None:
        self.called.append((trio.current_time(), name))


@asynccontextmanager
async def running() -> AsyncIterator[Log]:
    """Run the actor inside the block and an hour longer."""
    log = Log()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(log.deadlines.run)
        yield log
        await trio.sleep(3600)
        nursery.cancel_scope.cancel()


async def test_deadlines_are_called_in_the_order_of_their_moments(autojump_clock: MockClock) -> None:
    async with running() as log:
        log.set("second", 2.0)
        log.set("third", 3.0)
        log.set("first", 1.0)

    assert log.called == [(1.0, "first"), (2.0, "second"), (3.0, "third")]


async def test_an_earlier_one_is_called_in_time_though_the_actor_sleeps_already(autojump_clock: MockClock) -> None:
    async with running() as log:
        log.set("late", 10.0)
        await trio.sleep(1.0)
        log.set("soon", 1.5)

    assert log.called == [(1.5, "soon"), (10.0, "late")]


async def test_setting_a_deadline_that_runs_moves_it(autojump_clock: MockClock) -> None:
    async with running() as log:
        log.set("to later", 1.0)
        log.set("to sooner", 9.0)
        await trio.sleep(0.5)
        log.set("to later", 5.0)
        log.set("to sooner", 2.0)

    assert log.called == [(2.0, "to sooner"), (5.0, "to later")]


async def test_a_stopped_deadline_is_not_called(autojump_clock: MockClock) -> None:
    async with running() as log:
        log.set("stopped", 1.0)
        log.set("kept", 2.0)
        log.deadlines.stop("stopped")
        log.deadlines.stop("never set")

    assert log.called == [(2.0, "kept")]


async def test_all_can_be_stopped_at_once(autojump_clock: MockClock) -> None:
    async with running() as log:
        log.set("one", 1.0)
        log.set("two", 2.0)
        log.deadlines.stop_all()

    assert (log.called, log.deadlines.names) == ([], frozenset())


async def test_deadlines_of_one_instant_are_called_in_the_order_of_their_names(autojump_clock: MockClock) -> None:
    async with running() as log:
        for name in "cab":
            log.set(name, 1.0)

    assert log.called == [(1.0, "a"), (1.0, "b"), (1.0, "c")]


async def test_a_deadline_may_stop_another_of_its_instant(autojump_clock: MockClock) -> None:
    async with running() as log:
        log.deadlines.set("a", 1.0, partial(log.deadlines.stop, "b"))
        log.set("b", 1.0)

    assert log.called == []


async def test_a_deadline_may_move_another_of_its_instant(autojump_clock: MockClock) -> None:
    async with running() as log:
        log.deadlines.set("a", 1.0, partial(log.set, "b", 4.0))
        log.set("b", 1.0)

    assert log.called == [(4.0, "b")]


async def test_a_deadline_that_is_past_is_called_at_once(autojump_clock: MockClock) -> None:
    async with running() as log:
        await trio.sleep(5.0)
        log.set("past", 1.0)

    assert log.called == [(5.0, "past")]


async def test_a_deadline_may_set_itself_again(autojump_clock: MockClock) -> None:
    async with running() as log:

        def again() -> None:
            log.note("again")
            if len(log.called) < 3:
                log.deadlines.set("again", trio.current_time() + 1.0, again)

        log.deadlines.set("again", 1.0, again)

    assert log.called == [(1.0, "again"), (2.0, "again"), (3.0, "again")]


async def test_what_was_called_is_forgotten(autojump_clock: MockClock) -> None:
    async with running() as log:
        log.set("over", 1.0)
        log.set("to come", 7200.0)

    assert log.deadlines.names == {"to come"}


Deed = tuple[int, str, int | None]
"""When, which deadline, and how many seconds ahead of half past it is set; None stops it."""


def calls(script: list[Deed]) -> list[tuple[float, str]]:
    """Say what is called, and when."""
    called: list[tuple[float, str]] = []
    due: dict[str, float] = {}
    for at, name, ahead in [*script, (10**6, "", None)]:
        past = sorted((moment, one) for one, moment in due.items() if moment < at)
        called += past
        for _, one in past:
            del due[one]
        due.pop(name, None)
        if ahead is not None:
            due[name] = at + ahead + 0.5
    return called


deeds = st.tuples(st.integers(0, 20), st.sampled_from("abcd"), st.none() | st.integers(0, 10))


@given(st.lists(deeds, max_size=12).map(lambda script: sorted(script, key=lambda deed: deed[0])))
def test_whatever_is_set_moved_and_stopped_each_is_called_once_and_in_time(script: list[Deed]) -> None:
    async def main() -> list[tuple[float, str]]:
        async with running() as log:
            for at, name, ahead in script:
                await trio.sleep_until(at)
                if ahead is None:
                    log.deadlines.stop(name)
                else:
                    log.set(name, at + ahead + 0.5)
        return log.called

    assert in_virtual_time(main) == calls(script)
