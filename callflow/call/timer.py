"""The timer actor: one task per call that sleeps to the earliest deadline.

A deadline is a name and a moment. The actor never hands anything to the flow: it calls the function that was given
with the deadline, which feeds the session or marks the engine's own deadline as due, so that the order of events does
not hang on the scheduler (the engine drains its mailbox first).
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import trio
from attrs import Factory, define


@define(eq=False)
class Deadlines:
    """The deadlines of one call. Setting one that runs moves it."""

    _due_at: dict[str, tuple[float, Callable[[], None]]] = Factory(dict)
    _earlier: trio.Event = Factory(trio.Event)
    _sleeps_until: float = inf

    def set(self, name: str, at: float, when_due: Callable[[], None]) -> None:
        """Have *when_due* called at *at*, a moment of Trio's clock in seconds."""
        self._due_at[name] = (at, when_due)
        if at < self._sleeps_until:
            self._earlier.set()

    def stop(self, name: str) -> None:
        """Forget a deadline; without effect when there is none of that name."""
        self._due_at.pop(name, None)

    def stop_all(self) -> None:
        self._due_at.clear()

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._due_at)

    async def run(self) -> None:
        """Be the timer actor: run until cancelled.

        Cancellation:
            Deadlines stay as they are; nothing more is called.
        """
        while True:
            self._earlier = trio.Event()
            self._sleeps_until = min((at for at, _ in self._due_at.values()), default=inf)
            with trio.move_on_at(self._sleeps_until):
                await self._earlier.wait()
            self._call_due(trio.current_time())

    def _call_due(self, now: float) -> None:
        due = sorted((at, name) for name, (at, _) in self._due_at.items() if at <= now)
        for at, name in due:
            # An earlier one of the same moment may have moved or stopped it.
            if name in self._due_at and self._due_at[name][0] == at:
                self._due_at.pop(name)[1]()
