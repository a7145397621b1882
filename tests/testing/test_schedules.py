"""A test under many task orders: a race is found, told by its seed, and found again."""

from __future__ import annotations

import pytest
import trio

from callflow import Call, Flow, Hangup, State
from callflow.testing import caller
from callflow.testing.failure import failures_in
from callflow.testing.schedules import FailsInOrder, under_orders
from callflow.testing.seeding import task_order

ORDERS = 40


async def race() -> None:
    """Four tasks are ready at once, and it is taken for granted that the first one is first."""
    said: list[int] = []

    async def say(number: int) -> None:
        await trio.sleep(1.0)
        said.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(4):
            nursery.start_soon(say, number)
    assert said[-1] != 0, "the first came last"


async def no_race() -> None:
    """Time puts the tasks in order."""
    await trio.sleep(1.0)


def failing_order() -> int:
    with pytest.raises(FailsInOrder) as failed:
        under_orders(race, ORDERS)
    return failed.value.order


def test_a_race_is_found() -> None:
    assert failing_order() in range(ORDERS)


def test_the_same_order_fails_again() -> None:
    order = failing_order()

    with pytest.raises(FailsInOrder, match=f"fails under task order {order} .the first that was tried.*came last"):
        under_orders(race, 1, first=order)


def test_it_is_told_how_many_passed() -> None:
    order = failing_order()

    with pytest.raises(FailsInOrder, match=f"{order} others? passed" if order else "the first"):
        under_orders(race, ORDERS)


def test_what_has_no_race_passes_every_order() -> None:
    ran: list[float] = []

    async def counted() -> None:
        ran.append(trio.current_time())
        await no_race()

    under_orders(counted, ORDERS)

    assert ran == [0.0] * ORDERS


def test_what_a_nursery_wraps_is_unpacked() -> None:
    async def fails() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(no_race)
            raise LookupError("nobody")

    with pytest.raises(FailsInOrder, match=r": LookupError: nobody$"):
        under_orders(fails, 1)


def test_who_stops_it_stops_it() -> None:
    async def stopped() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        under_orders(stopped, 3)


def test_orders_do_not_change_what_comes_after() -> None:
    with task_order(7):
        under_orders(no_race, 3)
        before = [trio.run(_who_is_first) for _ in range(5)]

    with task_order(7):
        assert [trio.run(_who_is_first) for _ in range(5)] == before


async def _who_is_first() -> int:
    said: list[int] = []

    async def say(number: int) -> None:
        said.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(4):
            nursery.start_soon(say, number)
    return said[0]


def test_no_order_is_no_test() -> None:
    with pytest.raises(ValueError, match="tries nothing"):
        under_orders(no_race, 0)


class Wait(State[None], timeout=60.0):
    def on_timeout(self, call: Call[None]) -> Bye:
        return Bye()


class Bye(Hangup[None]): ...


def test_a_race_in_the_middle_of_a_call_is_found() -> None:
    async def calls() -> None:
        async with caller(Flow("line", start=Wait)) as c:
            await race()
            await c.hangs_up()

    with pytest.raises(FailsInOrder, match="came last"):
        under_orders(calls, ORDERS)


def test_a_call_that_fails_is_kept_with_the_order_that_was_tried() -> None:
    async def is_not_awaited() -> None:
        async with caller(Flow("line", start=Wait)):
            pass

    with pytest.raises(FailsInOrder) as failed:
        under_orders(is_not_awaited, 1, first=7)

    [failure] = failures_in(failed.value.__cause__ or failed.value) or []
    assert failure.script is not None
    assert failure.script.header.order == 7
