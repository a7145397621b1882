"""Findings in the graph of a flow: what nothing leads to, what never ends, and what a silent caller is left in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import attrs

from callflow.flow.checks.finding import Finding, finding_of
from callflow.flow.checks.source import Sources
from callflow.flow.flow import Flow
from callflow.flow.graph import Edge, handlers_of, may_stay
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
    yield from _loops(flow, sources)
    yield from _silence(flow, sources)


def _stays(state: AnyState, flow: Flow[Any], sources: Sources) -> Iterator[Finding]:
    """A time-out comes once: a state that stays then waits for as long as the call lasts."""
    handler = handlers_of(state).get("on_timeout")
    if handler is not None and may_stay(state, handler, flow.scope):
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


def _loops(flow: Flow[Any], sources: Sources) -> Iterator[Finding]:
    """Loops that nothing but a time-out ends, in which nothing waits for the caller."""
    on_time = [edge for edge in flow.graph.edges if edge.handler != "on_timeout"]
    for group in _closed(flow, on_time):
        moves = [edge for edge in on_time if edge.source in group]
        if moves and not any(map(asks, group)):
            yield sources.place_of(group[0]).finding(
                "endless-loop",
                group[0].__name__,
                f"{_round(group)} goes round without the caller, and only a time-out leads out",
                "count the rounds in a field and lead out when they are used up, or ask the caller",
            )


def _silence(flow: Flow[Any], sources: Sources) -> Iterator[Finding]:
    """Groups that a caller never leaves who says nothing, such as one who has put the telephone down."""
    edges = [edge for edge in flow.graph.edges if not _by_caller(edge)]
    for group in _closed(flow, edges):
        moves = [edge for edge in edges if edge.source in group]
        if moves:
            handler = handlers_of(moves[0].source).get(moves[0].handler, moves[0].source)
            yield sources.place_of(handler).finding(
                "silent-loop",
                f"{moves[0].source.__name__}.{moves[0].handler}",
                f"a caller who presses nothing goes round in {_round(group)} for as long as the call lasts",
                "lead to a Hangup when nobody answers, at the second round at the latest",
            )


def _by_caller(edge: Edge) -> bool:
    return bool(edge.keys) or edge.handler in BY_CALLER


def _closed(flow: Flow[Any], edges: list[Edge]) -> Iterator[Group]:
    """Give the groups that these edges never lead out of, and that hold no end."""
    for group in closed_groups(flow.graph.states, [(edge.source, edge.target) for edge in edges]):
        if not any(state.final for state in group):
            yield group


def _round(group: Group) -> str:
    return " → ".join(state.__name__ for state in (*group, group[0]))
