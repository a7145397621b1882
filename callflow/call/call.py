"""A call as one nursery: reader, writer and timer beside the engine, and nothing of it left when the block ends.

The nursery opens when a link is accepted, since the open timer must run before anything is known of the call. The
actors have an inner one. The engine ends first; then the actors go, and the link, which nobody else uses now, is
closed.

A call outlives its link. Which call a link belongs to is known at its ``start``: a new one, which then lives in the
task of this connection, whatever becomes of the link; or one that is there already and goes on over this link, which
is then only read here.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import trio
from attrs import define, evolve, field

from callflow.call.accepted import LineSettings, Socket
from callflow.call.afterwards import run_after
from callflow.call.beginning import line_of, note_oddities, parameters_of
from callflow.call.driver import Driver
from callflow.call.engine import Engine
from callflow.call.journal import Kind
from callflow.call.last_words import LastWords
from callflow.call.limit import set_limit
from callflow.call.live import LiveCall
from callflow.call.reader import read, read_opening
from callflow.call.record import CallRecord, make_record
from callflow.flow.facts import Previous, Resumed, Started
from callflow.flow.flow import Flow
from callflow.session.inputs import (
    EndCause,
    EndedBy,
    PassthruCame,
    Reattach,
    SocketOpened,
    Timer,
    Verdict,
)
from callflow.session.table import LIVE
from callflow.wire.audio import AudioFormat
from callflow.wire.messages import Start

logger = logging.getLogger("callflow.call")


Screen = Callable[[Start, Socket], str | None]
"""Says why a ``start`` on a socket may begin no call, nor go on with one, in one word; None if it may."""


def _takes_every_call(start: Start, socket: Socket) -> str | None:
    """Stand in where nobody screens."""
    return None


Claim = Callable[["CallTask", Start], Awaitable["CallTask | None"]]
"""Finds the call that a ``start`` on a new link goes on with; None if it begins one."""


async def _begins_a_call(task: CallTask, start: Start) -> CallTask | None:
    """Stand in where there are no other calls."""
    return None


Announced = Callable[[str], Mapping[str, str]]
"""Gives what a Passthru said of a ``call_sid`` before its stream; empty if there was none."""


@define(eq=False, kw_only=True)
class CallTask:
    """Runs one call from its first link to its record.

    Args:
        flow: What answers.
        socket: The link that was accepted.
        settings: The server's.
        call_id: Our name for the call.
        announced: Looks up the Passthru.
        begun: Called when ``start`` was taken in.
        recorded: Called with the record, as soon as the call is over.
        chance: The call's source of chance.
        screen: Asked before a call begins.
        previous: Looks up what is left of a call before this one.
        claim: Finds the call that goes on over this link, if there is one.
    """

    flow: Flow[Any]
    socket: Socket
    settings: LineSettings
    call_id: str
    announced: Announced
    begun: Callable[[CallTask], None]
    chance: random.Random
    recorded: Callable[[CallRecord], None] = lambda _: None
    screen: Screen = _takes_every_call
    previous: Callable[[Start], Previous[Any] | None] = lambda start: None
    claim: Claim = _begins_a_call
    driver: Driver = field(init=False)
    start: Start | None = field(default=None, init=False)
    record: CallRecord | None = field(default=None, init=False)
    """Set when a call that reached ``start`` is over."""
    _told_by: EndedBy = field(default=EndedBy.UNKNOWN, init=False)
    """Who ended it, as a Passthru said in time for the record."""
    _fault: str | None = field(default=None, init=False)
    """Why its ``start`` began no call."""
    engine: Engine[Any] | None = field(default=None, init=False)
    left: Previous[Any] | None = field(default=None, init=False)
    """What is left of a call that is over, for the next of its ``CallSid``; for whoever takes it first."""
    _gave_way_to: CallTask | None = field(default=None, init=False)
    """The call that goes on over the link of this one, while the link is read here."""
    _begins_nothing: bool = field(default=False, init=False)
    """Whether the link turned out to be another call's."""
    links: int = field(default=1, init=False)
    """How many links the call has had."""
    _dropped: int = field(default=0, init=False)
    """Messages that links of the past did not take."""
    _late: int = field(default=0, init=False)
    """Messages that came on them when they were no longer the call's."""
    _news: trio.Event = field(factory=trio.Event, init=False)
    """Set when it is known what becomes of the first link: a call, another call's, or nothing."""

    def __attrs_post_init__(self) -> None:
        settings = self.settings
        timing, flow = settings.timing, self.flow
        if flow.resume is not None:
            timing = evolve(timing, resume=flow.resume)
        self.driver = Driver(timing, raw=flow.raw, low_latency=settings.low_latency, one_way=flow.one_way)
        self.driver.on_started = self._started
        self.driver.on_detached = self._detached
        self.driver.on_resumed = self._resumed
        self.driver.on_over = self._over_before_start
        self.driver.on_odd = self._odd

    async def run(self) -> None:
        """Run the call to its end, or the link if it turns out to be another call's.

        Cancellation:
            The call ends by ``drain`` and has its record, but neither does the flow hear of it nor the peer have time
            to answer; say ``hang_up`` first and give it that.
        """
        driver, link = self.driver, self.socket.link
        driver.note(Kind.LINK, "accepted", peer=link.peer)
        try:
            async with trio.open_nursery() as nursery, trio.open_nursery() as actors:
                actors.start_soon(driver.deadlines.run, name=f"timer {self.call_id}")
                actors.start_soon(driver.writer.run, name=f"writer {self.call_id}")
                driver.use(link)
                driver.feed(SocketOpened())
                nursery.start_soon(self._open, name=f"reader {self.call_id}")
                await self._news.wait()
                if self.engine is not None:
                    await self._run(self.engine, nursery)
                if not self._begins_nothing:
                    self.socket.reading.cancel()
                actors.cancel_scope.cancel()
        finally:
            self._conclude()
            link.abort()

    # Links. The first one is read here, others each in the task of their own connection.

    async def _open(self) -> None:
        """Find out whose the first link is, and read it until it is gone or of no more use; then close it."""
        socket, call = self.socket, self
        with socket.reading:
            start = await read_opening(socket.link, self.driver)
            if start is not None:
                self.driver.deadlines.stop(Timer.OPEN.value)  # what it waited for has come
                call = await self._whose(start)
                await read(socket.link, call.driver)
        await call._close(socket)
        self._gave_way_to = None

    async def _whose(self, start: Start) -> CallTask:
        """Have the call that is meant take its ``start``: this one, if that is new, or one that goes on."""
        fault = self.screen(start, self.socket)
        if fault is not None:
            self.refuse(fault)
            return self
        call = await self.claim(self, start)
        if call is None:
            self.driver.feed(start)
            return self
        self._give_way(call, start)
        return call

    def _give_way(self, call: CallTask, start: Start) -> None:
        """Have another call go on over the link of this one, which is none."""
        self._gave_way_to, self._begins_nothing = call, True
        self.driver.deadlines.stop_all()
        self._news.set()
        call._go_on(self.socket, Reattach(start, self.driver.session.early))

    def _go_on(self, socket: Socket, event: Reattach) -> None:
        """Go on over another link. Whoever brought it reads it."""
        before, self.socket, self.start = self.socket, socket, event.start
        self.links += 1
        self._dropped += before.link.dropped
        before.reading.cancel()
        before.link.begin_close(1012)
        self.driver.feed(event)

    async def _close(self, socket: Socket) -> None:
        if socket is self.socket:
            self.driver.writer.detach()
        try:
            await socket.link.finish(self.settings.timing.close)
        finally:
            self._late += socket.link.late
            socket.closed()

    @property
    def may_go_on(self) -> bool:
        """Whether another link may take the place of this call's: it has begun, is not over, and resumes."""
        return self.start is not None and not self.driver.is_over and self.driver.session.resumes

    async def falls_silent(self, seconds: float) -> bool:
        """Ping the call's link; say whether it gave no sign of life in so many seconds, and so may be taken over.

        A link that is lost meanwhile is silent, too. One that is another by then is not: somebody was here before.

        Cancellation:
            The call is not disturbed.
        """
        socket = self.socket
        is_silent = await socket.link.falls_silent(seconds)
        return is_silent and socket is self.socket

    def _left(self) -> Previous[Any] | None:
        """Give what is left of the call; None if its flow never had data."""
        record = self.record
        if record is None or self.engine is None or not self.engine.has_data:
            return None
        return Previous(
            data=self.engine.data,
            cause=record.cause,
            last_state=record.last_state,
            seconds=record.seconds,
            ago=0.0,
        )

    async def do_after(self) -> None:
        """Do what the flow does when a call is over, if it does and if there was a call. At most ``AFTER_LIMIT``.

        Cancellation:
            In part: what the flow's function did until then is not undone.
        """
        remains = None if self.engine is None else self.engine.remains
        if self.flow.after is not None and remains is not None:
            await run_after(self.flow.after, remains)

    def refuse(self, fault: str) -> None:
        """Let its ``start`` begin no call: nobody hears of it, and there is no record. *fault*: why, for the log."""
        self._fault = fault
        self.hang_up(EndCause.POLICY, 1008)

    def hang_up(self, cause: EndCause, code: int = 1000) -> None:
        """End the call from the server's side; without effect when it is over."""
        self.driver.hang_up(cause, code)

    def take_report(self, stream_sid: str, by: EndedBy) -> bool:
        """Take what a Passthru says of the end of a stream, ours if it names one.

        A call that waits for its link is over by it. Of a live stream it is not believed, and noted as odd.

        Returns:
            Whether it was believed.
        """
        if self.record is not None:
            return True
        believed = self.driver.feed(PassthruCame(stream_sid=stream_sid)).verdict is not Verdict.ODD
        if believed:
            self._told_by = by
        return believed

    def interrupt(self, words: LastWords) -> None:
        """Take the call from its flow, and end it when it has heard *words*; at once where nothing can be heard."""
        if self.engine is None or self.driver.session.state not in LIVE:
            self.hang_up(words.cause, words.code)
        else:
            self.engine.interrupt(words)

    @property
    def state(self) -> str:
        """Name of the current state; empty before ``start``."""
        return "" if self.engine is None else type(self.engine.state).__name__

    async def _run(self, engine: Engine[Any], nursery: trio.Nursery) -> None:
        nursery.start_soon(engine.run, name=f"flow {self.call_id}")
        await engine.ended.wait()
        self._write_record()

    def _conclude(self) -> None:
        """Leave no call without an end and a record, also one that was cancelled or broke in here."""
        cancelled = trio.current_effective_deadline() == -math.inf
        end = (EndCause.DRAIN, 1012) if cancelled else (EndCause.APP_ERROR, 1011)
        if self._gave_way_to is not None:
            self._gave_way_to.hang_up(*end)  # nobody reads its link any more
        if self._begins_nothing:
            return
        if not self.driver.is_over:
            self.hang_up(*end)
        self.driver.deadlines.stop_all()
        if self.engine is not None and self.record is None:
            self._write_record()
        self.socket.reading.cancel()

    def _odd(self, what: str, verdict: Verdict) -> None:
        """Log once per kind and call what Exotel should not have sent, or what we do not know."""
        names = {"call_id": self.call_id} if self.start is None else self._names(self.start)
        logger.warning("message ignored", extra={**names, "kind": what, "verdict": verdict.value})

    def _over_before_start(self, cause: EndCause) -> None:
        if self._fault is not None:
            logger.warning("start refused", extra={"peer": self.socket.link.peer, "kind": self._fault})
        elif cause is not EndCause.DRAIN:
            seen = self.driver.session.counts[Verdict.ODD]
            extra = {"peer": self.socket.link.peer, "cause": cause.value, "odd_messages": seen}
            logger.warning("stream without start", extra=extra)
        self._news.set()

    def _started(self, start: Start) -> None:
        """Make the call: runs inside the reader's step, before any audio or key is told."""
        self.start = start
        self._adopt(start)
        own, most = self.flow.max_seconds, self.settings.timing.call
        set_limit(self.driver, most if own is None else min(own, most))
        self.engine = Engine(self.flow, self.driver, self._live_call(start))
        self.begun(self)
        logger.info("call started", extra=self._names(start))
        self._news.set()

    def _adopt(self, start: Start) -> None:
        """Speak on the link that ``start`` came on."""
        note_oddities(start, self.socket, self.driver)
        self.driver.adopt(self.socket.link, self.line_of(start), start, counters=self.settings.counters)

    def line_of(self, start: Start) -> AudioFormat:
        """Tell the format of the audio on the line that *start* came on."""
        return line_of(start, self.socket, self.settings.codec)

    def _detached(self) -> None:
        self.socket.reading.cancel()
        assert self.start is not None
        assert self.engine is not None
        cause = self.driver.session.cause
        extra = {**self._names(self.start), "cause": "" if cause is None else cause.value}
        logger.info("call detached", extra=extra)
        self.engine.lost()

    def _resumed(self, start: Start, away: float, silent: float) -> None:
        """Go on: runs inside the step of the reader that read ``start``, before any audio or key is told."""
        self._adopt(start)
        assert self.engine is not None
        logger.info("call resumed", extra={**self._names(start), "away": round(away, 3), "silent": round(silent, 3)})
        gap = Resumed(seconds=away, silent=silent, stream_sid=start.stream_sid, links=self.links)
        self.engine.resumed(gap)

    def _live_call(self, start: Start) -> LiveCall[Any]:
        started = Started(
            call_sid=start.call_sid,
            caller=start.caller,
            called=start.called,
            parameters=parameters_of(start, self.socket, self.driver.connected),
            passthru=self.announced(start.call_sid),
            previous=self.previous(start),
        )
        low_latency = self.settings.low_latency
        return LiveCall(self.flow, self.driver, self.call_id, started, self.chance, low_latency=low_latency)

    def _names(self, start: Start) -> dict[str, str]:
        return {"call_id": self.call_id, "call_sid": start.call_sid, "stream_sid": start.stream_sid}

    def _write_record(self) -> None:
        start = self.start
        assert start is not None
        ids = {
            "call_id": self.call_id,
            "call_sid": start.call_sid,
            "account_sid": start.account_sid,
            "caller": start.caller,
            "called": start.called,
        }
        self.record = make_record(
            self.driver,
            ids=ids,
            flow=self.flow.name,
            last_state=self.state,
            links=self.links,
            dropped=self._dropped + self.socket.link.dropped,
            late_messages=self._late,
            told_by=self._told_by,
        )
        self.driver.journal.closed = True
        self.left = self._left()
        by = self.record.ended_by.value
        self.driver.note(Kind.END, "ended", cause=self.record.cause.value, by=by)
        self.recorded(self.record)
