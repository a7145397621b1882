"""A link against a far end that works frame by frame."""

from __future__ import annotations

import contextlib

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from callflow.call.link import ACCEPT, AT_ONCE, LINGER, MOST_FRAGMENTS, MOST_UNSENT, Gone, Link
from callflow.line.memory import Conditions, MemoryPort, memory_pair
from callflow.session.inputs import EndCause
from callflow.wire.exotel import LARGEST_MESSAGE
from tests.call.far_end import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    UPGRADE,
    Frame,
    Peer,
    closing,
    frame,
    linked,
    text,
)
from tests.call.stage import in_virtual_time

MESSAGE = '{"event":"connected"}'


async def received(link: Link) -> list[str | bytes]:
    """Receive until the link is gone."""
    messages = []
    while (message := await link.receive()) is not None:
        messages.append(message)
    return messages


# Opening.


async def test_the_upgrade_is_answered() -> None:
    _, peer = await linked()

    assert (peer.head.split(b"\r\n")[0], b"ICX+Yqv66kxgM0FcWaLWlFLwTAI=" in peer.head) == (
        b"HTTP/1.1 101 Switching Protocols",
        True,
    )


async def test_frames_that_came_right_behind_the_upgrade_are_delivered() -> None:
    link, _ = await linked(text("first") + text("second"))

    assert [await link.receive(), await link.receive()] == ["first", "second"]


async def test_half_a_frame_behind_the_upgrade_waits_for_its_other_half() -> None:
    link, peer = await linked(text("divided")[:7])
    await peer.send(text("divided")[7:])

    assert await link.receive() == "divided"


async def test_a_peer_that_left_before_the_answer_is_gone() -> None:
    client, server = memory_pair()
    client.close(reset=True)
    link = Link(server)
    await link.accept(UPGRADE, text("never read"))

    assert (await link.receive(), link.gone) == (None, Gone(cause=EndCause.PEER_GONE, code=1006, clean=False))


async def test_a_link_knows_its_peer() -> None:
    link, _ = await linked()

    assert link.peer == "client:1"


# Messages.


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (text("words"), "words"),
        (frame(BINARY, b"\x00\xff"), b"\x00\xff"),
        (text(""), ""),
        (frame(BINARY), b""),
        (frame(TEXT, b"one ", fin=False) + frame(CONTINUATION, b"two"), "one two"),
        (frame(BINARY, b"1", fin=False) + frame(CONTINUATION, b"2"), b"12"),
        (frame(TEXT, fin=False) + frame(CONTINUATION), ""),
        (frame(BINARY, fin=False) + frame(CONTINUATION), b""),
        (frame(TEXT, "€".encode()[:1], fin=False) + frame(CONTINUATION, "€".encode()[1:]), "€"),
        (frame(TEXT, b"a", fin=False) + frame(PING) + frame(PONG) + frame(CONTINUATION, b"b"), "ab"),
    ],
    ids=[
        "text",
        "binary",
        "empty text",
        "empty binary",
        "text in fragments",
        "binary in fragments",
        "text in empty fragments",
        "binary in empty fragments",
        "a character in fragments",
        "control frames between fragments",
    ],
)
async def test_a_message_is_received(sent: bytes, message: str | bytes) -> None:
    link, peer = await linked()
    await peer.send(sent)

    assert await link.receive() == message


async def test_many_messages_of_one_segment_come_in_order() -> None:
    link, peer = await linked()
    await peer.send(b"".join(text(str(n)) for n in range(50)) + closing(1000))

    assert await received(link) == [str(n) for n in range(50)]


@given(sizes=st.lists(st.integers(0, 150), max_size=4), cut=st.integers(1, 40))
def test_segments_make_no_difference(sizes: list[int], cut: int) -> None:
    sent = b"".join(text("é" * size) for size in sizes) + closing(1000)

    async def main() -> list[str | bytes]:
        link, peer = await linked()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.send, *(sent[at : at + cut] for at in range(0, len(sent), cut)))
            return await received(link)

    assert in_virtual_time(main) == ["é" * size for size in sizes]


async def test_one_byte_a_segment_is_as_good_as_all_at_once() -> None:
    sent = text("whole") + frame(BINARY, b"bytes") + closing(1000)
    link, peer = await linked()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.send, *(bytes([byte]) for byte in sent))
        messages = await received(link)

    assert (messages, link.gone) == (["whole", b"bytes"], Gone(cause=EndCause.PEER_GONE, code=1000, clean=True))


