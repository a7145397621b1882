"""Activities: they run beside their state, within it, and speak to nobody."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import define, field

from callflow.call.journal import Entry, Kind
from callflow.testing.laws.ends import STUCK
from callflow.testing.laws.law import Patience, Story, case, is_state, law, text
from callflow.testing.laws.levels import READ, Levels
from callflow.testing.rules.rule import Case


@define
class _Activities:
    """Follows the activities of a call's states."""

    levels: Levels = field(factory=Levels)
    running: dict[tuple[object, str], Entry] = field(factory=dict)
    """Their beginnings, by visit and name."""
    stuck: bool = False
    """Whether a state does not end, so that what it started does not either."""

    visits: set[object] = field(factory=set)
    """Those that last, and those that were left since the last state was entered: their tasks may still end."""

    def begin(self, entry: Entry) -> str:
        visit, name = key = _key(entry)
        again, known = key in self.running, visit in self.visits
        self.running[key] = entry
        return f"{name} began again" if again else "" if known else f"{name} began, and its state was left"

    def end(self, entry: Entry) -> str:
        return "" if self.running.pop(_key(entry), None) else f"{_key(entry)[1]} ended, and did not run"

    def enter(self, entry: Entry) -> list[str]:
        """Take in that a state is entered, or that the call has ended; give what runs and should not."""
        entered = is_state(entry, "entered")
        self.visits = {level.details.get("visit") for level in self.levels.stack} if entered else set()
        lost = [] if self.stuck else [key for key in self.running if key[0] not in self.visits]
        for key in lost:
            del self.running[key]
        return [name for _, name in lost]


_TURNS = ("activity began", "activity ended")


def _key(entry: Entry) -> tuple[object, str]:
    return entry.details.get("visit"), f"{text(entry, 'state')}.{text(entry, 'activity')}"


@law("L15", reads="activity began and ended; entered, left, queued, ended")
def activities_only_post(story: Story, patience: Patience) -> Iterator[Case]:
    """An activity runs beside its state, has ended before another is entered, and says nothing itself."""
    if not any(entry.what in _TURNS or "activity" in entry.details for entry in story.entries):
        return
    seen = _Activities()
    for entry in story.about(*READ, Kind.PLAYBACK):
        seen.levels.read(entry)
        seen.stuck = seen.stuck or entry.what == STUCK
        if is_state(entry, "activity began"):
            yield case(entry, seen.begin(entry))
        elif is_state(entry, "activity ended"):
            yield case(entry, seen.end(entry))
        elif entry.kind is Kind.PLAYBACK and entry.what == "queued" and (by := text(entry, "activity")):
            yield case(entry, f"{by} plays {text(entry, 'prompt')}")
        elif is_state(entry, "entered") or (entry.kind is Kind.END and entry.what == "ended"):
            now = f"in {text(entry, 'state')}" if is_state(entry, "entered") else "after the end"
            for name in seen.enter(entry):
                yield case(entry, f"{name} still runs {now}")
