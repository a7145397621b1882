"""What is checked the moment a state class is made, so that a mistake shows before the first caller does."""

from __future__ import annotations

import difflib
import inspect
from typing import Any

from callflow.errors import FlowDefinitionError


def is_kind(cls: type) -> bool:
    """Say whether a class is one of callflow's own kinds of state and not a user's."""
    return "kind" in vars(cls)


def overrides(cls: type, hook: str) -> bool:
    """Say whether a user's class, or a user's base of it, has its own version of a hook."""
    return any(hook in vars(base) for base in cls.__mro__ if base is not object and not is_kind(base))


def check_class(cls: type, keys_attribute: str) -> None:
    """Check the handlers that a user's class body holds.

    Raises:
        FlowDefinitionError: A hook's name is unknown, a handler waits, ``run`` does not, an annotation of the return is
            missing, or two handlers have the same key.
    """
    taken: dict[str, str] = {}
    for name, member in vars(cls).items():
        keys = getattr(member, keys_attribute, ())
        if name.startswith("on_") or name in ("run", "then") or keys:
            _check_handler(cls, name, member)
        for key in keys:
            if key in taken:
                raise FlowDefinitionError(
                    f"{cls.__qualname__}: key {key} has two handlers, {taken[key]} and {name}; leave it to one of them"
                )
            taken[key] = name


def _check_handler(cls: type, name: str, member: Any) -> None:
    where = f"{cls.__qualname__}.{name}"
    if name.startswith("on_") and not _is_hook(cls, name):
        near = difflib.get_close_matches(name, _hooks(cls), n=1)
        hint = f"did you mean {near[0]}?" if near else f"its hooks are {', '.join(_hooks(cls))}"
        raise FlowDefinitionError(f"{where}: a {_kind_of(cls)} has no hook {name}; {hint}")
    if not inspect.isfunction(member):
        raise FlowDefinitionError(f"{where} is no function; write it as a method of the class")
    waits = inspect.iscoroutinefunction(member)
    if name == "run" and not waits:
        raise FlowDefinitionError(f"{where} must be async: write 'async def run', or decide in a handler")
    if name != "run" and waits:
        raise FlowDefinitionError(f"{where} must not wait: write 'def {name}', and what waits in run of another state")
    if "return" not in member.__annotations__:
        raise FlowDefinitionError(
            f"{where} does not say where it goes; annotate its return with the states it may go to, or with None"
        )


def _bases(cls: type) -> list[type]:
    return [base for base in cls.__mro__ if base is not object and is_kind(base)]


def _is_hook(cls: type, name: str) -> bool:
    return any(name in vars(base) for base in _bases(cls))


def _hooks(cls: type) -> list[str]:
    return sorted({name for base in _bases(cls) for name in vars(base) if name.startswith("on_")})


def _kind_of(cls: type) -> str:
    return _bases(cls)[0].__name__
