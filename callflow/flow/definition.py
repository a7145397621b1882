"""What is checked the moment a state class is made, so that a mistake shows before the first caller does."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import attrs

from callflow.errors import FlowDefinitionError
from callflow.flow.marks import ACTIVITY_ATTRIBUTE, EVENT_ATTRIBUTE, KEYS_ATTRIBUTE, is_key, is_marked, line_of
from callflow.flow.prompts import is_prompt

F = TypeVar("F", bound=Callable[..., Any])

COMMON_HOOKS = ("on_detached", "on_error", "on_hangup", "on_resumed", "on_timeout", "on_timer")
"""Hooks that a state of any kind may have."""


_GIVEN = ("prompt_for", "begin", "data_for")
"""Methods of a kind that give a value; what they return is no move."""

PROMPT_OPTIONS = ("prompt", "no_input", "no_match", "too_short")
"""Options that are prompts; ``reprompts`` is a tuple of them."""

_INSTEAD = {"prompt": "prompt_for", "failed": "on_failed", "start": "begin", "data": "data_for"}
"""Options, and the method that says the same where it is not constant."""


def is_kind(cls: type) -> bool:
    """Say whether a class is one of callflow's own kinds of state and not a user's."""
    return "kind" in vars(cls)


def overrides(cls: type, hook: str) -> bool:
    """Say whether a user's class, or a user's base of it, has its own version of a hook."""
    return any(hook in vars(base) for base in cls.__mro__ if base is not object and not is_kind(base))


def is_handler(cls: type, name: str) -> bool:
    """Say whether a method of that name is a handler of *cls*: a hook, ``run``, or that of a key or an event."""
    return name == "run" or _looks_like_hook(name) or is_of_key(cls, name) or is_marked(cls, name, EVENT_ATTRIBUTE)


def is_of_key(cls: type, name: str) -> bool:
    """Say whether ``@key`` marks the method of that name, in *cls* or in a base whose method it takes the place of."""
    return is_marked(cls, name, KEYS_ATTRIBUTE)


def kind_of(cls: type) -> type:
    """Find the kind that a class is or descends from."""
    return next(base for base in cls.__mro__ if is_kind(base))


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
        FlowDefinitionError: A hook's name is unknown, a handler waits, ``run`` or an activity does not, an annotation
            is missing, or two handlers have the same key or event.
    """
    for name, member in vars(cls).items():
        if is_marked(cls, name, ACTIVITY_ATTRIBUTE):
            _check_activity(cls, name, member)
        elif is_handler(cls, name):
            _check_handler(cls, name, member)
        elif name in _given_hooks(cls):
            _check_plain(cls, name, member)
    _check_keys(cls)
    _check_events(cls)
    _check_fields(cls)
    _check_options(cls)
    _check_run(cls)


def _check_handler(cls: type, name: str, member: Any) -> None:
    where, hooks = f"{cls.__qualname__}.{name}", _hooks(cls)
    if _is_hook(cls, name) and name not in hooks:
        hint = _near(name, hooks, f"its hooks are {', '.join(hooks)}")
        said = f"{where}: a {kind_of(cls).__name__} has no hook {name}; {hint}"
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


def _check_activity(cls: type, name: str, member: Any) -> None:
    where = f"{cls.__qualname__}.{name}"
    if is_handler(cls, name):
        raise FlowDefinitionError(
            f"{where}: an activity cannot be a handler as well; give it a name of its own", check="activity", at=member
        )
    if not inspect.iscoroutinefunction(member):
        raise FlowDefinitionError(
            f"{where} must be async: an activity runs beside the state; write 'async def {name}'",
            check="activity",
            at=member,
        )
    if member.__annotations__.get("return") not in (None, "None"):
        raise FlowDefinitionError(
            f"{where}: an activity cannot move the call; annotate it with None, and post an event to an @on handler",
            check="activity",
            at=member,
        )
    if not _accepts(member, 2):
        raise FlowDefinitionError(
            f"{where} cannot be called with what it is given; write it as {name}(self, call)",
            check="activity",
            at=member,
        )


def _check_plain(cls: type, name: str, member: Any) -> None:
    """Check a method that gives a value and moves nothing, such as ``prompt_for``."""
    where = f"{cls.__qualname__}.{name}"
    if not inspect.isfunction(member):
        raise FlowDefinitionError(f"{where} is no function; write it as a method of the class", check="handler", at=cls)
    if inspect.iscoroutinefunction(member):
        raise FlowDefinitionError(
            f"{where} must not wait; write 'def {name}', and look things up in a state before it",
            check="waiting-handler",
            at=member,
        )
    _check_parameters(where, cls, name, member)


def _check_parameters(where: str, cls: type, name: str, member: Callable[..., Any]) -> None:
    """Check that a handler can be called with what it will be given."""
    ways = _ways_to_call(cls, name)
    if not any(_accepts(member, len(way)) for way in ways):
        told = " or ".join(f"{name}({', '.join(way)})" for way in ways)
        said = f"{where} cannot be called with what it is given; write it as {told}"
        raise FlowDefinitionError(said, check="handler", at=member)


def _ways_to_call(cls: type, name: str) -> list[list[str]]:
    if is_of_key(cls, name):
        return [["self", "call"], ["self", "call", "key"]]
    if is_marked(cls, name, EVENT_ATTRIBUTE):
        return [["self", "call", "event"]]
    return [_parameters_of(cls, name)]


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


