"""The call record: what remains of a call. Exactly one for each call that reached ``start``."""

from __future__ import annotations

from attrs import frozen

from callflow.call.driver import Driver
from callflow.call.live import ended_by
from callflow.session.inputs import EndCause, EndedBy


@frozen(kw_only=True)
class CallRecord:
    """One call, when it is over."""

    call_id: str
    call_sid: str
    stream_sid: str
    account_sid: str
    flow: str
    caller: str
    called: str
    cause: EndCause
    ended_by: EndedBy
    last_state: str
    """Name of the state that the call ended in."""
    seconds: float
    """From ``start`` to the end."""
    media_in: int
    """Messages of the caller's audio."""
    media_out: int
    """Messages of ours."""
    late_chunks: int
    """Chunks that came too late for gapless play-out."""
    dropped: int
    """Messages not sent because the far end read too slowly."""
    links: int
    """Links that the call had: 1, and 1 more for each time that its line was lost and came back."""
    late_messages: int
    """Messages that came on a link that was no longer the call's."""
    unwanted: int
    """Posted events and beats of timers that no state wanted."""


_TOLD = frozenset({EndCause.STOP, EndCause.PEER_GONE, EndCause.IDLE})
"""Ends that were not our doing: of these Exotel knows more than we do."""


def make_record(  # what is known outside of the driver, all by keyword
    driver: Driver,
    *,
    ids: dict[str, str],
    flow: str,
    last_state: str,
    links: int,
    dropped: int,
    late_messages: int,
    told_by: EndedBy,
) -> CallRecord:
    """Draw up the record of a call that is over; *told_by* is who ended it by Exotel's word, as far as that came."""
    cause = driver.session.cause
    assert cause is not None
    is_told = cause in _TOLD and told_by is EndedBy.CALLER
    return CallRecord(
        **ids,
        stream_sid=driver.session.stream_sid,
        flow=flow,
        cause=cause,
        ended_by=told_by if is_told else ended_by(cause),
        last_state=last_state,
        seconds=round(driver.seconds, 3),
        media_in=driver.media_in,
        media_out=driver.media_out,
        late_chunks=driver.writer.late_chunks,
        dropped=dropped,
        links=links,
        late_messages=late_messages,
        unwanted=driver.unwanted,
    )
