"""Calling the user's code: what it raises becomes ``Failed``."""

from __future__ import annotations

from typing import Any

from callflow.call.level import Level, Tell
from callflow.call.live import InnerCall, LiveCall
from callflow.flow.prompts import Prompt, PromptPart
from callflow.flow.state import State
from callflow.flow.subflow import SubFlow


class Failed(Exception):
    """User code raised; its exception is the cause. A signal of the engine, which never leaves it.

    Args:
        level: Whose code it was; None before the first state.
        method: Which of its methods.
    """

    def __init__(self, level: Level | None, method: str) -> None:
        super().__init__(method)
        self.level = level
        self.method = method


def failed(level: Level | None, method: str, error: BaseException) -> Failed:
    """Make a ``Failed`` that is kept, not raised."""
    made = Failed(level, method)
    made.__cause__ = error
    return made


def ask(tell: Tell) -> Any:
    """Call a handler; return what it returns."""
    try:
        return getattr(tell.level.state, tell.handler)(tell.level.call, *tell.args)
    except (Exception, SystemExit) as raised:
        raise Failed(tell.level, tell.handler) from raised


def make(level: Level, option: str, state: type[State[Any]]) -> State[Any]:
    """Make the state that a class line names."""
    try:
        return state()
    except (Exception, SystemExit) as raised:
        raise Failed(level, option) from raised


def prompt_of(level: Level, before: tuple[PromptPart, ...]) -> Prompt:
    """Have a state say by ``prompt_for`` what it speaks, behind what is said of a failure."""
    state: Any = level.state
    try:
        own = state.prompt_for(level.call)
    except (Exception, SystemExit) as raised:
        raise Failed(level, "prompt_for") from raised
    parts = own if isinstance(own, tuple) else (own,)
    if not all(isinstance(part, PromptPart) for part in parts):
        wrong = TypeError(f"prompt_for returned {own!r}; return the name of a file, or a tuple of them")
        raise Failed(level, "prompt_for") from wrong
    return (*before, *parts)


def begin(level: Level, state: SubFlow[Any, Any]) -> tuple[State[Any], LiveCall[Any]]:
    """Make the first state inside a sub-flow, and the call as the states inside see it."""
    try:
        start, factory = state.options.start, state.options.data
        data = state.data_for(level.call) if factory is None else factory()
        call = level.call if data is level.call.data else InnerCall(level.call, data)
        return (state.begin(level.call) if start is None else start()), call
    except (Exception, SystemExit) as raised:
        raise Failed(level, "begin") from raised


def only(raised: BaseExceptionGroup[BaseException]) -> BaseException:
    """Unwrap groups of one, so that a log shows the error and not its wrapping."""
    error: BaseException = raised
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
