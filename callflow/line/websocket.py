"""The caller's end of a WebSocket, over a byte port. It is read in the task that wants its messages.

Whoever simulates calls does little else than pass messages on, so task switches are what that costs: here a message
takes one, where a reader task with a lock and a channel takes four. One task receives; any may send.
"""

from __future__ import annotations

import math
from collections import deque

import h11
import trio
from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Pong,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)
from wsproto.utilities import ProtocolError

from callflow.call.port import BytePort
from callflow.errors import NotAnswered

LARGEST = 1024 * 1024
"""Size of the largest message that is taken."""

_NO_CODE = 1005
_NO_CLOSE_FRAME = 1006
_TOO_BIG = 1009


class WebSocket:
    """One connection to a server. ``ask`` first.

    Args:
        port: What carries it. Whoever opened it closes it.
    """

    def __init__(self, port: BytePort) -> None:
        self.port = port
        self.deaf = False
        """Whether the connection is half-open: nothing that comes from now on is taken in."""
        self.frozen_until = -math.inf
        """Moment of Trio's clock up to which nothing passes, either way."""
        self.code: int | None = None
        """None while the connection lives; then the code of the close frame, 1006 where there was none."""
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._refused = 0  # with which status
        self._ready: deque[str | bytes] = deque()
        self._parts: list[str | bytes] = []
        self._size = 0
        self._answers = bytearray()  # to what was just read, until they are handed over
        self._turn = trio.Lock()
        self._waits_to_send: set[trio.CancelScope] = set()
        self._pinged: dict[bytes, trio.Event] = {}
        self._over = trio.Event()

    async def ask(self, host: str, resource: str, headers: list[tuple[bytes, bytes]]) -> None:
        """Ask for the upgrade, and wait until it is granted.

        Raises:
            NotAnswered: The server refuses, goes away, or answers something else.

        Cancellation:
            Whether the server took it for granted is unknown. Close the port.
        """
        await self._put(self._protocol.send(Request(host=host, target=resource, extra_headers=headers)))
        while self._protocol.state is not ConnectionState.OPEN:
            data = await self._some_bytes()
            if not data:
                raise self._refusal("the server closed the connection before it answered")
            try:
                self._take(data)
            except (ProtocolError, h11.ProtocolError) as broken:
                raise self._refusal("what came is no answer to an upgrade") from broken
        await self._answer()

    def _refusal(self, otherwise: str = "") -> NotAnswered:
        status = self._refused
        return NotAnswered(f"the server answered {status} to the upgrade", status) if status else NotAnswered(otherwise)

    # Reading.

    async def receive(self) -> str | bytes | None:
        """Receive the next message, or None when the connection is over; ``code`` says how.

        Pings are answered and closes are seen only in here, so somebody must always be receiving.

        Cancellation:
            No message is lost.
        """
        while not self._ready:
            if self.code is not None:
                return None
            await self._read()
        return self._ready.popleft()

    async def _read(self) -> None:
        data = await self._some_bytes()
        await self._thaw()
        if self.deaf:
            await trio.sleep_forever()
        if data:
            self._take(data)
            await self._answer()
        else:
            self._end(_NO_CLOSE_FRAME)

    async def _thaw(self) -> None:
        while self.frozen_until > trio.current_time():  # noqa: ASYNC110 - it may be frozen again meanwhile
            await trio.sleep_until(self.frozen_until)

    async def _some_bytes(self) -> bytes:
        """Wait for bytes; there are none at the end, be it by a reset or because it was closed here."""
        try:
            while (data := self.port.try_receive()) is None:
                await self.port.wait_readable()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return b""
        return data

    def _take(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        for event in self._protocol.events():
            self._take_event(event)
            if self.code is not None:
                return  # the rest is behind a close: nobody's

    def _take_event(self, event: Event) -> None:
        match event:
            case TextMessage() | BytesMessage():
                self._collect(event)
            case Ping() if self._is_open:
                self._answers += self._protocol.send(event.response())
            case Pong():
                self._ponged(bytes(event.payload))
            case CloseConnection():
                self._closed_by_server(event)
            case RejectConnection():
                self._refused = event.status_code
                if not event.has_body:
                    raise self._refusal()
            case RejectData(body_finished=True):
                raise self._refusal()
            case _:
                pass  # the upgrade was granted, which shows in the state

    def _collect(self, event: TextMessage | BytesMessage) -> None:
        self._parts.append(event.data if isinstance(event.data, str) else bytes(event.data))
        self._size += len(event.data)
        if self._size > LARGEST and self._is_open:
            self._answers += self._protocol.send(CloseConnection(code=_TOO_BIG))
            self._end(_TOO_BIG)
        elif event.message_finished:
            self._ready.append(self._joined())
            self._parts, self._size = [], 0

    def _joined(self) -> str | bytes:
        if len(self._parts) == 1:
            return self._parts[0]
        texts = [part for part in self._parts if isinstance(part, str)]
        return "".join(texts) if texts else b"".join(part for part in self._parts if isinstance(part, bytes))

    def _ponged(self, payload: bytes) -> None:
        """A pong answers its ping and those before it."""
        while payload in self._pinged:
            first = next(iter(self._pinged))
            self._pinged.pop(first).set()

    def _closed_by_server(self, event: CloseConnection) -> None:
        # The protocol engine reports a broken frame as a close, too; that leaves the connection open, and unanswered.
        if self._protocol.state is ConnectionState.REMOTE_CLOSING:
            self._answers += self._protocol.send(event.response())
        self._end(int(event.code or _NO_CODE))

    def _end(self, code: int) -> None:
        self.code = code
        self._over.set()
        for waits in self._pinged.values():
            waits.set()

    # Writing.

    @property
    def _is_open(self) -> bool:
        return self.code is None and self._protocol.state is ConnectionState.OPEN

    async def send(self, content: str | bytes) -> bool:
        """Send one message; say whether all of it was handed over. It is not when the connection is over or closing.

        Cancellation:
            A part of it may be out. Close the port.
        """
        if not self._is_open:
            return False
        event = TextMessage(data=content) if isinstance(content, str) else BytesMessage(data=content)
        return await self._put(self._protocol.send(event))

    async def ping(self, payload: bytes) -> bool:
        """Ping, and wait for the pong; say whether it came.

        Raises:
            ValueError: A ping with this payload still waits.

        Cancellation:
            The ping was sent; its pong changes nothing.
        """
        if payload in self._pinged:
            raise ValueError(f"a ping with the payload {payload!r} still waits for its pong")
        if not self._is_open:
            return False
        self._pinged[payload] = ponged = trio.Event()
        await self._put(self._protocol.send(Ping(payload=payload)))
        await ponged.wait()
        return payload not in self._pinged

    async def close(self, code: int) -> None:
        """Send a close frame, and wait until whoever receives has seen the answer, or another end.

        Cancellation:
            A part of it may be out. Close the port.
        """
        if self._is_open:
            await self._put(self._protocol.send(CloseConnection(code=code)))
        await self._over.wait()

    async def wait_closed(self) -> None:
        """Wait until whoever receives has seen the end.

        Cancellation:
            Nothing changes.
        """
        await self._over.wait()

    async def _answer(self) -> None:
        if self._answers:
            data, self._answers = self._answers, bytearray()
            await self._put(data)

    def give_up(self) -> None:
        """Have whoever waits to send go away: what they have handed over in part stays so. Close the port."""
        for wait in self._waits_to_send:
            wait.cancel()

    async def _put(self, data: bytes | bytearray) -> bool:
        """Hand bytes over, whole and behind those of others; say whether the port took them.

        No checkpoint and no scope where all are taken at once: a message has few task switches to spare.
        """
        try:
            sent = self.port.try_send(bytes(data)) if self._is_free else 0
            if sent < len(data):
                return await self._put_slowly(bytes(data[sent:]))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return False
        return True

    @property
    def _is_free(self) -> bool:
        return self.frozen_until <= trio.current_time() and not self._turn.locked()

    async def _put_slowly(self, rest: bytes) -> bool:
        with trio.CancelScope() as wait:
            self._waits_to_send.add(wait)
            try:
                await self._put_in_turn(rest)
            finally:
                self._waits_to_send.discard(wait)
        return not wait.cancelled_caught

    async def _put_in_turn(self, rest: bytes) -> None:
        await self._thaw()
        async with self._turn:
            while rest:
                await self.port.wait_writable()
                rest = rest[self.port.try_send(rest) :]
