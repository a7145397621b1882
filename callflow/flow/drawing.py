"""Pictures of a flow, drawn from its annotations alone: as text, as Mermaid and as DOT.

Boxes are sub-flows, with their states inside, and bases of states that are no state of the flow themselves; what such a
base handles for all of them is one edge of its box. The same flow always gives the same picture, so that a stored one
can be compared.
"""

from __future__ import annotations

import enum
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, assert_never

from attrs import field, frozen

from callflow.flow.definition import is_kind
from callflow.flow.flow import Flow
from callflow.flow.graph import Edge, Graph
from callflow.flow.soundness import AnyState

WIDTH = 100
"""Columns of the text form."""

ANY_STATE = "any state"
"""Where an error comes from that leads to ``Flow(error=…)``."""


class Form(enum.Enum):
    """How a picture is written."""

    TEXT = "text"
    MERMAID = "mermaid"
    DOT = "dot"


@frozen
class Node:
    """A state or a box of the picture. A state that is in two sub-flows is drawn in both."""

    cls: AnyState
    around: Node | None
    """The sub-flow that it is inside."""


@frozen
class Arrow:
    """Everything that leads from one state, or from one box, to one state."""

    source: Node
    target: Node
    labels: tuple[str, ...]


@frozen
class Plan:
    """What is to be drawn."""

    name: str
    starts: tuple[Node, ...]
    """The first state of the flow, and of each sub-flow."""
    boxes: Mapping[Node, Node | None]
    """Everything that is drawn, in order, and the box that it is in."""
    arrows: tuple[Arrow, ...]
    error: Node | None
    moves: int
    """Edges of the flow; an arrow may stand for several."""
    names: Mapping[Node, str] = field(repr=False)
    """What each state and box is called; no two alike."""

    def inside(self, box: Node | None) -> list[Node]:
        """Give the states and boxes that are in a box, or in none."""
        return [one for one, other in self.boxes.items() if other == box]

    def is_box(self, one: Node) -> bool:
        """Say whether this is a box."""
        return one in self.boxes.values()

    def is_base(self, one: Node) -> bool:
        """Say whether this is a box that is no state."""
        return self.is_box(one) and not any(other.around == one for other in self.boxes)

    def within(self, sub: Node | None) -> list[Arrow]:
        """Give the arrows of one level: between the states of a sub-flow, or of the flow itself."""
        return [arrow for arrow in self.arrows if arrow.source.around == sub]


def draw(flow: Flow[Any], form: Form = Form.TEXT) -> str:
    """Draw a flow. Ends in a line break."""
    return "".join(f"{line}\n" for line in _lines(plan_of(flow), form))


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
    boxes: dict[Node, Node | None] = {}
    arrows: list[Arrow] = []
    starts: list[Node] = []
    for around, graph in _levels(flow.graph, None):
        starts.append(Node(graph.states[0], around))
        boxes |= _boxes(graph, around)
        arrows += _arrows(graph, around, boxes)
    error = None if flow.graph.error is None else Node(flow.graph.error, None)
    edges = sum(len(graph.edges) for _, graph in _levels(flow.graph, None))
    return Plan(flow.name, tuple(starts), boxes, tuple(arrows), error, edges, _names(boxes))


def _levels(graph: Graph, around: Node | None) -> Iterator[tuple[Node | None, Graph]]:
    """Give a graph and those inside it, each with the sub-flow round it."""
    yield around, graph
    for sub, inner in graph.inside.items():
        yield from _levels(inner, Node(sub, around))


def _boxes(graph: Graph, around: Node | None) -> dict[Node, Node | None]:
    """Find for each state the nearest base that makes a box; for that one the next; for the last one the sub-flow."""
    boxes: dict[Node, Node | None] = {}
    waiting = list(graph.states)
    for one in waiting:  # grows while it is walked
        base = next((base for base in one.__mro__[1:] if _makes_box(base, graph)), None)
        boxes[Node(one, around)] = around if base is None else Node(base, around)
        if base is not None and base not in waiting:
            waiting.append(base)
    return boxes


def _makes_box(base: Any, graph: Graph) -> bool:
    return hasattr(base, "kind") and not is_kind(base) and base not in graph.states


def _arrows(graph: Graph, around: Node | None, boxes: Mapping[Node, Node | None]) -> Iterator[Arrow]:
    """Join the edges between each two; one that is handled by a box starts there."""
    labels: dict[tuple[Node, Node], dict[str, None]] = {}
    for edge in graph.edges:
        box = Node(edge.box or edge.source, around)
        source = box if box in boxes else Node(edge.source, around)
        labels.setdefault((source, Node(edge.target, around)), {})[label_of(edge)] = None
    return (Arrow(source, target, tuple(said)) for (source, target), said in labels.items())


def label_of(edge: Edge) -> str:
    """Write what leads along an edge: its keys, then its handler."""
    return " ".join((*edge.keys, edge.handler, *(["(again)"] if edge.again else [])))


def _names(boxes: Mapping[Node, Node | None]) -> dict[Node, str]:
    names: dict[Node, str] = {}
    for one in boxes:
        name, number = one.cls.__name__, 1
        while name in names.values():
            number += 1
            name = f"{one.cls.__name__}_{number}"
        names[one] = name
    return names


# Text.


def _text(plan: Plan) -> Iterator[str]:
    states = [one for one in plan.boxes if not plan.is_base(one)]
    yield f"{plan.name}: {_count(len(states), 'state')}, {_count(plan.moves, 'move')}"
    if plan.error is not None:
        yield from ("", f"  {ANY_STATE}", f"    error → {plan.names[plan.error]}")
    yield from _text_inside(plan, None, "")


