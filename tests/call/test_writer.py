"""The writer on a link: pacing, order and silence, with the session between (R15 to R25)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import trio
from attrs import define
from trio.testing import MockClock, wait_all_tasks_blocked

from callflow.call.driver import Driver
from callflow.call.link import Link
from callflow.call.writer import Writer
from callflow.errors import LocalProtocolError
from callflow.line.memory import Conditions
from callflow.session.inputs import SendMedia, SocketOpened
from callflow.session.playout import Entry, Ledger
from callflow.session.timing import Timing
from callflow.wire.audio import chunks
from callflow.wire.exotel import Outgoing
from callflow.wire.messages import Clear, Mark, Media, Message, Stop
from tests.call.far_end import START, TEXT, Peer, linked
from tests.call.stage import CHUNK, LINE, tone

TIMING = Timing()


@define
class Line:
    """A driver whose writer runs, and the far end of its link."""

    driver: Driver
    link: Link
    peer: Peer

    def play(self, pcm: bytes, size: int | None = None) -> Entry:
        entry = self.driver.ledger.open(("tone",), LINE.seconds(len(pcm)))
        self.driver.writer.play(entry, iter(chunks(pcm, LINE, size)))
        return entry

    @property
    def got(self) -> list[Message]:
        return self.peer.messages

    def media_at(self) -> list[float]:
        """When each chunk came."""
        frames = [frame for frame in self.peer.read_now() if frame.opcode == TEXT]
        return [frame.at for frame, message in zip(frames, self.got, strict=True) if isinstance(message, Media)]


@asynccontextmanager
async def streaming(conditions: Conditions | None = None, *, low_latency: bool = False) -> AsyncIterator[Line]:
    """A stream that has started, read all the time; nothing of it runs behind the block."""
    link, peer = await linked(conditions=conditions)
    driver = Driver(TIMING, low_latency=low_latency)
    driver.use(link)
    driver.feed(SocketOpened())
    driver.feed(START)
    driver.adopt(link, LINE, START)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(driver.writer.run)
        nursery.start_soon(peer.read)
        yield Line(driver, link, peer)
        nursery.cancel_scope.cancel()


def kinds(messages: list[Message]) -> list[str]:
    return [type(message).__name__ for message in messages]


# Pacing.


async def test_the_lead_goes_out_at_once_and_the_rest_as_it_is_played(autojump_clock: MockClock) -> None:
    async with streaming() as line:
        line.play(tone(440, 2.0))
        await trio.sleep(5.0)

    assert line.media_at() == pytest.approx([0.0, 0.0, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4])


async def test_under_low_latency_the_lead_is_shorter(autojump_clock: MockClock) -> None:
    async with streaming(low_latency=True) as line:
        line.play(tone(440, 0.3), size=320)
        await trio.sleep(5.0)

    assert line.media_at() == pytest.approx([0.0] * 9 + [0.02 * n for n in range(1, 7)])


async def test_an_hour_is_paced_without_drift_and_without_a_gap(autojump_clock: MockClock) -> None:
    due = [max(0.0, CHUNK * n - TIMING.lead) for n in range(round(3600 / CHUNK))]
    times: list[float] = []
    ledger = Ledger()

    def note(frame: object) -> None:
        if isinstance(frame, SendMedia):
            times.append(trio.current_time())

    writer = Writer(ledger, note, TIMING)
    link, _ = await linked()
    writer.adopt(link, Outgoing("stream", LINE.bytes_per_second), LINE, epoch=1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(writer.run)
        writer.play(ledger.open(("hour",), 3600.0), iter([bytes(3200)] * len(due)))
        await trio.sleep(3700)
        nursery.cancel_scope.cancel()

    assert [*times, writer.late_chunks] == pytest.approx([*due, 0], abs=1e-6)


async def test_no_more_is_sent_ahead_than_the_lead_and_a_chunk(autojump_clock: MockClock) -> None:
    async with streaming() as line:
        line.play(tone(440, 20.0))
        await trio.sleep(30.0)
    ahead = [CHUNK * (n + 1) - at for n, at in enumerate(line.media_at())]

    assert max(ahead) == pytest.approx(TIMING.lead + CHUNK)


async def test_a_chunk_that_comes_when_all_was_played_is_late(autojump_clock: MockClock) -> None:
    async with streaming() as line:
        line.play(tone(440, 2.0))
        autojump_clock.jump(5.0)
        await trio.sleep(5.0)

    assert line.driver.writer.late_chunks > 0


async def test_silence_between_two_playbacks_is_no_lateness(autojump_clock: MockClock) -> None:
    async with streaming() as line:
        line.play(tone(440, 1.0))
        await trio.sleep(10.0)
        line.play(tone(440, 1.0))
        await trio.sleep(10.0)

    assert (line.driver.writer.late_chunks, len(line.media_at())) == (0, 10)


# Order.


async def test_one_mark_stands_behind_the_last_chunk_and_reports_on_it(autojump_clock: MockClock) -> None:
    async with streaming() as line:
        entry = line.play(tone(440, 0.5))
        await trio.sleep(1.0)

    assert (kinds(line.got), line.got[-1]) == (
        ["Media", "Media", "Media", "Mark"],
        Mark(name=entry.mark or "", stream_sid="stream", sequence_number=4),
    )


async def test_every_byte_is_sent_once_and_in_order(autojump_clock: MockClock) -> None:
    pcm = tone(440, 1.1)
    async with streaming() as line:
        line.play(pcm)
        await trio.sleep(3.0)
    sent = b"".join(message.payload for message in line.got if isinstance(message, Media))

    assert (sent[: len(pcm)], set(sent[len(pcm) :]) <= {0}) == (pcm, True)


async def test_a_playback_without_audio_is_a_mark(autojump_clock: MockClock) -> None:
    async with streaming() as line:
        line.play(b"")
        await trio.sleep(1.0)

    assert kinds(line.got) == ["Mark"]


async def test_a_clear_drops_the_rest_and_the_mark(autojump_clock: MockClock) -> None:
    async with streaming() as line:
        line.play(tone(440, 5.0))
        await trio.sleep(0.5)
        line.driver.cut()
        await trio.sleep(5.0)

    assert kinds(line.got) == ["Media"] * 5 + ["Clear"]


async def test_what_is_played_after_a_clear_stands_behind_it(autojump_clock: MockClock) -> None:
    async with streaming() as line:
        line.play(tone(440, 0.2))
        line.driver.cut()
        line.play(tone(330, 0.2))
        await trio.sleep(2.0)

    assert kinds(line.got) == ["Media", "Mark", "Clear", "Media", "Mark"]


async def test_what_is_asked_for_at_one_instant_goes_out_in_that_order(autojump_clock: MockClock) -> None:
    async with streaming() as line:
        writer = line.driver.writer
        writer.relay(b"1" * 320)
        writer.clear()
        writer.relay(b"2" * 320)
    await wait_all_tasks_blocked()

    assert [(type(m).__name__, getattr(m, "payload", b"")[:1]) for m in line.got] == [
        ("Media", b"1"),
        ("Clear", b""),
        ("Media", b"2"),
    ]


async def test_a_clear_goes_out_in_the_step_that_asks_for_it(autojump_clock: MockClock) -> None:
    async with streaming() as line:
        line.play(tone(440, 5.0))
        line.driver.cut()
        sent = kinds(line.got)

    assert sent[-1] == "Clear"


@pytest.mark.parametrize("capacity", [1_000, 10_000])
async def test_a_clear_that_the_peer_keeps_waiting_stands_behind_what_was_taken(
    autojump_clock: MockClock, capacity: int
) -> None:
    async with streaming(Conditions(capacity=capacity, partial_sends=True, would_block=0.5)) as line:
        line.play(tone(440, 5.0))
        await trio.sleep(1.0)
        line.driver.cut()
        await trio.sleep(1.0)
    sent = kinds(line.got)

    assert (sent.count("Clear"), sent[-1], set(sent[:-1])) == (1, "Clear", {"Media"})


# A peer that does not read.


async def test_nothing_is_taken_from_a_playback_while_the_peer_does_not_read(autojump_clock: MockClock) -> None:
    link, _ = await linked(conditions=Conditions(capacity=1_000))
    driver = Driver(TIMING)
    driver.feed(SocketOpened())
    driver.feed(START)
    driver.adopt(link, LINE, START)
    taken: list[int] = []

    def audio() -> Iterator[bytes]:
        for n in range(100):
            taken.append(n)
            yield bytes(3200)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(driver.writer.run)
        driver.writer.play(driver.ledger.open(("tone",), 20.0), audio())
        await trio.sleep(4.0)
        nursery.cancel_scope.cancel()

    assert taken == [0, 1]


async def test_a_peer_that_never_reads_is_given_up_after_the_write_deadline(autojump_clock: MockClock) -> None:
    link, _ = await linked(conditions=Conditions(capacity=1_000))
    driver = Driver(TIMING)
    driver.feed(SocketOpened())
    driver.feed(START)
    driver.adopt(link, LINE, START)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(driver.writer.run)
        driver.writer.play(driver.ledger.open(("tone",), 1.0), iter(chunks(tone(440, 1.0), LINE)))
        await link.receive()
        nursery.cancel_scope.cancel()

    assert (trio.current_time(), link.gone is not None) == (TIMING.write, True)


async def test_what_waited_before_the_stream_began_is_sent(autojump_clock: MockClock) -> None:
    link, peer = await linked(conditions=Conditions(capacity=1_000))
    link.send("x" * 3_000)
    driver = Driver(TIMING)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(driver.writer.run)
        nursery.start_soon(peer.read)
        await wait_all_tasks_blocked()
        driver.feed(SocketOpened())
        driver.feed(START)
        driver.adopt(link, LINE, START)
        await trio.sleep(1.0)
        nursery.cancel_scope.cancel()

    assert [len(frame.payload) for frame in peer.frames] == [3_000]


async def test_the_rest_of_a_playback_waits_for_a_peer_that_freezes(autojump_clock: MockClock) -> None:
    link, peer = await linked(conditions=Conditions(capacity=20_000))
    driver = Driver(TIMING)
    driver.feed(SocketOpened())
    driver.feed(START)
    driver.adopt(link, LINE, START)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(driver.writer.run)
        driver.writer.play(driver.ledger.open(("tone",), 4.0), iter(chunks(tone(440, 4.0), LINE)))
        await trio.sleep(4.0)
        nursery.start_soon(peer.read)
        await trio.sleep(5.0)
        nursery.cancel_scope.cancel()

    assert kinds(peer.messages) == ["Media"] * 20 + ["Mark"]


async def test_a_lost_link_is_written_to_no_more(autojump_clock: MockClock) -> None:
    async with streaming() as line:
        entry = line.play(tone(440, 5.0))
        line.link.abort()
        await trio.sleep(5.0)

    assert (len(line.media_at()), round(entry.sent, 3)) == (3, 0.6)


async def test_a_relay_that_the_peer_kept_waiting_is_sent_when_it_reads(autojump_clock: MockClock) -> None:
    link, peer = await linked(conditions=Conditions(capacity=1_000))
    driver = Driver(TIMING, raw=True)
    driver.feed(SocketOpened())
    driver.feed(START)
    driver.adopt(link, LINE, START)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(driver.writer.run)
        await wait_all_tasks_blocked()
        driver.writer.relay(bytes(3_200))
        driver.writer.relay(bytes(320))
        await trio.sleep(1.0)
        nursery.start_soon(peer.read)
        await trio.sleep(1.0)
        nursery.cancel_scope.cancel()

    assert [len(m.payload) for m in peer.messages if isinstance(m, Media)] == [3_200, 320]


async def test_what_ran_on_a_link_is_not_continued_on_the_next(autojump_clock: MockClock) -> None:
    async with streaming() as line:
        line.play(tone(440, 5.0))
        link, peer = await linked()
        line.driver.adopt(link, LINE, START)
        await trio.sleep(5.0)

    assert (kinds(line.got), peer.read_now()) == (["Media"] * 3, [])


# The end.


async def test_nothing_is_written_after_the_end(autojump_clock: MockClock) -> None:
    async with streaming() as line:
        line.play(tone(440, 5.0))
        line.driver.feed(Stop())
        await trio.sleep(5.0)
        line.driver.writer.clear()
        line.driver.writer.relay(bytes(320))

    assert kinds(line.got) == ["Media"] * 3


async def test_nothing_is_written_before_the_start() -> None:
    link, peer = await linked()
    driver = Driver(TIMING)
    driver.use(link)
    driver.writer.clear()
    driver.writer.relay(bytes(320))

    assert peer.read_now() == []


async def test_a_writer_without_a_link_keeps_its_playback() -> None:
    driver = Driver(TIMING)
    driver.writer.play(driver.ledger.open(("tone",), 1.0), iter([bytes(3200)]))
    driver.writer.write(SendMedia(bytes(3200)))

    assert driver.writer.pump() is None


async def test_a_frame_that_the_session_refuses_is_our_own_fault() -> None:
    driver = Driver(TIMING)

    with pytest.raises(LocalProtocolError, match="send media is not allowed while the session is 'idle'"):
        driver.feed(SendMedia(bytes(320)))


async def test_clears_are_numbered_with_everything_else(autojump_clock: MockClock) -> None:
    async with streaming() as line:
        line.play(tone(440, 0.2))
        line.driver.cut()
        sent = line.got

    assert [message.sequence_number for message in sent if isinstance(message, Media | Mark | Clear)] == [1, 2, 3]