class Nervous:
    """A port that says "readable" once too often, as a kernel may."""

    def __init__(self, port: MemoryPort) -> None:
        self._port = port
        self._alarms = 1

    def __getattr__(self, name: str) -> object:
        return getattr(self._port, name)

    async def wait_readable(self) -> None:
        self._alarms -= 1
        if self._alarms < 0:
            await self._port.wait_readable()


async def test_a_false_alarm_is_not_the_end() -> None:
    link, peer = await linked(dress=Nervous)  # type: ignore[arg-type]  # it has all that a port has
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.send, text("message"))
        message = await link.receive()

    assert message == "message"


# Limits.

FRAGMENTS = [frame(TEXT, fin=False), *[frame(CONTINUATION, fin=False)] * (MOST_FRAGMENTS - 2)]


async def test_as_many_fragments_as_allowed_are_a_message() -> None:
    link, peer = await linked()
    await peer.send(b"".join(FRAGMENTS) + frame(CONTINUATION, b"end"))

    assert await link.receive() == "end"


async def test_one_fragment_more_is_too_big() -> None:
    link, peer = await linked()
    await peer.send(b"".join(FRAGMENTS) + frame(CONTINUATION, fin=False) + frame(CONTINUATION, b"end"))

    assert (await link.receive(), peer.codes, link.gone) == (
        None,
        [1009],
        Gone(cause=EndCause.TOO_BIG, code=1009, clean=True),
    )


@pytest.mark.parametrize(
    ("payload", "count"),
    [(b"x" * LARGEST_MESSAGE, 1), (b"x" * (LARGEST_MESSAGE + 1), 0), (("é" * LARGEST_MESSAGE).encode(), 0)],
    ids=["as long as allowed", "one byte more", "characters of two bytes"],
)
async def test_the_size_of_a_message_is_counted_in_bytes(payload: bytes, count: int) -> None:
    link, peer = await linked()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.send, frame(TEXT, payload) + closing(1000))
        messages = await received(link)
        nursery.cancel_scope.cancel()

    assert (len(messages), peer.codes) == (count, [1000 if count else 1009])


async def test_limits_hold_for_each_message_by_itself() -> None:
    link, peer = await linked()
    half = "x" * (LARGEST_MESSAGE // 2 + 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.send, text(half), text(half))
        messages = [await link.receive(), await link.receive()]

    assert messages == [half, half]


async def test_a_size_that_is_only_declared_is_too_big_when_it_comes() -> None:
    link, peer = await linked()
    await peer.send(b"\x81\xff" + (2**40).to_bytes(8, "big") + bytes(4) + b"x" * 1000)
    with trio.move_on_after(0):
        await link.receive()

    assert link.gone is None


async def test_a_ping_behind_an_oversize_message_is_nobodys() -> None:
    link, peer = await linked(conditions=Conditions(capacity=2**20))
    await peer.send(frame(TEXT, b"x" * (LARGEST_MESSAGE + 1)) + frame(PING, b"still there?"))
    messages = await received(link)

    assert (messages, [f.opcode for f in peer.read_now()], peer.codes) == ([], [CLOSE], [1009])


# Protocol errors.


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (frame(TEXT, b"clear", masked=False), 1002),
        (frame(3), 1002),
        (frame(11), 1002),
        (b"\xc1\x80" + bytes(4), 1002),
        (frame(CONTINUATION, b"of nothing"), 1002),
        (frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), 1002),
        (frame(PING, bytes(126)), 1002),
        (frame(PING, fin=False), 1002),
        (frame(CLOSE, b"\x03"), 1002),
        (closing(1005), 1002),
        (b"\x81\xfe\x00\x05" + bytes(4) + b"short", 1002),
        (frame(TEXT, b"\xff\xfe"), 1007),
    ],
    ids=[
        "unmasked",
        "reserved opcode",
        "reserved control opcode",
        "reserved bit",
        "continuation of nothing",
        "message inside a message",
        "long ping",
        "ping in fragments",
        "close with half a code",
        "close with a code that is none",
        "length longer than needed",
        "no UTF-8",
    ],
)
async def test_a_broken_frame_is_answered_by_a_close_frame(wrong: bytes, code: int) -> None:
    link, peer = await linked()
    await peer.send(text("before") + wrong + text("behind"))
    messages = await received(link)

    assert (messages, peer.codes, link.gone) == (
        ["before"],
        [code],
        Gone(cause=EndCause.PROTOCOL, code=code, clean=True),
    )


