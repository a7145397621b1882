"""The calls of one server: which are live, which have lost their line, which are over; and whose a new line is.

A call is its flow and Exotel's ``CallSid``. What is kept of those that are over is bounded, the oldest going first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator
from itertools import islice
from typing import Any

import trio
from attrs import Factory, define, evolve

from callflow.call.beginning import is_same
from callflow.call.call import CallTask
from callflow.call.journal import Entry, Journal
from callflow.flow.branch import ELSE
from callflow.flow.facts import Previous
from callflow.flow.flow import Flow
from callflow.session.inputs import EndCause
from callflow.wire.audio import AudioFormat
from callflow.wire.messages import Start

MOST_ENDED = 1_000
"""Ended calls whose last Passthru may still come."""

MOST_JOURNALS = 20
"""Ended calls whose journal can still be read: it may hold some megabytes, if somebody floods the call."""

FOLLOW_WAIT = 10.0
"""Seconds that a reader of a journal waits for its call to begin: Exotel's own time for a handshake."""


MOST_DETACHED = 1_000
"""Calls that may wait for their line at once: somebody who may open streams could leave any number behind."""


MOST_ASKED = 8
"""Calls of one ``CallSid`` that are asked whether they live: half of them the oldest, half the newest. A telephone has
one or two; without a bound each of a thousand streams of one name would ask a thousand calls."""


@define
class Ended:
    """What is kept of a call that is over."""

    stream_sid: str
    branch: str
    """Where Exotel's flow goes on: what its Passthrus are answered by."""
    at: float
    """When it ended, on Trio's clock."""
    flow: str
    start: Start
    left: Previous[Any] | None
    """For the next call of its ``CallSid``. None if the flow never had data, once it was given, and when it is old."""


@define(eq=False)
class Calls:
    """The calls that have started, until they are forgotten.

    Args:
        follow: Whether journals can be read along.
        offered: Seconds after its end in which what is left of a call is offered to the next of its ``CallSid``.
    """

    follow: bool = False
    offered: float = 300.0
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
        self._limit_detached()

    def over(self, task: CallTask) -> bool:
        """A call's task has ended; False, and without effect, for one that never started."""
        if self._live.pop(task.call_id, None) is None or task.start is None:
            return False
        _keep(self._ended, task.start.call_sid, _ended(task), MOST_ENDED)
        self._forget_data()
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

    # Whose a new line is.

    @property
    def detached(self) -> list[CallTask]:
        """Calls that have lost their line and wait for it, oldest first."""
        return [task for task in self._live.values() if task.driver.is_detached]

    async def find(self, flow: Flow[Any], start: Start, form: AudioFormat, within: float) -> CallTask | None:
        """Find the call that goes on over the link on which *start* came; None if that is a new one.

        A link whose audio has another *form* is no call's that runs: what it has recorded, and whoever listens, is in
        the middle of audio of one kind.

        A call that waits for its line goes on at once. One that has a line is asked on that line: it goes on here only
        if nothing comes from there *within* so many seconds. So a line that is back is the same call, however it was
        lost, and nobody takes a healthy one over.

        Cancellation:
            No call is disturbed.
        """
        known = [task for task in self.of(start.call_sid) if task.flow.name == flow.name]
        same = [task for task in known if task.start is not None and is_same(task.start, start)]
        same = [task for task in same if task.driver.form == form]
        waiting = [task for task in same if task.driver.is_detached]
        asked = [task for task in same if task.may_go_on]
        if not waiting and asked:
            waiting = await _silent(_at_the_ends(asked), within)
        return waiting[-1] if waiting else None

    def previous(self, flow: Flow[Any], start: Start) -> Previous[Any] | None:
        """Give what is left of the last call of that ``CallSid``, once, if it ended a short time ago."""
        self._forget_data()
        closing = [task for task in self.of(start.call_sid) if task.left is not None]
        ended = _ended(closing[-1]) if closing else self._ended.get(start.call_sid)
        if ended is None or ended.left is None or ended.flow != flow.name or not is_same(ended.start, start):
            return None
        left, ended.left = ended.left, None
        for task in closing:
            task.left = None
        return evolve(left, ago=trio.current_time() - ended.at)

    def _forget_data(self) -> None:
        """Let go of what nobody can be offered any more: it may be about a person."""
        too_old = trio.current_time() - self.offered
        for ended in self._ended.values():
            if ended.at > too_old:
                return
            ended.left = None

    def _limit_detached(self) -> None:
        for task in self.detached[:-MOST_DETACHED]:
            task.hang_up(EndCause.PEER_GONE)

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


def _ended(task: CallTask) -> Ended:
    """Draw up what is kept of a call that is over, though its link may still be closing."""
    start, at = task.start, task.driver.ended_at
    assert start is not None
    assert at is not None
    return Ended(task.driver.session.stream_sid, branch_of(task), at, task.flow.name, start, task.left)


def _at_the_ends(calls: list[CallTask]) -> list[CallTask]:
    """Leave out what lies between the oldest and the newest, if they are too many."""
    half = MOST_ASKED // 2
    return calls if len(calls) <= MOST_ASKED else calls[:half] + calls[-half:]


async def _silent(calls: list[CallTask], within: float) -> list[CallTask]:
    """Ask calls for a sign of life, all at once; return those that gave none and may go on, oldest first.

    One that went on over another link by then is none of them: whoever asked at the same instant was first.

    Cancellation:
        No call is disturbed.
    """
    silent: set[str] = set()
    asked = [(task, task.socket) for task in calls]

    async def ask(task: CallTask) -> None:
        if await task.falls_silent(within):
            silent.add(task.call_id)

    async with trio.open_nursery() as nursery:
        for task in calls:
            nursery.start_soon(ask, task)
    return [task for task, socket in asked if task.call_id in silent and task.socket is socket and task.may_go_on]


def _keep(kept: OrderedDict[str, Any], name: str, value: object, most: int) -> None:
    """Keep a value as the newest of at most so many."""
    kept[name] = value
    kept.move_to_end(name)
    while len(kept) > most:
        kept.popitem(last=False)


def branch_of(task: CallTask) -> str:
    """The branch that the call's state chooses: that of its last one, once it is there."""
    options = None if task.engine is None else task.engine.state.options
    branch: str = getattr(options, "branch", ELSE)
    return branch
