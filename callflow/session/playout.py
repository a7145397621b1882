"""The playout ledger: what the caller heard of each playback. Pure; told of every send, echo, clear and end.

*Queued*, *sent* and *heard* are three different things. Exotel plays from its own buffer and reports only by marks,
late or never; a ``clear`` spares the message that was picked up. So each playback gets one fate, when it is decided and
not later, and the seconds heard are a range: at least what echoes prove, at most what was sent.

The lower end rests on one assumption: the way to the far end and back takes no longer than the slowest echo on this
link took. Where that cannot be said (no echo yet, a far end that was silent, a gap in the audio, audio that a clear may
have spared) the range gets wider.
"""

from __future__ import annotations

import enum
from collections import deque
from math import inf
from typing import assert_never

from attrs import Factory, define, field, frozen

from callflow.session.inputs import MarkFate

_INSTANT = 1e-6
"""Seconds. Sums of floats miss each other by less."""


class Fate(enum.Enum):
    """How a playback ended. One word list, used in results, journal, record and transcript."""

    HEARD = "heard"
    """Its mark came back: played to the end."""
    ASSUMED = "assumed"
    """Its mark did not come back in the time that the audio needs, and some; taken as played."""
    CUT = "cut"
    """A clear threw the rest away: barge-in, or its state was left."""
    LOST = "lost"
    """Its link went."""
    ENDED = "ended"
    """The call ended first."""


@frozen(kw_only=True)
class Heard:
    """What became of one playback."""

    fate: Fate
    seconds: float
    """Length of the whole playback."""
    sent: float = 0.0
    """Seconds of it that went out."""
    at_least: float = 0.0
    """Seconds that the caller surely heard."""
    at_most: float = 0.0
    """Seconds that the caller can have heard."""

    @property
    def complete(self) -> bool:
        """Whether it was played to its end (heard, or assumed to be)."""
        return self.fate in (Fate.HEARD, Fate.ASSUMED)


@frozen
class Waypoint:
    """A mark inside a playback whose end is not known when it begins."""

    mark: str
    sent: float
    """Seconds of the playback that stand before it and can still be heard."""
    deadline: float
    due_at: float | None


@define(eq=False)
class Entry:
    """One playback in the ledger. Identity, not value: two plays of one prompt are two entries."""

    names: tuple[str, ...]
    """The prompts in it, for people."""
    generation: int
    """Raised by each clear; frames of an older generation are never written (R23)."""
    queued: float = 0.0
    """Seconds handed to us so far; infinity where it goes round until it is stopped."""
    sent: float = 0.0
    """Seconds written to the link."""
    starts_at: float | None = None
    """When the far end can begin to play it, by the clock of what was sent before."""
    ends_at: float = 0.0
    """When the far end has played what was sent of it, at the latest; the way there is not counted."""
    mark: str | None = None
    deadline: float | None = None
    """When its mark is assumed."""
    due_at: float | None = None
    """When the far end reaches its mark; the way there is not counted. None where a clear before makes that unsure."""
    waypoints: deque[Waypoint] = Factory(deque)
    """Marks on the way that did not come back yet, oldest first."""
    proven: float = 0.0
    """Seconds that those which came back prove to be heard."""
    doubtful: float = 0.0
    """Seconds that a clear may have thrown away while it was paused."""
    paused: bool = False
    """Nothing more of it is sent for now. A clear is not meant for it."""
    gaps: int = 0
    """How often the far end fell silent in it because nothing more was handed to us in time."""
    result: Heard | None = None

    def settle(self, fate: Fate, at_least: float, at_most: float) -> None:
        seconds = self.sent if self.queued == inf else self.queued
        self.result = Heard(fate=fate, seconds=seconds, sent=self.sent, at_least=at_least, at_most=at_most)

    @property
    def deadlines(self) -> list[float]:
        """When each of its marks is assumed, oldest first."""
        return [point.deadline for point in self.waypoints] + ([] if self.deadline is None else [self.deadline])


