"""The contract of a byte port, held against each form that exists."""

from __future__ import annotations

from collections.abc import AsyncIterator
from random import Random

import pytest
import trio
from trio.testing import assert_checkpoints, wait_all_tasks_blocked

from callflow.call.port import BytePort, SocketPort
from callflow.call.tls_port import TlsPort
from callflow.line.memory import Conditions, memory_pair
from tests.certificates import client_context, server_context

Ends = tuple[BytePort, BytePort]

BAD = Conditions(lag=0.001, split=True, partial_sends=True, would_block=0.3, capacity=5_000)


async def socket_pair() -> tuple[SocketPort, SocketPort]:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        client = await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1])
        return SocketPort(client), SocketPort(await listener.accept())


async def tls_pair(client: BytePort, server: BytePort) -> Ends:
    """Put TLS over both ends of a connection."""
    ends = (
        TlsPort(client, client_context(), server_hostname="localhost"),
        TlsPort(server, server_context()),
    )
    async with trio.open_nursery() as nursery:
        for end in ends:
            nursery.start_soon(end.shake_hands)
    return ends


@pytest.fixture(params=["memory", "bad memory", "socket", "tls", "bad tls", "tls on a socket"])
async def ends(request: pytest.FixtureRequest) -> AsyncIterator[Ends]:
    match request.param:
        case "memory":
            pair: Ends = memory_pair()
        case "bad memory":
            pair = memory_pair(BAD, Random(1))
        case "tls":
            pair = await tls_pair(*memory_pair())
        case "bad tls":
            pair = await tls_pair(*memory_pair(BAD, Random(1)))
        case "tls on a socket":
            pair = await tls_pair(*await socket_pair())
        case _:
            pair = await socket_pair()
    yield pair
    for port in pair:
        port.close()


async def send(port: BytePort, data: bytes) -> None:
    while data:
        taken = port.try_send(data)
        data = data[taken:]
        if data:
            await port.wait_writable()


async def receive(port: BytePort) -> bytes:
    while (data := port.try_receive()) is None:
        await port.wait_readable()
    return data


async def receive_all(port: BytePort) -> bytes:
    pieces = []
    while piece := await receive(port):
        pieces.append(piece)
    return b"".join(pieces)


def fill(port: BytePort) -> None:
    """Send until the transport takes no more."""
    while port.try_send(bytes(65_536)) or port.try_send(bytes(65_536)):
        pass


async def keep_sending(port: BytePort) -> None:
    while True:
        await send(port, b"is anybody there?")
        await trio.lowlevel.checkpoint()


async def keep_waiting(port: BytePort, wait: str) -> None:
    while True:
        fill(port)
        await getattr(port, wait)()


async def test_what_is_sent_arrives_whole_and_in_order(ends: Ends) -> None:
    data = Random(2).randbytes(300_000)
    received = b""

    async def receiving() -> None:
        nonlocal received
        received = await receive_all(ends[1])
        ends[1].send_eof()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receiving)
        await send(ends[0], data)
        ends[0].send_eof()
        await receive_all(ends[0])

    assert received == data


async def test_no_more_is_received_than_was_asked_for(ends: Ends) -> None:
    await send(ends[0], b"twelve bytes")
    await ends[1].wait_readable()

    assert len(ends[1].try_receive(5) or b"") in range(1, 6)


async def test_nothing_yet_is_none(ends: Ends) -> None:
    assert ends[0].try_receive() is None


async def test_the_end_of_the_stream_comes_after_the_data_and_stays(ends: Ends) -> None:
    await send(ends[0], b"last words")
    ends[0].close()

    assert [await receive_all(ends[1]), await receive(ends[1]), await receive(ends[1])] == [b"last words", b"", b""]


async def test_a_port_that_sent_its_end_still_receives(ends: Ends) -> None:
    ends[0].send_eof()
    await receive_all(ends[1])
    await send(ends[1], b"answer")
    ends[1].send_eof()

    assert await receive_all(ends[0]) == b"answer"


async def test_nothing_can_be_sent_after_the_end_of_the_stream(ends: Ends) -> None:
    ends[0].send_eof()

    with pytest.raises((trio.ClosedResourceError, trio.BrokenResourceError)):
        ends[0].try_send(b"more")


async def test_a_reset_breaks_the_next_receive(ends: Ends) -> None:
    ends[0].close(reset=True)

    with pytest.raises(trio.BrokenResourceError):
        await receive(ends[1])


async def test_a_reset_wakes_a_peer_that_waits(ends: Ends) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ends[1].wait_readable)
        await wait_all_tasks_blocked()
        ends[0].close(reset=True)

    with pytest.raises(trio.BrokenResourceError):
        ends[1].try_receive()


async def test_sending_to_a_peer_that_is_gone_breaks_in_time(ends: Ends) -> None:
    ends[1].close()

    with pytest.raises(trio.BrokenResourceError):
        await keep_sending(ends[0])


async def test_a_full_transport_takes_more_when_the_peer_reads(ends: Ends) -> None:
    received = b""

    async def receiving() -> None:
        nonlocal received
        received = await receive_all(ends[1])
        ends[1].send_eof()

    fill(ends[0])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(receiving)
        await send(ends[0], b"more")  # waits each time it is refused: a bad transport refuses what it has room for
        ends[0].send_eof()
        await receive_all(ends[0])

    assert received.lstrip(b"\0") == b"more"


async def test_a_cancelled_wait_loses_nothing(ends: Ends) -> None:
    with trio.move_on_after(0.001):
        await ends[1].wait_readable()
    await send(ends[0], b"here")
    ends[0].send_eof()

    assert await receive_all(ends[1]) == b"here"


@pytest.mark.parametrize("wait", ["wait_readable", "wait_writable"])
async def test_closing_a_port_wakes_who_waits_at_it(ends: Ends, wait: str) -> None:
    async def waiting() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await keep_waiting(ends[0], wait)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(waiting)
        await wait_all_tasks_blocked()
        ends[0].close()


@pytest.mark.parametrize("wait", ["wait_readable", "wait_writable"])
async def test_a_wait_that_is_over_at_once_checkpoints_nevertheless(ends: Ends, wait: str) -> None:
    await send(ends[1], b"ready")
    await ends[0].wait_readable()

    with assert_checkpoints():
        await getattr(ends[0], wait)()


async def test_a_closed_port_does_nothing_more(ends: Ends) -> None:
    ends[0].close()
    ends[0].close(reset=True)

    with pytest.raises(trio.ClosedResourceError):
        ends[0].try_receive()
    with pytest.raises(trio.ClosedResourceError):
        ends[0].try_send(b"x")
    with pytest.raises(trio.ClosedResourceError):
        await ends[0].wait_readable()
    with pytest.raises(trio.ClosedResourceError):
        await ends[0].wait_writable()


async def test_the_peer_is_a_host_and_a_port(ends: Ends) -> None:
    host, _, number = ends[0].peer.rpartition(":")

    assert (bool(host), number.isdecimal()) == (True, True)
