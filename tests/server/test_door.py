"""The door: who is let in, who is told why not, and that nothing gets out of one connection."""

from __future__ import annotations

import base64
import contextlib
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random

import pytest
import trio
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st
from trio import testing
from trio.testing import MockClock

from callflow.call.port import BytePort, PortStream, SocketPort
from callflow.line.memory import Conditions, MemoryPort, memory_pair
from callflow.server.credentials import Credentials
from callflow.server.door import Door, Handler
from callflow.server.entry import Entry
from callflow.server.head import RequestHead
from callflow.server.limits import Gate, Limits

KEY = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
UPGRADE = b"GET /stream HTTP/1.1\r\nHost: example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + KEY + b"\r\n"
GET = b"GET /live HTTP/1.1\r\nHost: example\r\n\r\n"
PASSTHRU = b"POST /passthru HTTP/1.1\r\nHost: example\r\nContent-Length: 3\r\n\r\n"
BASIC = b"Authorization: Basic " + base64.b64encode(b"exotel:token") + b"\r\n"


def with_headers(request: bytes, *lines: bytes) -> bytes:
    return request[:-2] + b"".join(lines) + b"\r\n"


@define
class Behind:
    """What stands behind the door: notes what it gets, and answers one line."""

    answered: list[tuple[RequestHead, bytes]] = field(factory=list)
    requested: list[tuple[RequestHead, bytes]] = field(factory=list)

    async def answer(self, head: RequestHead, port: BytePort, rest: bytes) -> None:
        self.answered.append((head, rest))
        await PortStream(port).send_all(b"HTTP/1.1 101 \r\n")

    async def request(self, head: RequestHead, port: BytePort, received: bytes) -> None:
        self.requested.append((head, received))
        await PortStream(port).send_all(b"HTTP/1.1 200 \r\n")


def door_to(behind: Behind, limits: Limits | None = None, credentials: Credentials | None = None) -> Door:
    limits = limits or Limits()
    return Door(
        limits=limits,
        gate=Gate(limits),
        entry=Entry(credentials=credentials),
        streams=lambda path: path == "/stream",
        answer=behind.answer,
        requests=behind.request,
    )


def door_with(answer: Handler) -> Door:
    door = door_to(Behind())
    door.answer = answer
    return door


async def send(port: MemoryPort, data: bytes) -> None:
    with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):  # the door, or we, had enough
        await PortStream(port).send_all(data)


async def read_to_end(port: MemoryPort) -> bytes:
    stream, received = PortStream(port), b""
    while data := await stream.receive_some():
        received += data
    return received


PERFECT = Conditions()


