"""The graph of a flow, read from the annotations of its handlers without running anything."""

from __future__ import annotations

import contextlib
import difflib
import functools
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from attrs import evolve, field, frozen

from callflow.errors import FlowDefinitionError
from callflow.flow.definition import is_handler, is_kind, is_of_key, needed_fields, overrides
from callflow.flow.ends import check_ends
from callflow.flow.keys import Again
from callflow.flow.marks import line_of
from callflow.flow.menu import targets_of
from callflow.flow.question import QuestionOptions
from callflow.flow.state import State
from callflow.flow.subflow import DEPTH, Done, GaveUp, SubFlow, argument_of

Scope = Mapping[str, Any]

REQUIRED: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # kind: (options, handlers) that a state of it cannot do without
    "Say": (("prompt",), ("then",)),
    "Menu": (("prompt",), ("on_failed",)),
    "CollectDigits": (("prompt",), ("on_digits", "on_failed")),
    "Confirm": (("prompt",), ("on_yes", "on_no", "on_failed")),
    "Record": ((), ("on_recorded", "on_recorded_hangup", "on_failed")),
    "State": (("timeout",), ("on_timeout",)),
    "SubFlow": (("start",), ("on_done",)),
}

INSTEAD: Mapping[str, str] = {"prompt": "prompt_for", "start": "begin", "on_failed": "failed"}
"""Options and handlers, and what says the same in another way."""

_ENDS = (Done, GaveUp)

_ALWAYS_MOVES = ("then", "on_error", "on_done")
"""Handlers behind which nothing would follow if they did not name a state."""


@frozen
class Edge:
    """One way from a state to another."""

    source: type[State[Any]]
    handler: str
    """Name of the method that returns the target, or of the option that names it; the edge's label."""
    target: type[State[Any]]
    keys: tuple[str, ...] = ()
    """Keys that call the handler, where it is one of theirs."""
    again: bool = False
    """The handler may return ``Again``: the question is asked once more, and the state is not left."""
    box: type[State[Any]] | None = field(default=None, eq=False)
    """The class whose body has the handler: the source, or a base of it: the superstate of all that share it."""


@frozen
class Graph:
    """All states that can be reached from the start, in the order of reaching, and all edges between them.

    A ``SubFlow`` is one state of it; what is inside has a graph of its own.
    """

    states: tuple[type[State[Any]], ...]
    edges: tuple[Edge, ...]
    inside: Mapping[type[State[Any]], Graph] = field(factory=dict)
    """The graph of each sub-flow."""
    error: type[State[Any]] | None = None
    """Where an error leads that no state of the call takes: an edge from all of them."""
    results: tuple[tuple[str, Any], ...] = field(default=(), eq=False)
    """Which handlers lead to ``Done``, and the type of what it carries."""

    @property
    def all_states(self) -> tuple[type[State[Any]], ...]:
        """The states of this graph and of those inside, each once."""
        inner = [state for graph in self.inside.values() for state in graph.all_states]
        return tuple(dict.fromkeys((*self.states, *inner)))

    @property
    def all_edges(self) -> tuple[Edge, ...]:
        """The edges of this graph and of those inside, each once."""
        inner = [edge for graph in self.inside.values() for edge in graph.all_edges]
        return tuple(dict.fromkeys((*self.edges, *inner)))

    @functools.cached_property
    def _moves(self) -> Mapping[tuple[type[State[Any]], str], frozenset[type[State[Any]]]]:
        """What each handler may return. Edges of a class are the same wherever it stands, so that one table will do."""
        moves: dict[tuple[type[State[Any]], str], set[type[State[Any]]]] = {}
        for edge in self.all_edges:
            if not edge.again:
                moves.setdefault((edge.source, edge.handler), set()).add(edge.target)
        return {move: frozenset(targets) for move, targets in moves.items()}

    @property
    def reentries(self) -> tuple[Edge, ...]:
        """The edges that nobody wrote: what a lost line cut off is said again when it is back (L13)."""
        return tuple(Edge(state, "on_resumed", state) for state in self.all_states if _says_again(state))

    def allows(self, source: type[State[Any]], handler: str, target: type[State[Any]]) -> bool:
        """Say whether the annotation of *handler* names *target*."""
        return target in self._moves.get((source, handler), frozenset())

    def asks_again(self, source: type[State[Any]], handler: str) -> bool:
        """Say whether the annotation of *handler* names ``Again``."""
        return any(e.again and e.source is source and e.handler == handler for e in self.all_edges)

    def declared(self, source: type[State[Any]], handler: str) -> str:
        """Name the targets of a handler, for messages."""
        names = [
            "Again" if e.again else e.target.__name__
            for e in self.all_edges
            if e.source is source and e.handler == handler
        ]
        return " | ".join(names) or "None"


