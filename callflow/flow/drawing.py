"""Pictures of a flow, drawn from its annotations alone: as text, as Mermaid and as DOT.

A base class of states that is no state of the flow itself is a box round them; what it handles for all of them is one
edge of the box. The same flow always gives the same picture, so that a stored one can be compared.
"""

from __future__ import annotations

import enum
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, assert_never

from attrs import field, frozen

from callflow.flow.definition import is_kind
from callflow.flow.flow import Flow
from callflow.flow.graph import Edge
from callflow.flow.soundness import AnyState

WIDTH = 100
"""Columns of the text form."""


class Form(enum.Enum):
    """How a picture is written."""

    TEXT = "text"
    MERMAID = "mermaid"
    DOT = "dot"


@frozen
class Arrow:
    """Everything that leads from one state, or from one box, to one state."""

    source: AnyState
    target: AnyState
    labels: tuple[str, ...]


@frozen
class Plan:
    """What is to be drawn."""

    name: str
    start: AnyState
    states: tuple[AnyState, ...]
    arrows: tuple[Arrow, ...]
    boxes: Mapping[AnyState, AnyState]
    """The box that a state, or another box, is in."""
    moves: int
    """Edges of the flow; an arrow may stand for several."""
    names: Mapping[AnyState, str] = field(repr=False)
    """What each state and box is called; no two alike."""

    def inside(self, box: AnyState | None) -> list[AnyState]:
        """Give the states and boxes that are in a box, or in none."""
        everything = dict.fromkeys((*self.states, *self.boxes.values()))
        return [one for one in everything if self.boxes.get(one) is box]

    def is_box(self, one: AnyState) -> bool:
        """Say whether this is a box."""
        return one in self.boxes.values()


def draw(flow: Flow[Any], form: Form = Form.TEXT) -> str:
    """Draw a flow. Ends in a line break."""
    plan = plan_of(flow)
    return "".join(f"{line}\n" for line in _lines(plan, form))


def _lines(plan: Plan, form: Form) -> Iterator[str]:
    match form:
        case Form.TEXT:
            return _text(plan)
        case Form.MERMAID:
            return _mermaid(plan)
        case Form.DOT:
            return _dot(plan)
        case _:
            assert_never(form)


# What there is to draw.


def plan_of(flow: Flow[Any]) -> Plan:
    """Find boxes, and what leads where."""
    graph = flow.graph
    boxes = _boxes(graph.states)
    everything = dict.fromkeys((*graph.states, *boxes.values()))
    arrows = _arrows(graph.edges, boxes)
    return Plan(flow.name, graph.states[0], graph.states, arrows, boxes, len(graph.edges), _names(everything))


def _boxes(states: Sequence[AnyState]) -> dict[AnyState, AnyState]:
    """Find for each state the nearest base of a user's that is no state of the flow; for that one the next."""
    boxes: dict[AnyState, AnyState] = {}
    waiting = list(states)
    for one in waiting:  # grows while it is walked
        bases = [base for base in one.__mro__[1:] if base is not object and _may_be_box(base, states)]
        if bases:
            boxes[one] = bases[0]
            if bases[0] not in waiting:
                waiting.append(bases[0])
    return boxes


def _may_be_box(base: Any, states: Sequence[AnyState]) -> bool:
    return hasattr(base, "kind") and not is_kind(base) and base not in states


def _arrows(edges: Iterable[Edge], boxes: Mapping[AnyState, AnyState]) -> tuple[Arrow, ...]:
    """Join the edges between each two; one that all states of a box inherit starts at the box."""
    labels: dict[tuple[AnyState, AnyState], dict[str, None]] = {}
    for edge in edges:
        source = _who_handles(edge, boxes)
        labels.setdefault((source, edge.target), {})[label_of(edge)] = None
    return tuple(Arrow(source, target, tuple(said)) for (source, target), said in labels.items())


def _who_handles(edge: Edge, boxes: Mapping[AnyState, AnyState]) -> AnyState:
    """Find the outermost box whose own method this edge is."""
    one, owner = edge.source, edge.source
    while one in boxes:
        one = boxes[one]
        if getattr(one, edge.handler, None) is getattr(edge.source, edge.handler):
            owner = one
    return owner


def label_of(edge: Edge) -> str:
    """Write what leads along an edge: its keys, then its handler."""
    return " ".join((*edge.keys, edge.handler))


def _names(everything: Iterable[AnyState]) -> dict[AnyState, str]:
    names: dict[AnyState, str] = {}
    for one in everything:
        name, number = one.__name__, 1
        while name in names.values():
            number += 1
            name = f"{one.__name__}_{number}"
        names[one] = name
    return names