async def knock(door: Door, data: bytes, conditions: Conditions = PERFECT) -> bytes:
    """Send something and read until the end comes, then leave; give what was read."""
    client, server = memory_pair(conditions, Random(1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(door.serve, server)
        nursery.start_soon(send, client, data)
        received = await read_to_end(client)
        client.close()
        nursery.cancel_scope.deadline = trio.current_time() + 60
    return received


def status_of(response: bytes) -> int:
    return int(response.split(b" ", 2)[1])


# Who is let in.


async def test_a_good_upgrade_is_answered(autojump_clock: MockClock) -> None:
    behind = Behind()
    received = await knock(door_to(behind), UPGRADE)

    assert (received, [head.path for head, _ in behind.answered]) == (b"HTTP/1.1 101 \r\n", ["/stream"])


async def test_frames_sent_ahead_of_the_answer_are_handed_on(autojump_clock: MockClock) -> None:
    behind = Behind()
    await knock(door_to(behind), UPGRADE + b"\x81\x85frames")

    assert [rest for _, rest in behind.answered] == [b"\x81\x85frames"]


async def test_no_more_than_a_heads_length_is_taken_ahead_of_the_answer(autojump_clock: MockClock) -> None:
    behind = Behind()
    await knock(door_to(behind), UPGRADE + bytes(100_000))

    assert [len(head.raw) + len(rest) for head, rest in behind.answered] == [16 * 1024]


async def test_other_requests_are_handed_on_with_all_that_was_read(autojump_clock: MockClock) -> None:
    behind = Behind()
    received = await knock(door_to(behind), PASSTHRU + b"abc")

    assert (received, [data for _, data in behind.requested]) == (b"HTTP/1.1 200 \r\n", [PASSTHRU + b"abc"])


@pytest.mark.parametrize("conditions", [Conditions(capacity=1), Conditions(split=True, partial_sends=True, lag=0.01)])
async def test_a_head_may_come_in_any_pieces(conditions: Conditions, autojump_clock: MockClock) -> None:
    behind = Behind()
    await knock(door_to(behind), UPGRADE, conditions)

    assert [head.raw for head, _ in behind.answered] == [UPGRADE]


# Who is sent away.

AUTH = Credentials.of(["exotel:token"])

REFUSED: dict[str, tuple[bytes, int, str]] = {
    "garbage": (b"\x16\x03\x01\x02\x00\r\n", 400, "bad_request"),
    "one word": (b"GARBAGE\r\n\r\n", 400, "bad_request"),
    "a byte beyond ASCII": (with_headers(UPGRADE, b"Cookie: \xe9\r\n"), 400, "bad_request"),
    "two lengths": (with_headers(PASSTHRU, b"Transfer-Encoding: chunked\r\n"), 400, "bad_request"),
    "a long head": (with_headers(GET, b"X: " + b"a" * 200_000 + b"\r\n"), 431, "too_big"),
    "many headers": (with_headers(GET, b"X: 1\r\n" * 3_000), 431, "too_big"),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "bad_request"),
    "an upgrade without a key": (UPGRADE.replace(KEY, b"Sec-WebSocket-Version: 13\r\n"), 400, "bad_request"),
    "another version": (UPGRADE.replace(b"13", b"12"), 426, "bad_request"),
    "an upgrade by POST": (UPGRADE.replace(b"GET", b"POST"), 405, "bad_request"),
    "no upgrade": (b"GET /stream HTTP/1.1\r\nHost: example\r\n\r\n", 426, "bad_request"),
    "another path": (UPGRADE.replace(b"/stream", b"/streams"), 404, "not_found"),
    "a page elsewhere": (with_headers(UPGRADE, b"Origin: https://other\r\n"), 403, "origin"),
    "a page of no site": (with_headers(UPGRADE, b"Origin: null\r\n"), 403, "origin"),
    "a large body": (PASSTHRU.replace(b"Length: 3", b"Length: 1048577"), 413, "too_big"),
}


@pytest.mark.parametrize("knocker", REFUSED)
async def test_a_refusal_is_told_and_counted(knocker: str, autojump_clock: MockClock) -> None:
    data, status, kind = REFUSED[knocker]
    behind = Behind()
    door = door_to(behind)
    received = await knock(door, data)

    assert (status_of(received), dict(door.refused), behind) == (status, {kind: 1}, Behind())


async def test_a_page_of_this_server_may_open_a_stream(autojump_clock: MockClock) -> None:
    assert status_of(await knock(door_to(Behind()), with_headers(UPGRADE, b"Origin: http://example\r\n"))) == 101


async def test_a_page_that_is_named_may_open_a_stream(autojump_clock: MockClock) -> None:
    door = door_to(Behind())
    door.origins = frozenset({"https://console.example"})

    assert status_of(await knock(door, with_headers(UPGRADE, b"Origin: https://console.example\r\n"))) == 101


@pytest.mark.parametrize(
    "authorization",
    [b"", b"Authorization: Basic AAAA\r\n", BASIC.replace(b"Basic", b"Bearer"), BASIC + BASIC],
)
@pytest.mark.parametrize(
    "request_", [UPGRADE, PASSTHRU, UPGRADE.replace(b"/stream", b"/live"), b"GET / HTTP/1.0\r\n\r\n"]
)
async def test_strangers_get_401(authorization: bytes, request_: bytes, autojump_clock: MockClock) -> None:
    behind = Behind()
    door = door_to(behind, credentials=AUTH)
    received = await knock(door, with_headers(request_, authorization))

    assert (status_of(received), dict(door.refused), behind) == (401, {"auth": 1}, Behind())


async def test_a_stranger_is_told_how_to_show_who_it_is(autojump_clock: MockClock) -> None:
    received = await knock(door_to(Behind(), credentials=AUTH), UPGRADE)

    assert b'\r\nWWW-Authenticate: Basic realm="callflow"\r\n' in received


@pytest.mark.parametrize(("request_", "status"), [(UPGRADE, 101), (PASSTHRU, 200)])
async def test_who_shows_credentials_is_let_in(request_: bytes, status: int, autojump_clock: MockClock) -> None:
    received = await knock(door_to(Behind(), credentials=AUTH), with_headers(request_, BASIC))

    assert status_of(received) == status


@pytest.mark.parametrize("path", [b"/live", b"/ready"])
async def test_probes_need_no_credentials(path: bytes, autojump_clock: MockClock) -> None:
    assert status_of(await knock(door_to(Behind(), credentials=AUTH), GET.replace(b"/live", path))) == 200


async def test_a_stranger_cannot_find_out_which_paths_there_are(autojump_clock: MockClock) -> None:
    door = door_to(Behind(), credentials=AUTH)

    assert await knock(door, UPGRADE) == await knock(door, UPGRADE.replace(b"/stream", b"/nothing"))


async def test_no_call_begins_while_the_server_drains(autojump_clock: MockClock) -> None:
    door = door_to(Behind())
    door.draining = True

    assert (status_of(await knock(door, UPGRADE)), dict(door.refused)) == (503, {"draining": 1})


async def test_requests_are_served_while_the_server_drains(autojump_clock: MockClock) -> None:
    door = door_to(Behind())
    door.draining = True

    assert status_of(await knock(door, GET)) == 200


# Time and room.


async def test_silence_is_ended_at_the_heads_time(autojump_clock: MockClock) -> None:
    door = door_to(Behind())
    received = await knock(door, b"")

    assert (status_of(received), trio.current_time(), dict(door.refused)) == (408, 10.0, {"head_timeout": 1})


async def trickle(port: MemoryPort, data: bytes) -> None:
    for byte in data:
        await send(port, bytes([byte]))
        await trio.sleep(0.7)


async def test_the_time_for_a_head_is_for_all_of_it(autojump_clock: MockClock) -> None:
    client, server = memory_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trickle, client, UPGRADE)
        nursery.start_soon(door_to(Behind()).serve, server)
        await client.wait_readable()
        told_at = trio.current_time()
        nursery.cancel_scope.cancel()

    assert (told_at, status_of(client.try_receive() or b"")) == (10.0, 408)


