"""Findings in the graph of a flow: what nothing leads to, what never ends, and what a silent caller is left in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import attrs

from callflow.flow.checks.finding import Finding, finding_of
from callflow.flow.checks.source import Sources
from callflow.flow.flow import Flow
from callflow.flow.graph import Edge, Graph, handlers_of, may_stay
from callflow.flow.soundness import AnyState, Group, asks, closed_groups, dead, forgotten

BY_CALLER = ("on_dtmf", "on_digits", "on_yes", "on_no")
"""Handlers that only a key of the caller's calls, beside those of ``@key``."""


def dead_states(module: Mapping[str, Any], flows: list[Flow[Any]], sources: Sources) -> Iterator[Finding]:
    """Find states of a whole module that no flow of it leads to."""
    reached = {state for flow in flows for state in (*flow.graph.all_states, *flow.spare)}
    for state in forgotten(module, reached):
        yield finding_of(dead(state, flows[0].start), sources.place_of(state))


def shape(flow: Flow[Any], sources: Sources) -> Iterator[Finding]:
    """Find what is wrong with the ways through a flow."""
    for state in flow.graph.all_states:
        yield from _stays(state, flow, sources)
        yield from _shares(state, sources)
    for graph in _levels(flow.graph):
        yield from _loops(graph, sources)
        yield from _silence(graph, sources)


def _levels(graph: Graph) -> Iterator[Graph]:
    """Give a graph and those of the sub-flows inside it."""
    yield graph
    for inner in graph.inside.values():
        yield from _levels(inner)


def _stays(state: AnyState, flow: Flow[Any], sources: Sources) -> Iterator[Finding]:
    """A time-out comes once: a state that stays then waits for as long as the call lasts."""
    handler = handlers_of(state).get("on_timeout")
    if state.kind == "State" and handler is not None and may_stay(state, handler, flow.scope):
        yield sources.place_of(handler).finding(
            "no-timeout",
            f"{state.__name__}.on_timeout",
            "may return None, and no second time-out comes: the state then waits for as long as the call lasts",
            f"always return a state; to wait on, enter it again: return {state.__name__}(…)",
        )


def _shares(state: AnyState, sources: Sources) -> Iterator[Finding]:
    fields: Any = attrs.fields(cast("Any", state))
    for one in fields:
        if isinstance(one.default, (list, dict, set, bytearray)):
            kind = type(one.default).__name__
            yield sources.place_of(state).finding(
                "shared-default",
                state.__name__,
                f"all calls share one {kind} as the default of {one.name}: what one caller puts in another finds",
                f"write {one.name} = attrs.field(factory={kind})",
            )


def _loops(graph: Graph, sources: Sources) -> Iterator[Finding]:
    """Loops that nothing but a time-out ends, in which nothing waits for the caller."""
    on_time = [edge for edge in graph.edges if edge.handler not in ("on_timeout", "on_error")]
    for group in _closed(graph, on_time):
        moves = [edge for edge in on_time if edge.source in group]
        if moves and not any(map(asks, group)):
            yield sources.place_of(group[0]).finding(
                "endless-loop",
                group[0].__name__,
                f"{_round(group)} goes round without the caller, and only a time-out leads out",
                "count the rounds in a field and lead out when they are used up, or ask the caller",
            )


def _silence(graph: Graph, sources: Sources) -> Iterator[Finding]:
    """Groups that a caller never leaves who says nothing, such as one who has put the telephone down."""
    edges = [edge for edge in graph.edges if edge.handler != "on_error" and not _by_caller(edge)]
    for group in _closed(graph, edges):
        moves = [edge for edge in edges if edge.source in group]
        if moves:
            edge = moves[0]
            handler = handlers_of(edge.source).get(edge.handler)  # none for what a class line says
            yield sources.place_of(handler or edge.box or edge.source).finding(
                "silent-loop",
                edge.source.__name__ if handler is None else f"{edge.source.__name__}.{edge.handler}",
                f"a caller who presses nothing goes round in {_round(group)} for as long as the call lasts",
                "lead to a Hangup when nobody answers, at the second round at the latest",
            )


def _by_caller(edge: Edge) -> bool:
    return bool(edge.keys) or edge.again or edge.handler in BY_CALLER


def _closed(graph: Graph, edges: list[Edge]) -> Iterator[Group]:
    """Give the groups that these edges never lead out of, and that hold no end."""
    for group in closed_groups(graph.states, [(edge.source, edge.target) for edge in edges]):
        if not any(state.final for state in group):
            yield group


def _round(group: Group) -> str:
    return " → ".join(state.__name__ for state in (*group, group[0]))
