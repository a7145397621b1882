"""Announcements: what Exotel said of a call over HTTP before its stream, and what the flow's own functions made of it.

A Passthru and the request for a stream's URL both announce a call. The first of each for a ``CallSid`` wins, a repeated
one is answered the same and changes nothing (R39). Strangers can send any number of them, so those whose call has not
come are bounded, the oldest going first.
"""

from __future__ import annotations

import enum
import math
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeVar

import trio
from attrs import Factory, define, field

from callflow.wire.passthru import PassthruReport

MOST_ANNOUNCED = 1_000
"""Calls that may be announced and not there yet (faults T2)."""


class Asked(enum.Enum):
    """What an announcing request asks for."""

    BRANCH = "branch"
    """A Passthru: which branch its applet takes."""
    STREAM_URL = "stream URL"


class Judgement(Protocol):
    """What a flow makes of an announcement: a ``Verdict`` or a ``StreamTo``."""

    @property
    def data(self) -> Mapping[str, str]:
        """What to remember of the call until its stream comes."""


J = TypeVar("J", bound=Judgement)


PLACE_KEPT = 10.0
"""Seconds for which a call that was announced and let in has a place before it comes: Exotel's time for a handshake. No
longer, since other applets may stand between, and its stream may go to another server."""


@define
class _Announced:
    at: float
    told: dict[str, str] = field(repr=False)
    """What Exotel sent, and what the flow added; what was said first stays."""
    judged: dict[Asked, Judgement] = Factory(dict)
    place_until: float = 0.0
    """Until when there is a place for its call, on Trio's clock."""


@define(eq=False)
class Announcements:
    """The calls of one server that were announced and are not over.

    Args:
        flagged: Where requests that changed nothing are counted, by reason.
        orphan: Seconds until an announced call without a stream is forgotten.
    """

    flagged: Counter[str]
    orphan: float
    _waiting: OrderedDict[str, _Announced] = Factory(OrderedDict)
    _come: dict[str, _Announced] = Factory(dict)
    """Those whose call has begun."""
    _renewed: OrderedDict[str, float] = Factory(OrderedDict)
    """When calls whose stream is over were named again."""
    _deciding: dict[tuple[str, Asked], trio.Event] = Factory(dict)

    def __len__(self) -> int:
        """Count those whose call has not come."""
        self._forget_orphans()
        return len(self._waiting)

    def __contains__(self, call_sid: str) -> bool:
        renewed_at = self._renewed.get(call_sid, -math.inf)
        return self._find(call_sid) is not None or renewed_at >= trio.current_time() - self.orphan

    def renew(self, call_sid: str) -> None:
        """Expect another stream of a call that had one: a Passthru behind the one may stand before the other."""
        self._renewed[call_sid] = trio.current_time()
        self._renewed.move_to_end(call_sid)
        if len(self._renewed) > MOST_ANNOUNCED:
            self._renewed.popitem(last=False)

    def told_of(self, call_sid: str) -> Mapping[str, str]:
        """Give what was said of a call before its stream, and what the flow's functions added."""
        known = self._find(call_sid)
        return {} if known is None else dict(known.told)

    def keep_place(self, report: PassthruReport) -> None:
        """Note a call, and keep a place for it."""
        self._note(report).place_until = trio.current_time() + PLACE_KEPT

    def give_up_place(self, call_sid: str) -> None:
        """The call will not come here, as far as is known."""
        known = self._waiting.get(call_sid)
        if known is not None:
            known.place_until = 0.0

    def has_place(self, call_sid: str) -> bool:
        """Say whether a place is kept for a call that has not come."""
        known = self._waiting.get(call_sid)
        return known is not None and known.place_until > trio.current_time()

    def places(self) -> int:
        """Count the places that are kept."""
        now = trio.current_time()
        return sum(known.place_until > now for known in self._waiting.values())

    def begun(self, call_sid: str) -> None:
        """A call has begun: its announcement is kept until it is over."""
        self._forget_orphans()
        self._renewed.pop(call_sid, None)
        known = self._waiting.pop(call_sid, None)
        if known is not None:
            self._come[call_sid] = known

    def forget(self, call_sid: str) -> None:
        """Forget a call that came and is over."""
        self._come.pop(call_sid, None)

    async def announce(self, asked: Asked, report: PassthruReport, judge: Callable[[], Awaitable[J]]) -> J:
        """Note a call, and judge it once, also when the request is repeated while it is judged.

        Cancellation:
            The call is announced and not judged; a repeated request is.
        """
        while (deciding := self._deciding.get((report.call_sid, asked))) is not None:
            await deciding.wait()
        known = self._note(report)
        if asked in known.judged:
            self.flagged["repeated"] += 1
            before: J = known.judged[asked]  # type: ignore[assignment]  # what asked for it is what was judged
            return before
        self._deciding[report.call_sid, asked] = trio.Event()
        try:
            judgement = await judge()
        finally:
            self._deciding.pop((report.call_sid, asked)).set()
        known.judged[asked] = judgement
        known.told = {**judgement.data, **known.told} if len(known.judged) > 1 else {**known.told, **judgement.data}
        return judgement

    def _note(self, report: PassthruReport) -> _Announced:
        known = self._find(report.call_sid)
        if known is None:
            known = self._waiting[report.call_sid] = _Announced(trio.current_time(), dict(report.raw))
            self._forget_orphans()
        return known

    def _find(self, call_sid: str) -> _Announced | None:
        self._forget_orphans()
        return self._come.get(call_sid) or self._waiting.get(call_sid)

    def _forget_orphans(self) -> None:
        oldest_kept = trio.current_time() - self.orphan
        while self._waiting:
            oldest = next(iter(self._waiting.values()))
            if oldest.at >= oldest_kept and len(self._waiting) <= MOST_ANNOUNCED:
                return
            self._waiting.popitem(last=False)
            self.flagged["orphan"] += 1
