"""Marks on methods of states: which keys call one, which events, and which of them run beside the state."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from callflow.errors import FlowDefinitionError
from callflow.wire.messages import KEYS

F = TypeVar("F", bound=Callable[..., Any])
A = TypeVar("A", bound=Callable[..., Awaitable[None]])
S = TypeVar("S")
C = TypeVar("C")
E = TypeVar("E")
R = TypeVar("R")

KEYS_ATTRIBUTE = "__callflow_keys__"
"""Where ``@key`` writes the keys of a method."""

EVENT_ATTRIBUTE = "__callflow_event__"
"""Where ``@on`` writes the type of a method's events."""

LINE = "__callflow_line__"
"""Where a state class keeps what its own class line says."""

ACTIVITY_ATTRIBUTE = "__callflow_activity__"
"""Where ``@activity`` says that a method is one."""


def key(*keys: str) -> Callable[[F], F]:
    """Make a method of a state the handler of one key, or of several.

    In a ``Menu`` these are the choices. In other states, and in the base class of several, such a key goes to its
    method whatever else the state asks for.

    The method takes the call and may take the key as one more argument; it returns the next state, or None to stay.

    Raises:
        FlowDefinitionError: There is no key, or one that is on no telephone.
    """
    strange = [one for one in keys if not is_key(one)]
    if strange or not keys:
        shown = ", ".join(map(repr, strange)) or "nothing"
        said = f"@key({shown}) is no key; the keys of a telephone are 0 to 9, * and #, one string each"
        raise FlowDefinitionError(said, check="key")

    def mark(handler: F) -> F:
        setattr(handler, KEYS_ATTRIBUTE, keys)
        return handler

    return mark


def is_key(text: object) -> bool:
    """Say whether this is one key of a telephone."""
    return isinstance(text, str) and len(text) == 1 and text in KEYS


def on(event: type[E]) -> Callable[[Callable[[S, C, E], R]], Callable[[S, C, E], R]]:
    """Make a method of a state the handler of events that ``call.post`` brings, by their class.

    The method takes the call and the event; it returns the next state, or None to stay. An event goes to the method
    with the nearest class: its own, else a base of it.

    Raises:
        FlowDefinitionError: *event* is no class.
    """
    if not isinstance(event, type):
        said = f"@on({event!r}): an event is told by its class; write @on({type(event).__name__})"
        raise FlowDefinitionError(said, check="event")

    def mark(handler: Callable[[S, C, E], R]) -> Callable[[S, C, E], R]:
        setattr(handler, EVENT_ATTRIBUTE, event)
        return handler

    return mark


def activity(method: A) -> A:
    """Make an ``async`` method of a state run beside it, from entering the state until it is left.

    It watches something for the state: a microphone, a queue, a clock. It takes the call, and may ``call.post`` events
    to the state's ``@on`` handlers; it can neither move the call nor play anything. What it raises counts as an error
    of the state. Mark as many methods as you like; each is a task of its own.
    """
    setattr(method, ACTIVITY_ATTRIBUTE, True)
    return method


# Reading the marks.


def line_of(cls: type) -> Mapping[str, Any]:
    """Give what the class's own line says; ``options`` has what the lines of its bases say as well."""
    line: Mapping[str, Any] = vars(cls).get(LINE, {})
    return line


def marked(cls: type, attribute: str) -> list[tuple[str, Any]]:
    """List the methods that *cls* has under a mark, with what the mark says, in the order of the class bodies.

    A method in the place of a base's keeps the base's mark unless it has one of its own.
    """
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        found |= {name: getattr(m, attribute) for name, m in vars(base).items() if hasattr(m, attribute)}
    return list(found.items())


def is_marked(cls: type, name: str, attribute: str) -> bool:
    """Say whether *cls*, or a base whose method it takes the place of, has that mark on the method of that name."""
    return any(hasattr(vars(base).get(name), attribute) for base in cls.__mro__)


def keys_of(cls: type, inherited: Mapping[str, str]) -> dict[str, str]:
    """Add to *inherited*, key to method, the keys that the body of *cls* gives; a method there has those it names."""
    found = dict(inherited)
    for name, member in vars(cls).items():
        if keys := getattr(member, KEYS_ATTRIBUTE, ()):
            found = {one: other for one, other in found.items() if other != name} | dict.fromkeys(keys, name)
    return found


def handler_of(cls: type, event: object) -> str | None:
    """Find the method of a state class that takes this event: that of the nearest class, else None."""
    line = type(event).__mro__
    # Reversed: of two methods for one class the subclass's own wins. A virtual base is further than any real one.
    taking = [(name, wanted) for name, wanted in reversed(marked(cls, EVENT_ATTRIBUTE)) if isinstance(event, wanted)]
    near = min(taking, key=lambda each: line.index(each[1]) if each[1] in line else len(line), default=None)
    return None if near is None else near[0]
