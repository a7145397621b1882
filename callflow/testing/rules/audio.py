"""The audio that is sent: its sizes, its pace, and whose bytes it is."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from attrs import define, field

from callflow.testing.rules.rule import ROUNDING, Case, Kind, Limits, rule
from callflow.testing.wirelog import Closed, Entry, Interrupted, Queued, Side, WireLog
from callflow.wire.audio import BLOCK, LARGEST_CHUNK, SMALLEST_CHUNK, AudioFormat, pad
from callflow.wire.messages import Clear, Mark, Media, Stop


@rule("R17", reads="media sent")
def whole_blocks(log: WireLog, limits: Limits) -> Iterator[Case]:
    """Every outbound payload is non-empty, a multiple of 320 bytes, at most 99,840."""
    for at, media in log.each(Side.OUT, Media):
        size = len(media.payload)
        yield Case(at, "" if 0 < size <= LARGEST_CHUNK and size % BLOCK == 0 else f"a payload of {size} bytes")


@rule("R18", reads="media, marks and clears sent, stop, closes", kind=Kind.SOFT)
def large_enough(log: WireLog, limits: Limits) -> Iterator[Case]:
    """Every outbound payload except an utterance's last is at least 3,200 bytes."""
    before: tuple[float, int] | None = None
    for entry in log.of(Media, Mark, Clear, Stop, Closed):
        match entry:
            case Entry(at=at, side=Side.OUT, what=Media(payload=payload)):
                if before is not None:
                    small = before[1] < SMALLEST_CHUNK
                    yield Case(before[0], f"{before[1]} bytes, and the utterance went on" if small else "")
                before = at, len(payload)
            case Entry(side=Side.OUT | Side.IN, what=Mark() | Clear() | Stop() | Closed()) if _ends_utterance(entry):
                before = None


def _ends_utterance(entry: Entry) -> bool:
    return entry.side is Side.OUT or isinstance(entry.what, Stop | Closed)


@rule("R20", reads="media and clears sent, start for the format")
def within_the_lead(log: WireLog, limits: Limits) -> Iterator[Case]:
    """Audio sent never runs ahead of real-time playback by more than the lead plus one chunk."""
    line = log.line
    chunk = line.seconds(line.chunk_bytes) if limits.chunk_seconds is None else limits.chunk_seconds
    allowed = limits.lead + chunk + log.crossing + ROUNDING
    plays_until = float("-inf")
    for _, entry in log.outgoing():
        if isinstance(entry.what, Clear):
            plays_until = entry.at  # what was not picked up is gone
        elif isinstance(entry.what, Media):
            plays_until = max(plays_until, entry.at) + line.seconds(len(entry.what.payload))
            ahead = plays_until - entry.at
            yield Case(entry.at, "" if ahead <= allowed else f"{ahead:.3f} s ahead, {allowed:.3f} s allowed")


# Audio against what was queued.


@define
class _Utterance:
    """What was queued under one name, and how far it went out."""

    name: str
    audio: bytearray
    sent: int = 0
    taken_back: bool = False
    cleared: bool = False
    """The clear that follows the interrupt went out."""
    marked: bool = False

    @property
    def left(self) -> int:
        return max(0, len(self.audio) - self.sent)

    def goes_on_with(self, payload: bytes, line: AudioFormat) -> bool:
        if not payload or self.audio.startswith(payload, self.sent):
            return True
        return self.left < len(payload) and payload == pad(bytes(self.audio[self.sent :]), line)

    def find(self, payload: bytes, line: AudioFormat) -> int:
        return (self.audio + line.silence(BLOCK - 1)).find(payload, self.sent)


