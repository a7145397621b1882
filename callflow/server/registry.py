"""The registry: the calls there are, those that were announced, and what the next Passthru of a call is answered.

It decides which of the two a Passthru is about, by its content (D27); ``Calls`` and ``Announcements`` keep them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Any

from attrs import Factory, define, field

from callflow.call.call import CallTask
from callflow.flow.flow import Flow
from callflow.server.announcements import Announcements
from callflow.server.calls import Calls, branch_of
from callflow.wire.passthru import PassthruReport


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
    calls: Calls = field(init=False)
    announcements: Announcements = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.calls = Calls(self.follow)
        self.announcements = Announcements(self.flow, self.flagged, self.orphan)

    # Calls.

    @property
    def live(self) -> tuple[CallTask, ...]:
        """Calls that have started and are not over."""
        return self.calls.live

    def begun(self, task: CallTask) -> None:
        """A call has started."""
        self.calls.begun(task)

    def over(self, task: CallTask) -> None:
        """A call's task has ended; without effect for one that never started."""
        if self.calls.over(task) and task.start is not None:
            self.announcements.forget(task.start.call_sid)

    def announced(self, call_sid: str) -> Mapping[str, str]:
        """Give what the Passthru before the stream said, and what the flow's function added."""
        return self.announcements.told_of(call_sid)

    async def wait_no_calls(self) -> None:
        """Wait until no call is live."""
        await self.calls.wait_none()

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
        return (await self.announcements.announce(report)).status

    def _branch(self, report: PassthruReport) -> int | None:
        """Find the branch of the stream that a Passthru names, else of its call; None if there is none."""
        named = report.stream.stream_sid if report.stream is not None else None
        live = self.calls.of(report.call_sid)
        ended = self.calls.ended(report.call_sid)
        if ended is not None and (ended.stream_sid == named or not live):
            return ended.branch
        live.sort(key=lambda task: task.driver.session.stream_sid != named)
        return branch_of(live[0]) if live else None

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
