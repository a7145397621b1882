"""The writer: the only one that writes to a call's links.

One ordering rule: what is sent goes out at once when nothing waits before it, else behind it, whole. ``pump`` sends all
that is due now, in whichever task asks; the actor only waits, for time, for the peer to read, or for work. Audio is
paced by deadline: at most the lead (and the chunk that crosses it) ahead of what the far end can have played (R20).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, assert_never

import trio
from attrs import define

from callflow.call.link import Link
from callflow.session.inputs import Frame, SendClear, SendMark, SendMedia
from callflow.session.playout import Entry, Ledger
from callflow.session.timing import Timing
from callflow.wire.audio import SMALLEST_CHUNK, AudioFormat
from callflow.wire.exotel import Outgoing

MARK_EVERY = 5.0
"""Seconds of audio between the marks inside a playback whose end is not known: so much of it is doubtful at most."""

_INSTANT = 1e-6
"""Seconds. Sums of floats miss each other by less; a deadline nearer than this has come."""

Lateness = Literal["ours", "handed late", "paused"]
"""Whose doing it is if the far end ran dry before a chunk."""

Submit = Callable[[Frame], None]
"""Hands a frame to the session, which answers by ``Writer.write`` or refuses."""


@define(eq=False)
class Running:
    """The playback being sent."""

    entry: Entry
    chunks: Iterator[bytes]
    """What is left; it gives an empty one while there is nothing to send yet."""
    after: bytes | None
    """The chunk that comes next, empty if that is not known yet; None when only the mark is left."""
    marks_inside: bool
    unmarked: float = 0.0
    """Seconds since its last mark."""
    late: Lateness = "ours"


class Writer:
    """Sends one call's media, marks and clears on the link that it has now.

    Args:
        ledger: Told of each chunk and mark at the moment of writing.
        submit: The way through the session: nothing is written that the session did not allow.
    """

    def __init__(self, ledger: Ledger, submit: Submit, timing: Timing, *, low_latency: bool = False) -> None:
        self._ledger = ledger
        self._submit = submit
        self._timing = timing
        self.lead = timing.low_latency_lead if low_latency else timing.lead
        """Seconds that are sent ahead of real time."""
        self._link: Link | None = None
        self._outgoing: Outgoing | None = None
        self._form = AudioFormat()
        self._epoch = 0
        self._running: Running | None = None
        self._shut = False
        self._flushing = trio.CancelScope()
        self._work = trio.Event()
        self._smallest = 0 if low_latency else SMALLEST_CHUNK
        """Bytes. What is less ends an utterance (R18): a mark stands behind it, and what comes then is another."""
        self.messages_out = 0
        self.late_chunks = 0
        """Chunks that went out after the far end must have run dry in the middle of a playback."""

    def adopt(self, link: Link, outgoing: Outgoing, form: AudioFormat, epoch: int) -> None:
        """Write to this link from now on. What ran on the last one is not continued: its buffer is gone."""
        self.detach()
        self._link, self._outgoing, self._form, self._epoch = link, outgoing, form, epoch
        link.when_blocked(self._wake)
        self._wake()

    def detach(self) -> None:
        """There is no link any more: write nothing, and stop waiting for the old one to take what it has."""
        self._link = self._running = None
        self._flushing.cancel()

    def shut(self) -> None:
        """Write nothing more of our own, from this instant (R25). What waits in the link is still sent."""
        self._shut = True
        self._running = None
        self._wake()

    @property
    def _writes(self) -> bool:
        return self._link is not None and not self._shut

    # What the call asks for. None of these waits.

    def play(self, entry: Entry, chunks: Iterator[bytes], *, marks_inside: bool = False) -> None:
        """Begin to send a playback, and its mark behind it. One runs at a time: the call sees to that.

        Args:
            entry: Where the ledger keeps account of it.
            chunks: Its payloads; an empty one means that there is nothing to send yet, and ``more`` tells when.
            marks_inside: Send a mark every ``MARK_EVERY`` seconds as well, and behind each chunk that is a short one.
        """
        self.resume(Running(entry, chunks, next(chunks, None), marks_inside))

    def more(self) -> None:
        """Look again: what had nothing to send has something now, or has come to its end."""
        self.pump()
        self._wake()

    def pause(self) -> Running | None:
        """Send nothing more of what runs, and give it back for ``resume``; None if all of it was sent.

        What the far end has is still played; a mark behind it tells when.
        """
        running, self._running = self._running, None
        if running is not None:
            running.late = "paused"
            if running.unmarked:
                self._send_waypoint(running, trio.current_time())
        return running

    def resume(self, running: Running) -> None:
        """Go on with what was paused."""
        self._running = running
        self.more()

    def clear(self) -> None:
        """Stop sending at once and have Exotel throw away what it has not picked up."""
        self._running = None
        if self._writes:
            self._submit(SendClear())

    def relay(self, payload: bytes) -> None:
        """Send audio as it is, unpaced: for raw flows."""
        if self._writes:
            self._submit(SendMedia(payload))

    def write(self, frame: Frame) -> None:
        """Put an allowed frame on the wire, numbered here so that numbers have no gap (R34)."""
        if self._link is None or self._outgoing is None:
            return
        self.messages_out += 1
        match frame:
            case SendMedia():
                self._link.send(self._outgoing.media(frame.payload))
            case SendMark():
                self._link.send(self._outgoing.mark(frame.name))
            case SendClear():
                self._link.send(self._outgoing.clear())
            case _:
                assert_never(frame)

    # Pacing.

    def pump(self) -> float | None:
        """Send what is due now; return when the next chunk is, or None if nothing waits for time."""
        while (running := self._running) is not None and self._link is not None and not self._link.blocked:
            if self._link.gone is not None:
                return None
            now = trio.current_time()
            if running.after == b"":
                running.after = next(running.chunks, None)
            if running.after is None:
                self._send_mark(running, now)
                continue
            if not running.after:
                running.late = "handed late"
                return None
            early = self._ledger.ahead(now) - self.lead
            if early > _INSTANT:
                return now + early
            self._send_chunk(running, running.after, now)
        return None

    def _send_chunk(self, running: Running, chunk: bytes, now: float) -> None:
        entry, seconds = running.entry, self._form.seconds(len(chunk))
        if entry.starts_at is not None and self._ledger.has_run_dry(now):
            self.late_chunks += running.late == "ours"
            entry.gaps += running.late == "handed late"
        running.late = "ours"
        running.after = next(running.chunks, None)
        self._ledger.send(entry, seconds, now)
        self._submit(SendMedia(chunk))
        running.unmarked += seconds
        is_due = running.unmarked > MARK_EVERY - _INSTANT or len(chunk) < self._smallest
        if running.marks_inside and is_due and running.after is not None:
            self._send_waypoint(running, now)

    def _send_waypoint(self, running: Running, now: float) -> None:
        running.unmarked = 0.0
        name = self._ledger.next_mark(self._epoch)
        self._ledger.passed(running.entry, name, now)
        self._submit(SendMark(name))

    def _send_mark(self, running: Running, now: float) -> None:
        self._running = None
        name = self._ledger.next_mark(self._epoch)
        self._ledger.marked(running.entry, name, now)
        self._submit(SendMark(name))

    async def run(self) -> None:
        """Be the writer actor: run until cancelled.

        Cancellation:
            Messages that were taken are whole or unsent, never torn; the link is not usable for more.
        """
        while True:
            if self._link is not None and self._link.blocked:
                with trio.CancelScope() as self._flushing:
                    await self._link.flush(self._timing.write)
            due = self.pump()  # if the link is blocked by it, that woke us already
            if due is None:  # a scope costs as much as the rest of a wait
                await self._work.wait()
            else:
                with trio.move_on_at(due):
                    await self._work.wait()
            self._work = trio.Event()

    def _wake(self) -> None:
        self._work.set()
