"""The timer actor: one task per call that sleeps to the earliest deadline.

A deadline is a name and a moment. The actor never hands anything to the flow: it calls the function that was given
with the deadline, which feeds the session or marks the engine's own deadline as due, so that the order of events does
not hang on the scheduler (the engine drains its mailbox first).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import floor, inf

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

    @property
    def earliest(self) -> float:
        """When the next one is due, on Trio's clock; infinity if there is none."""
        return min((at for at, _ in self._due_at.values()), default=inf)

    async def run(self) -> None:
        """Be the timer actor: run until cancelled.

        Cancellation:
            Deadlines stay as they are; nothing more is called.
        """
        while True:
            self._earlier = trio.Event()
            self._sleeps_until = self.earliest
            with trio.move_on_at(self._sleeps_until):
                await self._earlier.wait()
            self._call_due(trio.current_time())

    def _call_due(self, now: float) -> None:
        due = sorted((at, name) for name, (at, _) in self._due_at.items() if at <= now)
        for at, name in due:
            # An earlier one of the same moment may have moved or stopped it.
            if name in self._due_at and self._due_at[name][0] == at:
                self._due_at.pop(name)[1]()


MOST_TIMERS = 64
"""Named timers of one call."""

SHORTEST_BEAT = 0.1
"""Seconds. A timer that beats faster than its handler runs would leave no other call a turn."""


@define(eq=False)
class NamedTimers:
    """The timers that a flow sets by ``call.every`` and ``call.after``. They are moments and nothing else.

    Whoever asks what is due also says when it is now: no task waits for any of them.
    """

    _due_at: dict[str, tuple[float, float | None]] = Factory(dict)
    """Name, then when it is due and how many seconds lie between two beats; None for one beat only."""

    def set(self, name: str, at: float, every: float | None = None) -> bool:
        """Set a timer; one of that name begins anew. Say whether there was room for it."""
        self._due_at.pop(name, None)
        room = len(self._due_at) < MOST_TIMERS
        if room:
            self._due_at[name] = (at, every)
        return room

    def stop(self, name: str) -> None:
        """Forget a timer; without effect when there is none of that name."""
        self._due_at.pop(name, None)

    def __iter__(self) -> Iterator[tuple[str, float]]:
        """Give each timer and when it is due, in the order in which they were set."""
        return ((name, at) for name, (at, _) in self._due_at.items())

    def beat(self, name: str, now: float) -> None:
        """A timer that is due was heard of. Beats that were missed meanwhile are left out; the next keeps the time."""
        at, every = self._due_at[name]
        if every is None:
            del self._due_at[name]
        else:
            self._due_at[name] = (at + every * (floor((now - at) / every) + 1), every)
