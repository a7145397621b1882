"""Where a call is: its state, and the sub-flows around that, as levels from the outermost to the innermost.

What happens goes to the innermost level that wants it. A level is left together with all that are inside of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import trio
from attrs import define, field, frozen

from callflow.call.live import LiveCall
from callflow.call.playback import LivePlayback
from callflow.flow.conduct import Conduct
from callflow.flow.definition import overrides
from callflow.flow.marks import handler_of
from callflow.flow.state import State, choose
from callflow.wire.messages import Dtmf


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


def enter(state: State[Any], call: LiveCall[Any], depth: int, now: float) -> Level:
    """Make the level of a state that is entered now."""
    timeout = state.options.timeout
    return Level(state, call, depth, None if timeout is None else now + timeout, state.conduct(now))


def wants_key(levels: Sequence[Level], digit: str) -> Level | Tell | None:
    """Find who takes a key: a level for its conduct, a handler, or nobody.

    The innermost state is asked first. A question takes what fits it, and what does not fit only if no sub-flow around
    has a method for that key. ``on_dtmf`` gets what is left.
    """
    inner = levels[-1]
    if inner.conduct.takes_keys and inner.conduct.fits(digit):
        return inner
    for level in reversed(levels):
        if digit in level.state.choices():
            return _chosen(level, digit)
    if inner.conduct.takes_keys:
        return inner
    return next(
        (Tell(level, "on_dtmf", (Dtmf(digit=digit),)) for level in reversed(levels) if level.has("on_dtmf")), None
    )


def _chosen(level: Level, digit: str) -> Tell:
    chosen = choose(level.state, digit)
    return Tell(level, chosen.handler, chosen.args)


def wants_event(levels: Sequence[Level], event: object) -> Tell | None:
    """Find who takes a posted event: the innermost state with a method for its class."""
    for level in reversed(levels):
        if (handler := handler_of(type(level.state), event)) is not None:
            return Tell(level, handler, (event,))
    return None


def wants_timer(levels: Sequence[Level], name: str) -> Tell | None:
    """Find who takes the beat of a call's timer: the innermost state with ``on_timer``."""
    return next((Tell(level, "on_timer", (name,)) for level in reversed(levels) if level.has("on_timer")), None)


def with_hook(levels: Sequence[Level], hook: str) -> Iterator[Level]:
    """Give the levels that have a hook, the innermost first."""
    return (level for level in reversed(levels) if level.has(hook))
