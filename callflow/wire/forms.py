"""Parameters of Exotel's HTTP requests, from the query and from any body that a page of Exotel's describes. Pure.

A body is told by what it is, since content types are not to be relied on: JSON, multipart or a form (exotel.md §12,
§15, D26, D28). Whatever is odd about it is left out; only what is too much is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

import msgspec
from attrs import frozen

from callflow.errors import RemoteProtocolError

MOST_PARAMETERS = 256
"""Exotel's longest form has about thirty."""

MOST_CHARACTERS = 64 * 1024
"""Of all parameters, names included; the longest form that is documented has under 2,000."""

LONGEST_TEXT = 256
"""Characters kept of a status or an error; the longest that was seen has about eighty."""


class UnreadableRequest(RemoteProtocolError):
    """A request that names no call, or holds too much. The message holds nothing of it."""


def read_parameters(query: str | Mapping[str, str], content_type: str = "", body: bytes = b"") -> dict[str, str]:
    """Read all parameters of a request, names as sent, nested JSON as text; the body's win over the query's.

    Args:
        query: As sent or decoded.
        content_type: The header; only a multipart body needs it.
        body: Of a POST; empty for a GET.

    Raises:
        UnreadableRequest: There are too many parameters, or their text is too long.
    """
    raw = {**_read_query(query), **_read_body(content_type, body)}
    if len(raw) > MOST_PARAMETERS or sum(len(name) + len(text) for name, text in raw.items()) > MOST_CHARACTERS:
        raise UnreadableRequest("too many parameters")
    return raw


def _read_query(query: str | Mapping[str, str]) -> dict[str, str]:
    if not isinstance(query, str):
        return dict(query)
    try:
        return dict(parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_PARAMETERS))
    except ValueError as broken:
        raise UnreadableRequest("too many parameters") from broken


_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def _read_body(content_type: str, body: bytes) -> dict[str, str]:
    body = body.removeprefix(_BYTE_ORDER_MARK)
    boundary = _boundary_of(content_type)
    if boundary is not None:
        return dict(_read_parts(boundary, body))
    if body.lstrip()[:1] in (b"{", b"["):
        return read_members(body)
    return _read_query(body.strip().decode("utf-8", "replace"))


def read_members(text: bytes | str) -> dict[str, str]:
    """Read a JSON object, its members as text; whatever is none is an empty one, since other places may say enough."""
    value = _decode(text)
    return {name: as_text(member) for name, member in value.items()} if isinstance(value, dict) else {}


def _decode(text: bytes | str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def as_text(value: object) -> str:
    """Write a member of a JSON object as the text that a form would hold."""
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()


# Multipart (RFC 7578). Files are none of Exotel's, so that only names and texts are read.

_BOUNDARY = re.compile(r"""\bboundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))""", re.IGNORECASE)

_PART_NAME = re.compile(
    rb'^content-disposition:[^\r\n]*?[;\s]name=(?:"([^"\r\n]{0,256})"|([^\s;"]{1,256}))', re.I | re.M
)


def _boundary_of(content_type: str) -> bytes | None:
    found = _BOUNDARY.search(content_type) if content_type.strip().lower().startswith("multipart/") else None
    return None if found is None else (found.group(1) or found.group(2)).encode("utf-8", "replace")


def _read_parts(boundary: bytes, body: bytes) -> Iterable[tuple[str, str]]:
    _, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary, MOST_PARAMETERS + 1)
    if len(parts) > MOST_PARAMETERS:
        raise UnreadableRequest("too many parameters")
    for part in parts:
        head, gap, content = part.partition(b"\r\n\r\n")
        name = _PART_NAME.search(head) if gap else None
        if name is not None:
            yield (name.group(1) or name.group(2) or b"").decode("utf-8", "replace"), content.decode("utf-8", "replace")


# Values.

_NOTHING = frozenset({"", "NA", "na", "N/A", "null", "None"})

_SID = re.compile(r"[0-9A-Za-z_-]{1,128}\Z")
"""Identifiers become file names and log fields, so nothing else is one (faults T14)."""


def fold(name: str) -> str:
    """Write a name as all its spellings agree: without case, underscores and hyphens."""
    return name.replace("_", "").replace("-", "").lower()


def folded(raw: Mapping[str, str]) -> dict[str, str]:
    """Give parameters under their folded names, without those that say nothing."""
    return {fold(name): text for name, text in raw.items() if text.strip() not in _NOTHING}


def sid(text: str | None) -> str | None:
    """Read an identifier; None for what could not be one."""
    return text if text is not None and _SID.match(text) else None


def seconds(text: str | None) -> float | None:
    """Read a duration."""
    try:
        found = float(text or "nan")
    except ValueError:
        return None
    return found if found >= 0 and math.isfinite(found) else None


def phrase(text: str | None) -> str | None:
    """Read a status or an error: one line, of a bounded length, of what can be printed (faults T8)."""
    if text is None:
        return None
    return "".join(letter if letter.isprintable() else "?" for letter in text[:LONGEST_TEXT])


# Lists and objects, which forms write with brackets.


def in_brackets(fields: Mapping[str, str], name: str) -> dict[str, str]:
    """Give the members that stand as ``name[member]``, under their own folded names."""
    return {
        key[len(name) + 1 : -1]: text for key, text in fields.items() if key.startswith(f"{name}[") and key[-1] == "]"
    }


@frozen(kw_only=True)
class Leg:
    """One party's side of a call."""

    status: str | None = None
    """In lower case: ``completed``, ``busy`` and whatever may come."""
    duration: float | None = None
    """Seconds that it was on the call."""
    answered_by: str | None = None


MOST_LEGS = 32
"""Of one call; two are usual."""


def read_legs(fields: Mapping[str, str]) -> tuple[Leg, ...]:
    """Read ``Legs`` in either of its forms: a list in JSON, or ``Legs[0][Status]`` (exotel.md §15)."""
    listed = _decode(fields.get("legs", ""))
    objects = [read_members(as_text(one)) for one in listed[:MOST_LEGS]] if isinstance(listed, list) else []
    return tuple(_leg(folded(each)) for each in objects or _numbered(in_brackets(fields, "legs")))


def _numbered(members: Mapping[str, str]) -> list[dict[str, str]]:
    """Gather ``0][status`` and ``0][answeredby`` to one object each number, in the order of the numbers."""
    objects: dict[int, dict[str, str]] = {}
    for key, text in members.items():
        number, _, name = key.partition("][")
        if number.isascii() and number.isdecimal() and len(number) < 3:
            objects.setdefault(int(number), {})[name] = text
    return [objects[number] for number in sorted(objects)[:MOST_LEGS]]


def _leg(parts: Mapping[str, str]) -> Leg:
    return Leg(
        status=(phrase(parts.get("status")) or "").lower() or None,
        duration=seconds(parts.get("oncallduration") or parts.get("duration")),
        answered_by=phrase(parts.get("answeredby")),
    )
