"""Exotel's status callback: what became of a call that an API placed or whose flow asked for it. Pure.

It may come once, at the end, or once an event; twice, late, and in any order (exotel.md §15).
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from callflow.wire.forms import Leg, folded, phrase, read_legs, read_parameters, seconds
from callflow.wire.passthru import Direction, read_call_sid, read_direction


@frozen(kw_only=True)
class StatusReport:
    """One status callback, whatever its form. Its repr leaves out numbers, URLs and free text."""

    call_sid: str
    event: str | None = None
    """``ringing``, ``answered`` or ``terminal``; None where events were not asked for: then the call is over."""
    status: str | None = None
    """In lower case: ``completed``, ``failed``, ``busy``, ``no-answer`` and whatever may come."""
    caller: str | None = field(repr=False, default=None)
    """``From`` as sent. Of a call that an API placed, that is the number that was dialled first."""
    called: str | None = field(repr=False, default=None)
    direction: Direction | None = None
    duration: float | None = None
    """Seconds of conversation."""
    custom_field: str | None = field(repr=False, default=None)
    """Free text of the API request that made the call."""
    recording_url: str | None = field(repr=False, default=None)
    """Never fetched by callflow: it came from outside (faults T10)."""
    legs: tuple[Leg, ...] = ()
    raw: Mapping[str, str] = field(repr=False, factory=dict)
    """Every parameter as sent; nested JSON as text."""

    @property
    def is_final(self) -> bool:
        """Whether the call is over."""
        return self.event in (None, "terminal")


def read_status(query: str | Mapping[str, str], content_type: str = "", body: bytes = b"") -> StatusReport:
    """Read a status callback: multipart, form or JSON.

    Raises:
        UnreadableRequest: There is no ``CallSid`` that could be one, or there is more than a callback can hold.
    """
    raw = read_parameters(query, content_type, body)
    fields = folded(raw)
    return StatusReport(
        call_sid=read_call_sid(fields),
        event=_word(fields.get("eventtype")),
        status=_word(fields.get("status") or fields.get("callstatus")),
        caller=fields.get("from") or fields.get("callfrom"),
        called=fields.get("to") or fields.get("callto"),
        direction=read_direction(fields.get("direction", "")),
        duration=seconds(fields.get("conversationduration")),
        custom_field=fields.get("customfield"),
        recording_url=fields.get("recordingurl"),
        legs=read_legs(fields),
        raw=raw,
    )


def _word(text: str | None) -> str | None:
    return (phrase(text) or "").lower() or None
