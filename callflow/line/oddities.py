"""Messages that Exotel should not send, or that its pages disagree about, one at a time: what real peers have sent.

A script sends one by ``odd KIND``. A server has to survive each; what a whole line does wrong by habit stands in the
``breaks`` of its ``Profile``.
"""

from __future__ import annotations

import base64
import enum
import json


class Oddity(enum.Enum):
    """Kinds of odd messages."""

    CONNECTED_AGAIN = "connected-again"
    START_AGAIN = "start-again"
    START_OF_ANOTHER_CALL = "start-of-another-call"
    FOREIGN_MEDIA = "foreign-media"
    FOREIGN_KEY = "foreign-key"
    KEY_AS_NUMBER = "key-as-number"
    NO_KEY = "no-key"
    UNKNOWN_MARK = "unknown-mark"
    NAMELESS_MARK = "nameless-mark"
    INBOUND_CLEAR = "inbound-clear"
    UNKNOWN_EVENT = "unknown-event"
    BAD_BASE64 = "bad-base64"
    ODD_BYTES = "odd-bytes"
    EMPTY_MEDIA = "empty-media"
    NO_OBJECT = "no-object"
    NO_JSON = "no-json"
    BINARY = "binary"


def write(oddity: Oddity, stream_sid: str) -> str | bytes:
    """Write one odd message of the stream *stream_sid*: text, or bytes for a binary frame."""
    text = _TEXTS.get(oddity)
    if text is not None:
        return text
    if oddity is Oddity.BINARY:
        return bytes(320)
    return json.dumps({"stream_sid": stream_sid, **_MESSAGES[oddity]})


_TEXTS = {Oddity.NO_OBJECT: "[1, 2, 3]", Oddity.NO_JSON: '{"event": "media", '}

_SILENCE = base64.b64encode(bytes(320)).decode()

_START = {
    "call_sid": "0" * 32,
    "account_sid": "acme1",
    "from": "+910000000106",
    "to": "00000000319",
}

_MESSAGES: dict[Oddity, dict[str, object]] = {
    Oddity.CONNECTED_AGAIN: {"event": "connected"},
    Oddity.START_AGAIN: {"event": "start", "start": _START},
    Oddity.START_OF_ANOTHER_CALL: {"event": "start", "stream_sid": "0" * 32, "start": _START},
    Oddity.FOREIGN_MEDIA: {"event": "media", "stream_sid": "0" * 32, "media": {"payload": _SILENCE}},
    Oddity.FOREIGN_KEY: {"event": "dtmf", "stream_sid": "0" * 32, "dtmf": {"digit": "1"}},
    Oddity.KEY_AS_NUMBER: {"event": "dtmf", "dtmf": {"digit": 5, "duration": 100}},
    Oddity.NO_KEY: {"event": "dtmf", "dtmf": {"digit": "X"}},
    Oddity.UNKNOWN_MARK: {"event": "mark", "mark": {"name": "nobody sent this"}},
    Oddity.NAMELESS_MARK: {"event": "mark", "mark": {}},
    Oddity.INBOUND_CLEAR: {"event": "clear"},
    Oddity.UNKNOWN_EVENT: {"event": "weather", "weather": {"rain": True}},
    Oddity.BAD_BASE64: {"event": "media", "media": {"payload": "no base64!"}},
    Oddity.ODD_BYTES: {"event": "media", "media": {"payload": base64.b64encode(bytes(321)).decode()}},
    Oddity.EMPTY_MEDIA: {"event": "media", "media": {"payload": ""}},
}
