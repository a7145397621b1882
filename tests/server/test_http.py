"""The HTTP side: what Exotel, a load balancer and somebody on this machine are answered, whatever the desk does."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from urllib.parse import quote

import pytest
import trio
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from callflow.call.port import BytePort, PortStream
from callflow.line.memory import memory_pair
from callflow.server.asgi import RequestServer
from callflow.server.credentials import Credentials
from callflow.server.door import Door
from callflow.server.entry import Entry
from callflow.server.head import RequestHead
from callflow.server.http import make_app
from callflow.server.limits import Gate, Limits
from callflow.wire.passthru import PassthruReport
from callflow.wire.status import StatusReport
from tests.server.asking import HERE, Answer, ask, read_answer, read_to_end, serve

Decide = Callable[[], Awaitable[int]]


async def branch_a() -> int:
    return 200


@define
class FakeDesk:
    """Notes what it is told, and answers what it is given."""

    decide: Decide = branch_a
    is_ready: bool = True
    feeds: Mapping[str, AsyncIterator[str]] = field(factory=dict)
    told: list[tuple[str | None, str]] = field(factory=list)

    async def passthru(self, flow: str | None, report: PassthruReport) -> int:
        self.told.append((flow, report.call_sid))
        return await self.decide()

    async def stream_url(self, flow: str | None, report: PassthruReport, host: str | None) -> str | None:
        self.told.append((flow, report.call_sid))
        return f"wss://{host}/{await self.decide()}"

    def spare_url(self, flow: str | None, report: PassthruReport, host: str | None) -> str | None:
        return None if flow == "nobody" else "wss://spare.example/stream"

    async def status(self, flow: str | None, report: StatusReport) -> None:
        self.told.append((flow, report.call_sid))
        await self.decide()

    def ready(self) -> bool:
        return self.is_ready

    def counts(self) -> Mapping[str, int]:
        return {"calls": 3}

    def feed(self, call_sid: str) -> AsyncIterator[str] | None:
        return self.feeds.get(call_sid)


def get(target: str, *headers: str) -> bytes:
    lines = "".join(f"{header}\r\n" for header in headers or ("Host: localhost:8080",))
    return f"GET {target} HTTP/1.1\r\n{lines}\r\n".encode()


def post(target: str, content_type: str, body: bytes) -> bytes:
    lines = f"Host: example\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
    return f"POST {target} HTTP/1.1\r\n{lines}\r\n".encode() + body


# Passthru.


@pytest.mark.parametrize("status", [200, 302])
async def test_a_passthru_is_answered_by_the_desks_branch(status: int, autojump_clock: MockClock) -> None:
    async def decide() -> int:
        return status

    assert await ask(make_app(FakeDesk(decide)), get("/passthru?CallSid=c0ffee")) == Answer(status)


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (get("/passthru?CallSid=c0ffee"), (None, "c0ffee")),
        (get("/passthru/?CallSid=c0ffee"), (None, "c0ffee")),
        (get("/passthru/bank?CallSid=c0ffee"), ("bank", "c0ffee")),
        (post("/passthru", "application/x-www-form-urlencoded", b"CallSid=c0ffee"), (None, "c0ffee")),
        (post("/passthru/bank", "application/json", b'{"CallSid": "c0ffee"}'), ("bank", "c0ffee")),
        (post("/passthru?CallSid=c0ffee", "application/json", b""), (None, "c0ffee")),
    ],
)
async def test_the_desk_is_told_the_flow_and_the_call(
    request_: bytes, told: tuple[str | None, str], autojump_clock: MockClock
) -> None:
    desk = FakeDesk()
    await ask(make_app(desk), request_)

    assert desk.told == [told]


async def fails() -> int:
    raise ValueError("boom")


async def fails_in_a_group() -> int:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fails)
    return 200


async def is_late() -> int:
    await trio.sleep(60)
    return 200


async def does_not_know() -> int:
    return 500


@pytest.mark.parametrize("decide", [fails, fails_in_a_group, is_late, does_not_know])
@pytest.mark.parametrize("fallback", [200, 302])
async def test_exotel_gets_the_fallback_whatever_the_desk_does(
    decide: Decide, fallback: int, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await ask(make_app(FakeDesk(decide), fallback=fallback), get("/passthru?CallSid=c0ffee"))

    assert (answer, [record.name for record in caplog.records]) == (Answer(fallback), ["callflow.server"])


@pytest.mark.parametrize(("decide", "seconds"), [(is_late, 2.0), (fails, 0.0)])
async def test_exotel_is_answered_in_time(decide: Decide, seconds: float, autojump_clock: MockClock) -> None:
    await ask(make_app(FakeDesk(decide)), get("/passthru?CallSid=c0ffee"))

    assert trio.current_time() == seconds


async def test_a_failing_desk_is_logged_with_its_traceback(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    await ask(make_app(FakeDesk(fails)), get("/passthru?CallSid=c0ffee&From=00000000105"))

    (record,) = caplog.records
    shown = (record.levelno, record.message, record.call_sid, "00000000105" in str(vars(record)))  # type: ignore[attr-defined]  # from extra
    assert (shown, bool(record.exc_info)) == ((logging.ERROR, "request failed", "c0ffee", False), True)


async def test_an_interrupt_is_not_a_failing_desk(autojump_clock: MockClock) -> None:
    async def interrupted() -> int:
        raise KeyboardInterrupt

    _, server = memory_pair()
    with pytest.RaisesGroup(KeyboardInterrupt, flatten_subgroups=True):
        await serve(make_app(FakeDesk(interrupted)), get("/passthru?CallSid=c0ffee"), server)


HOSTILE = [
    "",
    "CallSid=",
    "CallSid=../../etc/passwd",
    "CallSid=%3Cscript%3Ealert(1)%3C/script%3E",
    "CallSid=a%0d%0aSet-Cookie:%20x=1",
    "CallSid=a%00b",
    "CallSid=" + "9" * 5_000,
    "CallSid=c0ffee&" + "&".join(f"Stream[{n}]=x" for n in range(200)),
    "CallSid=c0ffee&Stream=" + quote("[" * 2_000),
    "CallSid=c0ffee&Stream[RecordingUrl]=http://169.254.169.254/",
    "CallSid=c0ffee&digits=%22%3Cscript%3E%22",
    "CallSid=%ff%fe",
    "&&&=&=&",
]


@pytest.mark.parametrize("query", HOSTILE)
async def test_a_hostile_query_is_answered_and_never_shown_again(query: str, autojump_clock: MockClock) -> None:
    answer = await ask(make_app(FakeDesk()), get(f"/passthru?{query}"))

    assert (answer.status in {200, 400}, answer.body) == (True, b"")


@given(
    query=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=60),
    content_type=st.sampled_from(["", "application/json", "application/x-www-form-urlencoded", "multipart/form-data"]),
    body=st.binary(max_size=60),
)
def test_any_passthru_is_answered(query: str, content_type: str, body: bytes) -> None:
    async def main() -> Answer:
        return await ask(make_app(FakeDesk()), post(f"/passthru?{query}", content_type, body))

    assert trio.run(main, clock=MockClock(autojump_threshold=0)).status in {200, 400}


@pytest.mark.parametrize("method", [b"PUT", b"DELETE", b"OPTIONS"])
async def test_a_passthru_is_a_get_or_a_post(method: bytes, autojump_clock: MockClock) -> None:
    request = get("/passthru?CallSid=c0ffee").replace(b"GET", method)

    assert (await ask(make_app(FakeDesk()), request)).status == 405


def test_a_fallback_is_one_of_the_two_branches() -> None:
    with pytest.raises(ValueError, match="200 or 302, not 500"):
        make_app(FakeDesk(), fallback=500)


# Probes.


@pytest.mark.parametrize("is_ready", [True, False])
async def test_a_server_that_runs_is_alive(is_ready: bool, autojump_clock: MockClock) -> None:
    assert await ask(make_app(FakeDesk(is_ready=is_ready)), get("/live")) == Answer(200, b'{"live":true}')


@pytest.mark.parametrize(("is_ready", "status"), [(True, 200), (False, 503)])
async def test_readiness_is_the_desks_with_its_counts(is_ready: bool, status: int, autojump_clock: MockClock) -> None:
    answer = await ask(make_app(FakeDesk(is_ready=is_ready)), get("/ready"))

    assert (answer.status, json.loads(answer.body)) == (status, {"ready": is_ready, "calls": 3})


@pytest.mark.parametrize("target", ["/", "/stream-url/a/b", "/live/", "/passthru/a/b", "//live", "/events", "/events/"])
async def test_other_paths_are_not_there(target: str, autojump_clock: MockClock) -> None:
    assert (await ask(make_app(FakeDesk()), get(target))).status == 404


# The feed of a call.


class Journal:
    """A feed of some lines, one a second, that notes that it was closed."""

    def __init__(self, *lines: str) -> None:
        self._lines = list(lines)
        self.closed_at: float | None = None

    def __aiter__(self) -> Journal:
        return self

    async def __anext__(self) -> str:
        await trio.sleep(1)
        if not self._lines:
            raise StopAsyncIteration
        return self._lines.pop(0)

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()
        self.closed_at = trio.current_time()


async def test_a_feed_is_lines_of_json(autojump_clock: MockClock) -> None:
    desk = FakeDesk(feeds={"c0ffee": Journal('{"a":1}', '{"a":2}\n')})
    answer = await ask(make_app(desk), get("/events/c0ffee"))

    shown = (answer.body, answer.headers["content-type"])
    assert shown == (b'{"a":1}\n{"a":2}\n', "application/jsonl")


async def test_a_feed_is_sent_as_it_comes(autojump_clock: MockClock) -> None:
    client, server = memory_pair(names=(HERE, "server:1"))
    app = make_app(FakeDesk(feeds={"c0ffee": Journal('{"a":1}', '{"a":2}')}))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, app, get("/events/c0ffee"), server)
        await trio.sleep(1.5)
        received = client.try_receive() or b""
        nursery.cancel_scope.cancel()

    assert (b'{"a":1}\n' in received, b'{"a":2}\n' in received) == (True, False)


@pytest.mark.parametrize(("leaves_after", "closed_at"), [(2.5, 2.5), (60.0, 4.0)])
async def test_a_feed_is_closed_at_its_end_or_its_readers(
    leaves_after: float, closed_at: float, autojump_clock: MockClock
) -> None:
    client, server = memory_pair(names=(HERE, "server:1"))
    journal = Journal("1", "2", "3")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, make_app(FakeDesk(feeds={"c0ffee": journal})), get("/events/c0ffee"), server)
        await trio.sleep(leaves_after)
        client.close()

    assert journal.closed_at == closed_at


class Plain:
    """A feed of one line that needs no closing."""

    def __init__(self) -> None:
        self._lines = ["1"]

    def __aiter__(self) -> Plain:
        return self

    async def __anext__(self) -> str:
        await trio.lowlevel.checkpoint()
        if not self._lines:
            raise StopAsyncIteration
        return self._lines.pop()


async def test_a_feed_may_be_one_that_needs_no_closing(autojump_clock: MockClock) -> None:
    answer = await ask(make_app(FakeDesk(feeds={"c0ffee": Plain()})), get("/events/c0ffee"))

    assert answer.body == b"1\n"


async def test_a_feed_that_the_desk_does_not_give_is_not_there(autojump_clock: MockClock) -> None:
    assert await ask(make_app(FakeDesk()), get("/events/c0ffee")) == Answer(404)


@pytest.mark.parametrize("peer", ["127.0.0.1:1", "127.8.8.8:1", "[::1]:1"])
@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080", "[::1]"])
async def test_somebody_on_this_machine_gets_a_feed(peer: str, host: str, autojump_clock: MockClock) -> None:
    desk = FakeDesk(feeds={"c0ffee": Journal()})

    assert (await ask(make_app(desk), get("/events/c0ffee", f"Host: {host}"), peer=peer)).status == 200


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("192.0.2.1:1", ["Host: localhost"]),
        ("[2001:db8::1]:1", ["Host: localhost"]),
        ("memory", ["Host: localhost"]),
        (HERE, ["Host: rebound.example"]),
        (HERE, ["Host: localhost.example"]),
        (HERE, ["Host: localhost", "X-Forwarded-For: 192.0.2.1"]),
        (HERE, ["Host: localhost", "Forwarded: for=192.0.2.1"]),
        (HERE, ["Host: localhost", "Via: 1.1 proxy"]),
    ],
)
async def test_nobody_else_gets_one(peer: str, headers: list[str], autojump_clock: MockClock) -> None:
    desk = FakeDesk(feeds={"c0ffee": Journal()})

    assert await ask(make_app(desk), get("/events/c0ffee", *headers), peer=peer) == Answer(404)


# Behind the door.


async def knock(desk: FakeDesk, request: bytes) -> tuple[Answer, list[tuple[str | None, str]]]:
    limits = Limits()
    door = Door(
        limits=limits,
        gate=Gate(limits),
        entry=Entry(credentials=Credentials.of(["exotel:token"])),
        streams=lambda path: path == "/stream",
        answer=no_stream,
        requests=RequestServer(make_app(desk), limits).serve,
    )
    client, server = memory_pair(names=(HERE, "server:1"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(door.serve, server)
        await PortStream(client).send_all(request)
        received = await read_to_end(client)
        client.close()
    return read_answer(received, b"GET"), desk.told


async def no_stream(head: RequestHead, port: BytePort, rest: bytes) -> None:
    raise AssertionError("no stream was asked for")


@pytest.mark.parametrize(
    ("request_", "status", "told"),
    [
        (get("/passthru?CallSid=c0ffee"), 401, []),
        (get("/passthru?CallSid=c0ffee", "Host: a", "Authorization: Basic ZXhvdGVsOnRva2Vu"), 200, [(None, "c0ffee")]),
        (get("/events/c0ffee"), 401, []),
        (get("/live"), 200, []),
        (get("/ready"), 200, []),
    ],
)
async def test_the_door_asks_for_credentials_before_the_desk_hears_anything(
    request_: bytes, status: int, told: list[tuple[str | None, str]], autojump_clock: MockClock
) -> None:
    answer, heard = await knock(FakeDesk(), request_)

    assert (answer.status, heard) == (status, told)
