"""Far ends for a telephone: a bot that notes what it reads, and servers that are no help."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from random import Random
from typing import Any

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, wrap_server_stream

from callflow.call.port import BytePort, PortStream
from callflow.errors import MalformedMessage
from callflow.line.memory import Conditions, MemoryNetwork
from callflow.line.placing import place_call
from callflow.line.profile import Profile
from callflow.line.telephone import Telephone
from callflow.wire.exotel import Outgoing, decode
from callflow.wire.messages import Message, Start

QUIET = Profile(keeps_sending_silence=False)
"""A line that sends no frames while the caller says nothing."""


class Bot:
    """A server that notes what it reads; what it says, the test says."""

    def __init__(self) -> None:
        self.read: list[tuple[float, Message]] = []
        self.started = trio.Event()
        self.over = trio.Event()
        self.close_code: int | None = None

    async def serve(self, port: BytePort) -> None:
        async with PortStream(port) as self.stream, trio.open_nursery() as nursery:
            self.request: WebSocketRequest = await wrap_server_stream(nursery, self.stream)
            self.socket: WebSocketConnection = await self.request.accept()
            with contextlib.suppress(ConnectionClosed):
                await self._read()
            assert self.socket.closed is not None
            self.close_code = self.socket.closed.code
        self.over.set()

    async def _read(self) -> None:
        while True:
            text = await self.socket.get_message()
            try:
                message = decode(text)
            except MalformedMessage:
                continue
            self.read.append((trio.current_time(), message))
            if isinstance(message, Start):
                self.say = Outgoing(message.stream_sid, 16_000)
                self.started.set()

    async def send(self, *texts: str) -> None:
        for text in texts:
            await self.socket.send_message(text)

    def got(self, kind: type[Message]) -> list[Any]:
        return [message for _, message in self.read if isinstance(message, kind)]


@contextlib.asynccontextmanager
async def ringing(conditions: Conditions | None = None, **options: Any) -> AsyncIterator[tuple[Telephone, Bot]]:
    """Call a bot; *options* are keywords of ``place_call``."""
    bot = Bot()
    network = MemoryNetwork(conditions or Conditions(), Random(1))
    async with trio.open_nursery() as nursery:
        network.listen(bot.serve, nursery)
        async with place_call(network.dial, **({"random": Random(0)} | options)) as phone:
            await bot.started.wait()
            yield phone, bot


# Servers that are no help.


async def answer(port: BytePort, act: Callable[[WebSocketRequest], Awaitable[None]]) -> None:
    """Read the upgrade and leave what becomes of it to *act*."""
    async with PortStream(port) as stream, trio.open_nursery() as nursery:
        await act(await wrap_server_stream(nursery, stream))
        nursery.cancel_scope.cancel()


async def stare(_: object) -> None:
    """Do nothing, for ever."""
    await trio.sleep_forever()


async def accept_and_stare(request: WebSocketRequest) -> None:
    """Take the call and read nothing of it."""
    await request.accept()
    await trio.sleep_forever()
