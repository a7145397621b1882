"""An outage: the time in which a call has no line, as the engine sees it.

It begins when the link is lost, or in the very instant in which another one takes over, and ends when the engine has
told the flow of it. Lines may come and go several times before that: to the flow it is one outage.
"""

from __future__ import annotations

import trio
from attrs import Factory, define, evolve

from callflow.flow.facts import Resumed


@define(eq=False)
class Outage:
    """One outage of one call."""

    gap: Resumed | None = None
    """How the line came back; None while there is none."""
    _seconds: float = 0.0
    _news: trio.Event = Factory(trio.Event)

    def lost(self) -> None:
        """The line that had come back is lost too."""
        self.gap = None

    def ended(self, gap: Resumed) -> None:
        """A line is there."""
        self._seconds += gap.seconds
        self.gap = evolve(gap, seconds=self._seconds)
        self._wake()

    def call_over(self) -> None:
        """No line will come: let go of whoever waits."""
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = trio.Event()

    async def wait_news(self) -> None:
        """Wait until the line is back or the call is over.

        Cancellation:
            Nothing changes.
        """
        await self._news.wait()