# Pings.


async def test_a_ping_is_answered() -> None:
    link, peer = await linked()
    await peer.send(frame(PING, b"there?") + text("message"))
    await link.receive()

    assert [f[1:] for f in peer.read_now()] == [(PONG, b"there?")]


async def test_a_ping_after_our_close_is_not_answered() -> None:
    link, peer = await linked()
    link.begin_close(1000)
    await peer.send(frame(PING) + closing(1000))
    await received(link)

    assert [f.opcode for f in peer.read_now()] == [CLOSE]


async def test_pongs_wait_behind_a_blocked_message_and_come_whole() -> None:
    link, peer = await linked(conditions=Conditions(capacity=1000))
    link.send("x" * 3000)
    await peer.send(frame(PING, b"there?") + text("message"))
    await link.receive()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.read)
        await link.flush(5.0)
        link.abort()

    assert [(f.opcode, len(f.payload)) for f in peer.frames] == [(TEXT, 3000), (PONG, 6)]


async def test_pongs_that_nobody_reads_are_bounded() -> None:
    link, peer = await linked(conditions=Conditions(capacity=1000))
    link.send("x" * MOST_UNSENT)
    link.send("x" * 2000)
    await peer.send(frame(PING, b"one more") + text("message"))
    await link.receive()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.read)
        await link.flush(5.0)
        link.abort()

    assert [f.opcode for f in peer.frames] == [TEXT, TEXT]


# Closing.


@pytest.mark.parametrize(
    ("close", "code", "answer"),
    [(closing(1000), 1000, [1000]), (closing(4001), 4001, [4001]), (frame(CLOSE), 1005, [0])],
)
async def test_the_peers_close_is_answered(close: bytes, code: int, answer: list[int]) -> None:
    link, peer = await linked()
    await peer.send(close)
    await link.receive()

    assert (link.gone, peer.codes) == (Gone(cause=EndCause.PEER_GONE, code=code, clean=True), answer)


async def test_what_stands_before_a_close_is_received_and_what_stands_behind_is_not() -> None:
    link, peer = await linked()
    await peer.send(text("before") + closing(1000) + text("behind") + closing(1000))

    assert (await received(link), peer.codes) == (["before"], [1000])


async def test_our_close_ends_with_the_peers_answer() -> None:
    link, peer = await linked()
    link.begin_close(1012)
    link.begin_close(1000)
    await peer.send(text("on its way") + closing(1012))
    messages = await received(link)

    assert (messages, peer.codes, link.gone) == (
        ["on its way"],
        [1012],
        Gone(cause=EndCause.PEER_GONE, code=1012, clean=True),
    )


async def test_nothing_is_sent_behind_our_close() -> None:
    link, peer = await linked()
    link.begin_close(1000)

    assert (link.send("too late"), [f.opcode for f in peer.read_now()]) == (False, [CLOSE])


async def test_a_broken_frame_after_our_close_ends_the_link() -> None:
    link, peer = await linked()
    link.begin_close(1000)
    await peer.send(frame(3))
    await link.receive()

    assert (link.gone is not None, peer.codes) == (True, [1000])


async def test_finishing_reads_on_until_the_peer_has_answered(autojump_clock: MockClock) -> None:
    link, peer = await linked(text("unread"))
    link.begin_close(1000)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.finish, 5.0)
        await trio.sleep(1.0)
        await peer.send(text("on its way"), closing(1000))

    assert (await link.receive(), link.gone, peer.codes, peer.ended, trio.current_time()) == (
        None,
        Gone(cause=EndCause.PEER_GONE, code=1000, clean=True),
        [1000],
        "end",
        1.0,
    )


async def test_finishing_does_not_wait_for_ever(autojump_clock: MockClock) -> None:
    link, peer = await linked()
    link.begin_close(1000)
    await link.finish(5.0)

    assert (trio.current_time(), peer.codes, peer.ended) == (5.0, [1000], "end")


async def test_finishing_sends_what_is_unsent_first(autojump_clock: MockClock) -> None:
    link, peer = await linked(conditions=Conditions(capacity=1000))
    link.send("x" * 3000)
    link.begin_close(1000)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.finish, 5.0)
        nursery.start_soon(peer.read)

    assert [f.opcode for f in peer.frames] == [TEXT, CLOSE]


