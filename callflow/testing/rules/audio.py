"""The audio that is sent: its sizes, its pace, and whose bytes it is."""

from __future__ import annotations

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
    for entry in log.entries:
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
    audio: bytes
    sent: int = 0
    taken_back: bool = False
    cleared: bool = False
    """The clear that follows the interrupt went out."""
    marked: bool = False

    @property
    def left(self) -> int:
        return max(0, len(self.audio) - self.sent)

    def goes_on_with(self, payload: bytes, line: AudioFormat) -> bool:
        piece = self.audio[self.sent : self.sent + len(payload)]
        return payload in (piece, pad(piece, line))

    def find(self, payload: bytes, line: AudioFormat) -> int:
        return (self.audio + line.silence(BLOCK - 1)).find(payload, self.sent)


@define
class _Playout:
    """Follows what was queued and taken back, and says of each payload whose bytes it carries."""

    line: AudioFormat
    utterances: list[_Utterance] = field(factory=list)
    owed: int = 0
    """Clears that interrupts have still to bring."""

    def queue(self, fact: Queued) -> None:
        last = self.utterances[-1] if self.utterances else None
        if last is not None and last.name == fact.utterance:  # also what goes on that was taken back
            last.audio += fact.audio
        else:
            self.utterances.append(_Utterance(fact.utterance, fact.audio))

    def interrupt(self) -> None:
        self.owed += 1
        for utterance in self.utterances:
            utterance.taken_back = True

    def clear(self) -> None:
        """A clear went out. Where no interrupt was noted, it is one."""
        if not self.owed:
            self.interrupt()
        self.owed -= 1
        for utterance in self.utterances:
            utterance.cleared = utterance.taken_back

    def take(self, payload: bytes) -> tuple[_Utterance | None, str]:
        """Say whose next bytes these are, and what is wrong with the order."""
        live = [utterance for utterance in self.utterances if not utterance.cleared]
        old = [utterance for utterance in self.utterances if utterance.cleared]
        for utterance in (*live, *old):
            if utterance.goes_on_with(payload, self.line):
                utterance.sent += len(payload)
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
        for utterance in self.utterances[: self.utterances.index(reached)]:
            if utterance.left and not utterance.taken_back and not reached.cleared:
                words = f"{utterance.left} bytes of utterance {utterance.name!r} never went out"
                utterance.sent, utterance.marked = len(utterance.audio), True
        return words


@define
class _Step:
    """One entry, and for a payload whose bytes it carries."""

    entry: Entry
    playout: _Playout
    utterance: _Utterance | None = None
    words: str = ""


def _steps(log: WireLog) -> Iterator[_Step]:
    """Walk through a log with the playout beside it."""
    playout = _Playout(log.line)
    for entry in log.entries:
        step = _Step(entry, playout)
        match entry:
            case Entry(what=Queued() as fact):
                playout.queue(fact)
            case Entry(what=Interrupted()):
                playout.interrupt()
            case Entry(side=Side.OUT, what=Clear()):
                playout.clear()
            case Entry(side=Side.OUT, what=Media(payload=payload)):
                step.utterance, step.words = playout.take(payload)
        yield step


@rule("R19", reads="Queued, Interrupted, media and clears sent")
def every_byte_in_order(log: WireLog, limits: Limits) -> Iterator[Case]:
    """Bytes of one utterance go out in order, none lost, none doubled, padded with less than a block of silence."""
    if not log.has(Queued):
        return
    for step in _steps(log):
        if step.entry.side is Side.OUT and isinstance(step.entry.what, Media):
            yield Case(step.entry.at, step.words)


@rule("R21", reads="Queued, Interrupted, media, marks and clears sent")
def mark_behind_its_audio(log: WireLog, limits: Limits) -> Iterator[Case]:
    """A mark goes out after the last chunk it covers and before any later audio."""
    for step in _steps(log):
        if step.entry.side is not Side.OUT:
            continue
        unmarked = [u for u in step.playout.utterances if not u.marked and not u.taken_back]
        if isinstance(step.entry.what, Mark) and unmarked:
            first = unmarked[0]
            first.marked = True
            yield Case(step.entry.at, f"{first.left} bytes of {first.name!r} before its end" if first.left else "")
        elif isinstance(step.entry.what, Media) and step.utterance in unmarked:
            for earlier in unmarked[: unmarked.index(step.utterance)]:
                earlier.marked = True
                yield Case(step.entry.at, f"audio of {step.utterance.name!r} before the mark of {earlier.name!r}")


@rule("R23", reads="Interrupted, clears and media sent; Queued for whose bytes those are")
def one_clear_and_nothing_old(log: WireLog, limits: Limits) -> Iterator[Case]:
    """After an interrupt one clear is sent, and no byte produced before the interrupt follows it."""
    if not log.has(Interrupted):
        return
    owed, due = 0, False
    for step in _steps(log):
        entry, whose = step.entry, step.utterance
        if isinstance(entry.what, Interrupted):
            owed, due = owed + 1, True
        elif entry.side is Side.OUT and isinstance(entry.what, Clear):
            yield Case(entry.at, "" if owed else "a clear, and nothing was interrupted")
            owed, due = max(0, owed - 1), False
        elif whose is not None and whose.cleared:
            yield Case(entry.at, f"audio of {whose.name!r}, which was taken back")
        elif whose is not None and due and not whose.taken_back:
            yield Case(entry.at, f"audio of {whose.name!r} before the clear")
    if due and log.end() is None:
        yield Case(log.entries[-1].at, "no clear was sent")
