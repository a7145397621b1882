"""Timers: the three kinds, each at its moment, and none while the line is away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import define, field

from callflow.call.journal import Entry, Kind
from callflow.testing.laws.law import (
    Patience,
    Story,
    Visit,
    case,
    is_due,
    is_fate,
    is_key,
    is_over,
    is_state,
    law,
    text,
)
from callflow.testing.rules.rule import Case


@define
class _Clock:
    """Knows when a wait of a state can be over, from what its visit's entries say."""

    options: Any
    moments: dict[str, float] = field(factory=dict)
    """Since when each wait runs that runs now."""

    def read(self, entry: Entry) -> None:
        match entry.kind, entry.what:
            case Kind.STATE, "entered":
                self.moments = {"timeout": entry.at, "first_digit": entry.at}
            case Kind.STATE, "stayed":
                self._ask_again(first_digit=entry.at)
            case Kind.PLAYBACK, "queued":
                self._ask_again()
            case Kind.PLAYBACK, _ if is_fate(entry) and "between_digits" not in self.moments:
                self.moments |= {"first_digit": entry.at, "total": entry.at}
            case Kind.KEY, "taken":  # a key that fits nothing may end an attempt; the next may begin without a word
                total = self.moments.get("total", entry.at)
                self.moments |= {"first_digit": entry.at, "between_digits": entry.at, "total": total}
            case _:
                pass

    def _ask_again(self, **moments: float) -> None:
        entered = {name: at for name, at in self.moments.items() if name == "timeout"}
        self.moments = entered | moments

    def shift(self, seconds: float) -> None:
        """The waits stood still for so long."""
        self.moments = {name: at + seconds for name, at in self.moments.items()}

    def due(self) -> dict[str, float]:
        """Give each moment at which something may be due."""
        begun = "between_digits" in self.moments  # there is no limit on an entry that did not begin
        names = [name for name in self.moments if name != "total" or begun]
        waits: dict[str, float | None] = {name: getattr(self.options, name, None) for name in names}
        return {name: self.moments[name] + wait for name, wait in waits.items() if wait is not None}


@law("L5", reads="timer due; entered, playbacks, keys taken; the options of the class line")
def timers_at_their_moment(story: Story, patience: Patience) -> Iterator[Case]:
    """timeout runs from entering, first_digit from the prompt's end; only keys restart one; none outlives its state."""
    for visit in story.visits:
        options = story.options(visit)
        if options is not None:
            yield from _timers_of(visit, _Clock(options), patience)


def _timers_of(visit: Visit, clock: _Clock, patience: Patience) -> Iterator[Case]:
    detached: float | None = None
    for entry in visit.entries:
        if entry.kind is Kind.LINK and entry.what == "detached":
            detached = entry.at
        elif entry.kind is Kind.LINK and entry.what == "resumed" and detached is not None:
            clock.shift(entry.at - detached)
            detached = None
        if is_due(entry):
            yield case(entry, _wrong_moment(entry, visit, clock, patience))
            clock.moments.pop("timeout", None)
        elif is_state(entry, "left") or is_over(entry):
            yield from _forgotten(entry, clock, detached, patience)
            return
        else:
            clock.read(entry)


def _wrong_moment(entry: Entry, visit: Visit, clock: _Clock, patience: Patience) -> str:
    if text(entry, "state") != visit.state:
        return f"a wait of {text(entry, 'state')} was over in {visit.state}"
    if any(abs(entry.at - at) <= patience.late for at in clock.due().values()):
        return ""
    told = ", ".join(f"{name} at {at:.3f} s" for name, at in clock.due().items()) or "nothing"
    return f"a wait was over at {entry.at:.3f} s; {told} was due"


def _forgotten(entry: Entry, clock: _Clock, detached: float | None, patience: Patience) -> Iterator[Case]:
    """A time-out that passed without a word is a breach as well."""
    due = clock.due().get("timeout")
    if due is not None and detached is None and entry.at > due + patience.late:
        yield case(entry, f"timeout was due at {due:.3f} s, and nothing happened")


@law("L6", reads="detached, and what stands before resumed or over")
def frozen_while_detached(story: Story, patience: Patience) -> Iterator[Case]:
    """While the line is away the flow stands still: no key is taken, no wait is over, no state is left or entered."""
    detached: Entry | None = None
    for entry in story.entries:
        if is_over(entry) or (entry.kind is Kind.LINK and entry.what == "resumed"):
            detached = None
        elif entry.kind is Kind.LINK and entry.what == "detached":
            detached = entry
            yield case(entry)
        elif detached is not None and (is_key(entry, "taken") or is_due(entry) or _moves(entry)):
            yield case(entry, f"{entry.kind.value} {entry.what} while the line was away")


def _moves(entry: Entry) -> bool:
    return is_state(entry, "entered", "left", "asked", "stayed")
