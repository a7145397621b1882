"""A server that keeps every rule, small enough to read, and the logs that it leaves."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from attrs import Factory, define, evolve
from hypothesis import strategies as st

from callflow.session.inputs import (
    EndCause,
    MarkDone,
    MarkFate,
    Over,
    Pressed,
    SendClear,
    SendMark,
    SendMedia,
    Started,
)
from callflow.testing.wirelog import (
    Applet,
    Arrival,
    Asked,
    Closed,
    Dropped,
    Exchange,
    Fact,
    Interrupted,
    Malformed,
    OneWay,
    Opened,
    Ping,
    Pong,
    Queued,
    Ran,
    Reached,
    Request,
    Side,
    TasksLeft,
    WireLog,
)
from callflow.wire.audio import AudioFormat, chunks
from callflow.wire.messages import Clear, Connected, Dtmf, Mark, Media, Start, Stop, StopReason, Unknown
from tests import strategies as wire

OWN = "own"
"""The stream_sid of every log's stream."""

LINE = AudioFormat()
CHUNK_MS = 200
LEAD_MS = 400


def speech(number: int, size: int) -> bytes:
    """Make audio whose samples count upwards, so that every chunk can be told from every other."""
    first = number << 16
    return array("I", range(first, first + -(-size // 4))).tobytes()[:size]


@define
class ModelServer:
    """Plays utterances, is interrupted and ends, by the rules; writes the log of it. Times are whole milliseconds."""

    log: WireLog = Factory(WireLog)
    now: int = 0
    plays_until: int = 0
    queue: list[bytes] = Factory(list)
    """Chunks of the utterance that is being sent; empty between utterances."""
    echoes: list[tuple[int, str]] = Factory(list)
    """When each outstanding mark comes back."""
    utterances: int = 0
    marks: int = 0
    keys: int = 0
    others: int = 0
    """Connections of the same call that came beside this one."""

    def came(self, what: Arrival) -> None:
        self.log.arrived(self.now / 1000, what)

    def note(self, fact: Fact) -> None:
        self.log.noted(self.now / 1000, fact)

    def send(self, frame: SendMedia | SendMark | SendClear) -> None:
        self.note(frame)
        match frame:
            case SendMedia(payload=payload):
                self.log.sent(self.now / 1000, Media(payload=payload, stream_sid=OWN))
            case SendMark(name=name):
                self.log.sent(self.now / 1000, Mark(name=name, stream_sid=OWN))
            case SendClear():
                self.log.sent(self.now / 1000, Clear(stream_sid=OWN))

    def start(self) -> None:
        start = Start(stream_sid=OWN, call_sid="call")
        self.came(Asked())
        self.came(Opened())
        self.came(Connected())
        self.came(start)
        self.note(Started(start))
        self.note(Ran("data"))

    def say(self, size: int) -> None:
        """Queue an utterance; the one before it is sent to its end first."""
        while self.queue:
            self.pass_time(CHUNK_MS)
        self.utterances += 1
        audio = speech(self.utterances, size)
        self.note(Queued(f"u{self.utterances}", audio))
        self.queue = chunks(audio, LINE)
        self.pump()

    def pump(self) -> None:
        while self.queue and self.plays_until - self.now <= LEAD_MS:
            payload = self.queue.pop(0)
            self.send(SendMedia(payload))
            self.plays_until = max(self.plays_until, self.now) + round(LINE.seconds(len(payload)) * 1000)
            if not self.queue:
                self.marks += 1
                self.send(SendMark(f"m{self.marks}"))
                self.echoes.append((self.plays_until + 30, f"m{self.marks}"))

    def pass_time(self, ms: int) -> None:
        """Let time pass, with what falls due in it."""
        until = self.now + ms
        while (due := self._due()) is not None and due <= until:
            self.now = max(self.now, due)
            self._echo()
            self.pump()
        self.now = until

    def _due(self) -> int | None:
        next_chunk = [self.plays_until - LEAD_MS] if self.queue else []
        return min([*next_chunk, *(at for at, _ in self.echoes)], default=None)

    def _echo(self) -> None:
        for echo in [echo for echo in self.echoes if echo[0] <= self.now]:
            self.echoes.remove(echo)
            self.came(Mark(name=echo[1], stream_sid=OWN))
            self.note(MarkDone(echo[1], MarkFate.PLAYED))

    def press(self, digit: str, number: int | None) -> None:
        key = Dtmf(digit=digit, stream_sid=OWN, sequence_number=number)
        self.came(key)
        self.note(Pressed(key))

    def meet(self) -> None:
        """Let another connection of the same call come, as a call of its own, and go."""
        self.others += 1
        at, conn = self.now / 1000, 1 + self.others
        start = Start(stream_sid=f"other{self.others}", call_sid="call")
        for what in (Asked(), Opened(), Connected(), start):
            self.log.arrived(at, what, conn=conn)
        self.log.noted(at, Started(start), conn=conn)
        self.log.arrived(at, Closed(), conn=conn)
        self.log.noted(at, Over(EndCause.PEER_GONE), conn=conn)

    def answer(self, status: str) -> None:
        """Answer a status callback, or a repetition of one."""
        request = Request(applet=Applet.STATUS, call_sid="call", status=status)
        at, asked = self.now / 1000, Reached(request=request)
        if all(entry.what != asked for entry in self.log.entries):
            self.log.noted(at, asked, conn=0)
        self.log.arrived(at, Exchange(request=request, answer=200), conn=0)

    def interrupt(self, *, echoed: bool) -> None:
        """Take back what is queued; the far end may echo the marks that it cleared."""
        self.note(Interrupted())
        self.queue.clear()
        self.send(SendClear())
        self.plays_until = self.now
        cleared, self.echoes = self.echoes, []
        for _, name in cleared:
            self.note(MarkDone(name, MarkFate.CLEARED))
            if echoed:
                self.came(Mark(name=name, stream_sid=OWN))

    def end(self, how: str) -> None:
        match how:
            case "stop":
                self.came(Stop(stream_sid=OWN, reason=StopReason.CALL_ENDED, text="callended"))
            case "gone":
                self.came(Closed())
            case "flow":
                self.log.sent(self.now / 1000, Closed(code=1000, clean=True))
        causes = {"stop": EndCause.STOP, "gone": EndCause.PEER_GONE, "flow": EndCause.FLOW}
        for _, name in self.echoes:
            self.note(MarkDone(name, MarkFate.LOST))
        self.note(Over(causes[how]))
        if how == "flow":
            self.log.sent(self.now / 1000, Dropped())
        self.now += 1
        if how == "stop":
            self.came(Closed())
        self.note(TasksLeft(0))


_steps = st.one_of(
    st.tuples(st.just("say"), st.integers(1, 20_000)),
    st.tuples(st.just("say"), st.integers(6_000, 20_000)),
    st.tuples(st.just("wait"), st.integers(0, 1500)),
    st.tuples(st.just("press"), wire.keys, wire.counters),
    st.tuples(st.just("barge in"), wire.keys, st.booleans()),
    st.tuples(st.just("rubbish"), st.sampled_from([Malformed("not JSON"), Unknown(event="silence")])),
    st.tuples(st.just("start"), st.sampled_from([OWN, "other"])),
    st.tuples(st.just("ping"), st.binary(max_size=4)),
    st.tuples(st.just("meet"), st.none()),
    st.tuples(st.just("status"), st.sampled_from(["completed", "failed"])),
)


def _do(server: ModelServer, step: tuple[Any, ...]) -> None:
    match step:
        case "say", size:
            server.say(size)
        case "wait", ms:
            server.pass_time(ms)
        case "press", digit, number:
            server.press(digit, number)
        case "barge in", digit, echoed:
            server.press(digit, None)
            server.interrupt(echoed=echoed)
        case "rubbish", what:
            server.came(what)
        case "ping", payload:
            server.came(Ping(payload))
            server.log.sent(server.now / 1000, Pong(payload))
        case "meet", _:
            server.meet()
        case "status", status:
            server.answer(status)
        case "start", sid:
            server.came(Start(stream_sid=sid, call_sid="call"))


_ends = st.sampled_from(["stop", "gone", "flow"])


@st.composite
def spoken_logs(draw: wire.Draw, *, always: Sequence[tuple[Any, ...]] = ()) -> WireLog:
    """Draw the log of a stream on which a server spoke.

    Args:
        draw: Hypothesis' own.
        always: Steps that happen in every log, in this order and without others between them.
    """
    server = ModelServer()
    server.start()
    for step in [*draw(st.lists(_steps, max_size=8)), *always, *draw(st.lists(_steps, max_size=4))]:
        _do(server, step)
    if draw(st.booleans()):
        server.pass_time(5_000)
    server.end(draw(_ends))
    return server.log


@st.composite
def one_way_logs(draw: wire.Draw) -> WireLog:
    """Draw the log of a stream that a flow only listened to."""
    server = ModelServer()
    server.start()
    server.note(OneWay())
    for digit in draw(st.lists(wire.keys, max_size=4)):
        server.press(digit, None)
    server.end(draw(_ends))
    return server.log


conformant_logs = spoken_logs() | one_way_logs()
"""Logs of streams on which the server kept every rule. Its messages are not numbered."""


def numbered(log: WireLog) -> WireLog:
    """Give the messages of the server the numbers that ``Outgoing`` would."""
    entries, sequence, chunk, size = [], 0, 0, 0
    for entry in log.entries:
        what = entry.what
        if entry.side is Side.OUT and isinstance(what, Media | Mark | Clear):
            sequence += 1
            what = evolve(what, sequence_number=sequence)
            if isinstance(what, Media):
                chunk += 1
                what = evolve(what, chunk=chunk, timestamp=size * 1000 // LINE.bytes_per_second / 1000)
                size += len(what.payload)
        entries.append(evolve(entry, what=what))
    return WireLog(entries)