def _says_again(state: type[State[Any]]) -> bool:
    speaks = getattr(state.options, "prompt", None) is not None or overrides(state, "prompt_for")
    return speaks and state.options.resume == "again"


@frozen
class Reading:
    """What is the same for all parts of one graph that is read."""

    scope: Scope
    mistakes: list[FlowDefinitionError]
    """What is wrong, to be told at once."""

    @contextlib.contextmanager
    def noting(self) -> Iterator[None]:
        """Note a mistake that is found in the block, and go on behind it."""
        try:
            yield
        except FlowDefinitionError as wrong:
            self.mistakes.append(wrong)


def read_graph(start: type[State[Any]], scope: Scope, error: type[State[Any]] | None = None) -> Graph:
    """Walk from *start* along the annotations.

    Args:
        start: The first state.
        scope: Names for annotations that their own module does not hold: states defined inside a function.
        error: Where an error leads that no state takes.

    Raises:
        FlowDefinitionError: An annotation names something that does not exist or is no state, or a state that can be
            reached lacks an option or a handler that its kind needs.
    """
    mistakes: list[FlowDefinitionError] = []
    graph = _walk([start, *([] if error is None else [error])], (), Reading(scope, mistakes))
    mistakes += [_end_of_nothing(edge) for edge in graph.edges if issubclass(edge.target, _ENDS)]
    refuse(mistakes)
    return evolve(graph, error=error)


def _end_of_nothing(edge: Edge) -> FlowDefinitionError:
    return FlowDefinitionError(
        f"{edge.source.__qualname__}.{edge.handler}: it leads to {edge.target.__name__}, an end of a sub-flow, and "
        "this state is in none; lead to a Hangup, or put the state into a SubFlow",
        check="sub-flow",
        at=edge.source,
    )


def _walk(starts: list[type[State[Any]]], around: tuple[type[State[Any]], ...], reading: Reading) -> Graph:
    """Read one level: the states that can be reached without entering or leaving a sub-flow."""
    states, edges, results = list(dict.fromkeys(starts)), list[Edge](), list[tuple[str, Any]]()
    inside: dict[type[State[Any]], Graph] = {}
    for state in states:  # grows while it is walked
        with reading.noting():
            _check_complete(state)
        for edge, member in _edges_of(state, reading):
            edges.append(edge)
            if issubclass(edge.target, Done):
                results.append((f"{state.__qualname__}.{edge.handler}", argument_of(member, Done, 0)))
            if edge.target not in states:
                states.append(edge.target)
        if issubclass(state, SubFlow):
            with reading.noting():
                inside[state] = _read_inside(state, around, reading)
    return Graph(tuple(states), tuple(dict.fromkeys(edges)), inside, results=tuple(results))


def _read_inside(state: type[State[Any]], around: tuple[type[State[Any]], ...], reading: Reading) -> Graph:
    """Read the graph of a sub-flow."""
    if state in around:
        names = " in ".join(each.__qualname__ for each in (state, *reversed(around)))
        said = f"{state.__qualname__} is inside itself: {names}; lead out by Done and enter it anew"
        raise FlowDefinitionError(said, check="sub-flow", at=state)
    if len(around) >= DEPTH:
        names = " in ".join(each.__qualname__ for each in (state, *reversed(around)))
        raise FlowDefinitionError(
            f"{state.__qualname__}: {len(around) + 1} sub-flows are inside each other ({names}), and {DEPTH} may be; "
            "let some stand one after another",
            check="sub-flow",
            at=state,
        )
    graph = _walk(starts_of(state, reading.scope), (*around, state), reading)
    check_ends(state, graph.states, graph.results)
    return graph


def starts_of(state: type[State[Any]], scope: Scope) -> list[type[State[Any]]]:
    """Find the states that a sub-flow may begin with.

    Raises:
        FlowDefinitionError: Its ``begin`` does not say, or names what is no state.
    """
    if state.options.start is not None:
        return [state.options.start]
    where, begin = f"{state.__qualname__}.begin", cast("Any", state).begin
    if "return" not in begin.__annotations__:
        said = f"{where} does not say what it makes; annotate its return with the first state"
        raise FlowDefinitionError(said, check="annotation", at=begin)
    return [target for target, _ in _states_in(where, begin, _return_of(where, begin, scope))]


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
    """Turn the choices of a state round: which keys each method has."""
    choices = state.choices()
    return {name: tuple(key for key, other in choices.items() if other == name) for name in choices.values()}


