"""What Exotel should not do, or what its pages disagree about, one thing at a time: what real peers have done.

One vocabulary for scripts (``odd KIND``, and ``begins KIND`` for how a stream begins), for the hunt of ``CallMachine``
and for the sessions of ``callflow.testing.traffic``. A server has to survive each; what a whole line does wrong by
habit stands in the ``breaks`` of its ``Profile``.
"""

from __future__ import annotations

import base64
import enum
import json
from collections.abc import Collection, Mapping

from callflow.wire.messages import Start


class Place(enum.Enum):
    """Where something odd can be."""

    BEGINNING = "how a stream begins"
    STREAM = "one message, at any moment of the stream"
    ECHO = "what becomes of the next echo of a mark"
    END = "how the call ends"
    APPLET = "the Passthru before the stream"
    BESIDE = "beside the stream: what proxies and strangers do"


class Oddity(enum.Enum):
    """Kinds of what is odd."""

    NO_CONNECTED = "no-connected"
    EARLY_MEDIA = "early-media"
    BARE_START = "bare-start"
    START_TWICE = "start-twice"

    CONNECTED_AGAIN = "connected-again"
    START_AGAIN = "start-again"
    START_OF_ANOTHER_CALL = "start-of-another-call"
    FOREIGN_MEDIA = "foreign-media"
    FOREIGN_KEY = "foreign-key"
    KEY_AS_NUMBER = "key-as-number"
    FLAT_KEY = "flat-key"
    NO_KEY = "no-key"
    UNKNOWN_MARK = "unknown-mark"
    NAMELESS_MARK = "nameless-mark"
    INBOUND_CLEAR = "inbound-clear"
    UNKNOWN_EVENT = "unknown-event"
    NUMBERED_MEDIA = "numbered-media"
    CAMEL_MEDIA = "camel-media"
    BARE_MEDIA = "bare-media"
    BAD_BASE64 = "bad-base64"
    ODD_BYTES = "odd-bytes"
    EMPTY_MEDIA = "empty-media"
    NO_OBJECT = "no-object"
    NO_JSON = "no-json"
    BINARY = "binary"

    MARK_AGAIN = "mark-again"
    MARKS_SWAPPED = "marks-swapped"
    LATE_MARK = "late-mark"
    LOST_MARK = "lost-mark"

    STOP_AGAIN = "stop-again"
    NO_STOP = "no-stop"

    PASSTHRU_LATE = "passthru-late"
    PASSTHRU_AGAIN = "passthru-again"
    PASSTHRU_NEVER = "passthru-never"

    PING = "ping"
    HANDSHAKE_WITHOUT_KEY = "handshake-without-key"
    HANDSHAKE_OF_OLD = "handshake-of-old"
    HANDSHAKE_BY_POST = "handshake-by-post"
    HANDSHAKE_ELSEWHERE = "handshake-elsewhere"
    NO_HANDSHAKE = "no-handshake"

    @property
    def place(self) -> Place:
        return _PLACES.get(self, Place.STREAM)

    @property
    def keeps_the_rules(self) -> bool:
        """Whether it breaks none of the rules R1 to R14: whoever judges Exotel's side may go on doing so."""
        return self in _KEEPS or self.place is Place.BESIDE

    @property
    def is_step(self) -> bool:
        """Whether a step of a script can do it."""
        return self.place is not Place.BEGINNING and self is not Oddity.PASSTHRU_NEVER


_PLACES: Mapping[Oddity, Place] = {
    **dict.fromkeys((Oddity.NO_CONNECTED, Oddity.EARLY_MEDIA, Oddity.BARE_START, Oddity.START_TWICE), Place.BEGINNING),
    **dict.fromkeys((Oddity.MARK_AGAIN, Oddity.MARKS_SWAPPED, Oddity.LATE_MARK, Oddity.LOST_MARK), Place.ECHO),
    **dict.fromkeys((Oddity.STOP_AGAIN, Oddity.NO_STOP), Place.END),
    **dict.fromkeys((Oddity.PASSTHRU_LATE, Oddity.PASSTHRU_AGAIN, Oddity.PASSTHRU_NEVER), Place.APPLET),
    **dict.fromkeys((Oddity.PING, Oddity.HANDSHAKE_WITHOUT_KEY, Oddity.HANDSHAKE_OF_OLD), Place.BESIDE),
    **dict.fromkeys((Oddity.HANDSHAKE_BY_POST, Oddity.HANDSHAKE_ELSEWHERE, Oddity.NO_HANDSHAKE), Place.BESIDE),
}
"""Where each is that is no message in the middle of a stream."""

_KEEPS: Collection[Oddity] = frozenset({
    Oddity.LATE_MARK, Oddity.LOST_MARK, Oddity.NO_STOP,
    Oddity.PASSTHRU_LATE, Oddity.PASSTHRU_AGAIN, Oddity.PASSTHRU_NEVER,
})  # fmt: skip

