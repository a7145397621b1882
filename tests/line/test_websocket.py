"""The caller's end of a WebSocket, against another library's server, or one that talks wsproto itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked
from trio_websocket import WebSocketConnection, WebSocketRequest, wrap_server_stream
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, Pong, TextMessage

from callflow.call.port import BytePort, PortStream
from callflow.errors import NotAnswered
from callflow.line.memory import Conditions, MemoryPort, memory_pair
from callflow.line.websocket import LARGEST, WebSocket


async def ask(port: BytePort) -> WebSocket:
    socket = WebSocket(port)
    await socket.ask("bot.example.com", "/stream", [])
    return socket


@asynccontextmanager
async def connected(conditions: Conditions | None = None) -> AsyncIterator[tuple[WebSocket, WebSocketConnection]]:
    """Give both ends; the far one is trio-websocket's."""
    near, far = memory_pair(conditions or Conditions())
    async with trio.open_nursery() as nursery:
        server: list[WebSocketConnection] = []

        async def accept() -> None:
            server.append(await (await wrap_server_stream(nursery, PortStream(far))).accept())

        nursery.start_soon(accept)
        yield await ask(near), server[0]
        nursery.cancel_scope.cancel()


class Engine:
    """A far end that sends exactly what it is told to."""

    def __init__(self, port: MemoryPort) -> None:
        self.port = port
        self.protocol = WSConnection(ConnectionType.SERVER)

    async def accept(self) -> None:
        await self.port.wait_readable()
        self.protocol.receive_data(self.port.try_receive())
        list(self.protocol.events())
        self.port.try_send(self.protocol.send(AcceptConnection()))

    def send(self, event: TextMessage | BytesMessage | Pong) -> None:
        self.port.try_send(self.protocol.send(event))


async def with_engine(nursery: trio.Nursery) -> tuple[WebSocket, Engine]:
    near, far = memory_pair()
    engine = Engine(far)
    nursery.start_soon(engine.accept)
    return await ask(near), engine


async def test_a_message_costs_one_turn_of_the_task_that_wants_it(autojump_clock: MockClock) -> None:
    class Turns(trio.abc.Instrument):
        count = 0

        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            self.count += task.name == "listening"

    got: list[str | bytes | None] = []
    async with trio.open_nursery() as nursery:
        socket, engine = await with_engine(nursery)

        async def listen() -> None:
            while True:
                got.append(await socket.receive())

        nursery.start_soon(listen, name="listening")
        await wait_all_tasks_blocked()
        trio.lowlevel.add_instrument(turns := Turns())
        for n in range(10):
            engine.send(TextMessage(data=str(n)))
            await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    assert (len(got), turns.count) == (10, 11)  # one more for its end


