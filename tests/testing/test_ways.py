"""Ways through a flow go into sub-flows and out of them, as calls do."""

from __future__ import annotations

from callflow.flow.graph import Edge
from callflow.testing.reading import read_flow
from callflow.testing.ways import shortest
from tests.testing.flows_of_all import counter

READING = read_flow(counter)


def edge(text: str) -> Edge:
    """Find an edge by the way that it is written."""
    [found] = [e for e in READING.edges if f"{e.source.__name__}.{e.handler} -> {e.target.__name__}" == text]
    return found


def way_to(text: str) -> list[tuple[str, str]]:
    """What the shortest way is: each handler, and the innermost state behind it."""
    return [(way.edge.handler, way.to) for way in shortest(READING.ways, "Hello", edge(text))]


def test_a_way_goes_into_a_sub_flow_to_its_first_state() -> None:
    assert way_to("AskBadge.help -> AskPin") == [("then", "Front"), ("identify", "AskBadge"), ("help", "Pin")]


def test_the_end_of_a_sub_flow_is_taken_by_the_state_around_it() -> None:
    assert way_to("Identify.on_done -> Front")[2:] == [("on_digits", "CheckBadge"), ("run", "Front")]


def test_what_a_sub_flow_ends_with_may_end_the_one_around_it() -> None:
    into = [("then", "Front"), ("identify", "AskBadge"), ("help", "Pin")]

    assert way_to("AskPin.on_failed -> GaveUp") == [*into, ("on_failed", "Front")]


def test_a_handler_of_a_sub_flow_is_there_in_every_state_inside() -> None:
    names = {name for name, ways in READING.ways.items() if any(way.edge.handler == "out" for way in ways)}

    assert names == {"AskBadge", "CheckBadge", "Pin"}
