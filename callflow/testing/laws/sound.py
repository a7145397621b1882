"""Playbacks: one at a time, each with one fate, and none outlives its state."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import define, field

from callflow.call.journal import Entry, Kind
from callflow.flow.playback import CUT_BY_KEY
from callflow.testing.laws.law import Patience, Story, case, is_fate, is_over, law, text
from callflow.testing.rules.rule import Case


@define
class Sounds:
    """Follows playbacks from their beginning to their fate. One sounds at a time; others may pause."""

    playing: Entry | None = None
    cut: bool = False
    """Whether the caller has cut the one that sounds."""
    paused: list[Entry] = field(factory=list)

    def begin(self, entry: Entry) -> str:
        """One begins, or goes on; say what is wrong with that."""
        wrong = "" if self.playing is None else f"{_name(entry)} began while {_name(self.playing)} played"
        self.playing, self.cut = entry, False
        return wrong

    def pause(self, entry: Entry) -> str:
        if not self._is_playing(entry):
            return f"{_name(entry)} pauses, and did not play"
        self._set_aside()
        return ""

    def go_on(self, entry: Entry) -> str:
        own = self._take_paused(entry)
        return f"{_name(entry)} goes on, and did not pause" if own is None else self.begin(own)

    def end(self, entry: Entry) -> str:
        """One has its fate."""
        if self._is_playing(entry):
            wrong = _wrong_fate(entry, cut=self.cut)
            self.playing, self.cut = None, False
            return wrong
        return f"{_name(entry)} has a fate again" if self._take_paused(entry) is None else ""

    @property
    def all(self) -> list[Entry]:
        """Those without a fate."""
        return [*self.paused, *([] if self.playing is None else [self.playing])]

    def _is_playing(self, entry: Entry) -> bool:
        return self.playing is not None and _name(self.playing) == _name(entry)

    def _set_aside(self) -> None:
        assert self.playing is not None
        self.paused.append(self.playing)
        self.playing, self.cut = None, False

    def _take_paused(self, entry: Entry) -> Entry | None:
        own = next((each for each in self.paused if _name(each) == _name(entry)), None)
        if own is not None:
            self.paused.remove(own)
        return own


@law("L7", reads="queued, pauses, barge-in and fates of playbacks; entered, keys taken")
def playback_belongs_to_its_state(story: Story, patience: Patience) -> Iterator[Case]:
    """A playback has one fate, before its state is left for the next; a key that cuts it is delivered after that."""
    sounds = Sounds()
    for entry in story.about(Kind.PLAYBACK, Kind.STATE, Kind.KEY):
        match entry.kind, entry.what:
            case Kind.PLAYBACK, "queued":
                yield case(entry, sounds.begin(entry))
            case Kind.PLAYBACK, "paused":
                yield case(entry, sounds.pause(entry))
            case Kind.PLAYBACK, "resumed":
                yield case(entry, sounds.go_on(entry))
            case Kind.PLAYBACK, "barge-in":
                sounds.cut = True
                what = f"a {text(entry, 'by')} cut what does not play"
                yield case(entry, "" if sounds.playing is not None else what)
            case Kind.PLAYBACK, _ if is_fate(entry):
                yield case(entry, sounds.end(entry))
            case Kind.STATE, "entered" if sounds.all:
                yield case(entry, f"{_name(sounds.all[-1])} still plays in {text(entry, 'state')}")
                sounds = Sounds()
            case Kind.KEY, "taken" if sounds.playing is not None:
                yield case(entry, _wrong_key(sounds.playing, cut=sounds.cut))
            case _:
                pass
    if any(map(is_over, story.about(Kind.END))):
        yield from (case(each, f"{_name(each)} never had a fate") for each in sounds.all)


def _name(entry: Entry) -> str:
    return text(entry, "prompt")


def _wrong_fate(entry: Entry, *, cut: bool) -> str:
    fits = not cut or entry.what in ("cut", "lost", "ended")
    return "" if fits else f"{_name(entry)} was cut by a key, and is said to be {entry.what}"


def _wrong_key(playing: Entry, *, cut: bool) -> str:
    if cut:
        return f"the key that cuts {_name(playing)} was delivered before it was cut"
    return "" if text(playing, "barge_in") in CUT_BY_KEY else f"a key was taken while {_name(playing)} protects itself"