async def test_past_the_cap_a_socket_is_refused_before_it_says_anything(autojump_clock: MockClock) -> None:
    door = door_to(Behind(), Limits(sockets=0))

    assert (status_of(await knock(door, b"")), trio.current_time(), dict(door.refused)) == (503, 0.0, {"capacity": 1})


async def stay(head: RequestHead, port: BytePort, rest: bytes) -> None:
    await PortStream(port).send_all(b"HTTP/1.1 101 \r\n")
    await port.wait_readable()


async def statuses_beside_a_call(door: Door, then: Callable[[], None]) -> int:
    """Knock once more while a call goes on."""
    client, server = memory_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(door.serve, server)
        await send(client, UPGRADE)
        await client.wait_readable()
        then()
        second, other = memory_pair(names=("client:2", "server:1"))
        nursery.start_soon(door.serve, other)
        await send(second, UPGRADE)
        await second.wait_readable()
        status = status_of(second.try_receive() or b"")
        second.close()
        client.close()
    return status


async def test_streams_without_a_start_are_few(autojump_clock: MockClock) -> None:
    door = door_to(Behind(), Limits(sockets_without_start=1))
    door.answer = stay

    assert (await statuses_beside_a_call(door, lambda: None), dict(door.refused)) == (503, {"capacity": 1})


async def test_a_stream_that_started_leaves_its_place_to_the_next(autojump_clock: MockClock) -> None:
    door = door_to(Behind(), Limits(sockets_without_start=1))
    door.answer = stay

    assert await statuses_beside_a_call(door, lambda: door.gate.started("client:1")) == 101


@pytest.mark.parametrize("data", [UPGRADE, GET, b"GARBAGE\r\n\r\n", b""])
async def test_nothing_is_counted_once_a_connection_is_over(data: bytes, autojump_clock: MockClock) -> None:
    door = door_to(Behind())
    await knock(door, data)

    assert door.gate == Gate(door.limits)


# What a peer does that was sent away.


async def seconds_until_gone(data: bytes, then: Callable[[MemoryPort], Awaitable[None]]) -> float:
    client, server = memory_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(then, client)
        await send(client, data)
        await door_to(Behind()).serve(server)
        gone_at = trio.current_time()
        nursery.cancel_scope.cancel()
    return gone_at


async def stand_there(client: MemoryPort) -> None:
    await trio.sleep_forever()


async def talk_on(client: MemoryPort) -> None:
    while True:
        await send(client, bytes(1000))
        await trio.sleep(0.1)


async def pour(client: MemoryPort) -> None:
    while True:
        await PortStream(client).send_all(bytes(65_536))


