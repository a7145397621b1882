"""How long a call was in a state, by its journal. Time without a line does not count: states stand still in it."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define, field

from callflow.call.journal import Entry, Kind


def longest_visit(entries: Iterable[Entry], state: str, now: float) -> float:
    """Give the seconds of the longest visit to a state so far.

    Args:
        entries: The call's journal.
        state: The state's name. What is inside of a sub-flow is inside of its state.
        now: Seconds since the journal began: how long a visit has lasted that goes on.
    """
    visits = _Visits(state)
    for entry in entries:
        visits.read(entry)
    visits.stop(now)
    return max(visits.longest, visits.lasted)


@define
class _Visits:
    state: str
    longest: float = field(default=0.0, init=False)
    lasted: float = field(default=0.0, init=False)
    """Of the visit that goes on, up to the moment from which it is counted."""
    _is_inside: bool = field(default=False, init=False)
    _since: float | None = field(default=None, init=False)

    def read(self, entry: Entry) -> None:
        """Take in what happened next."""
        own = entry.details.get("state") == self.state
        match entry.kind, entry.what:
            case Kind.STATE, "entered" if own or "within" not in entry.details:
                self._leave(entry.at)
                self._is_inside = own
                self._go_on(entry.at)
            case (Kind.STATE, "left") if own:
                self._leave(entry.at)
            case (Kind.END, "over"):
                self._leave(entry.at)
            case (Kind.LINK, "detached"):
                self.stop(entry.at)
            case (Kind.LINK, "resumed"):
                self._go_on(entry.at)

    def stop(self, at: float) -> None:
        """Count what has passed up to now, and nothing from now on."""
        if self._since is not None:
            self.lasted += at - self._since
        self._since = None

    def _go_on(self, at: float) -> None:
        if self._is_inside and self._since is None:
            self._since = at

    def _leave(self, at: float) -> None:
        self.stop(at)
        self.longest = max(self.longest, self.lasted)
        self.lasted, self._is_inside = 0.0, False
