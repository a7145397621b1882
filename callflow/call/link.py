"""A link: one WebSocket of one call, read in the call's own reader task and written without waiting.

The handshake is trio-websocket's. After it the link drives the same protocol object itself over the byte port: a
frame then costs one task switch in place of five (no reader task, channel or lock between socket and call), and a
``clear`` leaves in the very step that read the key. Only the call's reader calls ``receive``; only its writer calls
``send`` and ``flush``.

What the protocol engine below leaves open is settled here: a size for messages *and* a number for their fragments, a
close frame for protocol errors, no answer to a ping once the link is closing, and an end to each wait.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable

import trio
from attrs import frozen
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest
from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Ping, Request, TextMessage

from callflow.call.budget import Budget
from callflow.call.port import BytePort, PortStream
from callflow.session.inputs import EndCause
from callflow.wire.exotel import LARGEST_MESSAGE

MOST_FRAGMENTS = 256
"""Fragments of one message; empty ones have no size that could be limited (faults T4, F29)."""

READ_BYTES = 4096
"""Most bytes read in one step. Their frames are all taken in before anybody else has a turn: 64 KiB of pings would hold
up every call for a third of a second (faults T5). A second of audio comes in fifty small messages anyway."""

AT_ONCE = 64
"""Messages handed out in a row before others have a turn."""

ACCEPT = 5.0
"""Seconds for our answer to the upgrade; it is short, so that only a peer that reads nothing at all needs them."""

LINGER = 2.0
"""Seconds to go on reading after a fault, so that the peer can read our close frame before a reset (faults F27)."""

MOST_UNSENT = 1024 * 1024
"""Bytes that may wait for a slow peer. Playout waits long before this; it bounds relays and pongs (faults T4)."""


@frozen(kw_only=True)
class Gone:
    """How a link ended."""

    cause: EndCause
    """What a call is said to have ended by, if it ends by this: ``peer_gone``, ``protocol``, ``too_big`` or
    ``policy``."""
    code: int
    """Close code of the peer, or 1006 where there was none (exotel.md §16)."""
    clean: bool
    """Whether there was a close frame."""


class Link:
    """One accepted WebSocket.

    Args:
        port: The connection, on which the link is read and written.
        budget: How much of what comes is read; the standard one unless given.

    Attributes:
        gone: None while the link lives; then how it ended.
        peer: Address of the far end.
    """

    def __init__(self, port: BytePort, budget: Budget | None = None) -> None:
        self.peer = port.peer
        self.gone: Gone | None = None
        self.dropped = 0
        """Messages that were not sent because the peer reads too slowly."""
        self._port = port
        self._budget = budget or Budget()
        self._reads_again_at = -math.inf
        self._in_a_row = 0
        self._protocol = WSConnection(ConnectionType.SERVER)
        self._unsent = bytearray()
        self._parts: list[str | bytes] = []
        self._size = 0
        self._fragments = 0
        self._ready: list[str | bytes] = []
        self._when_blocked: Callable[[], None] = _nobody_waits
        self._flushes = trio.Lock()
        self._sign: trio.Event | None = None
        self.late = 0
        """Messages that came when the call had no more use for this link. Counted, and thrown away."""

    # Opening.

    async def accept(self, head: bytes, rest: bytes) -> None:
        """Answer the upgrade with 101. A peer that left, or that reads nothing, is no error: it shows in ``gone``.

        Args:
            head: The request's head, checked by the door.
            rest: What came right behind it. The engine below loses frames that arrive before the 101, so they are
                held back until it is out.

        Cancellation:
            Unknown: the answer may be out in part. Close the port.
        """
        connection = WebSocketConnection(PortStream(self._port), self._protocol)
        self._protocol.receive_data(head)
        request = next(event for event in self._protocol.events() if isinstance(event, Request))
        with trio.move_on_after(ACCEPT) as patience, contextlib.suppress(ConnectionClosed):
            await WebSocketRequest(connection, request).accept()
            self._take(rest)
            return
        self._lose(EndCause.PEER_GONE)
        if patience.cancelled_caught:
            self._port.close()  # a part of the answer is out

    # Reading: the reader's side.

    async def receive(self) -> str | bytes | None:
        """Receive the next message, or None when the link is gone (``gone`` then says how).

        Pings are answered and closes are seen only in here, so somebody must always be receiving.

        Cancellation:
            No message is lost.
        """
        self._in_a_row += 1
        if self._in_a_row > AT_ONCE:
            self._in_a_row = 0
            await trio.lowlevel.checkpoint()
        while not self._ready:
            if self.gone is not None:
                return None
            self._in_a_row = 0
            await self._read()
        return self._ready.pop(0)

    async def _read(self) -> None:
        if self._reads_again_at > trio.current_time():
            await trio.sleep_until(self._reads_again_at)  # meanwhile TCP holds the peer back
        data = await self._some_bytes()
        if data:
            self._take(data)
        elif data is not None:
            self._lose(EndCause.PEER_GONE)

    async def _some_bytes(self) -> bytes | None:
        """Wait for bytes; none at the end, be it by a reset or because we closed, and None for a false alarm."""
        try:
            await self._port.wait_readable()
            return self._port.try_receive(READ_BYTES)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return b""

    def _take(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        self._give_sign()
        frames = 0
        for event in self._protocol.events():
            frames += 1
            match event:
                case TextMessage() | BytesMessage():
                    self._collect(event)
                case Ping():
                    self._answer(event)
                case CloseConnection():
                    self._closed_by_peer(event)
                case _:
                    pass  # a pong is as good as any message: it came
            if self.gone is not None:
                return  # the rest of what came is behind a fault or a close: nobody's
        self._spend(frames)

    def _spend(self, frames: int) -> None:
        """Keep to the budget of frames, of whatever kind: first by reading later, then by an end."""
        now = trio.current_time()
        pause = self._budget.spend(frames, now)
        if pause:
            self._reads_again_at = now + pause
            if self._budget.is_overdrawn(now):
                self._fault(EndCause.POLICY, 1008)

    async def wait_sign(self) -> None:
        """Wait until something comes on this link, a pong included, or the link is gone.

        Cancellation:
            Nothing is taken.
        """
        if self._sign is None:
            self._sign = trio.Event()
        await self._sign.wait()

    async def falls_silent(self, seconds: float) -> bool:
        """Ping; say whether there was no sign of life in so many seconds, or the link is gone.

        Cancellation:
            Nothing is taken.
        """
        await trio.lowlevel.checkpoint()  # what has come already is read first
        self.ping()
        with trio.move_on_after(seconds) as patience:
            if self.gone is None:
                await self.wait_sign()
        return patience.cancelled_caught or self.gone is not None

    def _give_sign(self) -> None:
        if self._sign is not None:
            self._sign.set()
            self._sign = None

    def _collect(self, event: TextMessage | BytesMessage) -> None:
        self._parts.append(event.data if isinstance(event.data, str) else bytes(event.data))
        self._size += _size_of(event.data)
        self._fragments += event.frame_finished
        if self._size > LARGEST_MESSAGE or self._fragments > MOST_FRAGMENTS:
            self._fault(EndCause.TOO_BIG, 1009)
        elif event.message_finished:
            self._ready.append(self._joined())
            self._parts, self._size, self._fragments = [], 0, 0

    def _joined(self) -> str | bytes:
        if len(self._parts) == 1:
            return self._parts[0]
        texts = [part for part in self._parts if isinstance(part, str)]
        return "".join(texts) if texts else b"".join(part for part in self._parts if isinstance(part, bytes))

    def _answer(self, ping: Ping) -> None:
        if self._protocol.state is ConnectionState.OPEN and len(self._unsent) < MOST_UNSENT:
            self._write(self._protocol.send(ping.response()))

    def _closed_by_peer(self, event: CloseConnection) -> None:
        if self._protocol.state is ConnectionState.OPEN:
            # The engine reports a broken frame as a close, and sends nothing itself.
            self._fault(EndCause.PROTOCOL, int(event.code))
            return
        if self._protocol.state is ConnectionState.REMOTE_CLOSING:
            self._write(self._protocol.send(event.response()))
        self.gone = self.gone or Gone(cause=EndCause.PEER_GONE, code=int(event.code or 1005), clean=True)

    def _fault(self, cause: EndCause, code: int) -> None:
        self.begin_close(code)
        self.gone = self.gone or Gone(cause=cause, code=code, clean=True)

    def _lose(self, cause: EndCause) -> None:
        self._unsent.clear()  # there is nobody to flush it for
        self._give_sign()
        self.gone = self.gone or Gone(cause=cause, code=1006, clean=False)

    # Writing: the writer's side.

    def when_blocked(self, call: Callable[[], None]) -> None:
        """Have *call* called whenever bytes are left that only ``flush`` will send."""
        self._when_blocked = call

    def send(self, text: str) -> bool:
        """Send one message at once, or behind what waits already; never waits. Say whether it was taken.

        A message is not taken when the link is gone or closing, or when more than ``MOST_UNSENT`` bytes wait.
        """
        if self.gone is not None or self._protocol.state is not ConnectionState.OPEN:
            return False
        if len(self._unsent) > MOST_UNSENT:
            self.dropped += 1
            return False
        self._write(self._protocol.send(TextMessage(data=text)))
        return True

    def ping(self) -> None:
        """Ask for a sign of life: a far end that is there answers with a pong."""
        if self.gone is None and self._protocol.state is ConnectionState.OPEN:
            self._write(self._protocol.send(Ping()))

    @property
    def blocked(self) -> bool:
        """Whether bytes wait for the peer to read."""
        return bool(self._unsent)

    def _write(self, data: bytes) -> None:
        if self._unsent:
            self._unsent += data
            return
        sent = self._try_send(data)
        if sent < len(data) and self.gone is None:
            self._unsent += data[sent:]
            self._when_blocked()

    def _try_send(self, data: bytes) -> int:
        try:
            return self._port.try_send(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._lose(EndCause.PEER_GONE)
            return 0

    async def flush(self, seconds: float) -> None:
        """Wait until nothing is unsent; a peer that does not read for *seconds* has gone.

        Cancellation:
            In part: what was sent is sent, the rest stays in order.
        """
        # One at a time: whoever closes a link may come while the writer, which is told to go, is not gone yet.
        async with self._flushes:
            await self._flush(seconds)

    async def _flush(self, seconds: float) -> None:
        with trio.move_on_after(seconds) as patience:
            while self._unsent:
                with contextlib.suppress(trio.ClosedResourceError):  # the next line finds out
                    await self._port.wait_writable()
                sent = self._try_send(bytes(self._unsent))
                del self._unsent[:sent]
                if sent:
                    patience.deadline = trio.current_time() + seconds
        if patience.cancelled_caught:
            self.abort()

    # Ending.

    def begin_close(self, code: int) -> None:
        """Send a close frame, unless one was sent; ``receive`` returns None when the peer has answered."""
        if self.gone is None and self._protocol.state is ConnectionState.OPEN:
            self._write(self._protocol.send(CloseConnection(code=code)))

    async def finish(self, seconds: float) -> None:
        """See the closing handshake through, at most *seconds* long, and give the port back (R36).

        For whoever owns the reading: what still comes is read and thrown away.

        Cancellation:
            The port is closed at once.
        """
        try:
            with trio.move_on_after(seconds):
                await self.flush(seconds)
                while self.gone is None:
                    self._drop_ready()
                    await self._read()
                if self.gone.cause in (EndCause.PROTOCOL, EndCause.TOO_BIG, EndCause.POLICY):
                    await self._linger()
        finally:
            self._drop_ready()
            self.abort()

    def _drop_ready(self) -> None:
        self.late += len(self._ready)
        self._ready.clear()

    async def _linger(self) -> None:
        self._port.send_eof()
        with trio.move_on_after(LINGER):
            while await self._some_bytes() != b"":
                pass

    def abort(self) -> None:
        """Give the port back at once; a pending ``receive`` returns None."""
        self._lose(EndCause.PEER_GONE)
        self._port.close()


def _size_of(data: str | bytes | bytearray) -> int:
    """Count bytes, not characters: or text outside of ASCII could be four times as long as anything else."""
    return len(data) if not isinstance(data, str) or data.isascii() else len(data.encode())


def _nobody_waits() -> None:
    """Stand in until a writer adopts the link: ``finish`` flushes what is left."""
