"""The graph of a flow, read from the annotations of its handlers without running anything."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import attrs
from attrs import frozen

from callflow.errors import FlowDefinitionError
from callflow.flow.definition import is_handler, is_kind, is_of_key, overrides
from callflow.flow.state import State

Scope = Mapping[str, Any]

REQUIRED: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # kind: (options, handlers) that a state of it cannot do without
    "Say": (("prompt",), ("then",)),
    "Menu": (("prompt",), ("on_failed",)),
    "CollectDigits": (("prompt",), ("on_digits", "on_failed")),
    "State": (("timeout",), ("on_timeout",)),
}


@frozen
class Edge:
    """One way from a state to another."""

    source: type[State[Any]]
    handler: str
    """Name of the method that returns the target; the edge's label."""
    target: type[State[Any]]
    keys: tuple[str, ...] = ()
    """Keys that call the handler, where it is one of a menu."""


@frozen
class Graph:
    """All states that can be reached from the start, in the order of reaching, and all edges between them."""

    states: tuple[type[State[Any]], ...]
    edges: tuple[Edge, ...]

    @property
    def reentries(self) -> tuple[Edge, ...]:
        """The edges that nobody wrote: what a lost line cut off is said again when it is back (L13)."""
        return tuple(Edge(state, "on_resumed", state) for state in self.states if _says_again(state))

    def allows(self, source: type[State[Any]], handler: str, target: type[State[Any]]) -> bool:
        """Say whether the annotation of *handler* names *target*."""
        return any(e.source is source and e.handler == handler and e.target is target for e in self.edges)

    def declared(self, source: type[State[Any]], handler: str) -> str:
        """Name the targets of a handler, for messages."""
        names = [e.target.__name__ for e in self.edges if e.source is source and e.handler == handler]
        return " | ".join(names) or "None"


def _says_again(state: type[State[Any]]) -> bool:
    return getattr(state.options, "prompt", None) is not None and state.options.resume == "again"


def read_graph(start: type[State[Any]], scope: Scope) -> Graph:
    """Walk from *start* along the annotations.

    Args:
        start: The first state.
        scope: Names for annotations that their own module does not hold: states defined inside a function.

    Raises:
        FlowDefinitionError: An annotation names something that does not exist or is no state, or a state that can be
            reached lacks an option or a handler that its kind needs.
    """
    states, edges, mistakes = [start], [], list[FlowDefinitionError]()
    for state in states:  # grows while it is walked
        try:
            _check_complete(state)
        except FlowDefinitionError as wrong:
            mistakes.append(wrong)
        for edge in _edges_of(state, scope, mistakes):
            edges.append(edge)
            if edge.target not in states:
                states.append(edge.target)
    refuse(mistakes)
    return Graph(tuple(states), tuple(edges))


def refuse(mistakes: Sequence[FlowDefinitionError]) -> None:
    """Raise the first of some mistakes, with the others beside it; nothing if there is none."""
    if mistakes:
        first, *others = mistakes
        raise first.beside(others)


def handlers_of(state: type[State[Any]]) -> dict[str, Callable[..., Any]]:
    """Find the methods of a state that may move the call: the user's own hooks, keys and ``run``.

    A method of a menu whose keys a subclass gave to another is none of them.
    """
    found: dict[str, Callable[..., Any]] = {}
    for base in reversed(state.__mro__):
        if base is object or is_kind(base):
            continue
        found |= {name: member for name, member in vars(base).items() if is_handler(state, name)}
    keys = _keys_of(state)
    return {name: member for name, member in found.items() if name in keys or not is_of_key(state, name)}


def _keys_of(state: type[State[Any]]) -> dict[str, tuple[str, ...]]:
    """Turn the choices of a menu round: which keys each method has."""
    choices: Mapping[str, str] = state.choices() if hasattr(state, "choices") else {}
    return {name: tuple(key for key, other in choices.items() if other == name) for name in choices.values()}


def _edges_of(state: type[State[Any]], scope: Scope, mistakes: list[FlowDefinitionError]) -> Iterator[Edge]:
    """Give the edges of a state, and add what is wrong with its annotations to *mistakes*."""
    keys = _keys_of(state)
    for name, handler in handlers_of(state).items():
        try:
            for target in _targets(state, name, handler, scope):
                yield Edge(state, name, target, keys.get(name, ()))
        except FlowDefinitionError as wrong:
            mistakes.append(wrong)


