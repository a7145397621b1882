"""One test under many schedules: tasks that are ready at once may run in any order, and most tests see one of them.

A race is an order that somebody did not think of. Each order is a seed, so that one that fails can be run again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import outcome
import trio

from callflow.errors import CallflowError
from callflow.testing.clock import VirtualClock
from callflow.testing.seeding import trying


class FailsInOrder(CallflowError, AssertionError):
    """A test fails when tasks take their turns in one order; its cause is what the test raised.

    Args:
        order: The seed of the order, for ``task_order`` and for the ``order`` line of a call script.
        passed: How many orders it passed before.
        error: What it raised.
    """

    def __init__(self, order: int, passed: int, error: Exception) -> None:
        others = f"{passed} other{'' if passed == 1 else 's'} passed" if passed else "the first that was tried"
        super().__init__(f"fails under task order {order} ({others}): {type(error).__name__}: {error}")
        self.order, self.passed = order, passed


def under_orders(test: Callable[[], Awaitable[object]], count: int, *, first: int = 0) -> None:
    """Run an async test under so many task orders, each in a run of its own with virtual time from zero.

    Args:
        test: Takes nothing; ``functools.partial`` gives it what it needs. What it shares between runs, it shares.
        count: How many orders.
        first: The seed of the first one; the others follow it.

    Raises:
        FailsInOrder: It raises in one of them, which is the last one tried.
        ValueError: *count* is less than one.
    """
    if count < 1:
        raise ValueError(f"count={count!r} tries nothing; make it 1 or more")
    for order in range(first, first + count):
        with trying(order):
            end = outcome.capture(_run, test)
        if isinstance(end, outcome.Error):
            if not isinstance(end.error, Exception):
                end.unwrap()  # somebody stops it
            else:
                raise FailsInOrder(order, order - first, _cause_of(end.error)) from end.error


def _run(test: Callable[[], Awaitable[object]]) -> None:
    trio.run(test, clock=VirtualClock())


def _cause_of(error: Exception) -> Exception:
    """Unpack groups of one: what a nursery wraps round the error of its only failing task."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
