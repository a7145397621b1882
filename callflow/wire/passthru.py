"""Exotel's Passthru: what an applet tells over HTTP about a call, before or after its stream. Pure.

Exotel describes it in ways that do not agree (exotel.md §12, D26 to D29); all are read to one record. Keys are compared
without case, underscores and hyphens; parameters come from the query, then from a form or a JSON body, which wins.
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

import msgspec
from attrs import field, frozen

from callflow.errors import RemoteProtocolError

MOST_PARAMETERS = 256
"""Exotel's longest form has about thirty."""

MOST_CHARACTERS = 64 * 1024
"""Of all parameters, names included; the longest form that is documented has under 2,000."""


class UnreadablePassthru(RemoteProtocolError):
    """A request that is no Passthru: it names no call, or holds too much. The message holds nothing of it."""


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
        content_type: The header; where it is absent or odd, the body is looked at instead.
        body: Of a POST; empty for a GET.

    Raises:
        UnreadablePassthru: There is no ``CallSid`` that could be one, or there is more than a Passthru can hold.
    """
    raw = {**_read_query(query), **_read_body(content_type, body)}
    if len(raw) > MOST_PARAMETERS or sum(len(name) + len(text) for name, text in raw.items()) > MOST_CHARACTERS:
        raise UnreadablePassthru("too many parameters")
    fields = {_fold(name): text for name, text in raw.items() if text.strip() not in _NOTHING}
    call_sid = _sid(fields.get("callsid"))
    if call_sid is None:
        raise UnreadablePassthru("no CallSid")
    return PassthruReport(
        call_sid=call_sid,
        caller=fields.get("callfrom") or fields.get("from"),
        called=fields.get("callto") or fields.get("to"),
        direction=_direction(fields.get("direction", "")),
        stream=_stream(fields),
        digits=_unquoted(fields.get("digits")),
        custom_field=fields.get("customfield"),
        raw=raw,
    )


_NOTHING = frozenset({"", "NA", "na", "N/A", "null", "None"})

_SID = re.compile(r"[0-9A-Za-z_-]{1,128}\Z")
"""Identifiers become file names and log fields, so nothing else is one (faults T14)."""


def _fold(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _sid(text: str | None) -> str | None:
    return text if text is not None and _SID.match(text) else None


def _unquoted(digits: str | None) -> str | None:
    """Take off the literal quotes in which ``digits`` comes."""
    if digits is not None and len(digits) > 1 and digits[0] == digits[-1] == '"':
        digits = digits[1:-1]
    return digits or None


def _direction(text: str) -> Direction | None:
    """Read ``incoming`` and ``inbound``, ``outbound`` and ``outbound-dial``."""
    known = {"in": Direction.INBOUND, "ou": Direction.OUTBOUND}
    return known.get(text[:2].lower())


# Parameters: from a query, a form, or JSON.


def _read_query(query: str | Mapping[str, str]) -> dict[str, str]:
    if not isinstance(query, str):
        return dict(query)
    try:
        return dict(parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_PARAMETERS))
    except ValueError as broken:
        raise UnreadablePassthru("too many parameters") from broken


def _read_body(content_type: str, body: bytes) -> dict[str, str]:
    kind = content_type.partition(";")[0].strip().lower()
    is_json = kind.endswith(("/json", "+json")) or (kind not in _FORMS and body.lstrip()[:1] == b"{")
    if is_json:
        return _read_members(body)
    return _read_query(body.decode("utf-8", "replace"))


_FORMS = frozenset({"application/x-www-form-urlencoded"})


def _read_members(text: bytes | str) -> dict[str, str]:
    """Read a JSON object, its members as text; whatever is none is an empty one, since the query may say enough."""
    try:
        value = msgspec.json.decode(text)
        return {name: _text(member) for name, member in value.items()} if isinstance(value, dict) else {}
    except (msgspec.DecodeError, ValueError, RecursionError):
        return {}


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()


# The stream: bracketed keys, one JSON string, or flat keys.


def _stream(fields: Mapping[str, str]) -> StreamReport | None:
    parts = _bracketed(fields) or _nested(fields) or _flat(fields)
    if not parts:
        return None
    status = parts.get("status")
    return StreamReport(
        stream_sid=_sid(parts.get("streamsid")),
        status=None if status is None else status.lower(),
        duration=_seconds(parts.get("duration")),
        disconnected_by=_BY.get(parts.get("disconnectedby", "").lower()),
        error=parts.get("error"),
        detailed_status=parts.get("detailedstatus"),
        recording_url=parts.get("recordingurl"),
    )


_BRACKETS = re.compile(r"stream\[(.{1,64})\]\Z")

_BY = {
    "user": DisconnectedBy.USER,
    "caller": DisconnectedBy.USER,
    "bot": DisconnectedBy.BOT,
    "system": DisconnectedBy.SYSTEM,
}


def _bracketed(fields: Mapping[str, str]) -> dict[str, str]:
    matches = ((_BRACKETS.match(name), text) for name, text in fields.items())
    return {match.group(1): text for match, text in matches if match}


def _nested(fields: Mapping[str, str]) -> dict[str, str]:
    members = {_fold(name): text for name, text in _read_members(fields.get("stream", "")).items()}
    return {name: text for name, text in members.items() if text.strip() not in _NOTHING}


_STREAM_KEYS = ("streamsid", "status", "duration", "disconnectedby", "error", "detailedstatus", "recordingurl")


def _flat(fields: Mapping[str, str]) -> dict[str, str]:
    """Take the flat form, told by its first two keys: ``RecordingUrl`` alone is the recording of the call."""
    if "streamsid" not in fields and "status" not in fields:
        return {}
    return {name: fields[name] for name in _STREAM_KEYS if name in fields}


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text or "nan")
    except ValueError:
        return None
    return seconds if seconds >= 0 and math.isfinite(seconds) else None