@pytest.mark.parametrize("data", [b"GARBAGE\r\n\r\n", GET])
@pytest.mark.parametrize("peer", [stand_there, talk_on])
async def test_who_does_not_leave_is_left_in_two_seconds(
    data: bytes, peer: Callable[[MemoryPort], Awaitable[None]], autojump_clock: MockClock
) -> None:
    assert await seconds_until_gone(data, peer) == 2.0


async def test_what_is_poured_in_after_a_refusal_has_an_end() -> None:
    client, server = memory_pair()
    door = door_to(Behind(), Limits(linger=1e6, linger_bytes=1_000_000))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(door.serve, server)
        with pytest.raises(trio.BrokenResourceError):
            await pour(client)

    assert door.gate.sockets == 0


async def test_who_does_not_read_the_refusal_is_left_as_well(autojump_clock: MockClock) -> None:
    client, server = memory_pair(Conditions(capacity=16))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(send, client, b"GARBAGE\r\n\r\n")
        await door_to(Behind()).serve(server)

    assert trio.current_time() == 4.0  # two seconds for sending, two for reading


async def test_an_answered_request_is_left_when_its_reader_leaves(autojump_clock: MockClock) -> None:
    await knock(door_to(Behind()), GET)

    assert trio.current_time() == 0.0


@pytest.mark.e2e
async def test_a_refusal_is_readable_while_the_body_is_still_being_sent() -> None:
    door = door_to(Behind())
    head = PASSTHRU.replace(b"Length: 3", b"Length: 20000000")

    async def serve(stream: trio.SocketStream) -> None:
        await door.serve(SocketPort(stream))

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        async with await testing.open_stream_to_socket_listener(listener) as stream:
            await stream.send_all(head + bytes(20_000_000))
            received = b"".join([data async for data in stream])
        nursery.cancel_scope.cancel()

    assert (status_of(received), received[-22:]) == (413, b"the body is too large\n")


# The firewall.


class Odd(Exception):
    """A failure of the application's own."""


def recurse() -> None:
    recurse()


def fail_with(error: BaseException) -> Handler:
    async def answer(head: RequestHead, port: BytePort, rest: bytes) -> None:
        raise error

    return answer


async def fail_deeply(head: RequestHead, port: BytePort, rest: bytes) -> None:
    recurse()


async def fail_in_nurseries(head: RequestHead, port: BytePort, rest: bytes) -> None:
    async with trio.open_nursery() as outer, trio.open_nursery() as inner:
        inner.start_soon(fail_with(ValueError("inner")), head, port, rest)
        outer.start_soon(fail_with(Odd("outer")), head, port, rest)
        await trio.sleep_forever()


