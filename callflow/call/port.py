"""The byte port: all that a link asks of a transport, and its socket form.

Non-blocking attempts beside awaitable readiness keep a frame at one task switch and let the writer put a ``clear`` on
the wire inside the step that read the key. The in-memory form is ``callflow.line.memory``, the one with TLS
``callflow.call.tls_port``; all pass the same contract test (``tests/call/test_port.py``).
"""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import Protocol

import trio

RECEIVE_BYTES = 65_536
"""Bytes asked of the transport at once."""


class BytePort(Protocol):
    """One connection's bytes, without a buffer of its own."""

    peer: str
    """Address of the far end, as ``host:port``; known from the moment of accepting. Whoever learns from a proxy whom
    it speaks for writes the client's here."""

    def try_receive(self, limit: int = RECEIVE_BYTES) -> bytes | None:
        """Take what has arrived: up to *limit* bytes, ``b""`` at the end of the stream, None for "nothing yet".

        Raises:
            trio.BrokenResourceError: The far end reset the connection.
            trio.ClosedResourceError: We closed it.
        """

    def try_send(self, data: bytes) -> int:
        """Hand over as much of *data* as the transport takes now; return how many bytes that was (0: none).

        Raises:
            trio.BrokenResourceError: The far end is gone.
            trio.ClosedResourceError: We closed it, or sent the end of the stream.
        """

    async def wait_readable(self) -> None:
        """Wait until ``try_receive`` has something to say.

        Raises:
            trio.ClosedResourceError: The port was closed, also while waiting.

        Cancellation:
            Nothing was received.
        """

    async def wait_writable(self) -> None:
        """Wait until ``try_send`` would take at least one byte, or fail.

        Raises:
            trio.ClosedResourceError: The port was closed, also while waiting.

        Cancellation:
            Nothing was sent.
        """

    def send_eof(self) -> None:
        """Say that no more bytes come; the far end may still send. Without effect on a dead connection."""

    def close(self, *, reset: bool = False) -> None:
        """Give the connection back, at once; with *reset* the far end sees an abort. May be called again."""


class SocketPort:
    """A byte port over a connected TCP socket, which it owns from now on."""

    def __init__(self, connected: trio.SocketStream) -> None:
        self.peer = _address(connected.socket.getpeername())
        # Trio's socket offers no plain non-blocking calls; the same descriptor in a standard socket does.
        self._socket = socket.socket(fileno=connected.socket.detach())
        self._socket.setblocking(False)
        self._closed = False

    def try_receive(self, limit: int = RECEIVE_BYTES) -> bytes | None:
        self._check_open()
        try:
            return self._socket.recv(limit)
        except BlockingIOError:
            return None
        except OSError as gone:
            raise trio.BrokenResourceError(f"receiving failed: {gone}") from gone

    def try_send(self, data: bytes) -> int:
        self._check_open()
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError as gone:
            raise trio.BrokenResourceError(f"sending failed: {gone}") from gone

    async def wait_readable(self) -> None:
        self._check_open()
        await trio.lowlevel.wait_readable(self._socket)

    async def wait_writable(self) -> None:
        self._check_open()
        await trio.lowlevel.wait_writable(self._socket)

    def send_eof(self) -> None:
        # A connection that is already dead refuses; then there is nobody to tell.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self, *, reset: bool = False) -> None:
        if self._closed:
            return
        self._closed = True
        trio.lowlevel.notify_closing(self._socket)
        if reset:
            # SO_LINGER with zero seconds turns close() into a RST.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("the port is closed")


def _address(name: tuple[str, int] | tuple[str, int, int, int]) -> str:
    host, port = name[0], name[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class PortStream(trio.abc.Stream):
    """A Trio stream over a byte port, for libraries that want one: trio-websocket, on either side of it.

    Args:
        port: The transport; closed with the stream.
        head: Bytes that were read from the port already and come first again.
    """

    def __init__(self, port: BytePort, head: bytes = b"") -> None:
        self.port = port
        self._head = head

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Receive at least one byte, or ``b""`` at the end of the stream.

        Cancellation:
            Nothing was received.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        limit = RECEIVE_BYTES if max_bytes is None else max_bytes
        if self._head:
            data, self._head = self._head[:limit], self._head[limit:]
        elif (arrived := self.port.try_receive(limit)) is not None:
            data = arrived
        else:
            return await self._wait_for_some(limit)
        await trio.lowlevel.cancel_shielded_checkpoint()
        return data

    async def _wait_for_some(self, limit: int) -> bytes:
        # Waiting is a checkpoint: another one would cost a task switch for each message.
        while True:
            await self.port.wait_readable()
            if (arrived := self.port.try_receive(limit)) is not None:
                return arrived

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send everything.

        Cancellation:
            Unknown: some, all or none of it was sent.
        """
        await trio.lowlevel.checkpoint()
        rest = memoryview(data)
        while rest:
            taken = self.port.try_send(bytes(rest))
            rest = rest[taken:]
            if rest:
                await self.port.wait_writable()

    async def wait_send_all_might_not_block(self) -> None:
        await self.port.wait_writable()

    async def aclose(self) -> None:
        self.port.close()
        await trio.lowlevel.checkpoint()
