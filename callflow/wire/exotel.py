"""Exotel's JSON and back: every spelling and oddity of the wire ends in this file.

Reading is liberal: counters as numbers, numeric strings, null or absent; snake, camel and Pascal case; flat and nested
bodies; JSON in text or binary frames (exotel.md §20, D2–D11, D20, D40, D41). Writing is strict: snake case, string
counters (§21). ``decode`` raises ``MalformedMessage`` and nothing else, whatever the bytes.

Milliseconds exist here and nowhere else.
"""

from __future__ import annotations

import binascii
import functools
import math
import re
from collections.abc import Callable, Mapping
from typing import assert_never

import msgspec

from callflow.errors import MalformedMessage
from callflow.wire.messages import (
    KEYS,
    Clear,
    Connected,
    Dtmf,
    Mark,
    Media,
    MediaFormat,
    Message,
    Start,
    Stop,
    StopReason,
    Unknown,
)

LARGEST_MESSAGE = 256 * 1024
"""Bytes. A 20 ms message has under 1,500, 99,840 bytes of audio about 133,300 (exotel.md §5, faults T4)."""

MOST_PARAMETERS = 64
"""Exotel documents 3; more are read, but not without end (D13, faults T4)."""

PARAMETERS_SIZE = 4096
"""Characters of all custom parameters together; Exotel documents 256 (D13, faults T4)."""

_SID = re.compile(r"[0-9A-Za-z_-]{1,128}\Z")
"""Identifiers are opaque, but they become file names and log fields (exotel.md §5, faults T14)."""

_LONGEST_COUNTER = 15
"""Digits. Counters are never trusted (R33), so longer ones are dropped before they cost anything (faults F42). Every
millisecond of 15 digits is a float of its own as seconds (10**15 < 2**50), which ``encode`` needs to give it back."""

_TOO_DEEP = "nested too deeply"
_NOT_JSON = "not JSON"
BAD_BASE64 = "media.payload is not base64"
"""Reason of a ``MalformedMessage`` whose payload cannot be read."""


# Reading: the fast path. A real media message is 50 of the 51 messages of a second of call. It takes exactly the
# documented shape and leaves any other member to the tolerant path: skipping one would also skip what is wrong with
# it (bad UTF-8, a number out of range) and what it means (``Track``), and the two paths would differ.


