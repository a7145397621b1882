"""What a run has reached of a flow and of the session beneath it, and what it has not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import define, field

from callflow.call.journal import Kind
from callflow.flow.flow import Flow
from callflow.flow.subflow import Done, GaveUp
from callflow.session.inputs import Verdict
from callflow.session.table import TABLE, In, S
from callflow.testing.failure import RunFailed
from callflow.testing.laws.law import Story


class ThinCoverage(RunFailed):
    """A run reached less of a flow than it was to."""


Way = tuple[str, str, str]
"""An edge: state, handler, next state."""

Cell = tuple[S, In]
"""A cell of the session's table."""

ALL_CELLS: tuple[Cell, ...] = tuple(
    place for place, rows in TABLE.items() if any(row.verdict is not Verdict.REFUSED for row in rows)
)
"""Those that a call may come to; what is always refused would be a mistake of callflow itself."""


@define
class Coverage:
    """Counts, over all examples of a run, how often each state, edge and cell was reached.

    Args:
        flow: Of whose graph.
    """

    flow: Flow[Any]
    examples: int = 0
    calls: int = 0
    """More than there are examples, where callers rang again."""
    steps: int = 0
    seconds: float = 0.0
    """Virtual seconds that callers spent."""
    states: Counter[str] = field(factory=Counter)
    edges: Counter[Way] = field(factory=Counter)
    cells: Counter[Cell] = field(factory=Counter)
    """Cells of the session's table: the state that it was in, and what came."""

    def read(self, stories: Iterable[Story], cells: Mapping[Cell, int]) -> None:
        """Take in what the calls of one example did.

        Args:
            stories: What they did.
            cells: How often each cell was looked up for them.
        """
        self.cells.update(cells)
        for story in stories:
            self.calls += 1
            for entry in story.entries:
                details = entry.details
                if entry.kind is Kind.STATE and entry.what == "entered":
                    self.states[str(details["state"])] += 1
                elif entry.kind is Kind.STATE and entry.what == "left":
                    self.edges[str(details["state"]), str(details["by"]), str(details["to"])] += 1

    @property
    def all_edges(self) -> list[Way]:
        """The edges of the flow's graph."""
        edges = (edge for edge in self.flow.graph.all_edges if not edge.again)
        return list(dict.fromkeys((e.source.__name__, e.handler, e.target.__name__) for e in edges))

    @property
    def missing_edges(self) -> list[Way]:
        """Those that no example took."""
        return [edge for edge in self.all_edges if edge not in self.edges]

    @property
    def all_states(self) -> list[str]:
        """The states of the flow's graph, without the ends of its sub-flows, which no call is ever in."""
        states = (state for state in self.flow.graph.all_states if not issubclass(state, Done | GaveUp))
        return list(dict.fromkeys(state.__name__ for state in states))

    @property
    def missing_states(self) -> list[str]:
        """Those that no example entered."""
        return [state for state in self.all_states if state not in self.states]

    @property
    def share(self) -> float:
        """How many of the edges were taken, from 0 to 1."""
        edges = self.all_edges
        return 1.0 - len(self.missing_edges) / len(edges) if edges else 1.0

    def require(self, share: float) -> None:
        """Hold a run to its share of edges.

        Raises:
            ThinCoverage: It reached less; the message names the edges that are missing.
        """
        if self.share < share:
            missing = ", ".join(map(named, self.missing_edges))
            raise ThinCoverage(f"{self.share:.0%} of the edges were taken and {share:.0%} are required; not: {missing}")

    # What is told of it.

    def lines(self, name: str) -> list[str]:
        """Write it down in a few lines.

        Args:
            name: Whose run it was.
        """
        states, edges, cells = len(self.all_states), len(self.all_edges), len(ALL_CELLS)
        reached = (
            f"states {states - len(self.missing_states)}/{states}",
            f"edges {edges - len(self.missing_edges)}/{edges}",
            f"cells {len(self.cells.keys() & set(ALL_CELLS))}/{cells}",
        )
        spent = f"{self.examples} examples, {self.steps} steps, {span(self.seconds)} of calls"
        return [f"{name}: {spent}; {', '.join(reached)}", *(f"  {line}" for line in self._missing())]

    def _missing(self) -> Iterator[str]:
        yield from (f"never entered: {state}" for state in self.missing_states)
        yield from (f"never taken: {named(edge)}" for edge in self.missing_edges)


def named(edge: Way) -> str:
    """Write an edge."""
    state, by, to = edge
    return f"{state}.{by} -> {to}"


def span(seconds: float) -> str:
    """Write a time as people say it."""
    hours, minutes = seconds / 3600.0, seconds / 60.0
    return f"{hours:.1f} h" if hours >= 1 else f"{minutes:.1f} min" if minutes >= 1 else f"{seconds:.1f} s"
