"""The run that moves only when it is told to."""

from __future__ import annotations

import time

import pytest
import trio

from callflow.testing.stepper import NeverSettles, Stepper


async def empty_stage(nursery: trio.Nursery) -> None:
    """Set nothing up."""


async def now_after(seconds: float) -> float:
    await trio.sleep(seconds)
    return trio.current_time()


def test_a_job_gives_its_result_and_its_virtual_time_is_free() -> None:
    stepper = Stepper(empty_stage)

    times = [stepper.do(lambda: now_after(1_000.0)) for _ in range(2)]

    stepper.close()
    assert times == [1_000.0, 2_000.0]


def test_the_world_stands_still_between_jobs() -> None:
    ticks: list[float] = []

    async def stage(nursery: trio.Nursery) -> None:
        async def tick() -> None:
            while True:
                await trio.sleep(1.0)
                ticks.append(trio.current_time())

        nursery.start_soon(tick)

    stepper = Stepper(stage)
    stepper.do(lambda: now_after(2.5))
    before = list(ticks)
    time.sleep(0.01)  # real time, in which nothing may happen
    stepper.do(lambda: now_after(1.0))

    stepper.close()
    assert (before, ticks) == ([1.0, 2.0], [1.0, 2.0, 3.0])


def test_an_error_of_a_job_comes_out_as_it_is_and_the_run_goes_on() -> None:
    async def fail() -> None:
        raise KeyError("x")

    stepper = Stepper(empty_stage)
    with pytest.raises(KeyError):
        stepper.do(fail)

    after = stepper.do(lambda: now_after(1.0))
    stepper.close()
    assert after == 1.0


def test_an_error_of_the_stage_ends_the_run_and_another_can_begin() -> None:
    async def broken(nursery: trio.Nursery) -> None:
        raise LookupError("no stage")

    with pytest.RaisesGroup(LookupError):
        Stepper(broken)

    stepper = Stepper(empty_stage)
    stepper.close()
    assert stepper.over


def test_a_wait_for_what_never_comes_is_named() -> None:
    stepper = Stepper(empty_stage)

    async def wait_for_godot() -> None:
        await trio.Event().wait()

    with pytest.raises(NeverSettles, match=r"nothing can ever happen again: .*wait_for_godot"):
        stepper.do(wait_for_godot)

    assert stepper.over


def test_a_loop_that_lets_no_time_pass_is_named() -> None:
    stepper = Stepper(empty_stage, most_ticks=500)

    async def spin() -> None:
        while True:
            await trio.lowlevel.checkpoint()

    with pytest.raises(NeverSettles, match=r"time does not pass: .*spin"):
        stepper.do(spin)

    assert stepper.over


def slow_lookup() -> None:
    """Block a thread for a moment."""
    time.sleep(0.01)


def test_work_in_a_thread_is_refused_by_name() -> None:
    stepper = Stepper(empty_stage)

    async def look_up() -> None:
        await trio.to_thread.run_sync(slow_lookup)

    with pytest.raises(NeverSettles, match="slow_lookup runs in a thread"):
        stepper.do(look_up)

    assert stepper.over


def test_closing_cancels_what_still_runs() -> None:
    cancelled: list[str] = []

    async def stage(nursery: trio.Nursery) -> None:
        async def linger() -> None:
            try:
                await trio.sleep_forever()
            finally:
                cancelled.append("linger")

        nursery.start_soon(linger)

    stepper = Stepper(stage)
    stepper.do(lambda: now_after(0.0))
    stepper.close()
    stepper.close()

    assert cancelled == ["linger"]
