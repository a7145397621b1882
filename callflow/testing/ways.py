"""Ways through a flow as a call goes: from one innermost state to the next, into sub-flows and out of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping

from attrs import frozen

from callflow.flow.graph import Edge, Graph
from callflow.flow.state import State
from callflow.flow.subflow import Done, GaveUp

_TAKERS = {Done: "on_done", GaveUp: "on_failed"}
"""What a sub-flow ends with, and the handler of the state around it that takes that."""


@frozen
class Way:
    """One step of a call."""

    edge: Edge
    """What somebody has to do something for."""
    takes: tuple[Edge, ...]
    """All edges that the call goes along by it: with the end of a sub-flow those of what takes its result as well."""
    to: str
    """Name of the innermost state behind it."""


Ways = Mapping[str, tuple[Way, ...]]
"""By the innermost state that a call is in."""


def ways_of(graph: Graph) -> Ways:
    """Find all ways of a flow's graph."""
    found: dict[str, list[Way]] = {}
    for name, way in _ways(graph, ()):
        found.setdefault(name, []).append(way)
    return {name: tuple(dict.fromkeys(ways)) for name, ways in found.items()}


def shortest(ways: Ways, start: str, edge: Edge) -> list[Way]:
    """Find the shortest way that takes an edge at its end; empty if there is none."""
    before: dict[str, list[Way]] = {start: []}
    waiting = deque([start])
    while waiting:
        name = waiting.popleft()
        for way in ways.get(name, ()):
            if edge in way.takes:
                return [*before[name], way]
            if way.to not in before:
                before[way.to] = [*before[name], way]
                waiting.append(way.to)
    return []


Around = tuple[tuple[Graph, type[State]], ...]  # type: ignore[type-arg]  # of any data
"""The sub-flows around a graph, the outermost first, each with the graph that it is a state of."""


def _ways(graph: Graph, around: Around) -> Iterator[tuple[str, Way]]:
    for edge in graph.edges:
        if edge.again or (edge.source in graph.inside and edge.handler in _TAKERS.values()):
            continue
        for way in _behind(edge, (), graph, around):
            for name in _innermost(graph, edge.source):
                yield name, Way(edge, (edge, *way.takes), way.to)
    for state, inner in graph.inside.items():
        yield from _ways(inner, (*around, (graph, state)))


def _behind(edge: Edge, taken: tuple[Edge, ...], graph: Graph, around: Around) -> Iterator[Way]:
    """Follow an edge to where a call comes to rest."""
    handler = _TAKERS.get(edge.target)
    if handler is None:
        yield Way(edge, taken, _first(graph, edge.target))
    elif around:
        outer, state = around[-1]
        for taker in outer.edges:
            if taker.source is state and taker.handler == handler:
                yield from _behind(taker, (*taken, taker), outer, around[:-1])


def _first(graph: Graph, state: type[State]) -> str:  # type: ignore[type-arg]  # of any data
    """Name the state that a call is in when it has entered one."""
    inner = graph.inside.get(state)
    return state.__name__ if inner is None else _first(inner, inner.states[0])


def _innermost(graph: Graph, state: type[State]) -> Iterator[str]:  # type: ignore[type-arg]  # of any data
    """Name the states that a call may be in while it is in one."""
    inner = graph.inside.get(state)
    if inner is None:
        yield state.__name__
    else:
        for each in inner.states:
            if each not in _TAKERS:
                yield from _innermost(inner, each)
