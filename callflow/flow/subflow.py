"""``SubFlow``: a state that holds a flow of its own, and the two ends that such a flow has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin

import attrs

from callflow.errors import FlowDefinitionError
from callflow.flow.call import Call
from callflow.flow.definition import check_target, class_line
from callflow.flow.facts import D
from callflow.flow.keys import Failed, TypeAheadPolicy
from callflow.flow.state import INHERIT, State, StateOptions
from callflow.wire.messages import Dtmf

R = TypeVar("R")
"""What a sub-flow gives back."""

DEPTH = 8
"""Most sub-flows inside each other."""


class Done(State[Any], Generic[R]):
    """An end of a sub-flow: ``return Done(pin)`` gives its result to ``on_done`` of the ``SubFlow``."""

    kind: ClassVar[str] = "Done"
    final: ClassVar[bool] = True
    result: R


class GaveUp(State[Any]):
    """An end of a sub-flow that came to nothing: ``return GaveUp(why)`` goes to ``on_failed`` of the ``SubFlow``."""

    kind: ClassVar[str] = "GaveUp"
    final: ClassVar[bool] = True
    why: Failed


@attrs.frozen(kw_only=True)
class SubFlowOptions(StateOptions):
    """Options of ``SubFlow``."""

    start: type[State[Any]] | None = None
    data: Callable[[], Any] | None = None


class SubFlow(State[D], Generic[D, R]):
    """Holds a flow of its own, whose ends are ``Done`` and ``GaveUp``: ``class AskPin(SubFlow[Caller, str], start=…)``.

    The states inside are states like any other. While one of them is the current state, the sub-flow is as well: its
    ``timeout``, its ``@key`` and ``@on`` methods, ``on_dtmf``, ``on_timer`` and ``on_error`` take what the state inside
    does not. Leaving the sub-flow by one of them leaves the state inside. A ``Hangup`` inside ends the call.

    Class keywords:
        start: The first state inside, made without arguments; or a method ``begin`` that makes it.
        data: Makes data of their own for the states inside. Without it they have those of the flow around.
        timeout: Seconds for the whole sub-flow, to ``on_timeout``.
        typeahead: As in ``State``.
    """

    options: ClassVar[Any] = SubFlowOptions()
    kind: ClassVar[str] = "SubFlow"

    @class_line
    def __init_subclass__(
        cls,
        *,
        start: type[State[Any]] = INHERIT,
        data: Callable[[], Any] = INHERIT,
        timeout: float = INHERIT,
        typeahead: TypeAheadPolicy = INHERIT,
    ) -> None:
        super(State, cls).__init_subclass__()
        if start is not INHERIT:
            check_target(cls, "start", start)
        if data is not INHERIT and not callable(data):
            raise FlowDefinitionError(
                f"{cls.__qualname__}: data={data!r} cannot be called; write data={type(data).__name__}, the class",
                check="option-value",
                at=cls,
            )
        cls._define(start=start, data=data, timeout=timeout, typeahead=typeahead)

    def on_done(self, call: Call[D], result: R) -> State[D]:
        """A state inside went to ``Done``. Called once, with its result; returns the next state."""
        raise NotImplementedError

    def on_failed(self, call: Call[D], why: Failed) -> State[D]:
        """A state inside went to ``GaveUp``. Called once; returns the next state."""
        raise NotImplementedError

    def on_dtmf(self, call: Call[D], key: Dtmf) -> State[D] | None:
        """A key came that no state inside takes. Called for each; None stays."""

    def begin(self, call: Call[D]) -> State[Any]:
        """Make the first state inside, where it needs something of the call or of this state's fields. Called once."""
        raise NotImplementedError

    def data_for(self, call: Call[D]) -> Any:
        """Make the data of the states inside, where they hang on the call or on this state's fields. Called once."""
        return call.data


def argument_of(annotation: Any, generic: type, place: int) -> Any:
    """Find what stands in the brackets of a generic class, ``str`` of ``Done[str]`` or of a class made from it.

    Any where nothing stands there, or a type variable.
    """
    origin, given = get_origin(annotation) or annotation, get_args(annotation)
    if origin is generic:
        argument = given[place] if given else Any
        return Any if isinstance(argument, TypeVar) else argument
    for base in getattr(origin, "__orig_bases__", ()):
        plain = get_origin(base) or base
        if isinstance(plain, type) and issubclass(plain, generic):
            return argument_of(base, generic, place)
    return Any