# Text.


def _text(plan: Plan) -> Iterator[str]:
    yield f"{plan.name}: {_count(len(plan.states), 'state')}, {_count(plan.moves, 'move')}"
    yield from _text_inside(plan, None, "")


def _text_inside(plan: Plan, box: AnyState | None, indent: str) -> Iterator[str]:
    for one in plan.inside(box):
        sign = (
            "▶"
            if one is plan.start
            else "■"
            if one.final and not plan.is_box(one)
            else "▢"
            if plan.is_box(one)
            else "○"
        )
        yield ""
        yield f"{indent}{sign} {plan.names[one]}  ({'all of these' if plan.is_box(one) else one.kind})"
        yield from _text_ways(plan, one, f"{indent}    ")
        yield from _text_inside(plan, one, f"{indent}    ")


def _text_ways(plan: Plan, source: AnyState, indent: str) -> Iterator[str]:
    targets: dict[str, list[str]] = {}
    for arrow in plan.arrows:
        if arrow.source is source:
            for label in arrow.labels:
                targets.setdefault(label, []).append(plan.names[arrow.target])
    width = max(map(len, targets), default=0)
    for label, names in targets.items():
        start = f"{indent}{label.ljust(width)} → "
        yield from textwrap.wrap(" | ".join(names), WIDTH, initial_indent=start, subsequent_indent=" " * len(start))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


# Mermaid.

_RESERVED = frozenset(
    ["class", "classdef", "click", "default", "direction", "end", "fork", "join", "note", "state", "style"]
)
"""Words of Mermaid's, in any case, that no state can have as its name in a picture."""


def _mermaid(plan: Plan) -> Iterator[str]:
    ids = {one: f"{name}_" if name.lower() in _RESERVED else name for one, name in plan.names.items()}
    yield "stateDiagram-v2"
    yield from _mermaid_inside(plan, None, ids, "    ")
    yield f"    [*] --> {ids[plan.start]}"
    for arrow in plan.arrows:
        yield f"    {ids[arrow.source]} --> {ids[arrow.target]} : {', '.join(map(_for_mermaid, arrow.labels))}"
    yield from (f"    {ids[state]} --> [*]" for state in plan.states if state.final)


def _mermaid_inside(plan: Plan, box: AnyState | None, ids: Mapping[AnyState, str], indent: str) -> Iterator[str]:
    for one in plan.inside(box):
        named = f'state "{plan.names[one]}" as {ids[one]}' if ids[one] != plan.names[one] else ""
        if plan.is_box(one):
            yield f"{indent}{named or f'state {ids[one]}'} {{"
            yield from _mermaid_inside(plan, one, ids, f"{indent}    ")
            yield f"{indent}}}"
        else:
            yield f"{indent}{named or ids[one]}"


def _for_mermaid(label: str) -> str:
    """Write the keys # and * so that neither is read as a sign of Mermaid's."""
    return label.replace("#", "#35;").replace("*", "#42;")


# DOT.


def _dot(plan: Plan) -> Iterator[str]:
    yield f"digraph {_quoted(plan.name)} {{"
    yield "    compound=true; node [shape=box, style=rounded]; start [shape=point]"
    yield from _dot_inside(plan, None, "    ")
    yield f"    start -> {_quoted(plan.names[plan.start])}"
    for arrow in plan.arrows:
        source, label = arrow.source, "\n".join(arrow.labels)
        tail = f", ltail={_quoted(f'cluster_{plan.names[source]}')}" if plan.is_box(source) else ""
        names = f"{_quoted(plan.names[_anchor(plan, source)])} -> {_quoted(plan.names[arrow.target])}"
        yield f"    {names} [label={_quoted(label)}{tail}]"
    yield "}"


def _dot_inside(plan: Plan, box: AnyState | None, indent: str) -> Iterator[str]:
    for one in plan.inside(box):
        if plan.is_box(one):
            yield f"{indent}subgraph {_quoted(f'cluster_{plan.names[one]}')} {{"
            yield f"{indent}    label={_quoted(plan.names[one])}"
            yield from _dot_inside(plan, one, f"{indent}    ")
            yield f"{indent}}}"
        else:
            yield f"{indent}{_quoted(plan.names[one])}{' [peripheries=2]' if one.final else ''}"


def _anchor(plan: Plan, one: AnyState) -> AnyState:
    """Find a state inside a box: DOT lets edges begin at states only, and cuts them off at the box."""
    while plan.is_box(one):
        one = plan.inside(one)[0]
    return one


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
