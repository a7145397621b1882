"""Exotel's Passthru: what an applet tells over HTTP about a call, before or after its stream. Pure.

Exotel describes it in ways that do not agree (exotel.md §12, D26 to D29); all are read to one record. Keys are compared
without case, underscores and hyphens; parameters come from the query, then from a body, which wins. The request for a
dynamic stream URL has the same keys, and is read to the same record (§13).
"""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Mapping
from datetime import datetime

from attrs import field, frozen

from callflow.wire.forms import (
    Leg,
    UnreadableRequest,
    folded,
    in_brackets,
    phrase,
    read_legs,
    read_members,
    read_parameters,
    seconds,
    sid,
)


class Direction(enum.Enum):
    """Who rang whom."""

    INBOUND = "inbound"
    """The caller rang the ExoPhone."""
    OUTBOUND = "outbound"
    """Exotel rang the caller, as an API asked it to."""


class DisconnectedBy(enum.Enum):
    """Who ended the stream (D29)."""

    USER = "user"
    """The person on the line; one page says ``caller``."""
    BOT = "bot"
    """Our side closed the socket."""
    SYSTEM = "system"
    """Exotel."""


@frozen(kw_only=True)
class StreamReport:
    """What a Passthru says about a stream. Its repr leaves out what could be about a person."""

    stream_sid: str | None = None
    status: str | None = None
    """In lower case: ``completed``, ``failed``, ``cancelled`` and whatever may come."""
    duration: float | None = None
    """Seconds."""
    disconnected_by: DisconnectedBy | None = None
    """None for ``NA`` and for words that are not known; ``PassthruReport.raw`` has them."""
    error: str | None = None
    """Code and text; where it disagrees with the status, believe it (exotel.md §12.3)."""
    detailed_status: str | None = None
    recording_url: str | None = field(repr=False, default=None)
    """Where Exotel says that the recording is. Never fetched by callflow: it came from outside (faults T10)."""

    @property
    def has_ended(self) -> bool:
        """Whether this is a result, and not only the name of a stream that is about to begin."""
        result = (self.status, self.duration, self.disconnected_by, self.error, self.detailed_status)
        return any(part is not None for part in result)

    @property
    def has_failed(self) -> bool:
        """Whether there was no stream, or none to its end: an error wins over the status."""
        return self.error is not None or self.status == "failed"


@frozen(kw_only=True)
class PassthruReport:
    """One Passthru, whatever its form. Its repr leaves out numbers, digits and free text."""

    call_sid: str
    caller: str | None = field(repr=False, default=None)
    """The number that rings, as sent: national or E.164."""
    called: str | None = field(repr=False, default=None)
    """The ExoPhone."""
    direction: Direction | None = None
    stream: StreamReport | None = None
    digits: str | None = field(repr=False, default=None)
    """What a Gather applet before this one collected, without its quotes."""
    custom_field: str | None = field(repr=False, default=None)
    """Free text of the API request that made the call."""
    started: datetime | None = None
    """When the call began, in the local time of the Exotel account: its zone is not said."""
    ended: datetime | None = None
    """When it ended; None while it lives, for which Exotel writes the beginning of 1970."""
    legs: tuple[Leg, ...] = ()
    branch: str | None = None
    """The branch that its URL asks for, by a parameter of our own; Exotel sends what an operator entered."""
    raw: Mapping[str, str] = field(repr=False, factory=dict)
    """Every parameter as sent; nested JSON as text."""

    @property
    def after_stream(self) -> bool:
        """Whether it stands behind a stream in Exotel's flow, and not before one: it has a stream's result (D27)."""
        return self.stream is not None and self.stream.has_ended


def read_passthru(query: str | Mapping[str, str], content_type: str = "", body: bytes = b"") -> PassthruReport:
    """Read a Passthru in any of its forms.

    Args:
        query: The request's query, as sent or decoded.
        content_type: The header; where it is absent or odd, the body tells what it is.
        body: Of a POST; empty for a GET.

    Raises:
        UnreadableRequest: There is no ``CallSid`` that could be one, or there is more than a Passthru can hold.
    """
    raw = read_parameters(query, content_type, body)
    fields = folded(raw)
    return PassthruReport(
        call_sid=read_call_sid(fields),
        caller=fields.get("callfrom") or fields.get("from"),
        called=fields.get("callto") or fields.get("to"),
        direction=read_direction(fields.get("direction", "")),
        stream=_stream(fields),
        digits=_unquoted(fields.get("digits")),
        custom_field=fields.get("customfield"),
        started=_moment(fields.get("starttime")),
        ended=_moment(fields.get("endtime")),
        legs=read_legs(fields),
        branch=fields.get("branch") or None,
        raw=raw,
    )


def read_call_sid(fields: Mapping[str, str]) -> str:
    """Read the name of the call that a request is about.

    Raises:
        UnreadableRequest: There is none that could be one.
    """
    call_sid = sid(fields.get("callsid"))
    if call_sid is None:
        raise UnreadableRequest("no CallSid")
    return call_sid


def read_direction(text: str) -> Direction | None:
    """Read ``incoming`` and ``inbound``, ``outbound``, ``outbound-dial`` and ``outbound-api``."""
    known = {"in": Direction.INBOUND, "ou": Direction.OUTBOUND}
    return known.get(text[:2].lower())


def _unquoted(digits: str | None) -> str | None:
    """Take off the literal quotes in which ``digits`` comes."""
    if digits is not None and len(digits) > 1 and digits[0] == digits[-1] == '"':
        digits = digits[1:-1]
    return digits or None


_EPOCH = 1970
"""The year that stands for "not yet", in whatever time zone."""


def _moment(text: str | None) -> datetime | None:
    """Read ``YYYY-MM-DD HH:MM:SS``; None for the epoch and for what is no moment."""
    with contextlib.suppress(ValueError):
        moment = datetime.strptime(text or "", "%Y-%m-%d %H:%M:%S")
        return None if moment.year <= _EPOCH else moment
    return None


# The stream: bracketed keys, one JSON string, or flat keys.


def _stream(fields: Mapping[str, str]) -> StreamReport | None:
    parts = in_brackets(fields, "stream") or folded(read_members(fields.get("stream", ""))) or _flat(fields)
    if not parts:
        return None
    status = phrase(parts.get("status"))
    return StreamReport(
        stream_sid=sid(parts.get("streamsid")),
        status=None if status is None else status.lower(),
        duration=seconds(parts.get("duration")),
        disconnected_by=_BY.get(parts.get("disconnectedby", "").lower()),
        error=phrase(parts.get("error")),
        detailed_status=phrase(parts.get("detailedstatus")),
        recording_url=parts.get("recordingurl"),
    )


_BY = {
    "user": DisconnectedBy.USER,
    "caller": DisconnectedBy.USER,
    "bot": DisconnectedBy.BOT,
    "system": DisconnectedBy.SYSTEM,
}

_STREAM_KEYS = ("streamsid", "status", "duration", "disconnectedby", "error", "detailedstatus", "recordingurl")


def _flat(fields: Mapping[str, str]) -> dict[str, str]:
    """Take the flat form, told by its first two keys: ``RecordingUrl`` alone is the recording of the call."""
    if "streamsid" not in fields and "status" not in fields:
        return {}
    return {name: fields[name] for name in _STREAM_KEYS if name in fields}
