"""A second opinion on the session: one call's protocol as facts and plain rules, written without the table.

It knows no states. It knows whether a link is there, what was said on it and which marks are out, and derives from that
what the session has to answer, which state it has to be in and which timers run.
"""

from __future__ import annotations

from copy import copy

from attrs import Factory, define, evolve, frozen

from callflow.session.inputs import (
    Audio,
    Close,
    Detached,
    EndCause,
    Frame,
    Hangup,
    Input,
    MarkDone,
    MarkFate,
    Over,
    PassthruCame,
    Pressed,
    Quiet,
    Reattach,
    Resumed,
    SendClear,
    SendMark,
    SendMedia,
    SocketClosed,
    SocketOpened,
    Started,
    StartOver,
    Timer,
    TimerDue,
    Told,
    Undecodable,
    Verdict,
)
from callflow.session.table import S
from callflow.wire.messages import Clear, Connected, Dtmf, Mark, Media, Start, Stop, Unknown

Readable = Connected | Start | Media | Dtmf | Mark | Clear | Stop | Unknown
Sent = SendMedia | SendMark | SendClear


@frozen(kw_only=True)
class Answer:
    """What the session has to answer to one input."""

    verdict: Verdict
    told: tuple[Told, ...] = ()
    frames: tuple[Frame, ...] = ()
    close: Close | None = None
    afresh: frozenset[Timer] = frozenset()
    """Timers that have to start now, whether they ran or not. No other may."""


@frozen
class Out:
    """A mark that is not accounted for."""

    name: str
    overtaken: bool = False
    """A clear was sent after it."""


ODD = Answer(verdict=Verdict.ODD)
IGNORED = Answer(verdict=Verdict.IGNORED)
REFUSED = Answer(verdict=Verdict.REFUSED)
MOVED = Answer(verdict=Verdict.MOVED)


def kept(*told: Told) -> Answer:
    return Answer(verdict=Verdict.KEPT, told=told)


