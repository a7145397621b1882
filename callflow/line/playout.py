"""What the line hears of what a server sends, pure: the buffer that Exotel plays from (exotel.md §6.5, §7.3, §8).

No clock: time is passed in, in seconds since the call was answered.
"""

from __future__ import annotations

import math
from collections import deque

from attrs import define, frozen

from callflow.line.oddities import Oddity
from callflow.line.profile import CONFORMANT, Profile
from callflow.wire.audio import BLOCK, AudioFormat

SAME = 1e-6
"""Seconds. Moments closer than this are one: sums of floats differ in their last bits."""


@frozen
class Segment:
    """A stretch of audio at the line: one message, or as much of it as there was."""

    start: float
    """When it began, in seconds since the call was answered."""
    audio: bytes
    """In the line's own coding."""
    seconds: float

    @property
    def end(self) -> float:
        return self.start + self.seconds


@frozen
class Played:
    """A message was played to its end."""

    at: float
    segment: Segment


@frozen
class MarkDue:
    """A mark is to be echoed."""

    at: float
    name: str
    cleared: bool = False
    """Whether a ``clear`` threw away audio that it was to report on."""


@define(eq=False)
class _PendingMark:
    name: str
    after: int
    """How many messages come before it, counted from the stream's begin."""
    due_at: float
    """When those will have been played. Nothing but a ``clear`` changes that."""
    cleared: bool = False


@define(eq=False)
class _Playing:
    """The message that was picked up."""

    payload: bytes
    start: float
    ends_at: float
    heard_bytes: int = 0
    """How much of it stands in ``Playout.heard`` already."""