STEPS: Mapping[str, Oddity] = {oddity.value: oddity for oddity in Oddity if oddity.is_step}
"""What ``odd`` can do, by name."""

BEGINNINGS: Mapping[str, Oddity] = {oddity.value: oddity for oddity in Oddity if oddity.place is Place.BEGINNING}
"""How a stream may begin, by name."""


def write(oddity: Oddity, stream_sid: str) -> str | bytes:
    """Write one odd message of the stream *stream_sid*: text, or bytes for a binary frame.

    Raises:
        ValueError: It is no single message.
    """
    text = _TEXTS.get(oddity)
    if text is not None:
        return text
    if oddity is Oddity.BINARY:
        return bytes(320)
    if oddity not in _MESSAGES:
        raise ValueError(f"{oddity.value} is no single message: it is {oddity.place.value}")
    nameless = oddity in (Oddity.CAMEL_MEDIA, Oddity.BARE_MEDIA)
    names = {} if nameless else {"stream_sid": stream_sid}
    if oddity is Oddity.CAMEL_MEDIA:
        names = {"streamSid": stream_sid}
    return json.dumps({**names, **_MESSAGES[oddity]})


def bare(start: Start) -> str:
    """Write a ``start`` that has what no ``start`` can do without: the ids in its body, and the numbers."""
    body = {
        "stream_sid": start.stream_sid,
        "call_sid": start.call_sid,
        "account_sid": start.account_sid,
        "from": start.caller,
        "to": start.called,
    }
    return json.dumps({"event": "start", "start": body})


_TEXTS = {Oddity.NO_OBJECT: "[1, 2, 3]", Oddity.NO_JSON: '{"event": "media", '}

_SILENCE = base64.b64encode(bytes(320)).decode()

_START = {
    "call_sid": "0" * 32,
    "account_sid": "acme1",
    "from": "+910000000106",
    "to": "00000000319",
}

_NUMBERS = {"chunk": 4, "timestamp": 80, "payload": _SILENCE}

_MESSAGES: dict[Oddity, dict[str, object]] = {
    Oddity.CONNECTED_AGAIN: {"event": "connected"},
    Oddity.START_AGAIN: {"event": "start", "start": _START},
    Oddity.START_OF_ANOTHER_CALL: {"event": "start", "stream_sid": "0" * 32, "start": _START},
    Oddity.FOREIGN_MEDIA: {"event": "media", "stream_sid": "0" * 32, "media": {"payload": _SILENCE}},
    Oddity.FOREIGN_KEY: {"event": "dtmf", "stream_sid": "0" * 32, "dtmf": {"digit": "1"}},
    Oddity.KEY_AS_NUMBER: {"event": "dtmf", "dtmf": {"digit": 5, "duration": 100}},
    Oddity.FLAT_KEY: {"event": "dtmf", "digit": "5", "duration": "100"},
    Oddity.NO_KEY: {"event": "dtmf", "dtmf": {"digit": "X"}},
    Oddity.UNKNOWN_MARK: {"event": "mark", "mark": {"name": "nobody sent this"}},
    Oddity.NAMELESS_MARK: {"event": "mark", "mark": {}},
    Oddity.INBOUND_CLEAR: {"event": "clear"},
    Oddity.UNKNOWN_EVENT: {"event": "weather", "weather": {"rain": True}},
    Oddity.NUMBERED_MEDIA: {"event": "media", "sequence_number": 7, "media": _NUMBERS},
    Oddity.CAMEL_MEDIA: {"event": "media", "sequenceNumber": "7", "media": {"payload": _SILENCE}},
    Oddity.BARE_MEDIA: {"event": "media", "media": {"payload": _SILENCE}},
    Oddity.BAD_BASE64: {"event": "media", "media": {"payload": "no base64!"}},
    Oddity.ODD_BYTES: {"event": "media", "media": {"payload": base64.b64encode(bytes(321)).decode()}},
    Oddity.EMPTY_MEDIA: {"event": "media", "media": {"payload": ""}},
}


# Strangers.

_UPGRADE = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
_KEY = {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}

_REQUESTS: dict[Oddity, tuple[str, dict[str, str]]] = {
    Oddity.HANDSHAKE_WITHOUT_KEY: ("GET /stream", _UPGRADE),
    Oddity.HANDSHAKE_OF_OLD: ("GET /stream", {**_UPGRADE, **_KEY, "Sec-WebSocket-Version": "8"}),
    Oddity.HANDSHAKE_BY_POST: ("POST /stream", {**_UPGRADE, **_KEY}),
    Oddity.HANDSHAKE_ELSEWHERE: ("GET /streams", {**_UPGRADE, **_KEY}),
    Oddity.NO_HANDSHAKE: ("GET /stream", {}),
}


def request_of(oddity: Oddity) -> bytes | None:
    """Write what a stranger asks; None for an oddity that is no stranger's."""
    if oddity not in _REQUESTS:
        return None
    asked, headers = _REQUESTS[oddity]
    lines = [f"{asked} HTTP/1.1", "Host: bot.example.com", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("ascii")
