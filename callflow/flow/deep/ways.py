"""Ways through a finite graph: what lies ahead, what goes round, and which way takes longest. Pure, of any nodes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

from attrs import frozen

N = TypeVar("N")

Following = Mapping[N, Collection[N]]
"""Which nodes come after each; every node has an entry."""


@frozen
class Way(Generic[N]):
    """The longest way from one node."""

    nodes: tuple[N, ...]
    seconds: float
    loop: tuple[N, ...] = ()
    """What the way ends in and may go round in for ever; empty where every way ends. Then ``seconds`` are endless."""


def ahead(start: N, following: Following[N]) -> set[N]:
    """Find all nodes that come after one; itself only if a way leads back."""
    found: set[N] = set()
    waiting = [start]
    while waiting:
        new = [node for node in following[waiting.pop()] if node not in found]
        found.update(new)
        waiting += new
    return found


def groups(following: Following[N]) -> Iterator[tuple[N, ...]]:
    """Give each set of nodes that lead to one another; a node that does not lead to itself is alone."""
    reached = {node: ahead(node, following) for node in following}
    seen: set[N] = set()
    for node in following:
        if node not in seen:
            group = (node, *(other for other in reached[node] if other != node and node in reached[other]))
            seen.update(group)
            yield tuple(other for other in following if other in group)


def rounds(following: Following[N]) -> Iterator[tuple[N, ...]]:
    """Give for each set of nodes that lead to one another the shortest way round in it."""
    for group in groups(following):
        inside = {node: [other for other in following[node] if other in group] for node in group}
        if any(inside.values()):
            yield min((_round(node, inside) for node in group), key=len)


def _round(start: N, following: Following[N]) -> tuple[N, ...]:
    """Find the shortest way from a node back to it, by breadth."""
    waiting: deque[tuple[N, ...]] = deque([(start,)])
    seen: set[N] = set()
    while True:
        way = waiting.popleft()
        for node in following[way[-1]]:
            if node == start:
                return way
            if node not in seen:
                seen.add(node)
                waiting.append((*way, node))


def closed(following: Following[N], ends: Collection[N]) -> Iterator[tuple[N, ...]]:
    """Give each set of nodes that lead to one another and nowhere else, unless an end is among them."""
    for group in groups(following):
        if all(node in group for each in group for node in following[each]) and not set(ends) & set(group):
            yield group


def longest(start: N, following: Following[N], seconds: Callable[[N], float]) -> Way[N]:
    """Find the way from *start* that takes longest; one that can go round has no end."""
    there = {start, *ahead(start, following)}
    part = {node: [other for other in following[node] if other in there] for node in following if node in there}
    for loop in rounds(part):
        return Way((*_shortest(start, loop[0], part), *loop[1:]), float("inf"), loop)
    best: dict[N, Way[N]] = {}
    for node in _backwards(start, part):
        onward = max((best[other] for other in part[node]), key=lambda way: way.seconds, default=Way[N]((), 0.0))
        best[node] = Way((node, *onward.nodes), seconds(node) + onward.seconds)
    return best[start]


def _shortest(start: N, end: N, following: Following[N]) -> tuple[N, ...]:
    ways: dict[N, tuple[N, ...]] = {start: (start,)}
    waiting = deque([start])
    while end not in ways:
        node = waiting.popleft()
        for other in following[node]:
            if other not in ways:
                ways[other] = (*ways[node], other)
                waiting.append(other)
    return ways[end]


def _backwards(start: N, following: Following[N]) -> Sequence[N]:
    """Put the nodes of a graph without rounds in an order in which each stands behind all that follow it."""
    order: dict[N, None] = {}
    waiting: list[tuple[N, Iterable[N]]] = [(start, iter(following[start]))]
    while waiting:
        node, rest = waiting[-1]
        new = next((other for other in rest if other not in order), None)
        if new is None:
            order[node] = None
            waiting.pop()
        else:
            waiting.append((new, iter(following[new])))
    return list(order)