async def test_after_a_fault_the_peer_has_time_to_read_why(autojump_clock: MockClock) -> None:
    link, peer = await linked()
    await peer.send(frame(3))
    await link.receive()
    await peer.send(b"more of it" * 100)
    await link.finish(5.0)

    assert (trio.current_time(), peer.codes, peer.ended) == (LINGER, [1002], "end")


async def test_after_a_fault_our_direction_ends_at_once(autojump_clock: MockClock) -> None:
    link, peer = await linked()
    await peer.send(frame(3))
    await link.receive()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.finish, 5.0)
        await wait_all_tasks_blocked()
        seen = peer.codes, peer.ended

    assert seen == ([1002], "end")


async def test_a_peer_that_has_read_why_and_left_is_not_waited_for(autojump_clock: MockClock) -> None:
    link, peer = await linked()
    await peer.send(frame(3))
    await link.receive()
    peer.port.close()
    await link.finish(5.0)

    assert trio.current_time() == 0.0


async def test_a_reset_while_we_linger_ends_it(autojump_clock: MockClock) -> None:
    link, peer = await linked()
    await peer.send(frame(3))
    await link.receive()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.finish, 5.0)
        await wait_all_tasks_blocked()
        peer.port.close(reset=True)

    assert trio.current_time() == 0.0


# Losing the link.

WHOLE = text("first") + text("second, which is cut")


@pytest.mark.parametrize("offset", range(len(text("first")), len(WHOLE)))
async def test_a_reset_in_mid_frame_delivers_no_part_of_it(offset: int) -> None:
    link, peer = await linked()
    await peer.send(WHOLE[:offset])
    first = await link.receive()
    peer.port.close(reset=True)

    assert (first, await link.receive(), link.gone) == (
        "first",
        None,
        Gone(cause=EndCause.PEER_GONE, code=1006, clean=False),
    )


async def test_an_end_without_a_close_frame_is_a_lost_link() -> None:
    link, peer = await linked()
    await peer.send(WHOLE)
    peer.port.send_eof()

    assert (len(await received(link)), link.gone) == (2, Gone(cause=EndCause.PEER_GONE, code=1006, clean=False))


async def test_a_reset_that_shows_when_we_send_loses_the_link() -> None:
    link, peer = await linked()
    peer.port.close(reset=True)
    link.send("into the void")

    assert (link.gone, link.send("again"), link.blocked) == (
        Gone(cause=EndCause.PEER_GONE, code=1006, clean=False),
        False,
        False,
    )


async def test_a_lost_link_has_nothing_left_to_send() -> None:
    link, peer = await linked(conditions=Conditions(capacity=1000))
    link.send("x" * 3000)
    peer.port.send_eof()
    await link.receive()

    assert link.blocked is False


async def test_aborting_wakes_whoever_receives() -> None:
    link, _ = await linked()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(received, link)
        await wait_all_tasks_blocked()
        link.abort()

    assert link.gone == Gone(cause=EndCause.PEER_GONE, code=1006, clean=False)


# Sending.


async def test_a_message_goes_out_in_the_step_that_sends_it() -> None:
    link, peer = await linked()

    assert (link.send(MESSAGE), [f[1:] for f in peer.read_now()]) == (True, [(TEXT, MESSAGE.encode())])


@given(
    sizes=st.lists(st.integers(0, 2000), min_size=1, max_size=20),
    seed=st.integers(0, 1000),
    would_block=st.sampled_from([0.0, 0.3, 1.0]),
    capacity=st.integers(200, 4000),
)
def test_however_little_the_transport_takes_messages_come_whole_and_in_order(
    sizes: list[int], seed: int, would_block: float, capacity: int
) -> None:
    rough = Conditions(split=True, partial_sends=True, would_block=would_block, capacity=capacity)
    sent = [str(n) + "x" * size for n, size in enumerate(sizes)]

    async def main() -> list[Frame]:
        link, peer = await linked(conditions=rough)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.read)
            for message in sent:
                link.send(message)
                await trio.lowlevel.checkpoint()
            await link.flush(5.0)
            link.abort()
        return peer.frames

    assert [f.payload.decode() for f in in_virtual_time(main)] == sent


