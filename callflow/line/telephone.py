"""A telephone on Exotel's side of a stream: places a call to a server, hears what it plays, presses keys, hangs up.

The same in real time over sockets and in virtual time over a ``MemoryNetwork``: time is Trio's clock, and the bytes go
through a byte port. What the line hears is decided by ``callflow.line.playout``, what Exotel writes by
``callflow.line.sender`` and ``callflow.line.voice``; this file only carries it.

A few tasks a call and none per frame: one that reads each link (``listen``), the one that writes (``talk``), and the
script that uses the telephone.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Literal

import trio
from attrs import evolve, frozen

from callflow.errors import CallEnded
from callflow.line.applets import EndedBy, StreamRecord
from callflow.line.dialling import Dial, Link, draw_sid
from callflow.line.messages import Malformed, read
from callflow.line.oddities import Oddity, Place, request_of, write
from callflow.line.playout import SAME, MarkDue, Playout, Segment
from callflow.line.profile import Profile
from callflow.line.sender import Sender
from callflow.line.strangers import knock
from callflow.line.voice import Voice
from callflow.wire.audio import AudioFormat
from callflow.wire.messages import KEYS, Clear, Mark, Media, Message, Start

CLOSE_SECONDS = 5.0
"""Longest time from hanging up until the connection is gone, whatever the server does."""

LINGER_SECONDS = 3.0
"""How long a line that breaks R14 stays after ``stop``."""

PONG_SECONDS = 5.0
"""Longest wait for the pong of a ping that nobody but the line wants."""

_NO_CLOSE_FRAME = 1006


Another = Callable[[], Awaitable[Link]]
"""Opens one more connection for the same call, and has it listened to."""


@frozen
class LineEntry:
    """One message as it went over the wire."""

    n: int
    """Place in the order of what this side wrote and read, from 1."""
    at: float
    """Seconds since the call was answered."""
    side: Literal["in", "out"]
    """As in Exotel's documents, seen from the server: ``in`` is Exotel's, ``out`` the server's."""
    text: str | bytes
    """Content of the frame; bytes where it was a binary one."""
    link: int = 1
    """On which of the call's streams, from 1."""

    @property
    def message(self) -> Message | None:
        """The message, or None where the text is none."""
        message = read(self.text)
        return None if isinstance(message, Malformed) else message


