"""The calls of one server: which are live, which are over, and their journals for whoever reads along.

Calls are found by Exotel's ``CallSid``. What is kept of those that are over is bounded, the oldest going first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator
from itertools import islice
from typing import Any

import trio
from attrs import Factory, define, frozen

from callflow.call.call import CallTask
from callflow.call.journal import Entry, Journal
from callflow.flow.verdict import BRANCH_STATUS

MOST_ENDED = 1_000
"""Ended calls whose last Passthru may still come."""

MOST_JOURNALS = 20
"""Ended calls whose journal can still be read: it may hold some megabytes, if somebody floods the call."""

FOLLOW_WAIT = 10.0
"""Seconds that a reader of a journal waits for its call to begin: Exotel's own time for a handshake."""


@frozen
class Ended:
    """What is kept of a call that is over."""

    stream_sid: str
    branch: int
    """What its next Passthru is answered."""


@define(eq=False)
class Calls:
    """The calls that have started, until they are forgotten.

    Args:
        follow: Whether journals can be read along.
    """

    follow: bool = False
    _live: dict[str, CallTask] = Factory(dict)
    _ended: OrderedDict[str, Ended] = Factory(OrderedDict)
    _journals: OrderedDict[str, Journal] = Factory(OrderedDict)
    _news: trio.Event = Factory(trio.Event)

    @property
    def live(self) -> tuple[CallTask, ...]:
        """Calls that have started and are not over."""
        return tuple(self._live.values())

    def begun(self, task: CallTask) -> None:
        """A call has started."""
        self._live[task.call_id] = task
        self._changed()

    def over(self, task: CallTask) -> bool:
        """A call's task has ended; False, and without effect, for one that never started."""
        if self._live.pop(task.call_id, None) is None or task.start is None:
            return False
        _keep(self._ended, task.start.call_sid, Ended(task.driver.session.stream_sid, branch_of(task)), MOST_ENDED)
        if self.follow:
            _keep(self._journals, task.start.call_sid, task.driver.journal, MOST_JOURNALS)
        self._changed()
        return True

    async def wait_none(self) -> None:
        """Wait until no call is live."""
        while self._live:
            await self._news.wait()

    def of(self, call_sid: str) -> list[CallTask]:
        """List the live calls of that ``CallSid``, oldest first."""
        return [task for task in self._live.values() if task.start is not None and task.start.call_sid == call_sid]

    def ended(self, call_sid: str) -> Ended | None:
        """Give what is kept of the last call of that ``CallSid`` that is over."""
        return self._ended.get(call_sid)

    def _changed(self) -> None:
        self._news.set()
        self._news = trio.Event()

    # Reading along.

    def feed(self, call_sid: str) -> AsyncIterator[str] | None:
        """Follow a call's journal from its first entry to its last; None where that is not allowed."""
        return self._follow(call_sid) if self.follow else None

    async def _follow(self, call_sid: str) -> AsyncIterator[str]:
        journal = await self._journal_of(call_sid)
        if journal is None:
            return
        news = trio.Event()

        def wake(_: Entry) -> None:
            news.set()

        journal.readers.append(wake)
        try:
            told = journal.forgotten
            while told >= journal.forgotten:  # else there is a gap: who reads that slowly is cut off
                news, closed = trio.Event(), journal.closed
                for entry in _since(journal, told):
                    told = entry.n
                    yield entry.line()
                if closed:
                    return
                await news.wait()
        finally:
            journal.readers.remove(wake)

    async def _journal_of(self, call_sid: str) -> Journal | None:
        with trio.move_on_after(FOLLOW_WAIT):
            while not (live := self.of(call_sid)):
                if call_sid in self._ended:
                    return self._journals.get(call_sid)
                await self._news.wait()
            return live[0].driver.journal
        return None


def _since(journal: Journal, n: int) -> list[Entry]:
    """List the entries that are newer than number *n*. A copy: more come while it is read."""
    return list(islice(journal.entries, n - journal.forgotten, None))


def _keep(kept: OrderedDict[str, Any], name: str, value: object, most: int) -> None:
    """Keep a value as the newest of at most so many."""
    kept[name] = value
    kept.move_to_end(name)
    while len(kept) > most:
        kept.popitem(last=False)


def branch_of(task: CallTask) -> int:
    """The status that the call's state asks for: that of its last one, once it is there."""
    options = None if task.engine is None else task.engine.state.options
    return BRANCH_STATUS[getattr(options, "branch", "A")]
