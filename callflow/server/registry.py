"""The registry: which calls there are, which were announced, and what the next Passthru of a call is answered.

Calls are found by Exotel's ``CallSid``, announcements too: the first Passthru for a ``CallSid`` wins, a repeated one is
answered the same and changes nothing (R39). Whatever strangers can add to is bounded, the oldest going first.
"""

from __future__ import annotations

import inspect
import logging
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Mapping
from itertools import islice
from typing import Any

import trio
from attrs import Factory, define, frozen

from callflow.call.call import CallTask
from callflow.call.journal import Entry, Journal
from callflow.errors import FlowError
from callflow.flow.flow import Flow
from callflow.flow.verdict import BRANCH_STATUS, Verdict
from callflow.wire.passthru import PassthruReport

log = logging.getLogger("callflow.server")

MOST_ANNOUNCED = 1_000
"""Calls that may be announced and not there yet (faults T2)."""

MOST_ENDED = 1_000
"""Ended calls whose last Passthru may still come."""

MOST_JOURNALS = 20
"""Ended calls whose journal can still be read: it may hold some megabytes, if somebody floods the call."""

FOLLOW_WAIT = 10.0
"""Seconds that a reader of a journal waits for its call to begin: Exotel's own time for a handshake."""


@frozen
class Announced:
    """A call that a Passthru named before its stream."""

    at: float
    report: PassthruReport
    verdict: Verdict


@frozen
class Ended:
    """What is kept of a call that is over."""

    stream_sid: str
    branch: int
    """What its next Passthru is answered."""


