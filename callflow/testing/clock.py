"""Virtual time for a run that a host turns: it jumps to the next deadline as soon as nobody can go on without it.

Trio asks its clock how long it may sleep when, and only when, no task can run. That is the moment to jump, and the
deadline has come in the same turn of the loop. ``MockClock`` waits for one more empty turn, and looks at the
computer's own time at each question: a deadline costs half as much again with it.
"""

from __future__ import annotations

import math
from collections.abc import Sized

import trio
from attrs import define, field

from callflow.testing.seeding import waiting_for_quiet


@define(eq=False)
class VirtualClock(trio.abc.Clock):
    """Time that passes in jumps alone, and not at all while it ``stands``."""

    now: float = 0.0
    """Seconds since the run began."""
    stands: bool = field(default=False, init=False)
    """Set while the host thinks: what is due then comes when the loop is turned again."""
    _quiet: Sized = field(default=(), init=False)
    """Who waits until all tasks are blocked: they come before any jump."""

    def start_clock(self) -> None:
        self._quiet = waiting_for_quiet()

    def current_time(self) -> float:
        return self.now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        if self._quiet:
            return math.inf  # Trio wakes them instead of sleeping
        if not self.stands and self.now < deadline < math.inf:
            self.now = deadline
        return 0.0