@define
class Model:
    """All that can be said of a call's protocol at one moment."""

    resumes: bool = False
    raw: bool = False
    malformed_limit: int = 3
    linked: bool = False
    greeted: bool = False
    """``connected`` came on this link."""
    started: bool = False
    over: bool = False
    announced: bool = False
    stream_sid: str = ""
    links: int = 0
    malformed: int = 0
    cause: EndCause | None = None
    marks: list[Out] = Factory(list)
    early: list[Media] = Factory(list)

    def fork(self) -> Model:
        """Make one that goes its own way."""
        other = copy(self)
        other.marks, other.early = self.marks.copy(), self.early.copy()
        return other

    # What follows from the facts.

    @property
    def live(self) -> bool:
        return self.linked and self.started and not self.over

    @property
    def opening(self) -> bool:
        return self.linked and not self.started and not self.over

    @property
    def stale(self) -> list[str]:
        return [mark.name for mark in self.marks if mark.overtaken]

    @property
    def fresh(self) -> list[str]:
        return [mark.name for mark in self.marks if not mark.overtaken]

    @property
    def state(self) -> S:
        if self.over:
            return S.STOPPED
        if self.live:
            return S.CLEARED if self.stale else S.MARKED if self.marks else S.STREAMING
        if self.opening:
            return S.CONNECTED if self.greeted else S.ACCEPTED
        return S.DETACHED if self.started else S.PASSTHRU if self.announced else S.IDLE

    @property
    def timers(self) -> frozenset[Timer]:
        """Those that run."""
        if self.live:
            mark = {Timer.MARK} if self.fresh else set()
            return frozenset({Timer.STALL, Timer.IDLE} | mark | ({Timer.FLUSH} if self.stale else set()))
        if self.opening:
            return frozenset({Timer.OPEN})
        waits = {S.PASSTHRU: Timer.ATTACH, S.DETACHED: Timer.RESUME}
        return frozenset({waits[self.state]} if self.state in waits else ())

    # What an input does.

    def feed(self, event: Input) -> Answer:
        """Take one input; say what the session has to answer."""
        if isinstance(event, Readable):
            self.malformed = 0
        if isinstance(event, Sent):
            return self._send(event)
        if self.over:
            return kept() if isinstance(event, PassthruCame) else IGNORED
        match event:
            case PassthruCame() | SocketOpened() | SocketClosed() | Reattach():
                return self._link(event)
            case TimerDue():
                return self._due(event.timer)
            case Hangup():
                return self._end(event.cause, event.code)
            case Undecodable():
                return self._malformed()
            case Unknown():
                return IGNORED
            case _:
                return self._message(event)

    def _link(self, event: PassthruCame | SocketOpened | SocketClosed | Reattach) -> Answer:
        match event:
            case PassthruCame():
                return self._passthru(event)
            case SocketOpened():
                return self._opened()
            case SocketClosed():
                return self._gone(event.cause)
            case Reattach():
                return self._reattach(event.start)

    def _passthru(self, event: PassthruCame) -> Answer:
        if self.opening:
            self.announced = True
            return kept()
        if self.state is S.DETACHED and event.stream_sid == self.stream_sid:
            return self._end(EndCause.STOP)
        if self.state is not S.IDLE or event.stream_sid:
            return ODD
        self.announced = True
        return evolve(MOVED, afresh=frozenset({Timer.ATTACH}))

    def _opened(self) -> Answer:
        if self.linked or self.started:
            return ODD
        self.linked, self.greeted, self.malformed = True, False, 0
        return evolve(MOVED, afresh=frozenset({Timer.OPEN}))

    def _gone(self, cause: EndCause, code: int | None = None) -> Answer:
        if not self.linked:
            return IGNORED
        if self.opening and self.announced:
            self.linked = False
            self.early.clear()
            return evolve(MOVED, afresh=frozenset({Timer.ATTACH}))
        if self.opening or not self.resumes:
            return self._end(cause, code)
        self.linked, self.cause = False, cause
        told: tuple[Told, ...] = (*self._account(MarkFate.LOST), Detached())
        return Answer(verdict=Verdict.MOVED, told=told, close=_close(code), afresh=frozenset({Timer.RESUME}))

    def _reattach(self, start: Start) -> Answer:
        if self.state is S.IDLE:
            return REFUSED
        if self.started:
            return self._begin(start, (*self._account(MarkFate.LOST), Resumed(start)))
        return self._begin(start, (Started(start),))

    def _begin(self, start: Start, told: tuple[Told, ...]) -> Answer:
        self.linked = self.started = True
        self.stream_sid, self.cause, self.malformed = start.stream_sid, None, 0
        self.links += 1
        self.early.clear()
        return Answer(verdict=Verdict.MOVED, told=told, afresh=frozenset({Timer.STALL, Timer.IDLE}))

    def _message(self, event: Connected | Start | Media | Dtmf | Mark | Clear | Stop) -> Answer:
        """A message on a link: after ``start`` it means something, before it only what leads there does."""
        if self.opening:
            return self._early(event)
        return self._on_stream(event) if self.live else ODD

    def _early(self, event: Connected | Start | Media | Dtmf | Mark | Clear | Stop) -> Answer:
        match event:
            case Connected() if not self.greeted:
                self.greeted = True
                return MOVED
            case Start():
                kept_for_it = [Audio(media) for media in self.early if media.stream_sid in ("", event.stream_sid)]
                return self._begin(event, (Started(event), *kept_for_it))
            case Stop():
                return self._end(EndCause.STOP, 1000)
            case Media():
                self.early.append(event)
        return ODD

    def _on_stream(self, event: Connected | Start | Media | Dtmf | Mark | Clear | Stop) -> Answer:
        match event:
            case Media() if event.stream_sid in ("", self.stream_sid):
                return kept(Audio(event))
            case Dtmf() if event.stream_sid in ("", self.stream_sid):
                return kept(Pressed(event))
            case Mark() if event.name in self.stale + self.fresh:
                return self._echo(event.name)
            case Clear():
                return kept(StartOver())
            case Stop():
                return self._end(EndCause.STOP, 1000)
        return ODD

    def _malformed(self) -> Answer:
        if not self.linked:
            return ODD
        if self.malformed + 1 == self.malformed_limit:
            return evolve(self._end(EndCause.PROTOCOL, 1003), verdict=Verdict.FAULT)
        self.malformed += 1
        return ODD

    # Marks.

    def _echo(self, name: str) -> Answer:
        """A line plays in order: what was sent before an echoed mark is over, and was overtaken or skipped."""
        before = self.state
        place = [mark.name for mark in self.marks].index(name)
        echoed = self.marks[place]
        told = self._account(MarkFate.SKIPPED, place)
        told += self._account(MarkFate.CLEARED if echoed.overtaken else MarkFate.PLAYED, 1, echoed=True)
        return self._accounted(before, told)

    def _account(self, fate: MarkFate, count: int | None = None, *, echoed: bool = False) -> list[MarkDone]:
        """Give the oldest marks their fate; one that a clear overtook and that did not come back was dropped."""
        gone = self.marks[:count]
        del self.marks[:count]
        return [MarkDone(mark.name, MarkFate.DROPPED if mark.overtaken and not echoed else fate) for mark in gone]

    def _accounted(self, before: S, told: list[MarkDone]) -> Answer:
        moved = self.state is not before
        again = frozenset({Timer.MARK}) if self.fresh else frozenset()
        return Answer(verdict=Verdict.MOVED if moved else Verdict.KEPT, told=tuple(told), afresh=again)

    # Timers.

    def _due(self, timer: Timer) -> Answer:
        if timer not in self.timers:
            return IGNORED
        before = self.state
        match timer:
            case Timer.ATTACH:
                return self._end(EndCause.PEER_GONE)
            case Timer.OPEN:
                return evolve(self._end(EndCause.POLICY, 1008), verdict=Verdict.FAULT)
            case Timer.STALL:
                return evolve(kept(Quiet()), afresh=frozenset({Timer.STALL}))
            case Timer.IDLE:
                return self._gone(EndCause.IDLE, 1001)
            case Timer.MARK:
                return self._accounted(before, self._account(MarkFate.ASSUMED, len(self.stale) + 1))
            case Timer.FLUSH:
                return self._accounted(before, self._account(MarkFate.DROPPED, len(self.stale)))
            case Timer.RESUME:
                return self._end(EndCause.PEER_GONE)

    # Our own side.

    def _send(self, event: Sent) -> Answer:
        if not self.live or not self._is_allowed(event):
            return REFUSED
        before, again = self.state, frozenset[Timer]()
        match event:
            case SendMark():
                self.marks.append(Out(event.name))
                again = frozenset({Timer.MARK})
            case SendClear():
                again = frozenset({Timer.FLUSH}) if self.marks else again
                self.marks = [Out(mark.name, overtaken=True) for mark in self.marks]
        moved = self.state is not before
        return Answer(verdict=Verdict.MOVED if moved else Verdict.KEPT, frames=(event,), afresh=again)

    def _is_allowed(self, event: Sent) -> bool:
        match event:
            case SendMedia():
                size = len(event.payload)
                return size > 0 and (self.raw or (size % 320 == 0 and size <= 99_840))
            case SendMark():
                return event.name not in self.stale + self.fresh
            case SendClear():
                return True

    # The end.

    def _end(self, cause: EndCause, code: int | None = None) -> Answer:
        """The first cause wins: what was noted when the link was lost, else this one."""
        self.cause = self.cause or cause
        told: tuple[Told, ...] = (*self._account(MarkFate.LOST), Over(self.cause))
        self.over, self.linked = True, False
        self.early.clear()
        return Answer(verdict=Verdict.MOVED, told=told, close=_close(code))


def _close(code: int | None) -> Close | None:
    return None if code is None else Close(code)