class Telephone:
    """One call, from the caller's chair. Made by ``place_call``.

    Moments are seconds since the call was answered. Waiting methods end at the latest when the call does.
    """

    def __init__(
        self,
        link: Link,
        start: Start,
        profile: Profile,
        random: Random,
        another: Another | None = None,
        dial: Dial | None = None,
    ) -> None:
        self.call_sid = start.call_sid
        self.stream_sid = start.stream_sid
        self.form: AudioFormat = profile.form
        self.answered_at = trio.current_time()
        """Moment of the 101, on Trio's clock."""
        self._playout = Playout(self.form, profile)
        self._voice = Voice(profile)
        self.spoken: list[Segment] = self._voice.spoken
        """What the caller said, one segment a message; silence that was sent is not in it."""
        self.log: list[LineEntry] = []
        """Every message both ways."""
        self.ended = trio.Event()
        self.ended_by: EndedBy | None = None
        """Who ended the call; ``network`` is a connection that went without a close frame. None while it lives."""
        self.close_code: int | None = None
        """The WebSocket's; 1006 where there was no close frame. None while the call lives."""
        self.links = 1
        """How many streams the call has had."""
        self.lost_at: dict[int, float] = {}
        """When streams were lost by a reset, by their numbers. One that was taken over is none: nobody ended it."""
        self.is_lost = False
        """Whether the line is lost, and the call waits for ``reconnect``."""
        self.is_coming_back = False
        """Whether another connection is being opened for it."""
        self.dial = dial
        """Opens connections to the server; None where nobody gave it."""
        self.strangers: list[tuple[str, str]] = []
        """Who else asked at the server's door, and the first line of each answer."""
        self._link = link
        self._another = another
        self._start = start
        self._random = random
        self._profile = profile
        self._sender = Sender(start, profile, random)
        self._outbox: deque[str | bytes] = deque([*self._sender.connected(), *self._sender.start()])
        self._began_at = 0.0  # when this stream began: its timestamps count from there (R6)
        self._ended_at = math.inf
        self._wakes_at = -math.inf  # until when the writing task sleeps; in the past while it is at work
        self._leaving = False  # stop is on its way: nothing else is said any more
        self._closing = False  # a closing handshake of ours runs
        self._rests = trio.CancelScope()
        self._nudge = trio.lowlevel.ParkingLot()
        self._facts = trio.lowlevel.ParkingLot()

    @property
    def now(self) -> float:
        """Seconds since the call was answered."""
        return trio.current_time() - self.answered_at

    @property
    def playout(self) -> Playout:
        """What the line has heard until now; ``playout.heard`` is its audio."""
        if not self.ended.is_set():
            self._playout.keep_up(self.now)
        return self._playout

    @property
    def bytes_heard(self) -> int:
        """Bytes of audio that the line has heard so far."""
        return self.playout.heard_bytes

    def record(self) -> StreamRecord:
        """Say how the stream ended, as Exotel's Passthru would.

        Raises:
            ValueError: The call is not over.
        """
        if self.ended_by is None:
            raise ValueError("a stream has a record when the call is over; hang up or wait for ended first")
        return StreamRecord(
            ended_by=self.ended_by, stream_sid=self.stream_sid, url=self._link.url, duration=self._ended_at
        )

    # What a caller does.

    async def press(self, digits: str, *, gap: float = 0.3, hold: float = 0.1) -> None:
        """Press keys one after another. Exotel reports a key when it is let go.

        Args:
            digits: What to press, from ``0-9 * #``.
            gap: Seconds from one key to the next.
            hold: Seconds that each key is held; never longer than *gap*.

        Raises:
            CallEnded: The call was over before the last key.
            ValueError: A character is no key, or a time is negative.

        Cancellation:
            In part. Keys that were let go stay pressed.
        """
        if not set(digits) <= set(KEYS):
            raise ValueError(f"one of the {len(digits)} keys to press is none; take them from {KEYS!r}")
        if not (gap >= 0 and hold >= 0):
            raise ValueError(f"keys are pressed in seconds from 0 on, not with gap={gap!r} and hold={hold!r}")
        held = min(hold, gap)
        next_at = trio.current_time()
        for digit in digits:
            await trio.sleep_until(next_at + held)
            self._check_live("press")
            self._post(self._sender.dtmf(digit, held))
            next_at += gap
        await self._posted()

    async def play(self, pcm16: bytes) -> None:
        """Say something: 16-bit audio of the line's rate, from the next frame on, after what is being said already.

        Raises:
            CallEnded: The call was over before the end of it.

        Cancellation:
            Nothing changes: it is said to its end.
        """
        self._check_live("play")
        utterance = self._voice.say(pcm16, self.now)
        self._nudge.unpark_all()
        await utterance.over.wait()
        if not utterance.all_said:
            self._check_live("play")

    async def send_raw(self, content: str | bytes) -> None:
        """Send a message as it stands, as text or as a binary frame: for what Exotel should not send.

        Raises:
            CallEnded: The call is over.

        Cancellation:
            It may be sent or not, but not in part.
        """
        self._check_live("send_raw")
        self._post([content])
        await self._posted()

    async def send_odd(self, oddity: Oddity) -> None:
        """Do what Exotel should not do: now, with the next mark that is due, or as the end of the call.

        Raises:
            CallEnded: The call is over.
            ValueError: It is nothing that a stream can do while it is on.

        Cancellation:
            It may be done or not, but not in part.
        """
        self._check_live("send_odd")
        match oddity:
            case Oddity.LATE_MARK | Oddity.LOST_MARK:
                self.playout.next_echo = oddity
            case Oddity.MARK_AGAIN | Oddity.MARKS_SWAPPED:
                self._sender.next_echo = oddity
            case Oddity.STOP_AGAIN:
                await self._hang_up(stops_again=True)
            case Oddity.NO_STOP:
                await self._close_without_stop()
            case Oddity.PING:
                with trio.move_on_after(PONG_SECONDS):
                    await self.ping()
            case _ if (request := request_of(oddity)) is not None and self.dial is not None:
                self.strangers.append((oddity.value, await knock(self.dial, request)))
            case _ if oddity.place is Place.STREAM:
                await self.send_raw(write(oddity, self.stream_sid))
            case _:
                raise ValueError(f"{oddity.value} is nothing that a stream does while it is on")

    async def ping(self, payload: bytes = b"") -> float:
        """Ping the server, as a proxy on the way may, and give the seconds until its pong.

        Args:
            payload: At most 125 bytes, other than those of a ping that still waits; drawn if empty.

        Raises:
            CallEnded: The call was over before the pong.

        Cancellation:
            The ping was sent; its pong changes nothing.
        """
        self._check_live("ping")
        began = trio.current_time()
        if not await self._link.socket.ping(payload or self._random.randbytes(4)):
            raise CallEnded("ping", self.ended_by or "network")
        return trio.current_time() - began

    async def wait(self, seconds: float) -> None:
        """Do nothing for a while, also beyond the end of the call."""
        await trio.sleep(seconds)

    async def changed(self) -> None:
        """Wait for the next fact: audio heard, a mark reached, a message sent or received, the end.

        So a script waits for a condition: ``while not condition(): await phone.changed()``.

        Raises:
            CallEnded: The call was over already, so nothing will change.
        """
        self._check_live("changed")
        self._wake_by(self._playout.next_event_at())
        await self._facts.park()

    async def hang_up(self) -> None:
        """Hang up as the profile does: ``stop``, then the connection goes. Returns within ``CLOSE_SECONDS``.

        Cancellation:
            The caller hangs up nevertheless; when the connection is gone is unknown.
        """
        await self._hang_up()

    async def _hang_up(self, *, stops_again: bool = False) -> None:
        if not self._leaving and not self.ended.is_set():
            self._leaving = True
            self._post(self._sender.stop(again=stops_again))
        with trio.move_on_after(0 if self._link.socket.deaf or self.is_lost else CLOSE_SECONDS):
            await self.ended.wait()
        self._end("caller", _NO_CLOSE_FRAME)

    async def _close_without_stop(self) -> None:
        """Close the connection in order, and say nothing before."""
        self._closing = True
        with trio.move_on_after(0 if self._link.socket.deaf or self.is_lost else CLOSE_SECONDS):
            await self._link.socket.close(1000)
        self._end("caller", 1000)

    def drop(self) -> None:
        """Lose the connection at once, by a reset."""
        self._link.socket.port.close(reset=True)
        self._end("network", _NO_CLOSE_FRAME)

    def lose(self) -> None:
        """Lose the connection by a reset, and stay on the telephone: ``reconnect`` comes back."""
        self._break_off()
        self.lost_at.setdefault(self.links, self.now)
        self._link.socket.port.close(reset=True)

    def half_close(self) -> None:
        """End this side of the connection without a word, and stay on the telephone: ``reconnect`` comes back.

        The server may still send; nothing of it is taken in.
        """
        self._break_off()
        self.lost_at.setdefault(self.links, self.now)
        self._link.socket.port.send_eof()

    def freeze(self, seconds: float) -> None:
        """Have the connection stand still, both ways; then everything comes that was held up."""
        self._link.socket.frozen_until = max(self._link.socket.frozen_until, trio.current_time() + seconds)

    async def reconnect(self) -> None:
        """Come back on another connection: the same call, on a stream of another name.

        What was pressed and said while there was no line is not made up for.

        Raises:
            CallEnded: The call is over.
            NotAnswered: No handshake succeeded.

        Cancellation:
            The line stays lost.
        """
        assert self._another is not None, "place_call gives it"
        self._check_live("reconnect")
        self.is_coming_back = True
        try:
            link = await self._another()
        finally:
            self.is_coming_back = False
        self._check_live("reconnect")
        self.stream_sid = draw_sid(self._random)
        self._began_at = self.now
        self._sender = Sender(evolve(self._start, stream_sid=self.stream_sid), self._profile, self._random)
        self._outbox = deque([*self._sender.connected(), *self._sender.start()])
        self._voice.hold_its_tongue(self.now)
        self._link, self.is_lost = link, False
        self.links += 1
        self._nudge.unpark_all()
        await self._posted()

    async def take_over(self) -> None:
        """Come on another connection while the first one is there and silent, as after a path that broke unnoticed.

        Raises:
            CallEnded: The call is over.
            NotAnswered: No handshake succeeded.

        Cancellation:
            The line is lost.
        """
        self._check_live("take_over")
        self._link.socket.deaf = True
        self._break_off()
        await self.reconnect()

    def _break_off(self) -> None:
        self.is_lost = True
        self._link.socket.give_up()
        self._outbox.clear()
        self._playout.cut_off(self.now)
        self._facts.unpark_all()

    @property
    def is_deaf(self) -> bool:
        """Whether the connection is half-open."""
        return self._link.socket.deaf

    def go_deaf(self) -> None:
        """Become a half-open connection: from now on nothing is read, answered or sent, but TCP stays."""
        self._link.socket.deaf = True
        self._nudge.unpark_all()
        self._facts.unpark_all()

    # The tasks.

    async def listen(self, link: Link) -> None:
        """Take in what the server sends on one link, until that is over. Never waits for anything else."""
        try:
            while (text := await link.socket.receive()) is not None:
                if link is self._link and not self.is_lost:
                    self._take(text)
        finally:
            link.socket.port.close()
        code = link.socket.code or _NO_CLOSE_FRAME
        if link is self._link and not self.is_lost and not self._closing:
            self._end(("network" if code == _NO_CLOSE_FRAME else "server"), code)

    def _take(self, text: str | bytes) -> None:
        entry = self._note("out", text)
        now = entry.at
        match entry.message if not self._leaving else None:
            case Media(payload=payload):
                self._playout.media(payload, now)
            case Mark(name=name):
                self._playout.mark(name, now)
            case Clear():
                self._playout.clear(now)
            case _:  # nothing else has a meaning to Exotel, and after our stop nothing has (exotel.md §6.7, §7.4)
                pass
        self._wake_by(self._due_at)
        if self._facts:
            self._facts.unpark_all()

    async def talk(self) -> None:
        """Send Exotel's messages in time, until the call is over. The only one that writes."""
        while not self.ended.is_set():
            if self.is_lost or self._link.socket.deaf or self._closing:  # it may come back on another connection
                await self._nudge.park()
                continue
            if not self._leaving:
                self._collect(self.now)
            if self._outbox:
                await self._flush()
            if self.is_lost:
                continue
            if self._leaving:
                await self._leave()
            else:
                await self._rest()

    def _collect(self, now: float) -> None:
        """Put into the outbox what is due: echoes of marks, and frames of the caller's audio."""
        for fact in self._playout.advance(now):
            if isinstance(fact, MarkDue):
                self._outbox.extend(self._sender.mark(fact.name))
        frame_at = self._voice.frame_at
        if frame_at <= now + SAME:  # what is late comes at once, as from a real line: then no rest is taken
            self._outbox.extend(self._sender.media(self._voice.next_frame(), frame_at - self._began_at))

    async def _flush(self) -> None:
        while self._outbox and not self._link.socket.deaf:
            if not await self._link.socket.send(self._outbox[0]):
                self._outbox.clear()  # the listening task sees the end as well, and ends the call
                return
            if self._outbox:  # else the line was lost meanwhile
                self._note("in", self._outbox.popleft())

    async def _rest(self) -> None:
        """Sleep until something is due, or somebody nudges."""
        if self._facts:
            self._facts.unpark_all()
        self._wakes_at = min(self._voice.frame_at, self._due_at)
        with trio.CancelScope(deadline=self.answered_at + self._wakes_at) as self._rests:
            await self._nudge.park()
        self._wakes_at = -math.inf

    @property
    def _due_at(self) -> float:
        """When the playout is to be looked after next: for its marks, and for whoever waits to hear of all it does."""
        return self._playout.next_event_at() if self._facts else self._playout.next_echo_at()

    def _wake_by(self, moment: float) -> None:
        """Let the writing task sleep no longer than until *moment*."""
        if moment < self._wakes_at:
            self._wakes_at = moment
            self._rests.deadline = self.answered_at + moment

    async def _leave(self) -> None:
        """End the connection after ``stop`` (R14, D23)."""
        if "R14" in self._profile.breaks:
            await trio.sleep(LINGER_SECONDS)
        if self._profile.close_after_stop == "clean" and not self.ended.is_set():
            self._closing = True
            with trio.move_on_after(CLOSE_SECONDS):
                await self._link.socket.close(1000)
                self._end("caller", 1000)
        self._end("caller", _NO_CLOSE_FRAME)

    # Small things.

    def _post(self, texts: Sequence[str | bytes]) -> None:
        if not (self._link.socket.deaf or self.is_lost or self._closing):
            self._outbox.extend(texts)
        self._nudge.unpark_all()

    async def _posted(self) -> None:
        """Wait until everything was handed to the transport, or never will be."""
        await trio.lowlevel.checkpoint()
        while self._outbox and not self.ended.is_set() and not self._link.socket.deaf:
            await self._facts.park()

    def _note(self, side: Literal["in", "out"], text: str | bytes) -> LineEntry:
        entry = LineEntry(len(self.log) + 1, self.now, side, text, self.links)
        self.log.append(entry)
        return entry

    def _check_live(self, what: str) -> None:
        if self._leaving or self.ended.is_set():
            raise CallEnded(what, self.ended_by or "caller")

    def _end(self, by: EndedBy, code: int) -> None:
        """The call is over; the first cause wins."""
        if self.ended.is_set():
            return
        self._playout.advance(self.now)
        self.ended_by = "caller" if self._leaving else by
        self.close_code = code
        self._ended_at = self.now
        self.ended.set()
        self._link.socket.port.close()
        self._voice.stop()
        self._nudge.unpark_all()
        self._facts.unpark_all()
