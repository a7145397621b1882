"""Where a call is, as its journal tells: its state, and the sub-flows around that, the outermost first."""

from __future__ import annotations

from attrs import define, field

from callflow.call.journal import Entry, Kind
from callflow.testing.laws.law import text

READ = (Kind.STATE, Kind.END, Kind.ERROR)
"""What it is about that tells of them."""

RESULTS = frozenset({"Done", "GaveUp"})
"""What a state of a sub-flow is left for when that is over; no state is entered by it."""


@define
class Levels:
    """Follows the entries of a journal. What cannot be is said, and then taken as it stands."""

    stack: list[Entry] = field(factory=list)
    """The ``entered`` of each level."""
    expected: str = ""
    """What has to be entered next; empty if nothing has."""
    result: str = ""
    """How a sub-flow ended that nobody was told of yet."""

    @property
    def names(self) -> list[str]:
        """The states of the levels."""
        return [text(level, "state") for level in self.stack]

    def read(self, entry: Entry) -> str:
        """Take an entry in; say what is wrong with it."""
        match entry.kind, entry.what:
            case Kind.STATE, "entered":
                return self._enter(entry)
            case Kind.STATE, "left":
                return self._leave(entry)
            case Kind.STATE, "stayed" | "asked":
                return self._stay(entry)
            case Kind.END, "over":
                self.expected = self.result = ""
            case Kind.ERROR, _ if (following := text(entry, "next")) and self.expected != following:
                self.stack.clear()
                self.expected = following
        return ""

    def _enter(self, entry: Entry) -> str:
        state, expected, names = text(entry, "state"), self.expected, self.names
        self.stack.append(entry)
        self.expected = ""
        if expected:
            return "" if state == expected else f"{state} was entered in place of {expected}"
        inside = names and text(entry, "within") == names[-1]
        return f"{state} was entered, and {names[-1]} was not left" if names and not inside else ""

    def _leave(self, entry: Entry) -> str:
        state, to = text(entry, "state"), text(entry, "to")
        if state not in self.names or self.expected:
            return f"left {state}, which was left"
        while text(self.stack.pop(), "state") != state:
            pass  # those inside of it are left with it
        is_result = to in RESULTS and bool(self.stack)  # a state of the flow itself may have such a name, too
        self.expected, self.result = ("", to) if is_result else (to, "")
        return ""

    def _stay(self, entry: Entry) -> str:
        if self.expected:
            return f"{self.expected} was never entered"
        known = text(entry, "state") in self.names
        return "" if known else f"{entry.what} {text(entry, 'state')}, which was left"