@define(eq=False)
class Ledger:
    """All playbacks of a call, in order, and the far end's playing position by the clock.

    Methods that settle entries return them in the order in which they were opened; the driver then wakes whoever waits.
    """

    mark_slack: float = 2.0
    """Seconds added to the remaining audio before a mark is assumed (exotel.md §6.5)."""
    generation: int = 0
    entries: deque[Entry] = Factory(deque)
    """Those without a fate, oldest first. At most a few: a settled entry leaves."""
    late_echoes: int = 0
    """Marks that came back after a clear had settled their playback. Counted, never acted on (R24)."""
    alive_at: float = inf
    """When something last came from the far end, which its driver keeps; infinity while nobody does. A link that was
    dead before anybody noticed played nothing since."""
    _plays_until: float = field(default=0.0, init=False)
    """When the far end has played what was sent, if each clear threw everything away."""
    _plays_until_at_latest: float = field(default=0.0, init=False)
    """The same if each spared as much as it can: the message that was picked up, and how much of it is unknown."""
    _longest_chunk: float = field(default=0.0, init=False)
    _slowest_echo: float | None = field(default=None, init=False)
    _last_mark: int = field(default=0, init=False)

    def open(self, names: tuple[str, ...], seconds: float) -> Entry:
        """Enter a playback of *seconds*; it can be lengthened while it runs (live audio), or be endless (infinity)."""
        entry = Entry(names, self.generation, queued=seconds)
        self.entries.append(entry)
        return entry

    def ahead(self, at: float) -> float:
        """Seconds of audio that were sent and cannot have been played by now (R20)."""
        return max(0.0, self._plays_until - at)

    def has_run_dry(self, at: float) -> bool:
        """Say whether everything that was sent must have been played by now, and some time ago."""
        return at > self._plays_until + _INSTANT

    def send(self, entry: Entry, seconds: float, at: float) -> None:
        """A chunk of *entry* was written."""
        starts, at_latest = max(self._plays_until, at), max(self._plays_until_at_latest, at)
        if entry.starts_at is None:
            entry.starts_at = starts
        before = entry.sent
        whole = before + seconds > entry.queued - _INSTANT
        entry.sent = entry.queued if whole else before + seconds  # padding is not part of the prompt
        entry.ends_at = at_latest + entry.sent - before
        self._plays_until = starts + seconds
        self._plays_until_at_latest = at_latest + seconds
        self._longest_chunk = max(self._longest_chunk, seconds)

    def next_mark(self, epoch: int) -> str:
        """Make a mark's name: never used again in this call (R22, ruling on fates)."""
        self._last_mark += 1
        return f"{epoch}.{self.generation}.{self._last_mark}"

    def marked(self, entry: Entry, name: str, at: float) -> None:
        """The mark behind *entry* was written."""
        entry.mark = name
        entry.deadline, entry.due_at = self._reached(at)

    def passed(self, entry: Entry, name: str, at: float) -> None:
        """A mark was written inside *entry*, behind what was sent of it so far."""
        entry.waypoints.append(Waypoint(name, entry.sent - entry.doubtful, *self._reached(at)))

    def _reached(self, at: float) -> tuple[float, float | None]:
        """Say when a mark that is written now is assumed, and when the far end reaches it."""
        reached = max(self._plays_until, at)
        sure = self._plays_until_at_latest <= reached + _INSTANT
        return reached + self.mark_slack, reached if sure else None

    @property
    def deadline(self) -> float | None:
        """When the oldest mark outstanding is assumed, or None."""
        return min((at for entry in self.entries for at in entry.deadlines), default=None)

    def mark_done(self, name: str, fate: MarkFate, at: float) -> list[Entry]:
        """The session accounted for a mark. Settles its playback, unless a clear did before or the end will now."""
        entry = next((entry for entry in self.entries if entry.mark == name), None)
        if entry is None and self._waypoint_done(name, fate, at):
            return []
        if entry is None:
            self.late_echoes += fate in (MarkFate.PLAYED, MarkFate.CLEARED)
            return []
        match fate:
            case MarkFate.PLAYED:
                self._note_echo(entry.due_at, at)
                entry.settle(Fate.HEARD, entry.queued, entry.queued)
            case MarkFate.SKIPPED:
                entry.settle(Fate.ASSUMED, entry.queued, entry.queued)  # a later echo proves it
            case MarkFate.ASSUMED:
                entry.settle(Fate.ASSUMED, entry.proven, entry.queued)
            case MarkFate.CLEARED | MarkFate.DROPPED | MarkFate.LOST:
                return []  # ``clear``, ``link_lost`` or ``end`` settles it
            case _:
                assert_never(fate)
        self.entries.remove(entry)
        return [entry]

    def _waypoint_done(self, name: str, fate: MarkFate, at: float) -> bool:
        """Account for a mark inside a playback, if it is one. What it tells of the far end is true of any mark."""
        for entry in self.entries:
            point = next((point for point in entry.waypoints if point.mark == name), None)
            if point is not None:
                entry.waypoints.remove(point)
                if fate is MarkFate.PLAYED:
                    self._note_echo(point.due_at, at)
                if fate in (MarkFate.PLAYED, MarkFate.SKIPPED):
                    entry.proven = max(entry.proven, point.sent)
                return True
        return False

    def _note_echo(self, due_at: float | None, at: float) -> None:
        if due_at is not None:
            self._slowest_echo = max(self._slowest_echo or 0.0, at - due_at)

    def clear(self, at: float) -> list[Entry]:
        """A clear is decided: what has no fate and does not pause is cut, and a new generation begins."""
        self.generation += 1
        paused = [entry for entry in self.entries if entry.paused]
        for entry in paused:
            entry.proven = self._surely_heard(entry, at)
            entry.doubtful = entry.sent - entry.proven
            entry.waypoints.clear()
        self.entries = deque(entry for entry in self.entries if not entry.paused)
        cut = self._settle_all(Fate.CUT, at)
        self.entries.extend(paused)
        self._plays_until = at
        self._plays_until_at_latest = min(self._plays_until_at_latest, at + self._longest_chunk)
        return cut

    def drop(self, entry: Entry, at: float) -> list[Entry]:
        """A playback that pauses is given up: nothing of it plays, so that no clear is needed."""
        self.entries.remove(entry)
        entry.settle(Fate.CUT, self._surely_heard(entry, at), entry.sent)
        return [entry]

    def link_lost(self, at: float) -> list[Entry]:
        """The link went, and Exotel's buffer with it. What echoes told of its delay is not true of the next."""
        self.generation += 1
        lost = self._settle_all(Fate.LOST, at)
        self._plays_until = self._plays_until_at_latest = at
        self._slowest_echo = None
        return lost

    def end(self, at: float) -> list[Entry]:
        """The call is over."""
        return self._settle_all(Fate.ENDED, at)

    def _settle_all(self, fate: Fate, at: float) -> list[Entry]:
        settled = list(self.entries)
        for entry in settled:
            entry.settle(fate, self._surely_heard(entry, at), entry.sent)
        self.entries.clear()
        return settled

    def _surely_heard(self, entry: Entry, at: float) -> float:
        """What echoes prove; and by the clock, less the slowest echo's delay, once this link had an echo."""
        if self._slowest_echo is None:
            return entry.proven
        known = min(at, self.alive_at) - self._slowest_echo
        heard = entry.sent - max(0.0, entry.ends_at - known) - entry.doubtful
        return max(entry.proven, heard)