@define(eq=False)
class Registry:
    """The calls of one server: the ``Desk`` of its HTTP side.

    Args:
        flow: What is served.
        follow: Whether journals can be read along.
        orphan: Seconds until an announced call without a stream is forgotten.
    """

    flow: Flow[Any]
    follow: bool = False
    orphan: float = 60.0
    is_ready: bool = False
    flagged: Counter[str] = Factory(Counter)
    """Passthrus that changed nothing, by reason."""
    _live: dict[str, CallTask] = Factory(dict)
    _ended: OrderedDict[str, Ended] = Factory(OrderedDict)
    _journals: OrderedDict[str, Journal] = Factory(OrderedDict)
    _announced: OrderedDict[str, Announced] = Factory(OrderedDict)
    _deciding: dict[str, trio.Event] = Factory(dict)
    _news: trio.Event = Factory(trio.Event)

    # Calls.

    @property
    def live(self) -> tuple[CallTask, ...]:
        """Calls that have started and are not over."""
        return tuple(self._live.values())

    def begun(self, task: CallTask) -> None:
        """A call has started."""
        self._live[task.call_id] = task
        self._changed()

    def over(self, task: CallTask) -> None:
        """A call's task has ended; without effect for one that never started."""
        if self._live.pop(task.call_id, None) is None or task.start is None:
            return
        self._announced.pop(task.start.call_sid, None)
        call_sid = task.start.call_sid
        self._ended[call_sid] = Ended(task.driver.session.stream_sid, _branch_of(task))
        self._ended.move_to_end(call_sid)
        _forget_oldest(self._ended, MOST_ENDED)
        if self.follow:
            self._journals[call_sid] = task.driver.journal
            self._journals.move_to_end(call_sid)
            _forget_oldest(self._journals, MOST_JOURNALS)
        self._changed()

    def announced(self, call_sid: str) -> Mapping[str, str]:
        """Give what the Passthru before the stream said, and what the flow's function added."""
        self._forget_orphans()
        known = self._announced.get(call_sid)
        return {} if known is None else {**known.report.raw, **known.verdict.data}

    async def wait_no_calls(self) -> None:
        """Wait until no call is live."""
        while self._live:
            await self._news.wait()

    def _changed(self) -> None:
        self._news.set()
        self._news = trio.Event()

    def _find(self, call_sid: str) -> CallTask | None:
        return next((task for task in self._live.values() if _call_sid(task) == call_sid), None)

    # Passthru.

    async def passthru(self, flow: str | None, report: PassthruReport) -> int:
        """Take a Passthru; return 200 or 302.

        Before the stream the flow's own function judges the call. After it, or while the flow is in its last state,
        the answer is the branch of that state.

        Cancellation:
            The call is not announced.
        """
        if flow not in (None, self.flow.name):
            self.flagged["unknown flow"] += 1
            return 200
        branch = self._branch(report)
        if branch is not None:
            return branch
        if report.after_stream:
            self.flagged["unknown call"] += 1
            return 200
        return (await self._announce(report)).status

    def _branch(self, report: PassthruReport) -> int | None:
        """Find the branch of the stream that a Passthru names, else of its call; None if there is none."""
        named = report.stream.stream_sid if report.stream is not None else None
        live = [task for task in self._live.values() if _call_sid(task) == report.call_sid]
        ended = self._ended.get(report.call_sid)
        if ended is not None and (ended.stream_sid == named or not live):
            return ended.branch
        live.sort(key=lambda task: task.driver.session.stream_sid != named)
        return _branch_of(live[0]) if live else None

    async def _announce(self, report: PassthruReport) -> Verdict:
        """Judge a call once, also when its Passthru is repeated while it is being judged (first writer wins)."""
        while (deciding := self._deciding.get(report.call_sid)) is not None:
            await deciding.wait()
        self._forget_orphans()
        known = self._announced.get(report.call_sid)
        if known is not None:
            self.flagged["repeated"] += 1
            return known.verdict
        self._deciding[report.call_sid] = trio.Event()
        try:
            verdict = await self._judge(report)
            self._announced[report.call_sid] = Announced(trio.current_time(), report, verdict)
        finally:
            self._deciding.pop(report.call_sid).set()
        self._forget_orphans()
        return verdict

    async def _judge(self, report: PassthruReport) -> Verdict:
        if self.flow.passthru is None:
            return Verdict()
        judged = self.flow.passthru(report)
        verdict: object = await judged if inspect.isawaitable(judged) else judged
        if not isinstance(verdict, Verdict):
            where = f"passthru= of Flow({self.flow.name!r})"
            raise FlowError(f"{where} returned {verdict!r}; return Verdict(200), or Verdict(302) for branch B")
        return verdict

    def _forget_orphans(self) -> None:
        oldest_kept = trio.current_time() - self.orphan
        while self._announced:
            oldest = next(iter(self._announced.values()))
            if oldest.at >= oldest_kept and len(self._announced) <= MOST_ANNOUNCED:
                return
            self._announced.popitem(last=False)
            self.flagged["orphan"] += 1

    # What others may see.

    def ready(self) -> bool:
        """Say whether new calls are wanted."""
        return self.is_ready

    def counts(self) -> Mapping[str, int]:
        """Give numbers for whoever watches."""
        self._forget_orphans()
        return {"calls": len(self._live), "announced": len(self._announced)}

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
            while (task := self._find(call_sid)) is None:
                if call_sid in self._ended:
                    return self._journals.get(call_sid)
                await self._news.wait()
            return task.driver.journal
        return None


def _since(journal: Journal, n: int) -> list[Entry]:
    """List the entries that are newer than number *n*. A copy: more come while it is read."""
    return list(islice(journal.entries, n - journal.forgotten, None))


def _call_sid(task: CallTask) -> str:
    return "" if task.start is None else task.start.call_sid


def _forget_oldest(kept: OrderedDict[str, Any], most: int) -> None:
    while len(kept) > most:
        kept.popitem(last=False)


def _branch_of(task: CallTask) -> int:
    """The status that the call's state asks for: that of its last one, once it is there."""
    options = None if task.engine is None else task.engine.state.options
    return BRANCH_STATUS[getattr(options, "branch", "A")]
