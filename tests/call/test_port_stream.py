"""The stream over a byte port, for libraries that want one."""

from __future__ import annotations

import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from callflow.call.port import PortStream
from callflow.line.memory import Conditions, memory_pair


async def test_what_was_read_already_comes_first() -> None:
    client, server = memory_pair()
    client.try_send(b" and the rest")
    stream = PortStream(server, b"the head")

    assert [await stream.receive_some(4), await stream.receive_some(), await stream.receive_some()] == [
        b"the ",
        b"head",
        b" and the rest",
    ]


async def test_receiving_and_sending_always_checkpoint() -> None:
    client, server = memory_pair()
    client.try_send(b"here")
    with assert_checkpoints():
        received = await PortStream(server).receive_some()
    with assert_checkpoints():
        await PortStream(server).send_all(b"")

    assert received == b"here"


async def test_a_full_transport_is_waited_for(autojump_clock: MockClock) -> None:
    client, server = memory_pair(Conditions(capacity=10))
    stream = PortStream(server)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.send_all, b"x" * 25)
        received = b""
        while len(received) < 25:
            await wait_all_tasks_blocked()
            received += client.try_receive() or b""

    assert received == b"x" * 25


async def test_there_is_room_where_nobody_sent() -> None:
    client, server = memory_pair()
    await PortStream(server).wait_send_all_might_not_block()

    assert server.try_send(b"fits") == 4 == len(client.try_receive() or b"")


async def test_closing_the_stream_closes_its_port() -> None:
    client, server = memory_pair()
    await PortStream(server).aclose()

    assert client.try_receive() == b""
