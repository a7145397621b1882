"""Virtual time for a run that a host turns: it jumps to the next deadline as soon as nobody can go on without it.

Trio asks its clock how long it may sleep when, and only when, no task can run. That is the moment to jump, and the
deadline has come in the same turn of the loop. ``MockClock`` waits for one more empty turn, and looks at the
computer's time at each question: together they were a quarter of what a property run cost.
"""

from __future__ import annotations

import math

import trio
from attrs import define, field
from trio.testing import wait_all_tasks_blocked

from callflow.errors import CallflowError


@define(eq=False)
class VirtualClock(trio.abc.Clock):
    """Time that passes in jumps alone, and not at all while it ``stands``.

    ``wait_all_tasks_blocked`` does not keep it from jumping; ``settled`` waits for the same, and does.
    """

    now: float = 0.0
    """Seconds since the run began."""
    stands: bool = field(default=False, init=False)
    """Set while the host thinks: what is due then comes when the loop is turned again."""
    _settling: int = field(default=0, init=False)

    def start_clock(self) -> None:
        """It stands at ``now``, whenever that is."""

    def current_time(self) -> float:
        return self.now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        if self._settling:
            return 1.0  # longer than whoever waits for quiet wants to sleep: now it is quiet
        if not self.stands and self.now < deadline < math.inf:
            self.now = deadline
        return 0.0

    async def settled(self) -> None:
        """Wait until nothing more happens without time.

        Cancellation:
            Nothing changes.
        """
        self._settling += 1
        try:
            await wait_all_tasks_blocked()
        finally:
            self._settling -= 1


async def settled() -> None:
    """The same on whichever clock runs.

    Raises:
        CallflowError: It is not virtual time.
    """
    clock = trio.lowlevel.current_clock()
    if not isinstance(clock, VirtualClock):
        raise CallflowError("a deed is done in a run of the stepper")
    await clock.settled()
