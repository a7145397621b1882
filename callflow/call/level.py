"""Where a call is: its state, and the sub-flows around that, as levels from the outermost to the innermost.

What happens goes to the innermost level that wants it (``wants``). A level is left together with all inside of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import trio
from attrs import define, field, frozen

from callflow.call.live import LiveCall
from callflow.call.playback import LivePlayback
from callflow.flow.conduct import Conduct, Step
from callflow.flow.definition import overrides
from callflow.flow.state import State


@define(eq=False)
class Level:
    """One entered state."""

    state: State[Any]
    call: LiveCall[Any]
    """The call as this state sees it: in a sub-flow it may have data of its own."""
    depth: int
    """0 for the flow itself; one more for each sub-flow around."""
    deadline: float | None
    """When its ``timeout`` is over, on Trio's clock."""
    conduct: Conduct
    own_prompt: LivePlayback | None = field(default=None, init=False)
    """The prompt of its conduct; what ``run`` plays is none of it."""
    scope: trio.CancelScope = field(factory=trio.CancelScope, init=False)

    @property
    def name(self) -> str:
        return type(self.state).__name__

    def stood_still(self, seconds: float) -> None:
        """There was no line for so long: what the state waits for, it waits for that much longer (L6)."""
        self.conduct.stood_still(seconds)
        if self.deadline is not None:
            self.deadline += seconds

    def has(self, hook: str) -> bool:
        """Say whether the user wrote this hook."""
        return overrides(type(self.state), hook)


@frozen
class Left:
    """A level was left, with all inside of it."""

    depth: int
    to: State[Any] | None
    """The next state on that level; None at the end of the flow."""


@frozen
class Tell:
    """Call a handler of a level; nothing follows if it stays."""

    level: Level
    handler: str
    args: tuple[Any, ...] = ()


@frozen
class Came:
    """A state's ``run`` came to a result."""

    level: Level
    result: Any


Next = Step | Tell | Came
"""What a call does next: a step of its state's conduct, or one that no conduct knows of."""


def enter(state: State[Any], call: LiveCall[Any], depth: int, now: float) -> Level:
    """Make the level of a state that is entered now."""
    timeout = state.options.timeout
    return Level(state, call, depth, None if timeout is None else now + timeout, state.conduct(now))


def with_hook(levels: Sequence[Level], hook: str) -> Iterator[Level]:
    """Give the levels that have a hook, the innermost first."""
    return (level for level in reversed(levels) if level.has(hook))
