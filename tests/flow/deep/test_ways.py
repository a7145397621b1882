"""Ways through small graphs, against trying every way there is."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from callflow.flow.deep.ways import Way, ahead, closed, longest, rounds

Graph = dict[int, list[int]]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Draw a graph of up to six nodes."""
    nodes = range(draw(st.integers(1, 6)))
    return {node: draw(st.lists(st.sampled_from(nodes), unique=True, max_size=3)) for node in nodes}


def ways_from(graph: Graph, way: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Try every way that passes no node twice but its last."""
    yield way
    for node in graph[way[-1]]:
        if node in way:
            yield (*way, node)
        else:
            yield from ways_from(graph, (*way, node))


def circles(graph: Graph) -> set[tuple[int, ...]]:
    """Find every way that comes back to its first node, and to no other twice."""
    ways = (way for node in graph for way in ways_from(graph, (node,)))
    return {way[:-1] for way in ways if len(way) > 1 and way[0] == way[-1]}


@given(graphs())
def test_ahead_is_what_some_way_reaches(graph: Graph) -> None:
    reached = {node: {way[-1] for way in ways_from(graph, (node,)) if len(way) > 1} for node in graph}

    assert {node: ahead(node, graph) for node in graph} == reached


@given(graphs())
def test_the_longest_way_is_endless_where_one_goes_round_and_else_the_longest_of_all(graph: Graph) -> None:
    ways = list(ways_from(graph, (0,)))
    goes_round = any(len(set(way)) < len(way) for way in ways)

    assert longest(0, graph, lambda node: 1.0 + node).seconds == (
        inf if goes_round else max(sum(1.0 + node for node in way) for way in ways)
    )


@given(graphs())
def test_the_longest_way_is_a_way_of_the_graph(graph: Graph) -> None:
    way = longest(0, graph, lambda node: 1.0)

    nodes = (0, *way.nodes[1:], *way.loop[:1])
    assert all(after in graph[before] for before, after in pairwise(nodes))


@given(graphs())
def test_rounds_are_shortest_circles_one_for_each_set_of_nodes_that_has_any(graph: Graph) -> None:
    all_circles = circles(graph)
    found = list(rounds(graph))

    def around(node: int) -> frozenset[int]:
        return frozenset(other for other in ahead(node, graph) if node in ahead(other, graph))

    sets = {around(circle[0]) for circle in all_circles}
    shortest = {group: min(len(circle) for circle in all_circles if set(circle) <= group) for group in sets}
    lengths = {around(way[0]): len(way) for way in found if way in all_circles}
    assert lengths == shortest


@given(graphs(), st.sets(st.integers(0, 5)))
def test_closed_groups_are_the_strongly_connected_sets_that_nothing_leaves(graph: Graph, ends: set[int]) -> None:
    tried = set()
    for size in range(1, len(graph) + 1):
        for group in combinations(graph, size):
            inside = all(node in group for each in group for node in graph[each])
            whole = all(b in ahead(a, graph) for a in group for b in group if a != b)
            if inside and whole and not ends & set(group):
                tried.add(group)

    assert set(closed(graph, ends)) == tried


def test_a_way_that_goes_round_says_where() -> None:
    graph = {"a": ["b"], "b": ["c"], "c": ["b", "d"], "d": []}

    assert longest("a", graph, lambda node: 1.0) == Way(("a", "b", "c"), inf, ("b", "c"))


def test_a_node_that_leads_to_itself_is_a_round() -> None:
    assert list(rounds({"a": ["a", "b"], "b": []})) == [("a",)]


def test_hundreds_of_nodes_in_a_row_take_no_recursion() -> None:
    row = {node: [node + 1] if node < 3_000 else [] for node in range(3_001)}

    assert longest(2_000, row, lambda node: 1.0).seconds == 1_001.0