class Playout:
    """The buffer that Exotel plays from.

    Whole messages are played in order. One is *picked up* when its playing begins; ``clear`` throws away those that
    were not, and the one that was plays to its end. A message whose length is no multiple of 320 bytes still takes the
    time of one, so a gap is heard (exotel.md §8). A mark is due when the audio before it was played; what becomes of
    marks whose audio was thrown away is the profile's. Marks are due in the order in which they came (R9).

    Times given to one ``Playout`` never decrease.
    """

    def __init__(self, form: AudioFormat, profile: Profile = CONFORMANT) -> None:
        self.form = form
        self.underruns = 0
        """How often the buffer ran dry inside a stretch of audio: no mark and no clear stood where it did."""
        self.queued_bytes = 0
        self.cleared_bytes = 0
        self.next_echo: Oddity | None = None
        """What becomes of the next mark that is due: it comes late, or never."""
        self._profile = profile
        self._heard: list[Segment] = []
        self._heard_bytes = 0
        self._at = 0.0  # until when it has played
        self._waiting: deque[bytes] = deque()
        self._playing: _Playing | None = None
        self._marks: deque[_PendingMark] = deque()
        self._facts: list[Played | MarkDue] = []
        self._arrived = 0  # messages, without those that were thrown away
        self._finished = 0  # messages played to their end
        self._ended_at = 0.0  # when the last message did
        self._ends_at = 0.0  # when the last of those that are here will
        self._unbroken = False  # whether audio came and neither a mark nor a clear after it

    @property
    def heard(self) -> list[Segment]:
        """What the line really heard, in order; where nothing played there is nothing. The last may still grow."""
        self._hear_until_now()
        return self._heard

    @property
    def heard_bytes(self) -> int:
        """How much of what came was heard."""
        self._hear_until_now()
        return self._heard_bytes

    @property
    def waiting_bytes(self) -> int:
        """Bytes that will be heard if nothing clears them."""
        return self.queued_bytes - self.heard_bytes - self.cleared_bytes

    def media(self, payload: bytes, at: float) -> None:
        """Take a message's audio; it is picked up at once if nothing else plays. Half a sample is no sound."""
        if self._profile.one_way:
            return
        self._run(at)
        audio = payload[: len(payload) - len(payload) % self.form.sample_bytes]
        if not audio:
            return
        self.queued_bytes += len(audio)
        self._arrived += 1
        self._waiting.append(audio)
        if self._playing is None:
            self.underruns += self._unbroken and at > self._ended_at + SAME
            self._ends_at = at
            self._pick_up(at)
        self._ends_at += self._seconds(audio)
        self._unbroken = True

    def mark(self, name: str, at: float) -> None:
        """Take a mark; it is due when what came before it was played, at once if nothing plays."""
        if self._profile.one_way:
            return
        self._run(at)
        self._unbroken = False
        due = "R10" in self._profile.breaks or self._arrived == self._finished
        self._marks.append(_PendingMark(name, self._arrived, at if due else self._ends_at))
        self._run(at)

    def clear(self, at: float) -> None:
        """Throw away what was not picked up."""
        self._run(at)
        self._unbroken = False
        self.cleared_bytes += sum(map(len, self._waiting))
        self._arrived -= len(self._waiting)
        self._waiting.clear()
        if self._playing is not None:
            self._ends_at = self._playing.ends_at
        self._settle_cleared_marks(at)
        self._run(at)

    def cut_off(self, at: float) -> None:
        """The line is gone, and the buffer with it: nothing more of it is heard, and no mark is due any more."""
        self._run(at)
        self._hear_until_now()
        playing, self._playing = self._playing, None
        thrown_away = [*self._waiting, playing.payload[playing.heard_bytes :] if playing else b""]
        self.cleared_bytes += sum(map(len, thrown_away))
        self._arrived = self._finished
        self._ended_at, self._unbroken = at, False
        self._waiting.clear()
        self._marks.clear()
        self._facts.clear()

    def _settle_cleared_marks(self, at: float) -> None:
        for pending in [pending for pending in self._marks if pending.after > self._arrived]:
            pending.after = self._arrived
            pending.cleared = True
            match self._profile.echoes_cleared_marks:
                case "at once":
                    pending.due_at = at
                case "late":
                    pending.due_at = at + self._profile.late_by
                case "never":
                    self._marks.remove(pending)

    def advance(self, to: float) -> list[Played | MarkDue]:
        """Play until *to*; return what happened since the last call, in order. Its driver echoes the marks."""
        self._run(to)
        facts, self._facts = self._facts, []
        return facts

    def keep_up(self, to: float) -> None:
        """Play until *to*; what happened is told by the next ``advance``."""
        self._run(to)

    def next_event_at(self) -> float:
        """Say when ``advance`` is needed next; infinity if nothing can happen by itself, the past if facts wait."""
        return self._facts[0].at if self._facts else self._next_step_at()

    def next_echo_at(self) -> float:
        """Say when the next mark is due; infinity while none waits, the past if one is due that nobody was told of."""
        due = self._marks[0].due_at if self._marks else math.inf
        return min((fact.at for fact in self._facts if isinstance(fact, MarkDue)), default=due) if self._facts else due

    def speaking(self, at: float) -> bool:
        """Say whether audio plays at *at*, a moment not later than the last one given."""
        return self.silent_since(at) is None

    def silent_since(self, at: float) -> float | None:
        """Say when the last audio before *at* ended: 0.0 if there was none, None if audio plays at *at*."""
        if self._playing is not None and self._playing.start <= at:
            return None
        for segment in reversed(self.heard):
            if segment.end <= at + SAME:
                return segment.end
            if segment.start <= at:
                return None
        return 0.0

    # What happens by itself, in the order of time.

    def _next_step_at(self) -> float:
        playing_ends = self._playing.ends_at if self._playing else math.inf
        return min(playing_ends, self._marks[0].due_at if self._marks else math.inf)

    def _run(self, to: float) -> None:
        while (at := self._next_step_at()) <= to + SAME:
            if self._playing is not None and self._playing.ends_at <= at:
                self._finish(self._playing)
            else:
                self._echo(at)
        self._at = max(self._at, to)

    def _hear_until_now(self) -> None:
        """Put down what is heard of the message that plays: only for those who ask, not at each step of time."""
        if self._playing is not None:
            self._hear(self._playing, self._at)

    def _pick_up(self, at: float) -> None:
        payload = self._waiting.popleft()
        self._playing = _Playing(payload, at, at + self._seconds(payload))

    def _seconds(self, payload: bytes) -> float:
        """How long a message takes: whole blocks."""
        return self.form.seconds(len(payload) + -len(payload) % BLOCK)

    def _hear(self, playing: _Playing, to: float) -> None:
        samples = int((to + SAME - playing.start) * self.form.rate)
        size = min(len(playing.payload), samples * self.form.sample_bytes)
        if size <= playing.heard_bytes:
            return
        if playing.heard_bytes:
            self._heard.pop()
        self._heard.append(Segment(playing.start, playing.payload[:size], self.form.seconds(size)))
        self._heard_bytes += size - playing.heard_bytes
        playing.heard_bytes = size

    def _finish(self, playing: _Playing) -> None:
        self._hear(playing, playing.ends_at)
        self._facts.append(Played(playing.ends_at, self._heard[-1]))
        self._playing = None
        self._finished += 1
        self._ended_at = playing.ends_at
        if self._waiting:
            self._pick_up(playing.ends_at)

    def _echo(self, at: float) -> None:
        pending, oddity, self.next_echo = self._marks[0], self.next_echo, None
        if oddity is Oddity.LATE_MARK:
            pending.due_at = at + self._profile.late_by
            return
        self._marks.popleft()
        if oddity is not Oddity.LOST_MARK:
            self._facts.append(MarkDue(at, pending.name, pending.cleared))
        if self._marks:  # never before an earlier one
            self._marks[0].due_at = max(self._marks[0].due_at, at)
