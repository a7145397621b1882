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


def make_record(driver: Driver, *, ids: dict[str, str], flow: str, last_state: str, dropped: int) -> CallRecord:
    """Draw up the record of a call that is over."""
    cause = driver.session.cause
    assert cause is not None
    return CallRecord(
        **ids,
        stream_sid=driver.session.stream_sid,
        flow=flow,
        cause=cause,
        ended_by=ended_by(cause),
        last_state=last_state,
        seconds=round(driver.seconds, 3),
        media_in=driver.media_in,
        media_out=driver.media_out,
        late_chunks=driver.writer.late_chunks,
        dropped=dropped,
    )
