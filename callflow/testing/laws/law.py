"""What a law is, what it reads, and what a breach of it is called."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

from attrs import define, field, frozen

from callflow.call.journal import Entry, Kind
from callflow.flow.flow import Flow
from callflow.flow.state import State
from callflow.session.inputs import Pressed, Resumed, Started
from callflow.testing.rules.rule import Case
from callflow.testing.rules.rule import Kind as Binding
from callflow.testing.wirelog import Side, WireLog
from callflow.wire.messages import Dtmf

FINAL = frozenset({"heard", "assumed", "cut", "lost", "ended"})
"""The fates of a playback, as the journal calls them."""


@frozen(kw_only=True)
class Patience:
    """The times that laws compare with. Seconds."""

    late: float
    """How late a timer may be noticed, and how far moments of a saved journal may be off."""
    end: float
    """How soon after the end of a call its record is written."""
    limit: float
    """The longest call."""
    resume: float
    """How long a call waits for its line to come back."""


@define(eq=False, slots=False, kw_only=True)
class Story:
    """What was written down of one call.

    Args:
        entries: Its journal, all of it.
        flow: What answered; without it the laws about options and edges have no case.
        wire: What passed on its links, for the keys that came; without it type-ahead is only counted.
    """

    entries: Sequence[Entry]
    flow: Flow[Any] | None = None
    wire: Sequence[WireLog] = ()

    def __attrs_post_init__(self) -> None:
        if self.entries and self.entries[0].n != 1:
            raise ValueError(
                f"the story begins at entry {self.entries[0].n}; the laws need the journal from its first on"
            )

    @cached_property
    def states(self) -> dict[str, type[State[Any]]]:
        """The flow's states by name. Of several with one name, the one reached first."""
        states = () if self.flow is None else self.flow.graph.all_states
        return {state.__name__: state for state in reversed(states)}

    @cached_property
    def edges(self) -> frozenset[tuple[str, str, str]]:
        """The edges of the flow's graph: state, handler, next state."""
        edges = () if self.flow is None else self.flow.graph.all_edges
        return frozenset((edge.source.__name__, edge.handler, edge.target.__name__) for edge in edges)

    def about(self, *kinds: Kind) -> list[Entry]:
        """Give the entries about these, in order: most laws have no need to walk past all the others."""
        return [entry for entry in self.entries if entry.kind in kinds]

    @cached_property
    def keys(self) -> list[str]:
        """The keys that came for the call, in order; empty if nothing is known of them."""
        return [digit for log in self.wire for digit in _keys_of(log)]


def _keys_of(log: WireLog) -> Iterator[str]:
    """Give the keys that the server took for keys of this stream, or else all that came on the link."""
    if log.has(Started, Resumed):
        return (told.key.digit for _, told in log.each(Side.APP, Pressed))
    return (key.digit for _, key in log.each(Side.IN, Dtmf))


Examine = Callable[[Story, Patience], Iterator[Case]]


@frozen(kw_only=True)
class Law:
    """One law of a call's life, and how to examine a story for it."""

    id: str
    name: str
    sentence: str
    reads: str
    """The entries that it looks at; without them it has no case."""
    kind: Binding = Binding.HARD
    examine: Examine = field(repr=False)


def law(number: str, *, reads: str) -> Callable[[Examine], Law]:
    """Make a law of a function: its name is the function's, its sentence the docstring."""

    def named(examine: Examine) -> Law:
        name = examine.__name__.replace("_", " ")
        return Law(id=number, name=name, sentence=inspect.getdoc(examine) or "", reads=reads, examine=examine)

    return named


def case(entry: Entry, broken: str = "") -> Case:
    """Make a case of an entry."""
    return Case(entry.at, broken, entry.n)


# Words for entries.


def is_state(entry: Entry, *what: str) -> bool:
    """Whether it is one of these entries about a state."""
    return entry.kind is Kind.STATE and entry.what in what


def is_key(entry: Entry, *what: str) -> bool:
    """Whether it is one of these entries about a key."""
    return entry.kind is Kind.KEY and entry.what in what


def is_fate(entry: Entry) -> bool:
    """Whether a playback has its fate."""
    return entry.kind is Kind.PLAYBACK and entry.what in FINAL


def is_over(entry: Entry) -> bool:
    """Whether the call is over from here on."""
    return entry.kind is Kind.END and entry.what == "over"


def is_due(entry: Entry) -> bool:
    """Whether a wait of a state is over; the session's own timers are no matter of the flow."""
    return entry.kind is Kind.TIMER and "state" in entry.details


def text(entry: Entry, name: str) -> str:
    """Give a detail as text; empty where the entry has none of that name."""
    return str(entry.details.get(name, ""))
