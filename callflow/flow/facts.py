"""Facts of a call, as frozen values: how it began, how its line came back, what was before it, how it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from attrs import Factory, frozen

from callflow.flow.services import T, find_service
from callflow.session.inputs import EndCause, EndedBy

D = TypeVar("D")
"""The type of a flow's data."""


@frozen(kw_only=True)
class Previous(Generic[D]):
    """What is left of a call of the same ``CallSid`` that ended a short time ago.

    Exotel's flow may lead a caller to the bot, to something else, and to the bot again: those are two calls, and the
    second may go on where the first one was.
    """

    data: D
    """The flow's data of that call, the very object."""
    cause: EndCause
    """Why it ended."""
    last_state: str
    """Name of the state that it ended in."""
    seconds: float
    """How long it lasted."""
    ago: float
    """Seconds since its end."""


@frozen(kw_only=True)
class Started:
    """What is known when a call begins. A flow's ``data=`` factory may take it."""

    call_sid: str
    caller: str
    """The number that rings; national or E.164, as Exotel sends it."""
    called: str
    parameters: Mapping[str, str] = Factory(dict)
    """Custom parameters of the stream URL."""
    passthru: Mapping[str, str] = Factory(dict)
    """What the Passthru before the stream said, and what the flow's ``passthru=`` function added."""
    previous: Previous[Any] | None = None
    """What is left of a call of the same ``CallSid``, numbers and account that ended a short time ago."""


@frozen(kw_only=True)
class Resumed:
    """How a line came back. A state's ``on_resumed`` gets it."""

    seconds: float
    """How long the call had no line. Zero where the new one came before anybody saw that the old one was dead."""
    silent: float
    """Seconds since anything had come on the old line: the caller may have heard nothing for as long."""
    stream_sid: str
    """Exotel's name of the new stream."""
    links: int
    """How many lines the call has had, this one included; at least 2."""


@frozen
class LimitNear:
    """The call reaches its longest time in a minute: an event for ``@on(LimitNear)``."""

    seconds_left: float
    """From now to the end."""


@frozen(kw_only=True)
class EndedCall(Generic[D]):
    """A call that is over. It has nothing that could send: audio after hang-up does not type-check."""

    data: D
    call_id: str
    call_sid: str
    caller: str
    called: str
    cause: EndCause
    """Why it ended."""
    ended_by: EndedBy
    """Whose doing it was, as far as is known."""
    seconds: float
    """How long the stream lasted."""
    services: tuple[Any, ...] = ()

    @property
    def reason(self) -> str:
        """The cause in one word, for logs."""
        return self.cause.value

    def get(self, service: Callable[..., T]) -> T:
        """Get the service of this type from ``Flow(provide=[…])``; see ``Call.get``."""
        return find_service(self.services, service)
