"""What of Trio's scheduler a run of the kit has to know: the order of tasks that are ready at once, and who waits.

Trio shuffles such tasks by a source of chance of its own, and lets it be repeatable for Hypothesis alone. A replay
outside Hypothesis needs the same, and a clock has to know whether somebody waits for quiet. So the private names that
this takes stand here and nowhere else; a test holds them to what they were when this was written, so that a new Trio is
noticed and not silently without effect.
"""

from __future__ import annotations

from collections.abc import Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import trio._core._run as scheduler

_SCHEDULER: Any = scheduler
CHANCE = "_r"
"""Trio's ``random.Random``, which shuffles tasks that are ready at once."""
REPEATABLE = "_ALLOW_DETERMINISTIC_SCHEDULING"
"""Whether it sorts them by age first, without which a seed says nothing."""
QUIET = "waiting_for_idle"
"""The tasks of a run in ``wait_all_tasks_blocked``."""


def waiting_for_quiet() -> Sized:
    """Give who waits, in the run that is on, until all its tasks are blocked; it is kept up by Trio.

    Raises:
        RuntimeError: This Trio has no such name; callflow's testing kit does not know it.
    """
    waiting: Sized | None = getattr(_SCHEDULER.GLOBAL_RUN_CONTEXT.runner, QUIET, None)
    if waiting is None:
        raise RuntimeError(
            f"this version of Trio has no {QUIET}: virtual time would pass while somebody waits for quiet"
        )
    return waiting


_TRIED: ContextVar[int | None] = ContextVar("tried", default=None)


@contextmanager
def trying(order: int) -> Iterator[None]:
    """As ``task_order``, for all that runs inside: a call of the block takes this order, and none of its own.

    Raises:
        RuntimeError: As ``task_order``.
    """
    before = _TRIED.set(order)
    try:
        with task_order(order):
            yield
    finally:
        _TRIED.reset(before)


def order_for(seed: int) -> int:
    """Give the order of a call with this seed: the one that is being tried, if one is, or else the seed itself."""
    tried = _TRIED.get()
    return seed if tried is None else tried


@contextmanager
def task_order(seed: int) -> Iterator[None]:
    """Run tasks that are ready at once in an order that *seed* alone decides, and afterwards as before.

    The process has one source of this chance: two runs at a time, in two threads, would disturb each other.

    Raises:
        RuntimeError: This Trio has no such names; callflow's testing kit does not know it.
    """
    missing = [name for name in (CHANCE, REPEATABLE) if not hasattr(_SCHEDULER, name)]
    if missing:
        raise RuntimeError(f"this version of Trio has no {', '.join(missing)}: task order cannot be repeated with it")
    chance, before = getattr(_SCHEDULER, CHANCE), getattr(_SCHEDULER, REPEATABLE)
    state = chance.getstate()
    chance.seed(seed)
    setattr(_SCHEDULER, REPEATABLE, True)
    try:
        yield
    finally:
        setattr(_SCHEDULER, REPEATABLE, before)
        chance.setstate(state)
