"""A network in memory: pairs of byte ports, and connections to dial, under conditions that a test chooses.

The byte port of ``callflow.call.port`` in its second form; both pass ``tests/call/test_port.py``. Whatever is drawn
comes from one ``Random``, and time is Trio's clock, so under virtual time a run repeats exactly.
"""

from __future__ import annotations

import errno
import math
from collections import deque
from collections.abc import Awaitable, Callable
from random import Random

import trio
from attrs import field, frozen, validators

from callflow.call.port import RECEIVE_BYTES, BytePort


@frozen(kw_only=True)
class Conditions:
    """How good a connection is. The default is perfect: no lag, no cuts, and a buffer like a socket's."""

    lag: float = field(default=0.0, validator=validators.ge(0))
    """Seconds that everything takes to arrive, each way: bytes, ends and resets."""
    split: bool = False
    """Whether arriving data is cut at drawn places, as TCP may."""
    partial_sends: bool = False
    """Whether ``try_send`` takes a drawn part of what it is given."""
    cuts: float = field(default=1.0, validator=[validators.ge(0), validators.le(1)])
    """Chance that what arrives or is sent is cut at all where the two above say so: small parts take their time."""
    would_block: float = field(default=0.0, validator=[validators.ge(0), validators.le(1)])
    """Chance that ``try_send`` takes nothing; never twice in a row while there is room."""
    capacity: int = field(default=65_536, validator=validators.ge(1))
    """Bytes, each way, that may be under way or unread. Then ``try_send`` takes nothing until half of it is read."""


class _Way:
    """One direction of a connection: parcels of bytes with the moment at which each arrives."""

    def __init__(self, conditions: Conditions, random: Random) -> None:
        self._conditions = conditions
        self._random = random
        self._parcels: deque[tuple[float, bytes]] = deque()
        self._held = 0  # bytes in the parcels
        self._full = False
        self._refused = False
        self._ends_at = math.inf  # when the sender's end of stream arrives
        self._resets_at = math.inf  # when an abort by the sender arrives
        self._deaf_at = math.inf  # when the sender learns that nobody receives any more
        self.readers = trio.lowlevel.ParkingLot()
        self.writers = trio.lowlevel.ParkingLot()

    def _arrival(self) -> float:
        return trio.current_time() + self._conditions.lag

    def put(self, data: bytes) -> int:
        now = trio.current_time()
        if now >= self._deaf_at:
            raise trio.BrokenResourceError("the far end is gone")
        taken = min(len(data), self._conditions.capacity - self._held)
        if not taken or self._full or self._refuses():
            return 0
        if self._conditions.partial_sends:
            taken = self._part(taken)
        self._parcels.append((now + self._conditions.lag, data[:taken]))
        self._held += taken
        self._full = self._held == self._conditions.capacity
        if self.readers:
            self.readers.unpark_all()
        return taken

    def _part(self, size: int) -> int:
        """Draw a part of so many bytes, or take all of them."""
        cuts = self._conditions.cuts
        return self._random.randint(1, size) if cuts == 1.0 or self._random.random() < cuts else size

    def _refuses(self) -> bool:
        chance = self._conditions.would_block
        self._refused = chance > 0 and not self._refused and self._random.random() < chance
        return self._refused

    def take(self, limit: int) -> bytes | None:
        now = trio.current_time()
        if now >= self._resets_at:
            raise trio.BrokenResourceError("the far end reset the connection")
        data = self._arrived(limit, now)
        if data:
            self._release(len(data))
            return data
        return b"" if not self._parcels and now >= self._ends_at else None

    def _release(self, size: int) -> None:
        self._held -= size
        # As with TCP: room is offered again when it is worth it, or sends and reads shrink to single bytes.
        if self._held <= self._conditions.capacity // 2:
            self._full = False
            if self.writers:
                self.writers.unpark_all()

    def _arrived(self, limit: int, now: float) -> bytes:
        """Cut what has arrived off the parcels: all of it up to *limit*, or a drawn part."""
        if len(self._parcels) == 1 and not self._conditions.split and len(self._parcels[0][1]) <= limit:
            return self._parcels.popleft()[1] if self._parcels[0][0] <= now else b""  # nearly always
        pieces = []
        room = limit
        while room and self._parcels and self._parcels[0][0] <= now:
            moment, parcel = self._parcels.popleft()
            size = min(room, len(parcel))
            size = self._part(size) if self._conditions.split else size
            if size < len(parcel):
                self._parcels.appendleft((moment, parcel[size:]))
            pieces.append(parcel[:size])
            room = 0 if self._conditions.split else room - size
        return b"".join(pieces)

    def readable_at(self) -> float:
        return self._parcels[0][0] if self._parcels else self._ends_at

    def writable_at(self) -> float:
        return self._deaf_at if self._full else -math.inf

    def end(self) -> None:
        """The sender sends no more."""
        self._ends_at = min(self._ends_at, self._arrival())
        self.readers.unpark_all()

    def reset(self) -> None:
        """The sender aborts: what is unread when that arrives is lost."""
        self.end()
        self._resets_at = self._arrival()

    def abandon(self) -> None:
        """The receiver is gone: what is under way is lost, and the sender will learn of it."""
        self._deaf_at = self._arrival()
        self._parcels.clear()
        self._release(self._held)


