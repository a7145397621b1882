"""The twelve conformance vectors: whole streams as Exotel sends them, and what callflow must make of them.

``vectors/NAME.jsonl`` holds a stream, one JSON object a line; the format is at its source, the protocol reference, §22.
``vectors/NAME.events`` holds what the lines from Exotel mean. It was written from the reference (§6), by reading the
raw JSON, never from what callflow prints; where the two differ, callflow is wrong until the reference says otherwise.

One line for each line of the vector that comes from Exotel: milliseconds, the connection's number unless it is 1, what
came, then its fields, ``-`` for what is absent. Times inside are seconds; payloads are a length and a CRC-32::

    20ms connected
    21ms start seq=1 stream=9033… call=274d… account=acme1 from=… to=… rate=8000 encoding=base64 bits=… params=a=b;c=d
    41ms media seq=2 stream=9033… chunk=1 at=0.020 track=- bytes=320 crc=24450bf0
    90ms dtmf seq=6 stream=9033… digit=5 held=0.200
    95ms mark seq=7 stream=9033… name=a-1
    96ms clear seq=- stream=9033…
    97ms stop seq=8 stream=9033… call=274d… account=acme1 means=call-ended reason="canceled or call ended"
    98ms unknown event=silence
    99ms conn=2 open /media
    99ms close 1006 unclean
    99ms GET /exotel/passthru 200
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, assert_never

import pytest

from callflow.testing.rules import Verdict, check
from callflow.testing.wirelog import Closed, Opened, WireLog
from callflow.wire.exotel import decode
from callflow.wire.messages import Clear, Connected, Dtmf, Mark, Media, Message, Start, Stop, Unknown

VECTORS = sorted((Path(__file__).parent / "vectors").glob("*.jsonl"))

Line = dict[str, Any]


def lines_of(vector: Path) -> list[Line]:
    return [json.loads(line) for line in vector.read_text(encoding="utf-8").splitlines()]


def compact(message: Line) -> str:
    return json.dumps(message, separators=(",", ":"))


def roomy(message: Line) -> bytes:
    return json.dumps(message, indent=2, ensure_ascii=False).encode()


# Writing what came in the form of an .events file.


def number(value: int | None) -> str:
    return "-" if value is None else str(value)


def seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def spell(message: Message) -> str:
    """Write a message as it stands in an ``.events`` file."""
    match message:
        case Connected():
            text = "connected"
        case Start():
            text = spell_start(message)
        case Media():
            told = f"chunk={number(message.chunk)} at={seconds(message.timestamp)} track={message.track or '-'}"
            text = f"media {told} bytes={len(message.payload)} crc={zlib.crc32(message.payload):08x}"
        case Dtmf():
            text = f"dtmf digit={message.digit} held={seconds(message.duration)}"
        case Mark():
            text = f"mark name={message.name}"
        case Clear():
            text = "clear"
        case Stop():
            means = message.reason.value.replace(" ", "-")
            text = f'stop call={message.call_sid} account={message.account_sid} means={means} reason="{message.text}"'
        case Unknown():
            text = f"unknown event={message.event}"
        case _:
            assert_never(message)
    return text if isinstance(message, Connected | Unknown) else with_envelope(text, message)


def with_envelope(text: str, message: Start | Media | Dtmf | Mark | Clear | Stop) -> str:
    """Put the number and the stream behind the first word."""
    word, blank, rest = text.partition(" ")
    return f"{word} seq={number(message.sequence_number)} stream={message.stream_sid or '-'}{blank}{rest}"


def spell_start(start: Start) -> str:
    form = start.media_format
    who = f"call={start.call_sid} account={start.account_sid} from={start.caller} to={start.called}"
    audio = f"rate={number(form.sample_rate)} encoding={form.encoding} bits={form.bit_rate}"
    params = ";".join(f"{name}={value}" for name, value in start.parameters.items())
    return f"start {who} {audio} params={params or '-'}"


def spell_transport(line: Line) -> str:
    """Write a line of the WebSocket's or of HTTP as it stands in an ``.events`` file."""
    if "http" in line:
        request, response = line["http"]["request"], line["http"]["response"]
        return f"{request['method']} {request['target'].partition('?')[0]} {response['status']}"
    event = line["ws"]
    if event["op"] == "open":
        return f"open {event['target'].partition('?')[0]}"
    return f"close {event['code']} {'clean' if event['clean'] else 'unclean'}"


def events(vector: Path, write: Callable[[Line], str | bytes]) -> str:
    """Write all that came in a vector; *write* makes the frame that ``decode`` gets."""
    told = []
    for line in lines_of(vector):
        if line["dir"] != "in":
            continue
        what = spell(decode(write(line["msg"]))) if "msg" in line else spell_transport(line)
        connection = "" if line.get("conn", 1) == 1 else f"conn={line['conn']} "
        told.append(f"{line['at_ms']}ms {connection}{what}\n")
    return "".join(told)


@pytest.mark.parametrize("write", [compact, roomy])
@pytest.mark.parametrize("vector", VECTORS, ids=lambda path: path.stem)
def test_a_vector_means_what_its_events_say(vector: Path, write: Callable[[Line], str | bytes]) -> None:
    assert events(vector, write) == vector.with_suffix(".events").read_text(encoding="utf-8")


def test_there_are_twelve_vectors_and_events_for_each() -> None:
    folder = VECTORS[0].parent

    assert len(VECTORS) == 12
    assert sorted(path.stem for path in folder.glob("*.events")) == [path.stem for path in VECTORS]


# What the server sends in them is one legal behaviour, so the checker of wire logs must find it legal.


def logs(vector: Path) -> list[WireLog]:
    """Make a wire log of each connection of a vector."""
    connections: dict[int, WireLog] = {}
    for line in lines_of(vector):
        log = connections.setdefault(line.get("conn", 1), WireLog())
        add = log.arrived if line["dir"] == "in" else log.sent
        match line:
            case {"msg": message}:
                add(line["at_ms"] / 1000, compact(message))
            case {"ws": {"op": "open"}}:
                add(line["at_ms"] / 1000, Opened())
            case {"ws": {"op": "close", "code": code, "clean": clean}}:
                add(line["at_ms"] / 1000, Closed(code=code, clean=clean))
    return list(connections.values())


@pytest.mark.parametrize("vector", VECTORS, ids=lambda path: path.stem)
def test_what_the_server_sends_in_a_vector_keeps_every_rule(vector: Path) -> None:
    verdict = sum((check(log) for log in logs(vector)), Verdict())

    assert verdict.breaches == ()


def test_the_vectors_try_every_rule_that_the_wire_alone_can_tell() -> None:
    verdict = sum((check(log) for vector in VECTORS for log in logs(vector)), Verdict())
    tried = [rule for rule, cases in verdict.premises.items() if cases]

    assert tried == ["R15", "R16", "R17", "R18", "R20", "R22", "R25", "R26", "R31", "R34", "R36"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda path: path.stem)
def test_no_message_of_a_vector_is_malformed(vector: Path) -> None:
    messages = [line["msg"] for line in lines_of(vector) if "msg" in line]

    assert all(isinstance(decode(compact(message)), Message) for message in messages)