FAILURES: dict[str, Handler] = {
    "ValueError": fail_with(ValueError("x")),
    "an error of its own": fail_with(Odd()),
    "a group": fail_with(ExceptionGroup("two", [ValueError("x"), Odd()])),
    "a lost peer": fail_with(trio.BrokenResourceError()),
    "StopIteration": fail_with(StopIteration()),
    "RecursionError": fail_deeply,
    "nurseries": fail_in_nurseries,
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_no_exception_leaves_a_connection(
    failure: str, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    door = door_with(FAILURES[failure])
    received = await knock(door, UPGRADE)

    (record,) = (record for record in caplog.records if record.name == "callflow.server")
    shown = (received, door.failed, door.gate.sockets, record.message, record.exc_info is not None)
    assert shown == (b"", 1, 0, "connection failed", True)


async def test_a_failure_is_logged_as_it_happened(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    failure = ValueError("x")
    await knock(door_with(fail_with(failure)), UPGRADE)

    assert [record.exc_info and record.exc_info[1] for record in caplog.records] == [failure]


async def test_a_failure_leaves_the_calls_beside_it_alone(autojump_clock: MockClock) -> None:
    async def answer(head: RequestHead, port: BytePort, rest: bytes) -> None:
        if head.header("x-fail"):
            raise Odd
        await trio.sleep(5)
        await PortStream(port).send_all(b"HTTP/1.1 101 \r\n")

    door, received = door_with(answer), []

    async def call(data: bytes) -> None:
        received.append(await knock(door, data))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(call, UPGRADE)
        nursery.start_soon(call, with_headers(UPGRADE, b"X-Fail: 1\r\n"))

    assert received == [b"", b"HTTP/1.1 101 \r\n"]


async def test_cancellation_passes_and_closes_the_port(autojump_clock: MockClock) -> None:
    client, server = memory_pair()
    with trio.move_on_after(3) as scope:
        await door_to(Behind()).serve(server)

    assert (scope.cancelled_caught, await read_to_end(client)) == (True, b"")


async def test_a_failure_while_cancelled_stays_inside(autojump_clock: MockClock) -> None:
    async def answer(head: RequestHead, port: BytePort, rest: bytes) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            try:
                await trio.sleep_forever()
            finally:
                raise Odd

    client, server = memory_pair()
    await send(client, UPGRADE)
    door = door_with(answer)
    with trio.move_on_after(3) as scope:
        await door.serve(server)

    assert (scope.cancelled_caught, door.failed) == (True, 1)


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
async def test_interrupts_of_the_process_pass(interrupt: type[BaseException], autojump_clock: MockClock) -> None:
    client, server = memory_pair()
    await send(client, UPGRADE)

    with pytest.raises(interrupt):
        await door_with(fail_with(interrupt())).serve(server)


@pytest.mark.parametrize("data", [b"", b"GET /", UPGRADE[:-1]])
@pytest.mark.parametrize("reset", [False, True])
async def test_who_leaves_in_the_middle_of_a_head_is_not_news(
    data: bytes, reset: bool, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    client, server = memory_pair()
    door = door_to(Behind())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(door.serve, server)
        await send(client, data)
        await trio.sleep(1)
        client.close(reset=reset)

    assert (caplog.records, door.failed, door.gate.sockets, trio.current_time()) == ([], 0, 0, 1.0)


async def test_who_leaves_before_the_refusal_is_not_news(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    client, server = memory_pair(Conditions(lag=0.5))
    door = door_to(Behind())
    await send(client, b"GARBAGE\r\n\r\n")
    await trio.sleep(0.1)
    client.close(reset=False)
    await trio.sleep(0.5)
    await door.serve(server)

    assert (dict(door.refused), door.failed) == ({"bad_request": 1}, 0)


async def test_a_port_that_was_closed_from_elsewhere_is_not_news(autojump_clock: MockClock) -> None:
    _, server = memory_pair()
    door = door_to(Behind())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(door.serve, server)
        await testing.wait_all_tasks_blocked()
        server.close()

    assert (door.failed, trio.current_time()) == (0, 0.0)


def serve_one(data: bytes, seed: int) -> tuple[Door, bool]:
    """Send bytes to a door over a bad connection and leave; give the door and whether the port was closed."""
    door = door_to(Behind())

    async def main() -> bool:
        client, server = memory_pair(
            Conditions(split=True, partial_sends=True, would_block=0.2, lag=0.01), Random(seed)
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(door.serve, server)
            await send(client, data)
            await trio.sleep(1)
            client.close(reset=bool(seed % 2))
        with pytest.raises(trio.ClosedResourceError):
            server.try_receive()
        return True

    return door, trio.run(main, clock=MockClock(autojump_threshold=0))


@given(
    data=st.binary(max_size=100)
    | st.tuples(st.sampled_from([UPGRADE, GET, PASSTHRU]), st.integers(0, 200), st.binary(max_size=4)).map(
        lambda cut: cut[0][: cut[1]] + cut[2] + cut[0][cut[1] + 1 :]
    ),
    seed=st.integers(0, 1_000),
)
def test_whatever_comes_the_connection_ends_and_nothing_fails(data: bytes, seed: int) -> None:
    door, closed = serve_one(data, seed)

    assert (closed, door.failed, door.gate.sockets, door.gate.upgraded) == (True, 0, 0, 0)


# The log.


async def test_refusals_of_a_kind_warn_once_a_second(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "callflow")
    door = door_to(Behind(), credentials=AUTH)
    for pause in (0.0, 0.0, 0.0, 1.5):  # well past the second: virtual time is a sum of floats
        await trio.sleep(pause)
        await knock(door, UPGRADE)

    levels = [record.levelname for record in caplog.records if record.message == "call refused"]
    assert levels == ["WARNING", "DEBUG", "DEBUG", "WARNING"]


async def test_a_log_shows_nothing_that_was_sent(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "callflow")
    door = door_with(fail_with(ValueError("x")))
    for request in (UPGRADE, UPGRADE.replace(b"13", b"12"), UPGRADE.replace(b"/stream", b"/canary")):
        await knock(door, with_headers(request.replace(b" HTTP", b"?pin=canary HTTP"), b"X: canary\r\n"))

    assert "canary" not in "".join(str(vars(record)) for record in caplog.records)
