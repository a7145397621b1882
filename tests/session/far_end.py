"""A line in virtual time: a far end that plays as Exotel does, the way there and back, and our side with its ledger.

Time goes in steps of ten milliseconds. What the caller really heard is known here, and only here.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import Literal

from attrs import Factory, define, field, frozen

from callflow.session.inputs import (
    Detached,
    EndCause,
    Hangup,
    Input,
    MarkDone,
    Over,
    Reattach,
    SendClear,
    SendMark,
    SendMedia,
    SocketClosed,
    SocketOpened,
    Timer,
    TimerDue,
    Verdict,
)
from callflow.session.machine import Session
from callflow.session.playout import Entry, Ledger
from callflow.wire.messages import Mark, Start, Stop

STEP = 0.01
CHUNK = 0.2
"""Seconds of an ordinary chunk: 3,200 bytes at 8 kHz."""
BLOCK = 0.02
LEAD = 0.4
FLUSH = 2.0
LATE = 1.0
"""Seconds by which a far end that echoes cleared marks late does so."""

START = Start(stream_sid="one", call_sid="call")
_SAME = 1e-6


@frozen
class Manner:
    """How a far end and the way to it behave."""

    there: float = 0.0
    """Seconds that a message takes from us."""
    back: float = 0.0
    echoes: bool = True
    """Whether played marks come back at all."""
    slow_by: float = 0.0
    """Seconds by which they come late."""
    cleared: Literal["at once", "late", "never"] = "at once"
    """When cleared marks come back."""
    clear_wins: bool = False
    """Whether a clear that comes the instant a message would be picked up takes that message, too."""
    talks: bool = True
    """Whether something always comes from it, as audio does; else only echoes."""


@frozen
class Piece:
    """A media message: whose it is, how long its audio is, and how long it lasts with its padding."""

    entry: Entry
    seconds: float
    lasts: float


class Cleared:
    """A clear."""


@define(eq=False)
class FarEnd:
    """Plays messages in order, each to its end once it was picked up; a clear takes those that were not."""

    manner: Manner
    ends_at: float = inf
    """When it stopped playing, with the link or the call."""
    echoed: deque[tuple[float, str]] = Factory(deque)
    """Marks that were sent back, and when."""
    _plays: list[tuple[Piece, float]] = Factory(list)
    _waiting: deque[tuple[float, Piece | str]] = Factory(deque)
    _free_at: float = 0.0

    def take(self, what: Piece | str | Cleared, at: float) -> None:
        if at > self.ends_at + _SAME:
            return
        if not isinstance(what, Cleared):
            self._waiting.append((at, what))
            return
        self.play(at - STEP / 2 if self.manner.clear_wins else at)
        dropped, self._waiting = self._waiting, deque[tuple[float, Piece | str]]()
        if self.manner.cleared != "never":
            late = LATE if self.manner.cleared == "late" else 0.0
            for name in (name for _, name in dropped if isinstance(name, str)):
                self._echo(at + late, name)

    def play(self, until: float) -> None:
        """Pick up all that it gets to until then."""
        while self._waiting and (at := max(self._free_at, self._waiting[0][0])) <= min(until, self.ends_at) + _SAME:
            _, what = self._waiting.popleft()
            if isinstance(what, Piece):
                self._plays.append((what, at))
                self._free_at = at + what.lasts
            elif self.manner.echoes:
                self._echo(at + self.manner.slow_by, what)

    def _echo(self, at: float, name: str) -> None:
        last = self.echoed[-1][0] if self.echoed else 0.0
        self.echoed.append((max(at, last), name))

    def heard(self, entry: Entry) -> float:
        """Say how many seconds of a playback the caller heard."""
        return sum(max(0.0, min(piece.seconds, self.ends_at - at)) for piece, at in self._plays if piece.entry is entry)


@define(eq=False)
class Line:
    """Our side of a call, as its driver and writer would be, with the far end that it has now."""

    manner: Manner = Manner()
    now: float = 0.0
    opened: list[Entry] = Factory(list)
    settled: list[Entry] = Factory(list)
    """Playbacks with their fate, in the order in which they got it."""
    marks: dict[str, Entry] = Factory(dict)
    late: int = 0
    """Echoes that came when their playback had its fate."""
    unknown: int = 0
    """Those of them that meant nothing to the session any more."""
    ledger: Ledger = Factory(Ledger)
    session: Session = field(factory=lambda: Session(resumes=True))
    far: FarEnd = field(init=False)
    _fars: dict[Entry, FarEnd] = Factory(dict)
    _there: deque[tuple[float, Piece | str | Cleared]] = Factory(deque)
    _left: deque[tuple[Entry, float]] = Factory(deque)
    """Playbacks that are not sent, with the seconds that remain."""
    _starved_until: float = 0.0
    _flush_at: float = inf

    def __attrs_post_init__(self) -> None:
        self.far = FarEnd(self.manner)
        self.feed(SocketOpened())
        self.feed(START)
        self.ledger.alive_at = self.now

    # What a flow does.

    def play(self, seconds: float) -> Entry:
        """Begin a playback."""
        entry = self.ledger.open(("prompt",), seconds)
        self.opened.append(entry)
        self._fars[entry] = self.far
        self._left.append((entry, seconds))
        self._pump()
        return entry

    def cut(self) -> None:
        """Cut what plays, as barge-in does."""
        self._left.clear()
        self.settled += self.ledger.clear(self.now)
        self.feed(SendClear())

    def starve(self, seconds: float) -> None:
        """Send nothing for so long: our side is busy."""
        self._starved_until = self.now + seconds

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        for _ in range(round(seconds / STEP)):
            self.now += STEP
            self._step()

    def lose(self, noticed_after: float) -> None:
        """Lose the link, notice it later, and get another."""
        self._stop_far(self.now)
        self.wait(noticed_after)
        self._left.clear()
        self.feed(SocketClosed())
        self._there.clear()
        self.far = FarEnd(self.manner)
        self.feed(Reattach(START))
        self.ledger.alive_at = self.now

    def hang_up(self) -> None:
        """End the call from our side."""
        self._left.clear()
        self.feed(Hangup(EndCause.FLOW))
        self._stop_far(self.now + self.manner.there)

    def caller_hangs_up(self) -> None:
        """End the call from the far end."""
        self._stop_far(self.now)
        self.wait(self.manner.back)
        self._left.clear()
        self.feed(Stop())

    def heard(self, entry: Entry) -> float:
        """Say what the caller heard of a playback, in seconds: the truth."""
        return self._fars[entry].heard(entry)

    # How time passes.

    def _stop_far(self, at: float) -> None:
        self.far.ends_at = at

    def _step(self) -> None:
        while self._there and self._there[0][0] <= self.now + _SAME:
            at, what = self._there.popleft()
            self.far.take(what, at)
        self.far.play(self.now)
        if self.manner.talks and self.now <= self.far.ends_at + self.manner.back + _SAME:
            self.ledger.alive_at = self.now
        while self.far.echoed and self.far.echoed[0][0] + self.manner.back <= self.now + _SAME:
            self._receive(*self.far.echoed.popleft())
        if self.session.fresh and self.ledger.deadline is not None and self.ledger.deadline <= self.now + _SAME:
            self.feed(TimerDue(Timer.MARK))
        if self._flush_at <= self.now + _SAME:
            self.feed(TimerDue(Timer.FLUSH))
        self._pump()

    def _receive(self, sent_at: float, name: str) -> None:
        if sent_at > self.far.ends_at + _SAME:
            return
        self.ledger.alive_at = self.now
        self.late += self.marks[name].result is not None
        self.unknown += self.feed(Mark(name=name)) in (Verdict.ODD, Verdict.IGNORED)

    def _pump(self) -> None:
        """Send what is due: audio up to the lead, and the mark behind each playback."""
        while self._left and self._starved_until <= self.now + _SAME:
            entry, left = self._left[0]
            if left <= _SAME:
                self._left.popleft()
                name = self.ledger.next_mark(self.session.epoch)
                self.ledger.marked(entry, name, self.now)
                self.marks[name] = entry
                self.feed(SendMark(name))
                continue
            if self.ledger.ahead(self.now) > LEAD + _SAME:
                return
            seconds = min(CHUNK, left)
            lasts = -(-(seconds - _SAME) // BLOCK) * BLOCK
            self._left[0] = (entry, left - seconds)
            self.ledger.send(entry, lasts, self.now)
            self.feed(SendMedia(bytes(320)))
            self._there.append((self.now + self.manner.there, Piece(entry, seconds, lasts)))

    def feed(self, event: Input) -> Verdict:
        """Feed the session, and do as the driver would."""
        outcome = self.session.feed(event)
        assert outcome.verdict is not Verdict.REFUSED
        for told in outcome.told:
            match told:
                case MarkDone(name=name, fate=fate):
                    self.settled += self.ledger.mark_done(name, fate, self.now)
                case Detached():
                    self.settled += self.ledger.link_lost(self.now)
                case Over():
                    self.settled += self.ledger.end(self.now)
        for frame in outcome.frames:
            if not isinstance(frame, SendMedia):
                what = frame.name if isinstance(frame, SendMark) else Cleared()
                self._there.append((self.now + self.manner.there, what))
        if Timer.FLUSH in outcome.arm:
            self._flush_at = self.now + FLUSH if outcome.arm[Timer.FLUSH] else inf
        return outcome.verdict