async def test_a_message_in_fragments_is_one_message(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        socket, engine = await with_engine(nursery)
        for part in ("na", "mas"):
            engine.send(TextMessage(data=part, message_finished=False))
        engine.send(TextMessage(data="te"))
        engine.send(BytesMessage(data=b"1", message_finished=False))
        engine.send(BytesMessage(data=b"2"))
        got = [await socket.receive(), await socket.receive()]

    assert got == ["namaste", b"12"]


@pytest.mark.parametrize("lag", [0.0, 0.1])
async def test_messages_pass_both_ways_on_a_line_that_cuts_them(autojump_clock: MockClock, lag: float) -> None:
    conditions = Conditions(lag=lag, split=True, partial_sends=True, would_block=0.5, capacity=2_000)
    texts = [f"{n} {'x' * 50 * n}" for n in range(20)]
    async with connected(conditions) as (socket, server), trio.open_nursery() as nursery:
        there: list[str | bytes] = []
        back: list[str | bytes | None] = []

        async def echo() -> None:
            for _ in texts:
                there.append(await server.get_message())
                await server.send_message(there[-1])

        async def receive() -> None:
            back.extend([await socket.receive() for _ in texts])

        nursery.start_soon(echo)
        nursery.start_soon(receive)
        for text in texts:
            await socket.send(text)

    assert (there, back) == (texts, texts)


async def test_several_who_send_at_once_do_not_mix_their_messages(autojump_clock: MockClock) -> None:
    texts = {letter * 5_000 for letter in "abcde"}
    async with connected(Conditions(capacity=1_000)) as (socket, server), trio.open_nursery() as nursery:
        for text in texts:
            nursery.start_soon(socket.send, text)
        got = {await server.get_message() for _ in texts}

    assert got == texts


async def test_pings_are_answered_by_whoever_receives(autojump_clock: MockClock) -> None:
    async with connected() as (socket, server), trio.open_nursery() as nursery:
        nursery.start_soon(socket.receive)
        with trio.move_on_after(1.0) as waited:
            await server.ping(b"there?")
        nursery.cancel_scope.cancel()

    assert not waited.cancelled_caught


async def test_a_pong_answers_the_pings_before_it(autojump_clock: MockClock) -> None:
    ponged: list[bytes] = []
    async with trio.open_nursery() as nursery:
        socket, engine = await with_engine(nursery)

        async def ping(payload: bytes) -> None:
            if await socket.ping(payload):
                ponged.append(payload)

        nursery.start_soon(socket.receive)
        for payload in (b"1", b"2", b"3"):
            nursery.start_soon(ping, payload)
            await wait_all_tasks_blocked()
        engine.send(Pong(payload=b"2"))
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    assert sorted(ponged) == [b"1", b"2"]


async def test_a_ping_that_nobody_answers_ends_with_the_connection(autojump_clock: MockClock) -> None:
    answers: list[bool] = []
    async with trio.open_nursery() as nursery:
        socket, engine = await with_engine(nursery)

        async def ping() -> None:
            answers.append(await socket.ping(b"1"))

        nursery.start_soon(ping)
        await wait_all_tasks_blocked()
        engine.port.close(reset=True)
        await socket.receive()

    assert (answers, await socket.ping(b"2")) == ([False], False)


async def test_two_pings_of_one_payload_cannot_wait_at_once(autojump_clock: MockClock) -> None:
    async with connected() as (socket, _), trio.open_nursery() as nursery:
        nursery.start_soon(socket.ping, b"1")
        await wait_all_tasks_blocked()
        with pytest.raises(ValueError, match="still waits"):
            await socket.ping(b"1")
        nursery.cancel_scope.cancel()


async def test_a_message_that_is_too_large_ends_the_connection(autojump_clock: MockClock) -> None:
    async with connected(Conditions(capacity=4 * LARGEST)) as (socket, server):
        await server.send_message("x" * (LARGEST + 1))
        got = await socket.receive()
        await wait_all_tasks_blocked()
        reason = server.closed

    assert (got, socket.code, reason and reason.code) == (None, 1009, 1009)


async def test_what_was_sent_before_a_close_is_still_received(autojump_clock: MockClock) -> None:
    async with connected() as (socket, server), trio.open_nursery() as nursery:
        await server.send_message("last words")
        nursery.start_soon(server.aclose, 4000)
        got = [await socket.receive(), await socket.receive()]

    assert (got, socket.code, await socket.send("too late")) == (["last words", None], 4000, False)


async def test_a_close_of_ours_waits_until_it_is_answered(autojump_clock: MockClock) -> None:
    async with connected(Conditions(lag=0.1)) as (socket, server), trio.open_nursery() as nursery:
        nursery.start_soon(socket.receive)
        before = trio.current_time()
        await socket.close(1000)
        took = trio.current_time() - before

    assert (round(took, 3), socket.code, server.closed and server.closed.code) == (0.2, 1000, 1000)


async def test_a_refusal_with_a_body_is_read_to_its_end(autojump_clock: MockClock) -> None:
    near, far = memory_pair()

    async def refuse() -> None:
        async with trio.open_nursery() as nursery:
            request: WebSocketRequest = await wrap_server_stream(nursery, PortStream(far))
            await request.reject(403, body=b"no " * 100)
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(refuse)
        with pytest.raises(NotAnswered, match="403") as caught:
            await ask(near)

    assert caught.value.status == 403
