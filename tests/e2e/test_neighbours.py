"""Over real sockets: what strangers send and how they leave costs twenty echo calls beside them no frame."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random

import pytest
import trio
import trio.testing
from attrs import Factory, define

from callflow.call.port import PortStream, SocketPort
from callflow.line import LineEntry, dial_socket, place_call
from callflow.server.settings import Settings
from callflow.session.inputs import EndCause
from callflow.wire.exotel import LARGEST_MESSAGE, encode
from callflow.wire.messages import Media
from examples.echo import echo
from tests.call.far_end import BINARY, OPENING, PING, START, TEXT, UPGRADE, frame, text
from tests.e2e.serving import serving

NEIGHBOURS = 20
EACH = 50
"""How often each kind of stranger comes."""

TALK = 3.0
"""Seconds that a neighbour talks; strangers come and go meanwhile."""

FRAME = 320
"""Bytes of one message of a neighbour: 20 ms."""

# Strangers.

Stranger = Callable[[SocketPort], Awaitable[None]]


async def tell(port: SocketPort, data: bytes) -> None:
    """Send all of it, unless the server has had enough before."""
    try:
        await PortStream(port).send_all(data)
    except trio.BrokenResourceError:
        return


async def hear(port: SocketPort, wanted: bytes) -> None:
    """Read until *wanted* has come, or the server's direction is over."""
    stream, received = PortStream(port), b""
    try:
        while wanted not in received and (data := await stream.receive_some()):
            received += data
    except trio.BrokenResourceError:
        return


async def get_then_reset(port: SocketPort) -> None:
    await tell(port, b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")


async def header_that_is_not_ascii(port: SocketPort) -> None:
    await tell(port, UPGRADE[:-2] + "X-Name: ब\r\n\r\n".encode())
    await hear(port, b" 400 ")


async def garbage_then_reset(port: SocketPort) -> None:
    await tell(port, bytes(range(256)) * 8)


async def oversize_then_ping(port: SocketPort) -> None:
    await tell(port, UPGRADE + OPENING + frame(TEXT, b"x" * (LARGEST_MESSAGE + 1)) + frame(PING, b"there?"))
    await hear(port, (1009).to_bytes(2, "big"))


async def garbage_in_json(port: SocketPort) -> None:
    nonsense = [text('{"event":"media","media":{"payload":"!"}}'), text("[" * 10_000), frame(BINARY, b"\xff\x00")]
    await tell(port, UPGRADE + OPENING + b"".join(nonsense) * 20)
    await hear(port, (1003).to_bytes(2, "big"))


async def reset_in_mid_stream(port: SocketPort) -> None:
    said = text(encode(Media(payload=bytes(FRAME), stream_sid=START.stream_sid)))
    await tell(port, UPGRADE + OPENING)
    await hear(port, b" 101 ")
    await tell(port, said)
    await hear(port, b'"media"')
    await tell(port, said[: len(said) // 2])


async def upgrade_then_reset(port: SocketPort) -> None:
    await tell(port, UPGRADE)


STRANGERS: tuple[Stranger, ...] = (
    get_then_reset,
    header_that_is_not_ascii,
    garbage_then_reset,
    oversize_then_ping,
    garbage_in_json,
    reset_in_mid_stream,
    upgrade_then_reset,
)


async def come_and_go(port: int, stranger: Stranger) -> None:
    """Be a stranger many times, one right after the other; each connection ends by a reset."""
    for _ in range(EACH):
        connection = await dial_socket("127.0.0.1", port)
        with trio.move_on_after(60):
            await stranger(connection)
        connection.close(reset=True)


# Neighbours.


def audio(log: list[LineEntry], side: str) -> list[bytes]:
    """What went over a line in one direction, message for message."""
    messages = [entry.message for entry in log if entry.side == side]
    return [message.payload for message in messages if isinstance(message, Media)]


@define
class Neighbours:
    """Calls that talk to the echo, and what came back to each."""

    spoken: dict[int, list[bytes]] = Factory(dict)
    heard: dict[int, list[bytes]] = Factory(dict)

    async def talk(self, port: int, number: int) -> None:
        """Say what no other neighbour says, and wait for the last echo."""
        async with place_call(lambda: dial_socket("127.0.0.1", port), random=Random(number)) as phone:
            await phone.play(Random(number).randbytes(round(TALK * 50) * FRAME))
            words = audio(phone.log, "in")
            with trio.move_on_after(60):
                while sum(entry.side == "out" for entry in phone.log) < len(words):  # it says nothing but audio
                    await phone.changed()
            self.spoken[number], self.heard[number] = words, audio(phone.log, "out")[: len(words)]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # names are wanted, and it is no folder of files


@define
class Outcome:
    """What a server and its neighbours had of many strangers."""

    neighbours: Neighbours
    causes: Counter[EndCause]
    failed: int
    """Connections that ended by an exception of ours."""
    still_answers: bool
    descriptors_left: int


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    """Have every kind of stranger come many times while the neighbours talk."""
    return trio.run(disturb)


async def disturb() -> Outcome:
    neighbours, before = Neighbours(), descriptors()
    at_once = Settings(port=0, resume=0.0)  # a line that is lost is the end of its call; nobody comes back here
    async with serving(echo, at_once) as (server, port):
        async with trio.open_nursery() as nursery:
            for number in range(NEIGHBOURS):
                nursery.start_soon(neighbours.talk, port, number)
            await trio.sleep(0.5)  # all of them talk
            for stranger in STRANGERS:
                nursery.start_soon(come_and_go, port, stranger)
        later = Neighbours()
        await later.talk(port, NEIGHBOURS)
        with trio.fail_after(60):
            while server.door.gate.sockets:
                await trio.testing.wait_all_tasks_blocked(0.05)
        causes = Counter(record.cause for record in server.records)
    return Outcome(neighbours, causes, server.door.failed, later.heard == later.spoken, descriptors() - before)


def test_every_neighbour_hears_each_of_its_frames_unchanged_and_in_order(outcome: Outcome) -> None:
    lengths = {len(words) for words in outcome.neighbours.spoken.values()}

    assert outcome.neighbours.heard == outcome.neighbours.spoken
    assert (len(outcome.neighbours.spoken), min(lengths) > TALK * 45) == (NEIGHBOURS, True)


def test_every_call_ends_as_its_own_caller_ended_it(outcome: Outcome) -> None:
    assert outcome.causes == {
        EndCause.STOP: NEIGHBOURS + 1,
        EndCause.TOO_BIG: EACH,
        EndCause.PROTOCOL: EACH,
        EndCause.PEER_GONE: EACH,
    }


def test_no_stranger_makes_the_server_fail(outcome: Outcome) -> None:
    assert outcome.failed == 0


def test_the_server_still_answers_behind_it_all(outcome: Outcome) -> None:
    assert outcome.still_answers


def test_nothing_of_it_all_is_left_open(outcome: Outcome) -> None:
    assert outcome.descriptors_left == 0
