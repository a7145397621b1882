"""Which flows a server answers with, and under which paths.

They come from a provider that is asked anew for each call, so that a new call can take new code while those that run
finish on the old. ``Flows`` is the provider of what is there from the beginning.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from attrs import define, field, frozen

from callflow.errors import FlowDefinitionError
from callflow.flow.flow import Flow

STREAM_PATH = "/stream"


class FlowProvider(Protocol):
    """Whoever has the flows. A call keeps the flow that it was given, whatever the provider gives later."""

    @property
    def names(self) -> Sequence[str]:
        """The flows that are served, in a steady order."""

    def flow(self, name: str) -> Flow[Any] | None:
        """Give the flow for a new call, with its prompts loaded; None if none of that name is served."""

    def load(self) -> None:
        """Load what calls need.

        Raises:
            AudioError: A prompt is absent or cannot be played.
        """


@define
class Flows:
    """Flows by name."""

    _flows: dict[str, Flow[Any]]

    @classmethod
    def of(cls, *flows: Flow[Any]) -> Flows:
        """Serve these flows.

        Raises:
            FlowDefinitionError: There is none, or two have one name.
        """
        by_name = {flow.name: flow for flow in flows}
        if not flows:
            raise FlowDefinitionError("there is no flow to serve; give at least one")
        if len(by_name) < len(flows):
            names = [flow.name for flow in flows]
            twice = next(name for name in names if names.count(name) > 1)
            raise FlowDefinitionError(f"two flows are named {twice!r}; a name is part of the URL, give each its own")
        return cls(by_name)

    @property
    def names(self) -> Sequence[str]:
        """The flows that are served, in the order in which they were given."""
        return tuple(self._flows)

    def flow(self, name: str) -> Flow[Any] | None:
        """Give the flow of that name for a new call."""
        return self._flows.get(name)

    def load(self) -> None:
        """Load all prompts, once.

        Raises:
            AudioError: A prompt is absent or cannot be played.
        """
        for flow in self._flows.values():
            flow.library  # noqa: B018  # loads the prompts, once

    def replace(self, flow: Flow[Any]) -> None:
        """Have new calls answered by this flow, in place of the one of its name. Running calls finish on the old one.

        Raises:
            FlowDefinitionError: No flow of that name is served.
            AudioError: A prompt of it is absent or cannot be played; the old one stays.
        """
        if flow.name not in self._flows:
            raise FlowDefinitionError(f"no flow {flow.name!r} is served; there are {', '.join(self._flows)}")
        flow.library  # noqa: B018  # before it answers the first call
        self._flows[flow.name] = flow


Served = Flow[Any] | Iterable[Flow[Any]] | FlowProvider
"""What a server can be given."""


def provider_of(served: Served) -> FlowProvider:
    """Make a provider of one flow, of several, or of what is one."""
    if isinstance(served, Flow):
        return Flows.of(served)
    return Flows.of(*served) if isinstance(served, Iterable) else served


def find_flow(flows: FlowProvider, name: str | None) -> Flow[Any] | None:
    """Find the flow that a path means: of that name, or without a name the only one."""
    names = flows.names
    if name is None:
        name = names[0] if len(names) == 1 else ""
    return flows.flow(name)


@frozen
class StreamPath:
    """What the path of a stream says: ``/stream``, ``/stream/NAME`` or ``/stream/NAME/TOKEN``."""

    flow: str | None = None
    token: str | None = field(default=None, repr=False)


def read_stream_path(path: str) -> StreamPath | None:
    """Read the path of a stream; None for every other path."""
    match path.split("/"):
        case ["", "stream"]:
            return StreamPath()
        case ["", "stream", name]:
            return StreamPath(name)
        case ["", "stream", name, token]:
            return StreamPath(name, token)
        case _:
            return None
