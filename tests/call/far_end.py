"""A far end that works frame by frame, so that it can break every rule of the WebSocket."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

import trio
from attrs import Factory, define, evolve
from trio.testing import wait_all_tasks_blocked

from callflow.call.link import Link
from callflow.call.port import BytePort
from callflow.line.memory import Conditions, MemoryNetwork, MemoryPort, memory_pair
from callflow.wire.exotel import decode, encode
from callflow.wire.messages import Connected, Message, Start

KEY = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
UPGRADE = b"GET /stream HTTP/1.1\r\nHost: example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + KEY + b"\r\n"

START = Start(stream_sid="stream", call_sid="call", caller="+910000000105", called="00000000319")

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
"""Opcodes."""


# What it sends.


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True) -> bytes:
    """Write a frame as a client does. Its mask is zeros, which leaves the payload as it is."""
    size, mask = len(payload), 0x80 if masked else 0
    if size < 126:
        length = bytes([mask | size])
    elif size < 65_536:
        length = bytes([mask | 126]) + size.to_bytes(2, "big")
    else:
        length = bytes([mask | 127]) + size.to_bytes(8, "big")
    return bytes([fin << 7 | opcode]) + length + (bytes(4) if masked else b"") + payload


def text(message: str) -> bytes:
    return frame(TEXT, message.encode())


def closing(code: int) -> bytes:
    return frame(CLOSE, code.to_bytes(2, "big"))


def opening(**said: Any) -> bytes:
    """The first two messages of a stream; what is *said* of it differs from ``START``."""
    return text(encode(Connected())) + text(encode(evolve(START, **said)))


OPENING = opening()
"""Those of most streams here."""


# What it gets.


class Frame(NamedTuple):
    """A frame that the server sent."""

    at: float
    opcode: int
    payload: bytes


@define
class Peer:
    """The far end of a WebSocket. It sends what it is told, right or wrong, and keeps what comes."""

    port: MemoryPort
    frames: list[Frame] = Factory(list)
    head: bytes = b""
    """The answer to the upgrade."""
    ended: str = ""
    """``end`` or ``reset`` once the server's direction is over."""
    _unread: bytearray = Factory(bytearray)

    async def send(self, *pieces: bytes) -> None:
        """Send, each piece as a segment of its own, and let the server do all that it does at once.

        What a server does not take any more is no error.
        """
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            for piece in pieces:
                rest = piece
                while rest := rest[self.port.try_send(rest) :]:
                    await self.port.wait_writable()
                await wait_all_tasks_blocked()

    def read_now(self) -> list[Frame]:
        """Take in what is there; return every frame so far."""
        try:
            while data := self.port.try_receive():
                self._take(data)
            self.ended = self.ended or ("" if data is None else "end")
        except trio.BrokenResourceError:
            self.ended = "reset"
        except trio.ClosedResourceError:
            pass  # what came before is kept
        return self.frames

    async def read(self) -> None:
        """Read until the server's direction is over, or this end is closed."""
        with contextlib.suppress(trio.ClosedResourceError):
            while not self.ended:
                await self.port.wait_readable()
                self.read_now()

    @property
    def codes(self) -> list[int]:
        """The codes of the close frames that came."""
        return [int.from_bytes(f.payload[:2], "big") for f in self.read_now() if f.opcode == CLOSE]

    @property
    def messages(self) -> list[Message]:
        """The messages that came."""
        return [decode(f.payload) for f in self.read_now() if f.opcode == TEXT]

    def _take(self, data: bytes) -> None:
        self._unread += data
        if not self.head:
            head, found, rest = bytes(self._unread).partition(b"\r\n\r\n")
            if not found:
                return
            self.head, self._unread = head, bytearray(rest)
        while first := _first_frame(self._unread):
            received, size = first
            self.frames.append(received)
            del self._unread[:size]


def _first_frame(data: bytearray) -> tuple[Frame, int] | None:
    """Read one frame of a server, and its size on the wire; None if it is not whole."""
    if len(data) < 2:
        return None
    extra = {126: 2, 127: 8}.get(data[1], 0)
    size = int.from_bytes(data[2 : 2 + extra], "big") if extra else data[1]
    begin, end = 2 + extra, 2 + extra + size
    whole = len(data) >= end
    return (Frame(trio.current_time(), data[0] & 15, bytes(data[begin:end])), end) if whole else None


# Where it dials.


def unchanged(port: MemoryPort) -> BytePort:
    return port


async def linked(
    rest: bytes = b"", *, conditions: Conditions | None = None, dress: Callable[[MemoryPort], BytePort] = unchanged
) -> tuple[Link, Peer]:
    """Make an open link without a call. *rest* came right behind the upgrade; *dress* wraps the server's port."""
    client, server = memory_pair(conditions or Conditions(), Random(0))
    link, peer = Link(dress(server)), Peer(client)
    await link.accept(UPGRADE, rest)
    peer.read_now()
    return link, peer


async def dialled(network: MemoryNetwork, *pieces: bytes) -> Peer:
    """Upgrade a connection to a server by hand, and send more."""
    peer = Peer(await network.dial())
    await peer.send(UPGRADE, *pieces)
    peer.read_now()
    return peer