class _MediaBody(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    payload: str
    chunk: int | str | None = None
    timestamp: int | str | None = None
    track: str = ""


class _MediaMessage(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    event: str
    media: _MediaBody
    stream_sid: str = ""
    sequence_number: int | str | None = None


_decode_media = msgspec.json.Decoder(_MediaMessage).decode
_decode_any = msgspec.json.Decoder().decode


def decode(text: str | bytes) -> Message:
    """Read one message.

    Args:
        text: The content of one WebSocket message; text, or bytes that hold UTF-8 JSON.

    Raises:
        MalformedMessage: It is no JSON object with an event, a required field is missing or of the wrong type, an
            identifier is no identifier, or a payload is no base64. The reason holds nothing of the text.
    """
    return _decode_exactly(text) or _decode_tolerantly(text)


def _decode_exactly(text: str | bytes) -> Media | None:
    try:
        fast = _decode_media(text)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return None
    body = fast.media
    if fast.event != "media" or not fast.stream_sid or None in (fast.sequence_number, body.chunk, body.timestamp):
        return None  # something may stand elsewhere, or is another event that carries a media object
    return Media(
        payload=_audio(body.payload, len(text)),
        stream_sid=fast.stream_sid,
        sequence_number=_count(fast.sequence_number),
        chunk=_count(body.chunk),
        timestamp=_seconds(body.timestamp),
        track=body.track,
    )


def _audio(payload: str, size: int) -> bytes:
    try:
        # a2b_base64 is what b64decode(validate=True) calls, without its regular expression and its copies. It takes
        # the text itself: an error of encoding it would carry the whole payload.
        return binascii.a2b_base64(payload, strict_mode=True)
    except ValueError as broken:  # binascii.Error is one; so is what is raised for a character outside ASCII
        raise MalformedMessage(BAD_BASE64, size) from broken


def _count(value: object) -> int | None:
    """Read a counter: an int, a string of digits, or nothing that can be used."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) <= _LONGEST_COUNTER else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < 10**_LONGEST_COUNTER else None


def _seconds(value: object) -> float | None:
    """Read milliseconds, in any of the types that were seen, as seconds. Fractions of a millisecond are dropped."""
    number = _count(math.floor(value) if isinstance(value, float) else value)
    return None if number is None else number / 1000


# Reading: everything else, by names without case and underscores.


class _Fields:
    """A JSON object whose members are found under any spelling of their names.

    The documented spelling wins over another one, whatever their order; null is as good as absent.
    """

    def __init__(self, members: dict[str, object], size: int) -> None:
        self._members = members
        self.size = size

    @functools.cached_property
    def _folded(self) -> Mapping[str, object]:
        return {_fold(name): value for name, value in reversed(self._members.items()) if value is not None}

    def get(self, name: str) -> object:
        value = self._members.get(name)
        return self._folded.get(_fold(name)) if value is None else value

    def text(self, name: str) -> str:
        """Read a string; numbers are spelled out, everything else is empty."""
        value = self.get(name)
        if isinstance(value, str):
            return value
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""

    def sid(self, name: str) -> str:
        value = self.text(name)
        if value and not _SID.match(value):
            raise MalformedMessage(f"{name} is no identifier", self.size)
        return value

    def count(self, name: str) -> int | None:
        return _count(self.get(name))

    def fields(self, name: str) -> _Fields:
        """Read an object; what is absent or of another type is an empty one."""
        value = self.get(name)
        return _Fields(value if isinstance(value, dict) else {}, self.size)

    def parameters(self) -> dict[str, str]:
        """Read custom parameters: their names keep their spelling, their values are text."""
        value = self.get("custom_parameters")
        if not isinstance(value, dict):
            return {}
        found = {name: _plain(entry) for name, entry in value.items() if isinstance(entry, str | int | float)}
        if len(found) > MOST_PARAMETERS or sum(len(n) + len(v) for n, v in found.items()) > PARAMETERS_SIZE:
            raise MalformedMessage("too many custom parameters", self.size)
        return found


def _plain(value: str | float) -> str:
    """Spell a scalar as JSON does (``true``, not ``True``); text stays as it is."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _fold(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _decode_tolerantly(text: str | bytes) -> Message:
    size = len(text)
    try:
        members = _decode_any(text)
    except RecursionError as broken:
        raise MalformedMessage(_TOO_DEEP, size) from broken
    except UnicodeError:  # lone surrogates, bytes that are no UTF-8; the error would carry the whole message
        raise MalformedMessage(_NOT_JSON, size) from None
    except (msgspec.DecodeError, ValueError) as broken:
        raise MalformedMessage(_NOT_JSON, size) from broken
    if not isinstance(members, dict):
        raise MalformedMessage("not a JSON object", size)
    fields = _Fields(members, size)
    event = fields.get("event")
    if not isinstance(event, str) or not event:
        raise MalformedMessage("no event", size)
    read = _READERS.get(_fold(event))
    if read is None:
        return Unknown(event="".join(c if c.isprintable() else "?" for c in event[:64]))
    return read(fields, fields.fields(event))


def _stream_sid(top: _Fields, body: _Fields) -> str:
    """Read the id from where it stands (D5). It is only compared, so its form is checked in ``start`` alone."""
    return top.text("stream_sid") or body.text("stream_sid")


def _number(top: _Fields, body: _Fields) -> int | None:
    number = top.count("sequence_number")
    return body.count("sequence_number") if number is None else number


def _read_connected(top: _Fields, body: _Fields) -> Connected:
    return Connected(parameters=top.parameters() or body.parameters())


_DIGITS = re.compile(r"[0-9]{1,9}")


def _read_start(top: _Fields, body: _Fields) -> Start:
    stream_sid = top.sid("stream_sid") or body.sid("stream_sid")
    call_sid = body.sid("call_sid") or top.sid("call_sid")
    if not stream_sid or not call_sid:
        raise MalformedMessage("start without stream_sid or call_sid", top.size)
    form = body.fields("media_format")
    rate = _DIGITS.match(form.text("sample_rate").strip())  # "8000", 8000 and "8000Hz" were all seen (D10)
    return Start(
        stream_sid=stream_sid,
        call_sid=call_sid,
        account_sid=body.text("account_sid"),
        caller=body.text("from"),
        called=body.text("to"),
        parameters=body.parameters() or top.parameters(),
        media_format=MediaFormat(
            encoding=form.text("encoding"),
            sample_rate=int(rate.group()) if rate else None,
            bit_rate=form.text("bit_rate"),
        ),
        sequence_number=_number(top, body),
    )


def _read_media(top: _Fields, body: _Fields) -> Media:
    payload = body.get("payload")
    if not isinstance(payload, str):
        raise MalformedMessage("media without a payload", top.size)
    return Media(
        payload=_audio(payload, top.size),
        stream_sid=_stream_sid(top, body),
        sequence_number=_number(top, body),
        chunk=body.count("chunk"),
        timestamp=_seconds(body.get("timestamp")),
        track=body.text("track"),
    )


def _read_dtmf(top: _Fields, body: _Fields) -> Dtmf:
    digit = body.text("digit") or top.text("digit")  # flat in one Beta page (D20)
    if len(digit) != 1 or digit not in KEYS:
        raise MalformedMessage("dtmf.digit is no telephone key", top.size)
    duration = body.get("duration")
    return Dtmf(
        digit=digit,
        stream_sid=_stream_sid(top, body),
        duration=_seconds(top.get("duration") if duration is None else duration),
        sequence_number=_number(top, body),
    )


def _read_mark(top: _Fields, body: _Fields) -> Mark:
    name = body.text("name") or top.text("name")
    if not name:
        raise MalformedMessage("mark without a name", top.size)
    return Mark(name=name, stream_sid=_stream_sid(top, body), sequence_number=_number(top, body))


def _read_clear(top: _Fields, body: _Fields) -> Clear:
    return Clear(stream_sid=_stream_sid(top, body), sequence_number=_number(top, body))


def _read_stop(top: _Fields, body: _Fields) -> Stop:
    text = body.text("reason") or top.text("reason")
    return Stop(
        stream_sid=_stream_sid(top, body),
        call_sid=body.text("call_sid") or top.text("call_sid"),
        account_sid=body.text("account_sid") or top.text("account_sid"),
        reason=stop_reason(text),
        text=text,
        sequence_number=_number(top, body),
    )


def stop_reason(text: str) -> StopReason:
    """Tell what the free text of a ``stop`` means (exotel.md §6.7)."""
    folded = _fold(text).replace(" ", "")
    if "hangup" in folded:
        return StopReason.HANGUP
    if "callended" in folded or "cancel" in folded:
        return StopReason.CALL_ENDED
    return StopReason.STOPPED if folded == "stopped" else StopReason.OTHER


_READERS: Mapping[str, Callable[[_Fields, _Fields], Message]] = {
    "connected": _read_connected,
    "start": _read_start,
    "media": _read_media,
    "dtmf": _read_dtmf,
    "mark": _read_mark,
    "clear": _read_clear,
    "stop": _read_stop,
    "closed": _read_stop,  # Exotel's sample code takes this spelling for a stop (exotel.md §6.7)
}


# Writing.


def encode(message: Message) -> str:
    """Write a message in the strict form: snake case, string counters, only the fields that are set.

    ``decode(encode(m)) == m`` for every message that ``decode`` can give: times in whole milliseconds, counters of at
    most 15 digits, a ``Stop`` whose reason is what its text says. A server's own messages are written by ``Outgoing``,
    which numbers them; this function serves the line simulator, tests and whoever speaks Exotel's side.
    """
    event, rest = _content(message)
    return msgspec.json.encode({"event": event, **_envelope(message), **rest}).decode()


def _content(message: Message) -> tuple[str, Mapping[str, object]]:
    """Name the event of a message, and write what it holds beside the envelope."""
    rest: Mapping[str, object] = {}
    match message:
        case Media():  # first: fifty a second of each line that is simulated
            event, rest = "media", {"media": _media_body(message)}
        case Connected(parameters=parameters):
            event, rest = "connected", {"custom_parameters": dict(parameters)} if parameters else {}
        case Start():
            event, rest = "start", {"start": _start_body(message)}
        case Dtmf(digit=digit, duration=duration):
            held = {} if duration is None else {"duration": _milliseconds(duration)}
            event, rest = "dtmf", {"dtmf": {"digit": digit, **held}}
        case Mark(name=name):
            event, rest = "mark", {"mark": {"name": name}}
        case Clear():
            event = "clear"
        case Stop():
            body = {"call_sid": message.call_sid, "account_sid": message.account_sid, "reason": message.text}
            event, rest = "stop", {"stop": body}
        case Unknown(event=event):
            pass
        case _:
            assert_never(message)
    return event, rest


def _envelope(message: Message) -> dict[str, object]:
    if isinstance(message, Connected | Unknown):
        return {}
    fields: dict[str, object] = {}
    if message.sequence_number is not None:
        fields["sequence_number"] = str(message.sequence_number)
    if message.stream_sid:
        fields["stream_sid"] = message.stream_sid
    return fields


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))


