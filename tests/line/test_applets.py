"""The Passthru before and after a stream: what is told in each of its forms, and what becomes of the answer."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import trio
from trio.testing import MockClock

from callflow.call.port import BytePort, PortStream
from callflow.errors import NotAnswered
from callflow.line.applets import PASSTHRU_SECONDS, Applets, PassthruRequest, StreamRecord, passthru
from callflow.line.memory import MemoryNetwork
from tests.line.bot import stare

# What is told.

CALL = {"call_sid": "c1", "caller": "+910000000105", "called": "00000000319"}
RECORD = StreamRecord(stream_sid="s1", url="wss://bot.example.com/stream", ended_by="server", duration=27.6)


def test_a_passthru_after_the_stream_tells_how_it_ended() -> None:
    assert PassthruRequest(**CALL, before=False, stream=RECORD).fields() == {
        "CallSid": "c1",
        "CallFrom": "+910000000105",
        "From": "+910000000105",
        "CallTo": "00000000319",
        "To": "00000000319",
        "Direction": "incoming",
        "CallType": "completed",
        "Stream[StreamSID]": "s1",
        "Stream[Status]": "completed",
        "Stream[Duration]": "28",
        "Stream[StreamUrl]": "wss://bot.example.com/stream",
        "Stream[DisconnectedBy]": "bot",
    }


def test_a_passthru_before_the_stream_tells_of_no_stream() -> None:
    fields = PassthruRequest(**CALL, before=True, stream=RECORD).fields()

    assert [name for name in fields if name.startswith("Stream")] == []


def test_a_json_passthru_announces_the_stream_before_it() -> None:
    assert PassthruRequest(**CALL, before=True, stream=RECORD).document() == {
        "CallSid": "c1",
        "StreamSid": "s1",
        "StreamUrl": "wss://bot.example.com/stream",
        "EventType": "stream-start",
        "From": "+910000000105",
        "To": "00000000319",
        "Direction": "inbound",
    }


@pytest.mark.parametrize(
    ("ended_by", "status", "by", "json_by"),
    [
        ("caller", "cancelled", "user", "caller"),
        ("server", "completed", "bot", "bot"),
        ("network", "failed", "NA", "system"),
    ],
)
def test_both_forms_say_who_ended_the_stream(ended_by: Any, status: str, by: str, json_by: str) -> None:
    asked = PassthruRequest(**CALL, before=False, stream=StreamRecord(ended_by=ended_by))
    fields, document = asked.fields(), asked.document()

    assert (fields["Stream[Status]"], fields["Stream[DisconnectedBy]"]) == (status, by)
    assert (document["status"], document["disconnectedby"]) == (status, json_by)


# Asking.


class Passthru:
    """A server that answers one request with a status, and keeps it."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.request = b""

    async def serve(self, port: BytePort) -> None:
        async with PortStream(port) as stream:
            self.request = await stream.receive_some()
            await stream.send_all(self.answer)

    async def ask(self, **options: Any) -> int:
        network = MemoryNetwork()
        async with trio.open_nursery() as nursery:
            network.listen(self.serve, nursery)
            return await passthru(network.dial, call_sid="c1", **options)


def http_answer(status: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode()


async def test_a_passthru_is_a_get_with_the_call_in_its_query(autojump_clock: MockClock) -> None:
    server = Passthru(http_answer("200 OK"))
    status = await server.ask(before=True, path="/passthru/bank?token=t")
    method, target, *_ = server.request.decode().split()

    query = parse_qs(urlsplit(target).query)
    assert (status, method, query["token"], query["CallSid"]) == (200, "GET", ["t"], ["c1"])


async def test_an_interim_answer_of_a_passthru_is_not_the_answer(autojump_clock: MockClock) -> None:
    server = Passthru(b"HTTP/1.1 100 Continue\r\n\r\n" + http_answer("302 Found"))

    assert await server.ask(before=True) == 302


async def test_a_passthru_after_the_stream_has_its_record(autojump_clock: MockClock) -> None:
    server = Passthru(http_answer("302 Found"))
    status = await server.ask(before=False, stream=StreamRecord(ended_by="caller"), credentials="key:token")

    assert (status, b"Stream%5BStatus%5D=cancelled" in server.request) == (302, True)
    assert b"\r\nAuthorization: Basic a2V5OnRva2Vu\r\n" in server.request


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("POST form", b"CallSid=c1&CallFrom=%2B910000000105&"),
        ("POST json", b'{"CallSid":"c1","StreamSid":"","StreamUrl":"","EventType":"stream-start",'),
    ],
)
async def test_a_passthru_can_be_posted(autojump_clock: MockClock, method: str, body: bytes) -> None:
    server = Passthru(http_answer("200 OK"))
    await server.ask(before=True, method=method)

    head, _, sent = server.request.partition(b"\r\n\r\n")
    assert (head.split(b"\r\n")[0], sent[: len(body)]) == (b"POST /passthru HTTP/1.1", body)


@pytest.mark.parametrize("answer", [b"", b"rubbish\r\n\r\n"])
async def test_a_passthru_without_an_answer_is_not_answered(autojump_clock: MockClock, answer: bytes) -> None:
    network = MemoryNetwork()
    async with trio.open_nursery() as nursery:
        network.listen(Passthru(answer).serve, nursery)
        with pytest.raises(NotAnswered):
            await passthru(network.dial, call_sid="c1", before=True)


async def test_a_passthru_is_not_waited_for_without_end(autojump_clock: MockClock) -> None:
    network = MemoryNetwork()
    async with trio.open_nursery() as nursery:
        network.listen(stare, nursery)
        with pytest.raises(NotAnswered):
            await passthru(network.dial, call_sid="c1", before=True)
        nursery.cancel_scope.cancel()

    assert trio.current_time() == PASSTHRU_SECONDS


@pytest.mark.parametrize(("status", "branch"), [(200, "A"), (302, "B"), (500, None), (None, None)])
def test_the_answer_chooses_the_branch(status: int | None, branch: str | None) -> None:
    assert Applets(after=status).branch == branch
