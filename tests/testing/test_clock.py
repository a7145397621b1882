"""Virtual time that jumps when nobody can go on without it."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio
from trio.testing import wait_all_tasks_blocked

from callflow.testing.clock import VirtualClock

T = TypeVar("T")


def run(main: Callable[[], Awaitable[T]]) -> T:
    return trio.run(main, clock=VirtualClock())


def test_an_hour_is_over_at_once() -> None:
    async def main() -> float:
        await trio.sleep(3_600.0)
        return trio.current_time()

    began = time.monotonic()
    now = run(main)

    assert (now, time.monotonic() - began < 10.0) == (3_600.0, True)


def test_deadlines_come_in_their_order_and_each_at_its_moment() -> None:
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await trio.sleep(seconds)
        woken.append((name, trio.current_time()))

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for name, seconds in (("late", 5.0), ("early", 0.02), ("between", 3.0)):
                nursery.start_soon(sleeper, name, seconds)

    run(main)

    assert woken == [("early", 0.02), ("between", 3.0), ("late", 5.0)]


def test_no_time_passes_while_a_task_can_run() -> None:
    async def main() -> float:
        with trio.move_on_after(1.0):
            for _ in range(1_000):
                await trio.lowlevel.checkpoint()
        return trio.current_time()

    assert run(main) == 0.0


def test_who_waits_for_quiet_comes_before_any_jump() -> None:
    async def main() -> float:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 1.0)
            await wait_all_tasks_blocked()
            return trio.current_time()

    assert run(main) == 0.0


def test_it_stands_while_it_is_told_to() -> None:
    clock = VirtualClock()
    clock.stands = True

    asked = [clock.deadline_to_sleep_time(5.0), clock.now]
    clock.stands = False
    asked += [clock.deadline_to_sleep_time(5.0), clock.now, clock.deadline_to_sleep_time(math.inf), clock.now]

    assert asked == [0.0, 0.0, 0.0, 5.0, 0.0, 5.0]
