"""What is checked of a flow as a whole when it is made: all its states can be reached, left and ended, with one data.

Only what cannot work is refused here. What is nearly always a bug, but might be meant, ``callflow check`` finds.
"""

from __future__ import annotations

import dis
import typing
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import CodeType, UnionType
from typing import Any, TypeAlias

from callflow.errors import FlowDefinitionError
from callflow.flow.definition import is_kind, overrides
from callflow.flow.graph import Graph
from callflow.flow.marks import EVENT_ATTRIBUTE, marked
from callflow.flow.state import State

AnyState: TypeAlias = type[State[Any]]
Group: TypeAlias = tuple[AnyState, ...]


def mistakes_of(graph: Graph, data: object) -> Iterator[FlowDefinitionError]:
    """Find what cannot work: states of other data, no way out of a state, no way to an end.

    Args:
        graph: All states that can be reached.
        data: The type of the flow's data, or None if calls have none.
    """
    yield from _without_data(graph.states[0], data)
    yield from _mistakes_within(graph)


def _mistakes_within(graph: Graph) -> Iterator[FlowDefinitionError]:
    yield from _of_other_data(graph)
    yield from _trapped(graph)
    for sub, inside in graph.inside.items():
        yield from _without_own_data(sub, inside.states[0])
        yield from _mistakes_within(inside)


# Data.


def data_of(state: AnyState) -> Any:
    """Find the type in the brackets: ``Caller`` of ``Say[Caller]``; a variable, or Any, where the class leaves it."""
    for base in vars(state).get("__orig_bases__", state.__bases__):
        origin, given = typing.get_origin(base) or base, typing.get_args(base)
        if origin is State:
            return given[0] if given else Any
        if not (isinstance(origin, type) and issubclass(origin, State)):
            continue
        inherited = data_of(origin)
        if isinstance(inherited, typing.TypeVar):
            return given[_place_of(inherited, origin)] if given else Any
        return inherited
    return Any


def _place_of(variable: typing.TypeVar, generic: Any) -> int:
    places: Sequence[Any] = generic.__parameters__
    return places.index(variable)


def serves(offered: Any, wanted: Any) -> bool:
    """Say whether a state that wants one type can be given data of another; True where that cannot be told."""
    plain, asked = _class_of(offered), _class_of(wanted)
    if plain is None or asked is None or offered == wanted:
        return True
    if plain is asked:
        return not (typing.get_args(offered) and typing.get_args(wanted))  # a bare list may be a list of anything
    return issubclass(plain, asked)


def _class_of(data: Any) -> type | None:
    """Find the class of a type, without what stands in its brackets; None if it has none that could be compared."""
    plain = type(None) if data is None else typing.get_origin(data) or data
    comparable = isinstance(plain, type) and plain not in (Any, UnionType) and not getattr(plain, "_is_protocol", False)
    return plain if comparable else None


def _of_other_data(graph: Graph) -> Iterator[FlowDefinitionError]:
    own = data_of(graph.states[0])
    for edge in graph.edges:
        wanted = data_of(edge.target)
        if not serves(own, wanted) and serves(own, data_of(edge.source)):
            yield FlowDefinitionError(
                f"{edge.source.__qualname__}.{edge.handler}: it leads to {edge.target.__qualname__}, a state of "
                f"{_named(wanted)}, and the calls of this flow have {_named(own)}; name a state of {_named(own)}",
                check="other-data",
                at=vars(edge.source).get(edge.handler, edge.source),
            )


def _without_data(start: AnyState, data: object) -> Iterator[FlowDefinitionError]:
    wanted = data_of(start)
    if wanted is not type(None) and not serves(data, wanted):
        made = "makes none" if data is None else f"makes {_named(data)}"
        yield FlowDefinitionError(
            f"{start.__qualname__}: its calls have {_named(wanted)}, but the flow {made}; "
            f"write Flow(…, data={_named(wanted)})",
            check="other-data",
            at=start,
        )