def _text_inside(plan: Plan, box: Node | None, indent: str) -> Iterator[str]:
    for one in plan.inside(box):
        yield ""
        yield f"{indent}{_sign(plan, one)} {plan.names[one]}  ({'all of these' if plan.is_base(one) else one.cls.kind})"
        yield from _text_ways(plan, one, f"{indent}    ")
        yield from _text_inside(plan, one, f"{indent}    ")


def _sign(plan: Plan, one: Node) -> str:
    if one in plan.starts:
        return "▶"
    if plan.is_box(one):
        return "▢"
    return "■" if one.cls.final else "○"


def _text_ways(plan: Plan, source: Node, indent: str) -> Iterator[str]:
    targets: dict[str, list[str]] = {}
    for arrow in plan.arrows:
        if arrow.source == source:
            for label in arrow.labels:
                targets.setdefault(label, []).append(plan.names[arrow.target])
    width = max(map(len, targets), default=0)
    for label, names in targets.items():
        start = f"{indent}{label.ljust(width)} → "
        yield from textwrap.wrap(" | ".join(names), WIDTH, initial_indent=start, subsequent_indent=" " * len(start))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


# Mermaid.

_RESERVED = frozenset(("class", "classdef", "click", "default", "direction", "end", "fork", "join", "note", "state"))
"""Words of Mermaid's, in any case, that no state can have as its name in a picture."""


def _mermaid(plan: Plan) -> Iterator[str]:
    ids = {one: f"{name}_" if name.lower() in _RESERVED else name for one, name in plan.names.items()}
    yield "stateDiagram-v2"
    yield from _mermaid_inside(plan, None, ids, "    ")
    if plan.error is not None:
        yield f'    state "{ANY_STATE}" as any_'
        yield f"    any_ --> {ids[plan.error]} : error"
    yield from _mermaid_level(plan, None, ids, "    ")


def _mermaid_inside(plan: Plan, box: Node | None, ids: Mapping[Node, str], indent: str) -> Iterator[str]:
    for one in plan.inside(box):
        named = f'state "{one.cls.__name__}" as {ids[one]}' if ids[one] != one.cls.__name__ else ""
        if not plan.is_box(one):
            yield f"{indent}{named or ids[one]}"
            continue
        yield f"{indent}{named or f'state {ids[one]}'} {{"
        yield from _mermaid_inside(plan, one, ids, f"{indent}    ")
        if not plan.is_base(one):
            yield from _mermaid_level(plan, one, ids, f"{indent}    ")
        yield f"{indent}}}"


def _mermaid_level(plan: Plan, sub: Node | None, ids: Mapping[Node, str], indent: str) -> Iterator[str]:
    yield from (f"{indent}[*] --> {ids[start]}" for start in plan.starts if start.around == sub)
    for arrow in plan.within(sub):
        yield f"{indent}{ids[arrow.source]} --> {ids[arrow.target]} : {', '.join(map(_for_mermaid, arrow.labels))}"
    ends = [one for one in plan.boxes if one.around == sub and one.cls.final and not plan.is_box(one)]
    yield from (f"{indent}{ids[end]} --> [*]" for end in ends)


def _for_mermaid(label: str) -> str:
    """Write the keys # and * so that neither is read as a sign of Mermaid's."""
    return label.replace("#", "#35;").replace("*", "#42;")


# DOT.


def _dot(plan: Plan) -> Iterator[str]:
    yield f"digraph {_quoted(plan.name)} {{"
    yield "    compound=true; node [shape=box, style=rounded]; start [shape=point]"
    yield from _dot_inside(plan, None, "    ")
    yield f"    start -> {_dot_end(plan, plan.starts[0])}"
    if plan.error is not None:
        yield f"    {_quoted(ANY_STATE)} [shape=plain]"
        yield f"    {_quoted(ANY_STATE)} -> {_dot_end(plan, plan.error)} [label=error]"
    for arrow in plan.arrows:
        cuts = [("ltail", arrow.source), ("lhead", arrow.target)]
        cut = "".join(f", {side}={_cluster(plan, one)}" for side, one in cuts if plan.is_box(one))
        names = f"{_dot_end(plan, arrow.source)} -> {_dot_end(plan, arrow.target)}"
        label = "\n".join(arrow.labels)
        yield f"    {names} [label={_quoted(label)}{cut}]"
    yield "}"


def _dot_inside(plan: Plan, box: Node | None, indent: str) -> Iterator[str]:
    for one in plan.inside(box):
        if plan.is_box(one):
            yield f"{indent}subgraph {_cluster(plan, one)} {{"
            yield f"{indent}    label={_quoted(one.cls.__name__)}"
            yield from _dot_inside(plan, one, f"{indent}    ")
            yield f"{indent}}}"
        else:
            label = "" if plan.names[one] == one.cls.__name__ else f"label={_quoted(one.cls.__name__)}"
            about = ", ".join(filter(None, ("peripheries=2" if one.cls.final else "", label)))
            yield f"{indent}{_quoted(plan.names[one])}{f' [{about}]' if about else ''}"


def _cluster(plan: Plan, box: Node) -> str:
    return _quoted(f"cluster_{plan.names[box]}")


def _dot_end(plan: Plan, one: Node) -> str:
    """Write a state, or one inside a box: DOT lets edges begin and end at states only, and cuts them off at the box."""
    while plan.is_box(one):
        one = next((start for start in plan.starts if start.around == one), plan.inside(one)[0])
    return _quoted(plan.names[one])


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
