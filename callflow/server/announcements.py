"""Announcements: what a Passthru said of a call before its stream, and what the flow's own function made of it.

The first Passthru for a ``CallSid`` wins, a repeated one is answered the same and changes nothing (R39). Strangers can
send any number of them, so they are bounded, the oldest going first.
"""

from __future__ import annotations

import inspect
from collections import Counter, OrderedDict
from collections.abc import Mapping
from typing import Any

import trio
from attrs import Factory, define, frozen

from callflow.errors import FlowError
from callflow.flow.flow import Flow
from callflow.flow.verdict import Verdict
from callflow.wire.passthru import PassthruReport

MOST_ANNOUNCED = 1_000
"""Calls that may be announced and not there yet (faults T2)."""


@frozen
class Announced:
    """A call that a Passthru named before its stream."""

    at: float
    report: PassthruReport
    verdict: Verdict


@define(eq=False)
class Announcements:
    """The calls of one flow that were announced and have not come yet.

    Args:
        flow: Whose function judges them.
        flagged: Where Passthrus that changed nothing are counted, by reason.
        orphan: Seconds until an announced call without a stream is forgotten.
    """

    flow: Flow[Any]
    flagged: Counter[str]
    orphan: float
    _announced: OrderedDict[str, Announced] = Factory(OrderedDict)
    _deciding: dict[str, trio.Event] = Factory(dict)

    def __len__(self) -> int:
        self._forget_orphans()
        return len(self._announced)

    def told_of(self, call_sid: str) -> Mapping[str, str]:
        """Give what the Passthru before the stream said, and what the flow's function added."""
        self._forget_orphans()
        known = self._announced.get(call_sid)
        return {} if known is None else {**known.report.raw, **known.verdict.data}

    def forget(self, call_sid: str) -> None:
        """Forget a call that came and is over."""
        self._announced.pop(call_sid, None)

    async def announce(self, report: PassthruReport) -> Verdict:
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