def _without_own_data(sub: AnyState, start: AnyState) -> Iterator[FlowDefinitionError]:
    factory: Any = sub.options.data
    wanted, offered = data_of(start), data_of(sub)
    if factory is not None or overrides(sub, "data_for"):
        offered = factory if isinstance(factory, type) else Any
    if not serves(offered, wanted):
        yield FlowDefinitionError(
            f"{sub.__qualname__}: {start.__qualname__} inside has {_named(wanted)}, and is given {_named(offered)}; "
            f"write data={_named(wanted)} in the class line of {sub.__qualname__}",
            check="other-data",
            at=sub,
        )


def _named(data: Any) -> str:
    if data in (None, type(None)):
        return "no data"
    return str(data) if typing.get_args(data) else getattr(data, "__name__", str(data))


# Ways out.


_LISTENING = ("on_dtmf", "on_speech", "on_speech_ended")


def asks(state: AnyState) -> bool:
    """Say whether a state waits for somebody. A Say or State does so only if it takes keys, speech or events."""
    if state.kind not in ("Say", "State") or state.choices() or marked(state, EVENT_ATTRIBUTE):
        return True
    return any(overrides(state, hook) for hook in _LISTENING)


def _trapped(graph: Graph) -> Iterator[FlowDefinitionError]:
    for group in closed_groups(graph.states, [(edge.source, edge.target) for edge in graph.edges]):
        if any(state.final or state.kind == "Tap" for state in group):
            continue  # who only listens does so until the others have hung up
        first, others = group[0], " and ".join(state.__qualname__ for state in group[1:])
        if not any(edge.source is first for edge in graph.edges):
            check, told = "no-way-out", "it has no way out, since none of its handlers names a state"
        elif any(map(asks, group)):
            check, told = "no-end", f"no way leads from here to an end of the flow{others and f', nor from {others}'}"
        else:
            check = "endless-loop"
            told = f"it goes round{others and f' with {others}'} for ever, and nothing waits for the caller"
        cure = "let a handler lead to a Hangup, or to a state from which there is a way to one"
        yield FlowDefinitionError(f"{first.__qualname__}: {told}; {cure}", check=check, at=first)


def closed_groups(states: Sequence[AnyState], moves: Iterable[tuple[AnyState, AnyState]]) -> Iterator[Group]:
    """Give each set of states that lead to one another and nowhere else; a state that leads nowhere is one of them."""
    following: dict[AnyState, list[AnyState]] = {state: [] for state in states}
    for source, target in moves:
        following[source].append(target)
    ahead = {state: frozenset(_ahead(state, following)) for state in states}
    seen: set[AnyState] = set()
    for state in states:
        group = tuple(other for other in states if other is state or (other in ahead[state] and state in ahead[other]))
        if state not in seen and ahead[state] <= set(group):
            yield group
        seen.update(group)


def _ahead(state: AnyState, following: Mapping[AnyState, Sequence[AnyState]]) -> set[AnyState]:
    """Find all states that come after one, itself only if a way leads back."""
    found: set[AnyState] = set()
    waiting = [state]
    while waiting:
        for target in following[waiting.pop()]:
            if target not in found:
                found.add(target)
                waiting.append(target)
    return found


# Ways in.


def forgotten(module: Mapping[str, Any], reached: Collection[AnyState]) -> list[AnyState]:
    """Find the states that a module defines and nothing leads to.

    A state that has subclasses is a base of others, and is not meant.
    """
    found: dict[AnyState, None] = {}
    for value in module.values():
        if isinstance(value, type) and issubclass(value, State) and value.__module__ == module.get("__name__"):
            found[value] = None
    return [state for state in found if not (is_kind(state) or state in reached or state.__subclasses__())]


def dead(state: AnyState, start: AnyState) -> FlowDefinitionError:
    """Say of a state that nothing leads to it."""
    name = state.__qualname__
    return FlowDefinitionError(
        f"{name}: nothing leads to it from {start.__qualname__}; name it in the return annotation of a handler, take "
        f"it out, or say that it is meant: Flow(…, spare=[{name}])",
        check="dead-state",
        at=state,
    )


def names_loaded(code: CodeType) -> set[str]:
    """Name all that a module uses by itself, outside of functions and classes.

    While a module is still being imported this tells what comes later: a state that starts another flow further down,
    is put in a list, or gets a subclass, is not forgotten.
    """
    return {str(step.argval) for step in dis.get_instructions(code) if step.opname in ("LOAD_NAME", "LOAD_GLOBAL")}
