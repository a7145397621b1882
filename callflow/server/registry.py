"""The registry: the calls there are, those that were announced, and what Exotel's HTTP requests are answered.

It decides what a request is about, by its content (D27); ``Calls``, ``Announcements`` and ``Reports`` keep the rest.
"""

from __future__ import annotations

import contextlib
import inspect
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from attrs import Factory, define, evolve, field

from callflow.call.call import CallTask
from callflow.errors import FlowError
from callflow.flow.flow import Flow
from callflow.flow.verdict import StreamTo, Verdict
from callflow.server.announcements import Announcements, Asked
from callflow.server.branches import Branches, Choice
from callflow.server.calls import Calls, branch_of
from callflow.server.capacity import Capacity
from callflow.server.flows import FlowProvider, find_flow
from callflow.server.present import Present
from callflow.server.reports import Reports, report_of_status, report_of_stream
from callflow.server.stream_urls import StreamUrls
from callflow.server.tokens import Tokens
from callflow.wire.passthru import PassthruReport
from callflow.wire.status import StatusReport


def _nobody_told(reason: str, call_sid: str, status: int) -> None:
    """Stand in until somebody counts."""


@define(eq=False, kw_only=True)
class Registry:
    """The calls of one server: the ``Desk`` of its HTTP side.

    Args:
        flows: What is served.
        tokens: Those that are out.
        urls: Writes the URLs of streams.
        spare: URL that a stream is sent to if its flow cannot say where; None for the flow's own.
        follow: Whether journals can be read along.
        offered: Seconds in which what is left of a call is offered to the next of its ``CallSid``.
        orphan: Seconds until an announced call without a stream is forgotten.
        most_calls: Calls at once; None for no limit.
    """

    flows: FlowProvider
    tokens: Tokens = Factory(Tokens)
    urls: StreamUrls = Factory(StreamUrls)
    spare: str | None = None
    follow: bool = False
    orphan: float = 60.0
    offered: float = 300.0
    most_calls: int | None = None
    is_ready: bool = False
    flagged: Counter[str] = Factory(Counter)
    """Requests that changed nothing: ``repeated``, ``orphan``, ``unknown flow``, ``unknown call``, ``live``."""
    afterwards: Present = Factory(Present)
    """Calls that are over and whose flow still does what comes after (``Flow(after=…)``)."""
    reports: Reports = Factory(Reports)
    branches: Branches = Factory(Branches)
    calls: Calls = field(init=False)
    announcements: Announcements = field(init=False)
    capacity: Capacity = field(init=False)
    told_refused: Callable[[str, str, int], None] = field(default=_nobody_told, init=False)
    """Called with the reason, the ``CallSid`` and the answer for each announced call that is not let in."""

    def __attrs_post_init__(self) -> None:
        self.calls = Calls(self.follow, self.offered)
        self.announcements = Announcements(self.flagged, self.orphan)
        self.capacity = Capacity(self.most_calls, self.calls, self.announcements)

    # Calls.

    @property
    def live(self) -> tuple[CallTask, ...]:
        """Calls that have started and are not over."""
        return self.calls.live

    def begun(self, task: CallTask) -> None:
        """A call has started."""
        assert task.start is not None
        call_sid = task.start.call_sid
        self.calls.begun(task)
        self.announcements.begun(call_sid)
        self.tokens.begun(call_sid)
        self.reports.begun(call_sid, task.call_id, task.flow.name)

    def over(self, task: CallTask) -> None:
        """A call's task has ended; without effect for one that never started."""
        if not self.calls.over(task) or task.start is None:
            return
        self.tokens.over(task.start.call_sid)
        if not self.calls.of(task.start.call_sid):
            self.announcements.forget(task.start.call_sid)

    def announced(self, call_sid: str) -> Mapping[str, str]:
        """Give what was said of a call before its stream, and what the flow's functions added."""
        return self.announcements.told_of(call_sid)

    def is_announced(self, call_sid: str) -> bool:
        """Say whether an HTTP request named a call before its stream."""
        return call_sid in self.announcements

    async def wait_no_calls(self) -> None:
        """Wait until no call is live."""
        await self.calls.wait_none()

    # Passthru.

    async def passthru(self, flow: str | None, report: PassthruReport) -> int:
        """Take a Passthru; return 200 or 302.

        Before the stream the flow's own function judges the call. After it, or while the flow is in its last state,
        the answer goes by the branch of that state, and by the one that the URL asks for.

        Cancellation:
            The call is announced and not judged.
        """
        if flow is not None and self.flows.flow(flow) is None:
            self.flagged["unknown flow"] += 1
            return 200
        choice = self._choice(report)
        if choice is not None and not self.calls.of(report.call_sid):
            self.announcements.renew(report.call_sid)
        if report.after_stream:
            self._take_report(report)
            if choice is None:
                self.flagged["unknown call"] += 1
                return 200
        if choice is not None:
            return self.branches.answer(report.branch, choice)
        return (await self._judge_call(flow, report)).status

    async def _judge_call(self, name: str | None, report: PassthruReport) -> Verdict:
        flow = find_flow(self.flows, name)

        async def judge() -> Verdict:
            if flow is None:
                return Verdict()
            if self._is_turned_away(report, flow.full.status):
                return flow.full
            verdict = Verdict(302)
            try:
                verdict = await self._verdict(flow, report)
            finally:
                if verdict.status != 200:
                    self.announcements.give_up_place(report.call_sid)
            return verdict

        return await self.announcements.announce(Asked.BRANCH, report, judge)

    def _is_turned_away(self, report: PassthruReport, status: int) -> bool:
        refused = self.capacity.at_announcement(report)
        if refused is not None:
            self.told_refused(refused, report.call_sid, status)
        return refused is not None

    async def _verdict(self, flow: Flow[Any], report: PassthruReport) -> Verdict:
        if flow.passthru is None:
            return Verdict()
        verdict = await _answer_of(flow.passthru, report)
        if isinstance(verdict, Verdict):
            return verdict
        where = f"passthru= of Flow({flow.name!r})"
        raise FlowError(f"{where} returned {verdict!r}; return Verdict(200), or Verdict(302) for branch B")

    def _choice(self, report: PassthruReport) -> Choice | None:
        """Find what the stream that a Passthru names has chosen, else its call; None if there is none."""
        named = report.stream.stream_sid if report.stream is not None else None
        live = self.calls.of(report.call_sid)
        ended = self.calls.ended(report.call_sid)
        if ended is not None and (ended.stream_sid == named or not live):
            return self._choice_of(ended.branch, ended.flow)
        live.sort(key=lambda task: task.driver.session.stream_sid != named)
        return self._choice_of(branch_of(live[0]), live[0].flow.name) if live else None

    def _choice_of(self, branch: str, name: str) -> Choice:
        flow = self.flows.flow(name)
        return Choice(branch, name, () if flow is None else flow.branches)

    def _take_report(self, report: PassthruReport) -> None:
        """Keep what is said of a stream; a call that waits for its link is over if it was this stream's.

        Who says that a live stream is over is not believed: anybody can send a Passthru (faults T2).
        """
        assert report.stream is not None
        stream_sid = report.stream.stream_sid or ""
        found = report_of_stream(report, self.reports.calls_of(report.call_sid))
        for task in self.calls.of(report.call_sid):
            if stream_sid in ("", task.driver.session.stream_sid) and not task.take_report(stream_sid, found.ended_by):
                self.flagged["live"] += 1
                found = evolve(found, live=True)
        if not self.reports.add(found) and report.branch is None:  # a chain of applets is no repetition
            self.flagged["repeated"] += 1

    # The stream's URL.

    async def stream_url(self, flow: str | None, report: PassthruReport, host: str | None) -> str | None:
        """Give the URL that a call's stream is to be opened at; None if there is none for this request.

        Raises:
            FlowError: The flow's function gave what cannot be served.
            ValueError: The URL would be longer, or have more parameters, than Exotel takes.

        Cancellation:
            The call is announced.
        """
        base, asked = self.urls.base(host), find_flow(self.flows, flow)
        if base is None or asked is None or not self.is_ready or self._is_turned_away(report, 200):
            return self.spare_url(flow, report, host)
        to = await self._judge_stream(asked, report)
        target = asked if to.flow is None else self.flows.flow(to.flow)
        if target is None:
            names = ", ".join(self.flows.names)
            raise FlowError(f"stream_url= of Flow({asked.name!r}) chose {to.flow!r}; the flows served are {names}")
        token = self.tokens.mint(report.call_sid)
        return self.urls.write(base, target.name, token, to.parameters, to.rate or target.rate)

    def spare_url(self, flow: str | None, report: PassthruReport, host: str | None) -> str | None:
        """Give the URL that ``stream_url`` is answered if it fails or is late; None for no such flow or no address."""
        base, asked = self.urls.base(host), find_flow(self.flows, flow)
        if asked is None:
            self.flagged["unknown flow"] += 1
        if self.spare is not None:
            return self.spare
        if base is None or asked is None:
            return None
        with contextlib.suppress(ValueError):  # nothing that could be given would be taken
            return self.urls.write(base, asked.name, self.tokens.mint(report.call_sid), {}, asked.rate)
        return None

    async def _judge_stream(self, flow: Flow[Any], report: PassthruReport) -> StreamTo:
        async def judge() -> StreamTo:
            if flow.stream_url is None:
                return StreamTo()
            to = await _answer_of(flow.stream_url, report)
            if isinstance(to, StreamTo):
                return to
            raise FlowError(f"stream_url= of Flow({flow.name!r}) returned {to!r}; return StreamTo()")

        return await self.announcements.announce(Asked.STREAM_URL, report, judge)

    # Status callbacks.

    async def status(self, flow: str | None, report: StatusReport) -> None:
        """Take a status callback: keep it beside the calls of its ``CallSid``, and tell the flow, once.

        Cancellation:
            The flow's function is cancelled; it is not told again.
        """
        if not self.reports.add(report_of_status(report, self.reports.calls_of(report.call_sid))):
            self.flagged["repeated"] += 1
            return
        asked = find_flow(self.flows, flow or self.reports.flow_of(report.call_sid))
        if asked is not None and asked.status is not None:
            await _answer_of(asked.status, report)

    # What others may see.

    def ready(self) -> bool:
        """Say whether new calls are wanted."""
        return self.is_ready

    def counts(self) -> Mapping[str, int]:
        """Give numbers for whoever watches."""
        return {"calls": len(self.live), "announced": len(self.announcements)}

    def feed(self, call_sid: str) -> AsyncIterator[str] | None:
        """Follow a call's journal from its first entry to its last; None where that is not allowed."""
        return self.calls.feed(call_sid)


async def _answer_of(function: Callable[[Any], object], report: object) -> object:
    """Call a function of the flow's, which may be one that waits."""
    answer = function(report)
    return await answer if inspect.isawaitable(answer) else answer