def _edges_of(state: type[State[Any]], reading: Reading) -> Iterator[tuple[Edge, Any]]:
    """Give the edges of a state, each with the part of the annotation that names its target."""
    keys = _keys_of(state)
    for name, handler in handlers_of(state).items():
        box = next(base for base in state.__mro__ if name in vars(base))
        with reading.noting():
            for target, member in _targets(state, name, handler, reading.scope):
                again = target is Again
                yield Edge(state, name, state if again else target, keys.get(name, ()), again=again, box=box), member
    yield from ((edge, edge.target) for edge in _edges_of_line(state))


def _edges_of_line(state: type[State[Any]]) -> Iterator[Edge]:
    """Give the edges that a class line names."""
    box = {option: base for base in reversed(state.__mro__) for option in line_of(base)}
    for key, target in targets_of(state).items():
        yield Edge(state, "keys", target, (key,), box=box["keys"])
    if (failed := getattr(state.options, "failed", None)) is not None:
        yield Edge(state, "failed", failed, box=box["failed"])


def _targets(
    state: type[State[Any]], name: str, handler: Callable[..., Any], scope: Scope
) -> Iterator[tuple[Any, Any]]:
    where = f"{state.__qualname__}.{name}"
    annotation = _return_of(where, handler, scope)
    if name in _ALWAYS_MOVES and _may_be_none(annotation):
        after = {"then": "what was said", "on_error": "an error", "on_done": "the sub-flow"}[name]
        raise FlowDefinitionError(
            f"{where} may return None, and then nothing would ever follow {after}; let it always name a state",
            check="no-way-out",
            at=handler,
        )
    for target, member in _states_in(where, handler, annotation):
        if target is Again and not _may_ask_again(state, name):
            raise FlowDefinitionError(
                f"{where}: its annotation names Again, which asks a question once more; only what answers a question "
                "may do so: its keys, on_digits, on_yes and on_no",
                check="unknown-target",
                at=handler,
            )
        yield target, member


def _states_in(where: str, handler: Callable[..., Any], annotation: Any) -> Iterator[tuple[Any, Any]]:
    """Give what an annotation names: the class, and how it stands there."""
    for member in _members(annotation):
        target = typing.get_origin(member) or member
        if not (isinstance(target, type) and issubclass(target, State | Again)):
            raise FlowDefinitionError(
                f"{where}: its annotation names {member!r}, which is no state; name state classes, or None for staying",
                check="unknown-target",
                at=handler,
            )
        yield target, member


def _may_ask_again(state: type[State[Any]], name: str) -> bool:
    answers = name in ("on_digits", "on_yes", "on_no") or is_of_key(state, name)
    return answers and isinstance(state.options, QuestionOptions)


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
    if is_kind(state) and not issubclass(state, _ENDS):
        said = f"{state.__name__} itself is no state of a flow; make a subclass of it"
        raise FlowDefinitionError(said, check="unknown-target", at=state)
    options, handlers = REQUIRED.get(state.kind, ((), ()))
    for option in options:
        if getattr(state.options, option) is None and not overrides(state, INSTEAD.get(option, option)):
            said = f"{state.__qualname__} has no {option}; add {option}=… to its class line"
            raise FlowDefinitionError(said, check=f"no-{option}", at=state)
    if state.options.timeout is not None and not state.final and "on_timeout" not in handlers:
        handlers = (*handlers, "on_timeout")
    for handler in handlers:
        instead = getattr(state.options, INSTEAD.get(handler, ""), None)
        if instead is None and not overrides(state, handler):
            said = f"{state.__qualname__} has no {handler}; say in it where the call goes then"
            raise FlowDefinitionError(said, check="no-timeout" if handler == "on_timeout" else "no-handler", at=state)
    if state.kind == "Menu" and not state.choices():
        raise FlowDefinitionError(f'{state.__qualname__} has no key; give a method @key("1")', check="key", at=state)


def is_whole(state: type[State[Any]]) -> bool:
    """Say whether a state has all that its kind needs; one that has not is a base, or a draft."""
    try:
        _check_complete(state)
    except FlowDefinitionError:
        return False
    return True


def check_start(start: type[State[Any]], option: str = "start") -> None:
    """Check that a state that a flow names can be made from nothing.

    Args:
        start: The state.
        option: The argument that names it.

    Raises:
        FlowDefinitionError: It is no state class, or has a field without a default.
    """
    given: Any = start
    if not (isinstance(given, type) and issubclass(given, State)):
        raise FlowDefinitionError(
            f"{option}={start!r} is no state class; write {option}=Welcome, not {option}=Welcome()", check="flow"
        )
    if needed := needed_fields(start):
        raise FlowDefinitionError(
            f"{start.__qualname__} is the {option}, but needs {', '.join(needed)}; give {needed[0]} a default",
            check="flow",
            at=start,
        )