class MemoryPort:
    """One end of a connection in memory. Made by ``memory_pair`` or a ``MemoryNetwork``."""

    def __init__(self, peer: str, incoming: _Way, outgoing: _Way) -> None:
        self.peer = peer
        self._incoming = incoming
        self._outgoing = outgoing
        self._closed = False
        self._sent_eof = False

    def try_receive(self, limit: int = RECEIVE_BYTES) -> bytes | None:
        self._check_open()
        return self._incoming.take(limit)

    def try_send(self, data: bytes) -> int:
        self._check_open()
        if self._sent_eof:
            raise trio.ClosedResourceError("the end of the stream was sent")
        return self._outgoing.put(data)

    async def wait_readable(self) -> None:
        await self._wait(self._incoming.readable_at, self._incoming.readers)

    async def wait_writable(self) -> None:
        await self._wait(self._outgoing.writable_at, self._outgoing.writers)

    async def _wait(self, ready_at: Callable[[], float], lot: trio.lowlevel.ParkingLot) -> None:
        self._check_open()
        if (moment := ready_at()) <= trio.current_time():
            await trio.lowlevel.checkpoint()
            moment = ready_at()
        while moment == math.inf or moment > trio.current_time():
            if moment == math.inf:  # what comes will unpark us; and a scope costs as much as the rest of a wait
                await lot.park()
            else:
                with trio.CancelScope(deadline=moment):
                    await lot.park()
            self._check_open()
            moment = ready_at()
        self._check_open()

    def send_eof(self) -> None:
        self._sent_eof = True
        self._outgoing.end()

    def close(self, *, reset: bool = False) -> None:
        if self._closed:
            return
        self._closed = True
        if reset:
            self._outgoing.reset()
        else:
            self._outgoing.end()
        self._incoming.abandon()
        # Whoever waits at this end finds it closed.
        self._incoming.readers.unpark_all()
        self._outgoing.writers.unpark_all()

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("the port is closed")


def memory_pair(
    conditions: Conditions = Conditions(),
    random: Random | None = None,
    names: tuple[str, str] = ("client:1", "server:1"),
) -> tuple[MemoryPort, MemoryPort]:
    """Connect two ports in memory.

    Args:
        conditions: The same for both directions.
        random: What is drawn comes from here; each direction gets a source of its own, so that one direction's
            traffic does not change what happens in the other.
        names: Addresses of the first and the second end; each sees the other's as ``peer``.
    """
    source = random or Random(0)
    there = _Way(conditions, Random(source.getrandbits(64)))
    back = _Way(conditions, Random(source.getrandbits(64)))
    return MemoryPort(names[1], back, there), MemoryPort(names[0], there, back)


class MemoryNetwork:
    """One server's address in memory: ``listen`` there, ``dial`` it."""

    def __init__(self, conditions: Conditions = Conditions(), random: Random | None = None) -> None:
        self.conditions = conditions
        """Of every connection dialled from now on."""
        self.dialled = 0
        """Connections so far."""
        self._random = random or Random(0)
        self._serve: Callable[[BytePort], Awaitable[None]] | None = None
        self._nursery: trio.Nursery | None = None

    def listen(self, serve: Callable[[BytePort], Awaitable[None]], nursery: trio.Nursery) -> None:
        """Serve every connection by *serve*, as a task of *nursery*; *serve* owns the port and closes it."""
        self._serve, self._nursery = serve, nursery

    async def dial(self) -> MemoryPort:
        """Connect.

        Raises:
            ConnectionRefusedError: Nobody listens.

        Cancellation:
            Nothing was connected.
        """
        await trio.lowlevel.checkpoint()
        if self._serve is None or self._nursery is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "nobody listens on the network in memory")
        self.dialled += 1
        names = (f"127.0.0.1:{self.dialled}", "127.0.0.1:0")
        client, server = memory_pair(self.conditions, self._random, names)
        self._nursery.start_soon(self._serve, server)
        return client
