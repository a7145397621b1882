"""Playbacks: one at a time, each with one fate, and none outlives its state."""

from __future__ import annotations

from collections.abc import Iterator

from callflow.call.journal import Entry, Kind
from callflow.flow.playback import CUT_BY_KEY, CUT_BY_SPEECH
from callflow.testing.laws.law import Patience, Story, case, is_fate, is_key, is_over, is_state, law, text
from callflow.testing.rules.rule import Case


@law("L7", reads="queued, barge-in and fates of playbacks; entered, keys taken")
def playback_belongs_to_its_state(story: Story, patience: Patience) -> Iterator[Case]:
    """A playback has one fate, before its state is left for the next; a key that cuts it is delivered after that."""
    playing: Entry | None = None
    cut = False
    for entry in story.entries:
        match entry:
            case Entry(kind=Kind.PLAYBACK, what="queued"):
                yield case(entry, "" if playing is None else f"{_name(entry)} began while {_name(playing)} played")
                playing, cut = entry, False
            case Entry(kind=Kind.PLAYBACK, what="barge-in"):
                cut = True
                yield case(entry, _wrong_barge_in(entry, playing))
            case Entry(kind=Kind.PLAYBACK) if is_fate(entry):
                own = playing is not None and _name(playing) == _name(entry)
                yield case(entry, _wrong_fate(entry, cut=cut) if own else f"{_name(entry)} has a fate again")
                playing, cut = (None, False) if own else (playing, cut)
            case _ if playing is not None and is_state(entry, "entered"):
                yield case(entry, f"{_name(playing)} still plays in {text(entry, 'state')}")
                playing = None
            case _ if playing is not None and is_key(entry, "taken"):
                yield case(entry, _wrong_key(playing, cut=cut))
            case _:
                pass
    if playing is not None and story.entries and any(map(is_over, story.entries)):
        yield case(playing, f"{_name(playing)} never had a fate")


def _name(entry: Entry) -> str:
    return text(entry, "prompt")


def _wrong_fate(entry: Entry, *, cut: bool) -> str:
    fits = not cut or entry.what in ("cut", "lost", "ended")
    return "" if fits else f"{_name(entry)} was cut by a key, and is said to be {entry.what}"


def _wrong_barge_in(entry: Entry, playing: Entry | None) -> str:
    by = text(entry, "by")
    if playing is None:
        return f"a {by} cut what does not play"
    allowed = CUT_BY_SPEECH if by == "speech" else CUT_BY_KEY
    return "" if text(playing, "barge_in") in allowed else f"{_name(playing)} may not be cut by a {by}, and was"


def _wrong_key(playing: Entry, *, cut: bool) -> str:
    if cut:
        return f"the key that cuts {_name(playing)} was delivered before it was cut"
    return "" if text(playing, "barge_in") in CUT_BY_KEY else f"a key was taken while {_name(playing)} protects itself"