def _targets(
    state: type[State[Any]], name: str, handler: Callable[..., Any], scope: Scope
) -> Iterator[type[State[Any]]]:
    where = f"{state.__qualname__}.{name}"
    annotation = _return_of(where, handler, scope)
    if name == "then" and _may_be_none(annotation):
        raise FlowDefinitionError(
            f"{where} may return None, and then nothing would ever follow what was said; let it always name a state",
            check="no-way-out",
            at=handler,
        )
    for member in _members(annotation):
        target = typing.get_origin(member) or member
        if not (isinstance(target, type) and issubclass(target, State)):
            raise FlowDefinitionError(
                f"{where}: its annotation names {member!r}, which is no state; name state classes, or None for staying",
                check="unknown-target",
                at=handler,
            )
        yield target


def _return_of(where: str, handler: Callable[..., Any], scope: Scope) -> Any:
    """Resolve the return annotation alone: parameters may well be annotated with names for type-checkers only."""
    names = {**getattr(handler, "__globals__", {}), **scope}
    holder = type("Returns", (), {"__annotations__": {"return": handler.__annotations__["return"]}})
    try:
        return typing.get_type_hints(holder, names)["return"]
    except NameError as missing:
        said = f"{where}: {_explain(missing, names)}"
        raise FlowDefinitionError(said, check="unknown-target", at=handler) from missing
    except (SyntaxError, TypeError, AttributeError) as wrong:
        raise FlowDefinitionError(
            f"{where}: its annotation cannot be read ({wrong}); name state classes, joined by |",
            check="annotation",
            at=handler,
        ) from wrong


def _explain(missing: NameError, names: Scope) -> str:
    wanted = str(missing.name)
    states = [name for name, value in names.items() if isinstance(value, type) and issubclass(value, State)]
    near = difflib.get_close_matches(wanted, states, n=1)
    cure = (
        f"did you mean {near[0]}?"
        if near
        else "import it outside of TYPE_CHECKING; for states defined inside a function give Flow(…, scope=locals())"
    )
    return f"its annotation names {wanted}, which does not exist when the flow is made; {cure}"


def may_stay(state: type[State[Any]], handler: Callable[..., Any], scope: Scope) -> bool:
    """Say whether the annotation of a handler of a state allows None."""
    return _may_be_none(_return_of(f"{state.__qualname__}.{handler.__name__}", handler, scope))


def _may_be_none(annotation: Any) -> bool:
    return types.NoneType in (typing.get_args(annotation) if _is_union(annotation) else (annotation,))


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def _members(annotation: Any) -> Iterator[Any]:
    if _is_union(annotation):
        for member in typing.get_args(annotation):
            yield from _members(member)
    elif annotation is not None and annotation is not types.NoneType:
        yield annotation


def _check_complete(state: type[State[Any]]) -> None:
    if is_kind(state):
        said = f"{state.__name__} itself is no state of a flow; make a subclass of it"
        raise FlowDefinitionError(said, check="unknown-target", at=state)
    options, handlers = REQUIRED.get(state.kind, ((), ()))
    for option in options:
        if getattr(state.options, option) is None:
            said = f"{state.__qualname__} has no {option}; add {option}=… to its class line"
            raise FlowDefinitionError(said, check=f"no-{option}", at=state)
    for handler in handlers:
        if not overrides(state, handler):
            said = f"{state.__qualname__} has no {handler}; say in it where the call goes then"
            raise FlowDefinitionError(said, check="no-timeout" if handler == "on_timeout" else "no-handler", at=state)
    if hasattr(state, "choices") and not state.choices():
        raise FlowDefinitionError(f'{state.__qualname__} has no key; give a method @key("1")', check="key", at=state)


def is_whole(state: type[State[Any]]) -> bool:
    """Say whether a state has all that its kind needs; one that has not is a base, or a draft."""
    try:
        _check_complete(state)
    except FlowDefinitionError:
        return False
    return True


def check_start(start: type[State[Any]]) -> None:
    """Check that the first state can be made from nothing.

    Raises:
        FlowDefinitionError: It is no state class, or has a field without a default.
    """
    given: Any = start
    if not (isinstance(given, type) and issubclass(given, State)):
        said = f"start={start!r} is no state class; write start=Welcome, not start=Welcome()"
        raise FlowDefinitionError(said, check="flow")
    fields: Any = attrs.fields(cast("Any", start))
    needed = [a.name for a in fields if a.default is attrs.NOTHING and a.init]
    if needed:
        raise FlowDefinitionError(
            f"{start.__qualname__} is the start, but needs {', '.join(needed)}; give {needed[0]} a default",
            check="flow",
            at=start,
        )
