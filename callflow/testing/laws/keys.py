"""Keys: each is asked for, kept or dropped, once, and in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from attrs import define, field

from callflow.call.journal import Entry, Kind
from callflow.flow.definition import overrides
from callflow.flow.keys import TYPE_AHEAD
from callflow.flow.secret import DOT
from callflow.flow.state import State
from callflow.testing.laws.law import Patience, Story, case, is_key, is_over, law, text
from callflow.testing.rules.rule import Case


@define
class KeyBook:
    """Follows each key from its press to what became of it. Keys are known by their number, from 0."""

    story: Story
    """Says which keys came, and what the states ask for."""
    came: deque[int] = field(factory=deque, init=False)
    """Pressed, and nothing was said of them yet."""
    held: deque[int] = field(factory=deque, init=False)
    """Kept until a state asks."""
    pressed: int = field(default=0, init=False)

    def read(self, entry: Entry) -> tuple[list[int], str]:
        """Take an entry in; give the keys that it is about, and what is wrong with it."""
        match entry.kind, entry.what:
            case Kind.KEY, "pressed":
                self.came.append(self.pressed)
                self.pressed += 1
            case Kind.KEY, "taken":
                passes = self.held and self.came and self._passes_over(entry)
                return self._take(self.came if passes else self.held or self.came, "taken")
            case Kind.KEY, "held":
                found, words = self._take(self.came, "held")
                self.held.extend(found)
                return found, words
            case Kind.KEY, "late terminator":
                return self._take(self.held or self.came, "swallowed")
            case Kind.KEY, "dropped":
                return self._drop(entry)
        return [], ""

    def _passes_over(self, entry: Entry) -> bool:
        """Whether the key that just came was taken by a state that does not ask for the oldest that is held."""
        story, came = self.story, self.came[0]
        state = story.states.get(text(entry, "state"))
        if state is None or came >= len(story.keys) or story.keys[came] != text(entry, "key"):
            return False
        return story.keys[came] in state.choices() and not _may_want(state, story.keys[self.held[0]])

    def _take(self, keys: deque[int], what: str) -> tuple[list[int], str]:
        return ([keys.popleft()], "") if keys else ([], f"a key was {what} that nobody pressed")

    def _drop(self, entry: Entry) -> tuple[list[int], str]:
        if "count" not in entry.details:
            return self._take(self.came, "dropped")
        count = int(entry.details["count"])
        dropped = list[int]()
        while count > len(dropped) and (keys := self.held or self.came):
            dropped.append(keys.popleft())
        return dropped, "" if len(dropped) == count else f"{count} keys were dropped, and there were {len(dropped)}"


@law("L8", reads="keys pressed, taken, held and dropped, playbacks; the wire for which keys those were")
def every_key_once_and_in_order(story: Story, patience: Patience) -> Iterator[Case]:
    """A key that nobody asked for is dropped and counted, or kept, at most 32; whoever asks gets the oldest first."""
    book = KeyBook(story)
    for entry in story.about(Kind.KEY, Kind.END):
        if is_over(entry):
            return
        about, words = book.read(entry)
        if is_key(entry, "taken", "held", "dropped", "late terminator"):
            yield case(entry, words or _wrong_key(story, entry, about) or _too_many(book))


def _may_want(state: type[State[Any]], key: str) -> bool:
    """Say whether a state may ask for a key. A question asks for every one: what does not fit costs a try."""
    return key in state.choices() or overrides(state, "on_dtmf") or hasattr(state.options, "first_digit")


def _wrong_key(story: Story, entry: Entry, about: list[int]) -> str:
    """Compare the key that a state took with the one that came, where both are known."""
    shown = text(entry, "key")
    if shown in ("", DOT) or about[0] >= len(story.keys):
        return ""
    came = story.keys[about[0]]
    return "" if shown == came else f"key {shown} was taken, and the oldest was {came}"


def _too_many(book: KeyBook) -> str:
    return f"{len(book.held)} keys are kept" if len(book.held) > TYPE_AHEAD else ""