def _check_keys(cls: Any) -> None:
    taken: dict[str, str] = dict.fromkeys(line_of(cls).get("keys", ()), "keys=")
    for name, member in vars(cls).items():
        for key in getattr(member, KEYS_ATTRIBUTE, ()):
            if key in taken:
                raise FlowDefinitionError(
                    f"{cls.__qualname__}: key {key} has two handlers, {taken[key]} and {name}; leave it to one of them",
                    check="key",
                    at=member,
                )
            taken[key] = name
    asked = cls._asked_keys()
    for key, name in cls.choices().items():
        if key in asked:
            raise FlowDefinitionError(
                f"{cls.__qualname__}: key {key} is part of the answer, and calls {name} as well; "
                f"give {name} a key that is none, such as *",
                check="key",
                at=cls,
            )


def _check_events(cls: type) -> None:
    taken: dict[type, str] = {}
    for name, member in vars(cls).items():
        event = getattr(member, EVENT_ATTRIBUTE, None)
        if event in taken:
            raise FlowDefinitionError(
                f"{cls.__qualname__}: {event.__name__} has two handlers, {taken[event]} and {name}; "
                "leave it to one of them",
                check="event",
                at=member,
            )
        if event is not None:
            taken[event] = name


def _check_fields(cls: type) -> None:
    kind = kind_of(cls)
    for name, annotation in inspect.get_annotations(cls).items():
        if hasattr(kind, name) and "ClassVar" not in str(annotation):
            raise FlowDefinitionError(
                f"{cls.__qualname__}: a {kind.__name__} has {name} of its own; call the field something else",
                check="field",
                at=cls,
            )


def _check_run(cls: type) -> None:
    if kind_of(cls).__name__ == "SubFlow" and overrides(cls, "run"):
        raise FlowDefinitionError(
            f"{cls.__qualname__}.run: a SubFlow runs the flow inside it; make run an @activity of another name",
            check="sub-flow",
            at=cls,
        )


def _check_options(cls: Any) -> None:
    """Check that the class line and a method of the body do not say the same twice, and that prompts are prompts."""
    _check_prompts(cls)
    for option, method in _INSTEAD.items():
        if option in line_of(cls) and method in vars(cls):
            raise FlowDefinitionError(
                f"{cls.__qualname__}: {option}=… in the class line stands beside {method}; leave it to one of them",
                check="option-value",
                at=cls,
            )


def _check_prompts(cls: type) -> None:
    said = line_of(cls)
    prompts = [(option, said[option]) for option in PROMPT_OPTIONS if said.get(option) is not None]
    prompts += [("reprompts", prompt) for prompt in said.get("reprompts", ())]
    for option, prompt in prompts:
        if not is_prompt(prompt):
            raise FlowDefinitionError(
                f"{cls.__qualname__}: {option}={prompt!r} is no prompt; write the name of a file, or a tuple of names",
                check="option-value",
                at=cls,
            )


def said_in_line(cls: type) -> dict[str, Any]:
    """Collect what the class lines of *cls* and of its bases say; the nearest wins, be it a line or a method."""
    said: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if is_kind(base):
            continue
        for option, method in _INSTEAD.items():
            if method in vars(base):
                said.pop(option, None)
        said |= line_of(base)
    return said


def check_target(cls: type, option: str, target: Any, shown: str = "") -> None:
    """Check a state that a class line names: it is made from nothing when the call goes there.

    Args:
        cls: The class.
        option: The option's name.
        target: What ought to be a state.
        shown: What its place in the option's value looks like, where that is more than a name.

    Raises:
        FlowDefinitionError: It is no state class, or has a field without a default.
    """
    where = f"{cls.__qualname__}: {option}={shown or getattr(target, '__name__', '…')}"
    if not (isinstance(target, type) and hasattr(target, "conduct")) or is_kind(target):
        raise FlowDefinitionError(
            f"{where} names {target!r}, which is no state class of the flow; write the class",
            check="option-value",
            at=cls,
        )
    if needed := needed_fields(target):
        raise FlowDefinitionError(
            f"{where} names {target.__qualname__}, which needs {', '.join(needed)}; "
            f"give {needed[0]} a default, or write a method that makes it",
            check="option-value",
            at=cls,
        )


def check_key_targets(cls: type, keys: Any) -> None:
    """Check the ``keys=`` of a class line.

    Raises:
        FlowDefinitionError: It is no dict of keys and state classes that can be made from nothing.
    """
    if not isinstance(keys, Mapping):
        raise FlowDefinitionError(
            f"{cls.__qualname__}: keys={keys!r}; write keys={{'1': Sales}}", check="option-value", at=cls
        )
    for one in keys:
        if not is_key(one):
            raise FlowDefinitionError(
                f"{cls.__qualname__}: keys={{{one!r}: …}} has no key; the keys of a telephone are 0 to 9, * and #",
                check="key",
                at=cls,
            )
        check_target(cls, "keys", keys[one], f"{{{one!r}: …}}")


def needed_fields(state: Any) -> list[str]:
    """Name the fields without which a state cannot be made."""
    return [a.name for a in attrs.fields(state) if a.default is attrs.NOTHING and a.init]


def _looks_like_hook(name: str) -> bool:
    return name.startswith("on_") or name == "then"


def _hooks(cls: type) -> list[str]:
    """Name the hooks that a class may have: those of its kind, and those of every state."""
    return sorted({name for name in vars(kind_of(cls)) if _looks_like_hook(name)} | {*COMMON_HOOKS})


def _is_hook(cls: type, name: str) -> bool:
    """Say whether a name is meant as a hook: it looks like one, and is marked for nothing else."""
    return _looks_like_hook(name) and not is_of_key(cls, name) and not is_marked(cls, name, EVENT_ATTRIBUTE)


def _given_hooks(cls: type) -> list[str]:
    """Name the methods of its kind that a class may override to give a value."""
    return [name for name in _GIVEN if any(name in vars(base) for base in cls.__mro__ if is_kind(base))]
