"""What is checked of the ends of a sub-flow: there is one, and what it carries is what ``on_done`` takes."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator
from typing import Any, Union, get_args, get_origin

from callflow.errors import FlowDefinitionError
from callflow.flow.definition import overrides
from callflow.flow.state import State
from callflow.flow.subflow import Done, GaveUp, SubFlow, argument_of


def check_ends(sub: type[State[Any]], states: Iterable[type[State[Any]]], results: Iterable[tuple[str, Any]]) -> None:
    """Check the ends of a sub-flow.

    Args:
        sub: Its class.
        states: What can be reached inside.
        results: Which handlers inside lead to ``Done``, and the type of what that carries.

    Raises:
        FlowDefinitionError: No end can be reached, or one that the class has no hook for, or the results disagree.
    """
    ends = [state for state in states if state.final]
    if not any(issubclass(state, Done) for state in ends):
        raise FlowDefinitionError(
            f"{sub.__qualname__}: no state inside leads to Done; let a handler return Done(…), which goes to on_done",
            check="sub-flow",
            at=sub,
        )
    if any(issubclass(state, GaveUp) for state in ends) and not overrides(sub, "on_failed"):
        raise FlowDefinitionError(
            f"{sub.__qualname__} has no on_failed, but a state inside leads to GaveUp; say in it where to go",
            check="sub-flow",
            at=sub,
        )
    _check_results(sub, list(results))


def _check_results(sub: type[State[Any]], results: list[tuple[str, Any]]) -> None:
    wanted = argument_of(sub, SubFlow, 1)
    if wanted is Any:
        wanted = next((result for _, result in results if result is not Any), Any)
    for where, result in results:
        if not fits(result, wanted):
            raise FlowDefinitionError(
                f"{where}: it leads to Done[{_shown(result)}], and the result of {sub.__qualname__} is "
                f"{_shown(wanted)}; make them agree",
                check="sub-flow",
                at=sub,
            )


def fits(given: Any, wanted: Any) -> bool:
    """Say whether a value of one type can stand where another is wanted; True where that cannot be told."""
    if Any in (given, wanted):
        return True
    allowed = list(_members(wanted))
    return all(any(_is_a(one, other) for other in allowed) for one in _members(given))


def _is_a(one: Any, other: Any) -> bool:
    if one == other or other is Any:
        return True
    if get_args(one) and get_args(other):
        return False  # list[str] is no list[int]
    plain, asked = get_origin(one) or one, get_origin(other) or other
    return isinstance(plain, type) and isinstance(asked, type) and issubclass(plain, asked)


def _members(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    else:
        yield type(None) if annotation is None else annotation


def _shown(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) and not get_args(annotation) else str(annotation)
