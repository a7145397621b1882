"""What is checked the moment a state class is made, so that a mistake shows before the first caller does."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from callflow.errors import FlowDefinitionError

F = TypeVar("F", bound=Callable[..., Any])

KEYS_ATTRIBUTE = "__callflow_keys__"
"""Where ``@key`` writes the keys of a method."""


OF_EVERY_STATE = frozenset({"on_hangup", "on_detached", "on_resumed"})
"""Hooks that every kind of state has."""


def is_kind(cls: type) -> bool:
    """Say whether a class is one of callflow's own kinds of state and not a user's."""
    return "kind" in vars(cls)


def overrides(cls: type, hook: str) -> bool:
    """Say whether a user's class, or a user's base of it, has its own version of a hook."""
    return any(hook in vars(base) for base in cls.__mro__ if base is not object and not is_kind(base))


def is_handler(cls: type, name: str) -> bool:
    """Say whether a method of that name is a handler of *cls*: a hook, ``run``, or the method of a key."""
    return name == "run" or _looks_like_hook(name) or is_of_key(cls, name)


def is_of_key(cls: type, name: str) -> bool:
    """Say whether ``@key`` marks the method of that name, in *cls* or in a base whose method it takes the place of."""
    return any(hasattr(vars(base).get(name), KEYS_ATTRIBUTE) for base in cls.__mro__)


# The class line.


def class_line(accept: F) -> F:
    """Have the ``__init_subclass__`` of a kind refuse an option that it does not know, with the nearest that it does.

    The keywords stay in its signature, where type checkers read them.
    """
    known = list(inspect.signature(accept).parameters)[1:]
    kind = accept.__qualname__.partition(".")[0]

    @functools.wraps(accept)
    def checked(cls: type, **given: Any) -> None:
        for name in given:
            if name not in known:
                hint = _near(name, known, f"its options are {', '.join(known)}")
                said = f"{cls.__qualname__}: a {kind} has no option {name}; {hint}"
                raise FlowDefinitionError(said, check="unknown-option", at=cls)
        accept(cls, **given)

    return checked  # type: ignore[return-value]  # the same signature, by functools.wraps


def one_of(*allowed: object) -> Callable[[Any, Any, object], None]:
    """Make a validator for a field of options that has these values and no other."""

    def check(_: object, attribute: Any, value: object) -> None:
        if value not in allowed:
            raise ValueError(f"{attribute.name}={value!r}; write {' or '.join(map(repr, allowed))}")

    return check


def _near(name: str, known: Iterable[str], otherwise: str) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]}?" if near else otherwise


# The class body.


def check_class(cls: type) -> None:
    """Check the handlers that a user's class body holds.

    Raises:
        FlowDefinitionError: A hook's name is unknown, a handler waits, ``run`` does not, an annotation of the return is
            missing, two handlers have the same key, or a state that is no menu has keys.
    """
    for name, member in vars(cls).items():
        if is_handler(cls, name):
            _check_handler(cls, name, member)
    _check_keys(cls)


def _check_handler(cls: type, name: str, member: Any) -> None:
    where, hooks = f"{cls.__qualname__}.{name}", _hooks(cls)
    if _looks_like_hook(name) and name not in hooks:
        hint = _near(name, hooks, f"its hooks are {', '.join(hooks)}")
        said = f"{where}: a {_kind_of(cls).__name__} has no hook {name}; {hint}"
        raise FlowDefinitionError(said, check="unknown-hook", at=member)
    if not inspect.isfunction(member):
        raise FlowDefinitionError(f"{where} is no function; write it as a method of the class", check="handler", at=cls)
    waits = inspect.iscoroutinefunction(member)
    if name == "run" and not waits:
        said = f"{where} must be async; write 'async def run', or decide in a handler"
        raise FlowDefinitionError(said, check="handler", at=member)
    if name != "run" and waits:
        said = f"{where} must not wait; write 'def {name}', and what waits in run of another state"
        raise FlowDefinitionError(said, check="waiting-handler", at=member)
    if "return" not in member.__annotations__:
        said = f"{where} does not say where it goes; annotate its return with the states it may go to, or with None"
        raise FlowDefinitionError(said, check="annotation", at=member)
    _check_parameters(where, cls, name, member)


def _check_parameters(where: str, cls: type, name: str, member: Callable[..., Any]) -> None:
    """Check that a handler can be called with what it will be given."""
    ways = [["self", "call"], ["self", "call", "key"]] if is_of_key(cls, name) else [_parameters_of(cls, name)]
    if not any(_accepts(member, len(way)) for way in ways):
        told = " or ".join(f"{name}({', '.join(way)})" for way in ways)
        said = f"{where} cannot be called with what it is given; write it as {told}"
        raise FlowDefinitionError(said, check="handler", at=member)


def _parameters_of(cls: type, hook: str) -> list[str]:
    """Name the parameters of a hook as its kind has it."""
    original = next(vars(base)[hook] for base in cls.__mro__ if is_kind(base) and hook in vars(base))
    return list(inspect.signature(original).parameters)


def _accepts(member: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(member).bind(*range(count))
    except TypeError:
        return False
    return True


def _check_keys(cls: type) -> None:
    taken: dict[str, str] = {}
    for name, member in vars(cls).items():
        keys = getattr(member, KEYS_ATTRIBUTE, ())
        if keys and not hasattr(cls, "choices"):
            raise FlowDefinitionError(
                f"{cls.__qualname__}.{name}: @key is for a Menu, and this is a {_kind_of(cls).__name__}; "
                "make it a Menu, or take keys in on_dtmf of a State",
                check="key",
                at=member,
            )
        for key in keys:
            if key in taken:
                raise FlowDefinitionError(
                    f"{cls.__qualname__}: key {key} has two handlers, {taken[key]} and {name}; leave it to one of them",
                    check="key",
                    at=member,
                )
            taken[key] = name


def _looks_like_hook(name: str) -> bool:
    return name.startswith("on_") or name == "then"


def _hooks(cls: type) -> list[str]:
    """Name the hooks that a class may have: those of its kind, and what every state hears of line and end."""
    return sorted({name for name in vars(_kind_of(cls)) if _looks_like_hook(name)} | OF_EVERY_STATE)


def _kind_of(cls: type) -> type:
    return next(base for base in cls.__mro__ if is_kind(base))