@define
class _Playout:
    """Follows what was queued and taken back, and says of each payload whose bytes it carries."""

    line: AudioFormat
    utterances: list[_Utterance] = field(factory=list)
    owed: int = 0
    """Clears that interrupts have still to bring."""
    _now: _Utterance | None = None
    """Whose bytes went out last, if all before it is done with."""

    def queue(self, fact: Queued) -> None:
        last = self.utterances[-1] if self.utterances else None
        if last is not None and last.name == fact.utterance:  # also what goes on that was taken back
            last.audio += fact.audio
        else:
            self.utterances.append(_Utterance(fact.utterance, bytearray(fact.audio)))

    def interrupt(self) -> None:
        self.owed += 1
        for utterance in self.utterances:
            utterance.taken_back = True

    def clear(self) -> None:
        """A clear went out. Where no interrupt was noted, it is one."""
        if not self.owed:
            self.interrupt()
        self.owed -= 1
        self._now = None
        for utterance in self.utterances:
            utterance.cleared = utterance.taken_back

    def take(self, payload: bytes) -> tuple[_Utterance | None, str]:
        """Say whose next bytes these are, and what is wrong with the order."""
        now = None if self.owed else self._now
        if now is None or not payload or not now.audio.startswith(payload, now.sent):
            return self._seek(payload)
        now.sent += len(payload)
        return now, ""

    def _seek(self, payload: bytes) -> tuple[_Utterance | None, str]:
        self._now = None
        live = [utterance for utterance in self.utterances if not utterance.cleared]
        for utterance in (*live, *(old for old in self.utterances if old.cleared)):
            if utterance.goes_on_with(payload, self.line):
                utterance.sent += len(payload)
                self._now = None if utterance.cleared else utterance
                return utterance, self._passed_over(utterance)
        for utterance in live:
            found = utterance.find(payload, self.line)
            if found >= 0:
                missing, utterance.sent = found - utterance.sent, found + len(payload)
                words = f"{missing} bytes of utterance {utterance.name!r} are missing"
                return utterance, words if missing else ""  # else with more of silence behind it
        return None, f"{len(payload)} bytes that were not next"

    def _passed_over(self, reached: _Utterance) -> str:
        """Give up what should have gone out before *reached*. What was taken back is a matter of R23, on both sides."""
        words = ""
        for utterance in itertools.takewhile(lambda each: each is not reached, self.utterances):
            if utterance.left and not utterance.taken_back and not reached.cleared:
                words = f"{utterance.left} bytes of utterance {utterance.name!r} never went out"
                utterance.sent, utterance.marked = len(utterance.audio), True
        return words

    def unmarked(self, until: _Utterance | None = None) -> Iterator[_Utterance]:
        """Give those whose mark is still to come, up to one of them."""
        for utterance in self.utterances:
            if utterance is until:
                return
            if not utterance.marked and not utterance.taken_back:
                yield utterance


@define
class _Judged:
    """What three rules say of one log: the walk beside which its playout goes is made once for them."""

    bytes: list[Case] = field(factory=list)
    marks: list[Case] = field(factory=list)
    clears: list[Case] = field(factory=list)
    owed: int = 0
    due: bool = False
    """Whether an interrupt waits for its clear."""

    @classmethod
    def of(cls, log: WireLog) -> _Judged:
        judged, playout = cls(), _Playout(log.line)
        for entry in log.of(Queued, Interrupted, Clear, Media, Mark):
            judged.read(entry, playout)
        if judged.due and log.end() is None:
            judged.clears.append(Case(log.entries[-1].at, "no clear was sent"))
        return judged

    def read(self, entry: Entry, playout: _Playout) -> None:
        match entry:
            case Entry(what=Queued() as fact):
                playout.queue(fact)
            case Entry(what=Interrupted()):
                playout.interrupt()
                self.owed, self.due = self.owed + 1, True
            case Entry(at=at, side=Side.OUT, what=Clear()):
                playout.clear()
                self._judge_clear(at)
            case Entry(at=at, side=Side.OUT, what=Media(payload=payload)):
                utterance, words = playout.take(payload)
                self.bytes.append(Case(at, words))
                self._judge_audio(at, utterance, playout)
            case Entry(at=at, side=Side.OUT, what=Mark()):
                self._judge_mark(at, playout)

    def _judge_clear(self, at: float) -> None:
        self.clears.append(Case(at, "" if self.owed else "a clear, and nothing was interrupted"))
        self.owed, self.due = max(0, self.owed - 1), False

    def _judge_audio(self, at: float, whose: _Utterance | None, playout: _Playout) -> None:
        if whose is None:
            return
        if whose.cleared:
            self.clears.append(Case(at, f"audio of {whose.name!r}, which was taken back"))
        elif self.due and not whose.taken_back:
            self.clears.append(Case(at, f"audio of {whose.name!r} before the clear"))
        if not whose.marked and not whose.taken_back:
            for earlier in playout.unmarked(until=whose):
                earlier.marked = True
                self.marks.append(Case(at, f"audio of {whose.name!r} before the mark of {earlier.name!r}"))

    def _judge_mark(self, at: float, playout: _Playout) -> None:
        first = next(playout.unmarked(), None)
        if first is not None:
            first.marked = True
            words = f"{first.left} bytes of {first.name!r} before its end" if first.left else ""
            self.marks.append(Case(at, words))


@rule("R19", reads="Queued, Interrupted, media and clears sent")
def every_byte_in_order(log: WireLog, limits: Limits) -> Iterator[Case]:
    """Bytes of one utterance go out in order, none lost, none doubled, padded with less than a block of silence."""
    if log.has(Queued):
        yield from log.once(_Judged, _Judged.of).bytes


@rule("R21", reads="Queued, Interrupted, media, marks and clears sent")
def mark_behind_its_audio(log: WireLog, limits: Limits) -> Iterator[Case]:
    """A mark goes out after the last chunk it covers and before any later audio."""
    yield from log.once(_Judged, _Judged.of).marks


@rule("R23", reads="Interrupted, clears and media sent; Queued for whose bytes those are")
def one_clear_and_nothing_old(log: WireLog, limits: Limits) -> Iterator[Case]:
    """After an interrupt one clear is sent, and no byte produced before the interrupt follows it."""
    if log.has(Interrupted):
        yield from log.once(_Judged, _Judged.of).clears
