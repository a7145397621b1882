"""Timers: the three kinds, each at its moment, and none while the line is away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import define, field

from callflow.call.journal import Entry, Kind
from callflow.testing.laws.law import (
    Patience,
    Story,
    case,
    is_due,
    is_fate,
    is_key,
    is_over,
    is_state,
    law,
    text,
)
from callflow.testing.laws.levels import READ, Levels
from callflow.testing.rules.rule import Case

KNOWN = frozenset({"State", "Say", "Menu", "CollectDigits", "Confirm", "Hangup", "SubFlow"})
"""Kinds of states whose waits are those of their options and no others."""


@define
class _Clock:
    """Knows when a wait of one level can be over, from what the journal says of it."""

    options: Any
    moments: dict[str, list[float]] = field(factory=dict)
    """Since when each wait may run that may run now."""
    begun: bool = False
    """Whether an entry has begun, so that its own limits hold."""

    def read(self, entry: Entry) -> None:
        match entry.kind, entry.what:
            case Kind.STATE, "entered":
                self.moments = {"timeout": [entry.at], "first_digit": [entry.at]}
            case Kind.STATE, "stayed":  # a question may begin anew, or go on
                self.moments.setdefault("first_digit", []).append(entry.at)
            case Kind.PLAYBACK, "queued":
                self.moments, self.begun = {"timeout": self.moments.get("timeout", [])}, False
            case Kind.PLAYBACK, _ if is_fate(entry) and not self.begun:
                self.moments |= {"first_digit": [entry.at], "total": [entry.at]}
            case Kind.KEY, "taken":  # a key that fits nothing may end an attempt; the next may begin without a word
                self.begun = True
                self.moments.setdefault("total", [entry.at])
                self.moments |= {"first_digit": [entry.at], "between_digits": [entry.at]}
            case _:
                pass

    def shift(self, seconds: float) -> None:
        """The waits stood still for so long."""
        self.moments = {name: [at + seconds for at in ats] for name, ats in self.moments.items()}

    def due(self) -> list[tuple[str, float]]:
        """Give each moment at which something may be due."""
        names = [name for name in self.moments if name != "total" or self.begun]
        waits: dict[str, float | None] = {name: getattr(self.options, name, None) for name in names}
        return [(name, at + wait) for name, wait in waits.items() if wait is not None for at in self.moments[name]]


@law("L5", reads="timer due; entered, playbacks, keys taken; the options of the class line")
def timers_at_their_moment(story: Story, patience: Patience) -> Iterator[Case]:
    """timeout runs from entering, first_digit from the prompt's end; only keys restart one; none outlives its state."""
    levels, clocks, outage = Levels(), list[_Clock](), _Outage()
    read = (*READ, Kind.TIMER, Kind.PLAYBACK, Kind.KEY, Kind.LINK)
    for entry in story.about(*read) if story.flow is not None else []:
        if outage.read(entry, clocks):
            continue
        if is_due(entry):
            yield case(entry, _wrong_moment(entry, levels, clocks, patience))
        elif (is_over(entry) or is_state(entry, "left")) and outage.since is None:
            yield from _forgotten(entry, clocks[_depth(entry, levels) :], patience)
        if is_over(entry):
            return
        levels.read(entry)
        del clocks[len(levels.stack) :]
        if is_state(entry, "entered"):
            clocks.append(_Clock(_options(story, text(entry, "state"))))
        for clock in clocks[-1:]:
            clock.read(entry)


@define
class _Outage:
    """The time without a line, in which the waits of states stand still."""

    since: float | None = None

    def read(self, entry: Entry, clocks: list[_Clock]) -> bool:
        """Whether the entry is about the line; if it is back, move the clocks."""
        if entry.kind is not Kind.LINK or entry.what not in ("detached", "resumed"):
            return False
        away = 0.0 if self.since is None or entry.what == "detached" else entry.at - self.since
        for clock in clocks:
            clock.shift(away)
        self.since = entry.at if entry.what == "detached" else None
        return True


def _options(story: Story, name: str) -> Any:
    state = story.states.get(name)
    return None if state is None or state.kind not in KNOWN else state.options


def _depth(entry: Entry, levels: Levels) -> int:
    """Say which level an entry is about; the outermost if it is about the call."""
    name = text(entry, "state")
    return len(levels.names) - 1 - levels.names[::-1].index(name) if name in levels.names else 0


def _wrong_moment(entry: Entry, levels: Levels, clocks: list[_Clock], patience: Patience) -> str:
    name = text(entry, "state")
    if name not in levels.names:
        return f"a wait of {name} was over in {levels.names[-1]}" if levels.names else f"a wait of {name} was over"
    clock = clocks[_depth(entry, levels)]
    due = clock.due()
    for each in [each for each, at in due if each == "timeout" and abs(entry.at - at) <= patience.late]:
        del clock.moments[each]
    if clock.options is None or any(abs(entry.at - at) <= patience.late for _, at in due):
        return ""
    told = ", ".join(f"{each} at {at:.3f} s" for each, at in due) or "nothing"
    return f"a wait was over at {entry.at:.3f} s; {told} was due"


def _forgotten(entry: Entry, clocks: list[_Clock], patience: Patience) -> Iterator[Case]:
    """A time-out that passed without a word is a breach as well."""
    for due in [at for clock in clocks for name, at in clock.due() if name == "timeout"]:
        if entry.at > due + patience.late:
            yield case(entry, f"timeout was due at {due:.3f} s, and nothing happened")


@law("L6", reads="detached, and what stands before resumed or over")
def frozen_while_detached(story: Story, patience: Patience) -> Iterator[Case]:
    """While the line is away the flow stands still: no key is taken, no wait is over, no state is left or entered."""
    detached: Entry | None = None
    for entry in story.entries if any(entry.what == "detached" for entry in story.about(Kind.LINK)) else []:
        if is_over(entry) or (entry.kind is Kind.LINK and entry.what == "resumed"):
            detached = None
        elif entry.kind is Kind.LINK and entry.what == "detached":
            detached = entry
            yield case(entry)
        elif detached is not None and (is_key(entry, "taken") or is_due(entry) or _moves(entry)):
            late = entry.at > detached.at + patience.late  # what came before the line was lost is still handled
            yield case(entry, f"{entry.kind.value} {entry.what} while the line was away" if late else "")


def _moves(entry: Entry) -> bool:
    told = is_state(entry, "asked", "stayed") and text(entry, "handler") != "on_detached" != text(entry, "by")
    return told or is_state(entry, "entered", "left")
