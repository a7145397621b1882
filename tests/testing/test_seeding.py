"""Task order by a seed, and who waits for quiet: Trio's private names, and that they do what the kit needs."""

from __future__ import annotations

import random

import pytest
import trio
import trio._core._run as scheduler
from trio.testing import wait_all_tasks_blocked

from callflow.testing import seeding
from callflow.testing.seeding import task_order, waiting_for_quiet


def order_of_tasks() -> list[int]:
    order: list[int] = []

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(8):
                nursery.start_soon(note, number)

    async def note(number: int) -> None:
        order.append(number)

    trio.run(main)
    return order


def order_by(seed: int) -> list[int]:
    with task_order(seed):
        return order_of_tasks()


def test_one_seed_gives_one_order() -> None:
    assert order_by(7) == order_by(7)


def test_seeds_give_many_orders() -> None:
    assert len({tuple(order_by(seed)) for seed in range(20)}) > 15


def test_trio_has_the_names_that_a_seed_takes() -> None:
    found = (getattr(scheduler, seeding.CHANCE), getattr(scheduler, seeding.REPEATABLE))

    assert [type(one) for one in found] == [random.Random, bool]


def test_afterwards_trio_is_as_before() -> None:
    before = (scheduler._r.getstate(), scheduler._ALLOW_DETERMINISTIC_SCHEDULING)
    order_by(7)

    assert (scheduler._r.getstate(), scheduler._ALLOW_DETERMINISTIC_SCHEDULING) == before


def test_a_trio_without_the_names_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(scheduler, seeding.CHANCE)

    with pytest.raises(RuntimeError, match="has no _r"), task_order(1):
        pass


def test_who_waits_for_quiet_is_known_while_they_wait() -> None:
    async def main() -> tuple[int, int]:
        waiting = waiting_for_quiet()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_all_tasks_blocked)
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()  # the other task has had its turn, whoever came first
            during = len(waiting)
        return during, len(waiting)

    assert trio.run(main) == (1, 0)


def test_a_trio_that_does_not_tell_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeding, "QUIET", "no_such_name")

    async def main() -> None:
        with pytest.raises(RuntimeError, match="has no no_such_name"):
            waiting_for_quiet()

    trio.run(main)
