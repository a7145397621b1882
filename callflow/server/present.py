"""Who is there: a count that can be waited for."""

from __future__ import annotations

import trio
from attrs import define, field


@define(eq=False)
class Present:
    """Counts who is there, and lets others wait until nobody is."""

    count: int = 0
    _news: trio.Event = field(factory=trio.Event, init=False)

    def come(self) -> None:
        """Count one more."""
        self.count += 1

    def go(self) -> None:
        """Count one less."""
        self.count -= 1
        if not self.count:
            self._news.set()
            self._news = trio.Event()

    def __enter__(self) -> None:
        self.come()

    def __exit__(self, *_: object) -> None:
        self.go()

    async def wait_none(self) -> None:
        """Wait until nobody is there.

        Cancellation:
            Harmless.
        """
        while self.count:
            await self._news.wait()
