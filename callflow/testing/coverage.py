"""What a run has reached of a flow and of the session beneath it, and what it has not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from attrs import define, field

from callflow.call.call import CallTask
from callflow.call.journal import Kind
from callflow.errors import CallflowError
from callflow.flow.flow import Flow
from callflow.testing.laws.law import Story


class ThinCoverage(CallflowError, AssertionError):
    """A run reached less of a flow than it was to."""


Way = tuple[str, str, str]
"""An edge: state, handler, next state."""


@define
class Coverage:
    """Counts, over all examples of a run, how often each state, edge and cell was reached.

    Args:
        flow: Of whose graph.
    """

    flow: Flow[object]
    examples: int = 0
    steps: int = 0
    seconds: float = 0.0
    """Virtual seconds that callers spent."""
    states: Counter[str] = field(factory=Counter)
    edges: Counter[Way] = field(factory=Counter)
    cells: Counter[tuple[str, str]] = field(factory=Counter)
    """Cells of the session's table: what came, and what it was found to be."""

    def read(self, stories: Iterable[Story], calls: Iterable[CallTask] = ()) -> None:
        """Take in what the calls of one example did."""
        for story in stories:
            for entry in story.entries:
                details = entry.details
                if entry.kind is Kind.STATE and entry.what == "entered":
                    self.states[str(details["state"])] += 1
                elif entry.kind is Kind.STATE and entry.what == "left":
                    self.edges[str(details["state"]), str(details["by"]), str(details["to"])] += 1
                elif "verdict" in details:
                    self.cells[entry.what, str(details["verdict"])] += 1

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
    def missing_states(self) -> list[str]:
        """Those that no example entered."""
        return [state.__name__ for state in self.flow.graph.all_states if state.__name__ not in self.states]

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
            missing = ", ".join(f"{state}.{by} -> {to}" for state, by, to in self.missing_edges)
            raise ThinCoverage(f"{self.share:.0%} of the edges were taken and {share:.0%} are required; not: {missing}")
