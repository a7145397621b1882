"""The order in which Trio runs tasks that are ready at once, made a matter of a seed.

Trio shuffles them by a source of chance of its own, and lets it be repeatable for Hypothesis alone. A replay outside
Hypothesis needs the same, so the two private names that it takes stand here and nowhere else; a test holds them to what
they were when this was written, so that a new Trio is noticed and not silently without effect.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import trio._core._run as scheduler

_SCHEDULER: Any = scheduler
CHANCE = "_r"
"""Trio's ``random.Random``, which shuffles tasks that are ready at once."""
REPEATABLE = "_ALLOW_DETERMINISTIC_SCHEDULING"
"""Whether it sorts them by age first, without which a seed says nothing."""


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
