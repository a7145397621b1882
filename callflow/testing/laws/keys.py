"""Keys: each is asked for, kept or dropped, once, and in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from attrs import define, field

from callflow.call.journal import Entry
from callflow.flow.keys import TYPE_AHEAD
from callflow.flow.secret import DOT
from callflow.testing.laws.law import Patience, Story, case, is_key, is_over, law, text
from callflow.testing.rules.rule import Case


@define
class KeyBook:
    """Follows each key from its press to what became of it. Keys are known by their number, from 0."""

    came: deque[int] = field(factory=deque)
    """Pressed, and nothing was said of them yet."""
    held: deque[int] = field(factory=deque)
    """Kept until a state asks."""
    pressed: int = 0

    def read(self, entry: Entry) -> tuple[list[int], str]:
        """Take an entry in; give the keys that it is about, and what is wrong with it."""
        if is_key(entry, "pressed"):
            self.came.append(self.pressed)
            self.pressed += 1
        elif is_key(entry, "taken"):
            return self._take(self.held or self.came, "taken")
        elif is_key(entry, "held"):
            found, words = self._take(self.came, "held")
            self.held.extend(found)
            return found, words
        elif is_key(entry, "late terminator"):
            return self._take(self.held or self.came, "swallowed")
        elif is_key(entry, "dropped"):
            return self._drop(entry)
        return [], ""

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
    """A key that nobody asked for is dropped and counted, or kept, at most 32, and given to who asks, oldest first."""
    book = KeyBook()
    for entry in story.entries:
        if is_over(entry):
            return
        about, words = book.read(entry)
        if is_key(entry, "taken", "held", "dropped", "late terminator"):
            yield case(entry, words or _wrong_key(story, entry, about) or _too_many(book))


def _wrong_key(story: Story, entry: Entry, about: list[int]) -> str:
    """Compare the key that a state took with the one that came, where both are known."""
    shown = text(entry, "key")
    if shown in ("", DOT) or about[0] >= len(story.keys):
        return ""
    came = story.keys[about[0]]
    return "" if shown == came else f"key {shown} was taken, and the oldest was {came}"


def _too_many(book: KeyBook) -> str:
    return f"{len(book.held)} keys are kept" if len(book.held) > TYPE_AHEAD else ""