def _start_body(start: Start) -> dict[str, object]:
    form = start.media_format
    rate = {} if form.sample_rate is None else {"sample_rate": str(form.sample_rate)}
    return {
        "stream_sid": start.stream_sid,
        "call_sid": start.call_sid,
        "account_sid": start.account_sid,
        "from": start.caller,
        "to": start.called,
        "custom_parameters": dict(start.parameters),
        "media_format": {"encoding": form.encoding, **rate, "bit_rate": form.bit_rate},
    }


def _media_body(media: Media) -> dict[str, object]:
    body: dict[str, object] = {}
    if media.chunk is not None:
        body["chunk"] = str(media.chunk)
    if media.timestamp is not None:
        body["timestamp"] = _milliseconds(media.timestamp)
    if media.track:
        body["track"] = media.track
    body["payload"] = binascii.b2a_base64(media.payload, newline=False).decode("ascii")
    return body


class Outgoing:
    """Writes one link's messages and numbers them: sequence, chunk and timestamp (R16, R34; D7, D8).

    ``counters=False`` leaves the three out; most working bridges do, but some Connect streams broke off early without
    them (exotel.md §7.1).
    """

    def __init__(self, stream_sid: str, bytes_per_second: int, *, counters: bool = True) -> None:
        self.stream_sid = stream_sid
        self._bytes_per_second = bytes_per_second
        self._counters = counters
        self._sequence = 0
        self._chunk = 0
        self._sent_bytes = 0
        sid = msgspec.json.encode(stream_sid).decode()  # quoted; the template below is JSON for any identifier
        self._media_head = f'{{"event":"media","stream_sid":{sid}'
        self._mark_head = f'{{"event":"mark","stream_sid":{sid}'
        self._clear_head = f'{{"event":"clear","stream_sid":{sid}'

    def media(self, payload: bytes) -> str:
        """Write the next chunk. Its timestamp is where it stands in the audio sent so far."""
        data = binascii.b2a_base64(payload, newline=False).decode("ascii")
        if not self._counters:
            return f'{self._media_head},"media":{{"payload":"{data}"}}}}'
        self._sequence += 1
        self._chunk += 1
        at = self._sent_bytes * 1000 // self._bytes_per_second
        self._sent_bytes += len(payload)
        return (
            f'{self._media_head},"sequence_number":"{self._sequence}",'
            f'"media":{{"chunk":"{self._chunk}","timestamp":"{at}","payload":"{data}"}}}}'
        )

    def mark(self, name: str) -> str:
        """Write a mark after the media that it reports on (exotel.md §7.2)."""
        return f'{self._mark_head}{self._number()},"mark":{{"name":{msgspec.json.encode(name).decode()}}}}}'

    def clear(self) -> str:
        """Write a clear (exotel.md §7.3)."""
        return f"{self._clear_head}{self._number()}}}"

    def _number(self) -> str:
        if not self._counters:
            return ""
        self._sequence += 1
        return f',"sequence_number":"{self._sequence}"'
