"""Reports: what Exotel says of a call over HTTP when its stream is over, beside the record that we wrote of it.

A record is written once, when our side of the call is over, and Exotel's word may come before, after, twice or never.
So it is a line of its own, which names the calls that it is about.
"""

from __future__ import annotations

import enum
import logging
import re
from collections import OrderedDict

from attrs import asdict, define, field, frozen

from callflow.session.inputs import EndedBy
from callflow.wire.passthru import DisconnectedBy, PassthruReport
from callflow.wire.status import StatusReport

log = logging.getLogger("callflow.server")

MOST_REPORTS = 1_000
"""Reports that are kept, to know repeated ones by, and calls that they can be about; the oldest go first."""

MOST_CALLS = 16
"""Calls kept of one ``CallSid``: an Exotel flow may have several Voicebot applets."""


class Source(enum.Enum):
    """Which request said it."""

    PASSTHRU = "passthru"
    STATUS = "status"


@frozen(kw_only=True)
class CallReport:
    """One thing that Exotel said of a call. It holds nothing about a person."""

    source: Source
    call_sid: str
    call_ids: tuple[str, ...] = ()
    """callflow's names of the calls that it is about, as far as they had begun when it came."""
    stream_sid: str = ""
    event: str = ""
    """Of a status callback: ``ringing``, ``answered``, ``terminal``, or empty for the only one."""
    status: str = ""
    error: str = ""
    """Code and text, or the detailed status; addresses in it are left out, since they may hold credentials."""
    ended_by: EndedBy = EndedBy.UNKNOWN
    seconds: float | None = None
    """Of the stream, or of the conversation."""
    live: bool = False
    """Whether it says that a stream is over that is live: nobody believed it."""

    @property
    def key(self) -> tuple[object, ...]:
        """What a repeated one has in common with the first (R39)."""
        return (self.source, self.call_sid, self.stream_sid, self.event, self.status)


_WHO = {
    DisconnectedBy.USER: EndedBy.CALLER,
    DisconnectedBy.BOT: EndedBy.FLOW,
    DisconnectedBy.SYSTEM: EndedBy.NETWORK,
}

_URL = re.compile(r"\S*://\S*")


def report_of_stream(report: PassthruReport, call_ids: tuple[str, ...], *, live: bool = False) -> CallReport:
    """Take what a Passthru behind a stream says."""
    stream = report.stream
    assert stream is not None
    return CallReport(
        source=Source.PASSTHRU,
        call_sid=report.call_sid,
        call_ids=call_ids,
        stream_sid=stream.stream_sid or "",
        status=stream.status or "",
        error=_URL.sub("…", stream.error or stream.detailed_status or ""),
        ended_by=EndedBy.UNKNOWN if stream.disconnected_by is None else _WHO[stream.disconnected_by],
        seconds=stream.duration,
        live=live,
    )


def report_of_status(report: StatusReport, call_ids: tuple[str, ...]) -> CallReport:
    """Take what a status callback says."""
    return CallReport(
        source=Source.STATUS,
        call_sid=report.call_sid,
        call_ids=call_ids,
        event=report.event or "",
        status=report.status or "",
        seconds=report.duration,
    )


@frozen
class _Known:
    """The calls that a ``CallSid`` has had."""

    flow: str
    call_ids: tuple[str, ...]


@define(eq=False)
class Reports:
    """The newest reports of a server, and the calls that they can be about."""

    _kept: OrderedDict[tuple[object, ...], CallReport] = field(factory=OrderedDict)
    _known: OrderedDict[str, _Known] = field(factory=OrderedDict)

    def begun(self, call_sid: str, call_id: str, flow: str) -> None:
        """A call has started."""
        self._known[call_sid] = _Known(flow, (*self.calls_of(call_sid), call_id)[-MOST_CALLS:])
        self._known.move_to_end(call_sid)
        if len(self._known) > MOST_REPORTS:
            self._known.popitem(last=False)

    def calls_of(self, call_sid: str) -> tuple[str, ...]:
        """Give callflow's names of the calls of a ``CallSid``, oldest first."""
        known = self._known.get(call_sid)
        return () if known is None else known.call_ids

    def flow_of(self, call_sid: str) -> str | None:
        """Give the name of the flow that answered it last."""
        known = self._known.get(call_sid)
        return None if known is None else known.flow

    def add(self, report: CallReport) -> bool:
        """Keep and log a report; False, and nothing, for a repeated one."""
        if report.key in self._kept:
            return False
        self._kept[report.key] = report
        if len(self._kept) > MOST_REPORTS:
            self._kept.popitem(last=False)
        fields = {**asdict(report), "source": report.source.value, "ended_by": report.ended_by.value}
        log.info("call reported", extra={"report": fields})
        return True

    def of(self, call_sid: str) -> list[CallReport]:
        """Give all that was said of a call, in the order in which it came."""
        return [report for report in self._kept.values() if report.call_sid == call_sid]

    def __len__(self) -> int:
        return len(self._kept)
