"""What a call waits for by the clock: its state's own deadline, the ``timeout`` of each level, the flow's timers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import attrgetter

import trio
from attrs import frozen

from callflow.call.driver import Driver
from callflow.call.journal import Kind
from callflow.call.level import Level, Next, Tell
from callflow.call.timer import NamedTimers
from callflow.call.wants import offer_beat


@frozen
class Due:
    """One thing that is waited for."""

    at: float
    """When it is due, on Trio's clock."""
    come: Callable[[], Next]
    """Called when it is; says what follows."""


def first_due(levels: Sequence[Level], timers: NamedTimers, driver: Driver) -> Due | None:
    """Find what is due first; of one instant the innermost state's comes before its timeout, and that before timers."""
    return min(_all_due(levels, timers, driver), key=attrgetter("at"), default=None)


def _all_due(levels: Sequence[Level], timers: NamedTimers, driver: Driver) -> Iterator[Due]:
    inner = levels[-1]
    if inner.conduct.deadline is not None:
        yield Due(inner.conduct.deadline, partial(_conduct_due, inner, driver))
    for level in reversed(levels):
        if level.deadline is not None:
            yield Due(level.deadline, partial(_timed_out, level, driver))
    for name, at in timers:
        yield Due(at, partial(_beat, levels, timers, name, driver))


def _conduct_due(level: Level, driver: Driver) -> Next:
    driver.note(Kind.TIMER, "due", state=level.name)
    return level.conduct.due(trio.current_time())


def _timed_out(level: Level, driver: Driver) -> Next:
    level.deadline = None
    driver.note(Kind.TIMER, "due", state=level.name)
    return Tell(level, "on_timeout")


def _beat(levels: Sequence[Level], timers: NamedTimers, name: str, driver: Driver) -> Next:
    timers.beat(name, trio.current_time())
    return offer_beat(levels, name, driver)