async def test_whoever_flushes_is_told_when_there_is_something_to_flush() -> None:
    calls: list[str] = []
    link, _ = await linked(conditions=Conditions(capacity=1000))
    link.when_blocked(lambda: calls.append("blocked"))
    link.send("x" * 500)
    before = list(calls)
    link.send("x" * 1000)
    link.send("behind")

    assert (before, calls, link.blocked) == ([], ["blocked"], True)


async def test_a_peer_that_never_reads_is_gone_after_the_write_deadline(autojump_clock: MockClock) -> None:
    link, _ = await linked(conditions=Conditions(capacity=1000))
    link.send("x" * 3000)
    await link.flush(5.0)

    assert (trio.current_time(), link.gone) == (5.0, Gone(cause=EndCause.PEER_GONE, code=1006, clean=False))


async def test_each_byte_that_a_slow_peer_reads_gives_it_more_time(autojump_clock: MockClock) -> None:
    link, peer = await linked(conditions=Conditions(capacity=1000))
    link.send("x" * 2500)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.flush, 5.0)
        for _ in range(3):
            await trio.sleep(4.0)
            peer.read_now()

    assert (trio.current_time(), link.gone, link.blocked) == (12.0, None, False)


async def test_what_a_relay_sends_to_a_peer_that_does_not_read_is_bounded_and_counted() -> None:
    link, _ = await linked(conditions=Conditions(capacity=1000))
    taken = [link.send("x" * 100_000) for _ in range(14)]

    assert (taken.count(True), link.dropped) == (11, 3)


async def test_a_cancelled_flush_keeps_the_rest_in_order(autojump_clock: MockClock) -> None:
    link, peer = await linked(conditions=Conditions(capacity=1000))
    link.send("x" * 3000)
    link.send("behind")
    with trio.move_on_after(1.0):
        await link.flush(5.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.read)
        await link.flush(5.0)
        link.abort()

    assert [len(f.payload) for f in peer.frames] == [3000, 6]


async def test_closing_the_port_ends_a_flush(autojump_clock: MockClock) -> None:
    link, _ = await linked(conditions=Conditions(capacity=1000))
    link.send("x" * 3000)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.flush, 5.0)
        await wait_all_tasks_blocked()
        link.abort()

    assert (trio.current_time(), link.blocked) == (0.0, False)


# Too much.


async def flood(peer: Peer, piece: bytes, seconds: float) -> None:
    """Send as fast as the far end takes it."""
    with trio.move_on_after(seconds), contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        while True:
            if not peer.port.try_send(piece):
                await peer.port.wait_writable()
            await trio.sleep(0.01)


@pytest.mark.parametrize("piece", [frame(PING), frame(PONG), text("x")], ids=["pings", "pongs", "messages"])
async def test_a_flood_is_held_back_and_then_cut(piece: bytes, autojump_clock: MockClock) -> None:
    link, peer = await linked()
    messages = 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(flood, peer, piece * 100, 60.0)
        nursery.start_soon(peer.read)
        began = trio.current_time()
        while await link.receive() is not None:
            messages += 1
        lasted = trio.current_time() - began
        await link.finish(1.0)
        nursery.cancel_scope.cancel()

    assert (link.gone, peer.codes) == (Gone(cause=EndCause.POLICY, code=1008, clean=True), [1008])
    assert 5.0 < lasted < 10.0
    assert messages <= 2_000 + 500 * lasted + 4096 / len(piece)


async def test_a_backlog_of_half_a_minute_is_read_at_once(autojump_clock: MockClock) -> None:
    link, peer = await linked()
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.send, text("x") * 1_500 + closing(1000))
        messages = await received(link)

    assert (len(messages), trio.current_time() - began) == (1_500, 0.0)


async def test_many_messages_of_one_segment_leave_others_their_turn() -> None:
    link, peer = await linked()
    peer.port.try_send(text("x") * 500)
    turns = 0

    async def neighbour() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(neighbour)
        for _ in range(500):
            await link.receive()
        nursery.cancel_scope.cancel()

    assert turns >= 500 // AT_ONCE


async def test_a_peer_that_does_not_read_our_answer_is_gone(autojump_clock: MockClock) -> None:
    client, server = memory_pair(Conditions(capacity=10))
    link = Link(server)
    began = trio.current_time()
    await link.accept(UPGRADE, b"")

    assert (link.gone, round(trio.current_time() - began, 3)) == (
        Gone(cause=EndCause.PEER_GONE, code=1006, clean=False),
        ACCEPT,
    )
    client.close()
