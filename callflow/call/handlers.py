"""Calling the user's code: what it raises becomes ``Failed``, and what it returns is held to its annotation."""

from __future__ import annotations

import logging
from typing import Any, NoReturn

import trio

from callflow.call.level import Left, Level, Tell
from callflow.call.live import InnerCall, LiveCall
from callflow.errors import UndeclaredMove
from callflow.flow.call import EndedCall
from callflow.flow.flow import Afterwards
from callflow.flow.graph import Graph
from callflow.flow.keys import Again
from callflow.flow.prompts import Prompt, PromptPart
from callflow.flow.state import State
from callflow.flow.subflow import SubFlow

logger = logging.getLogger("callflow.flow")

AFTER_LIMIT = 5.0
"""Seconds for what a flow does when a call is over (L9)."""


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


def moved(graph: Graph, level: Level, handler: str, result: object) -> Left:
    """Hold a handler to its annotation.

    Raises:
        Failed: By ``UndeclaredMove``: it returned what the annotation does not name.
    """
    if not isinstance(result, State):
        name = result.__name__ if isinstance(result, type) else ""
        _refuse(graph, level, handler, f"{name}, the class; return {name}()" if name else repr(result))
    if not graph.allows(type(level.state), handler, type(result)):
        _refuse(graph, level, handler, type(result).__name__)
    return Left(level.depth, result)


def check_again(graph: Graph, level: Level, handler: str, again: Again) -> None:
    """Hold a handler that returned ``Again`` to its annotation; raises as ``moved`` does."""
    if not graph.asks_again(type(level.state), handler):
        _refuse(graph, level, handler, repr(again))


def _refuse(graph: Graph, level: Level, handler: str, result: str) -> NoReturn:
    state = type(level.state)
    declared = graph.declared(state, handler)
    raise Failed(level, handler) from UndeclaredMove(f"{state.__qualname__}.{handler}", result, declared)


async def run_after(after: Afterwards[Any], ended: EndedCall[Any]) -> None:
    """Do what a flow does when a call is over. What it raises is logged, and what takes too long is cancelled.

    Cancellation:
        In part: what the function did until then is not undone.
    """
    names = {"call_id": ended.call_id, "call_sid": ended.call_sid}
    limit = trio.move_on_after(AFTER_LIMIT)
    try:
        with limit:
            await after(ended)
    except* (Exception, SystemExit):  # user code; the call is over, and others go on
        logger.exception("after failed", extra=names)
    if limit.cancelled_caught:
        logger.warning("after late", extra=names)


def only(raised: BaseExceptionGroup[BaseException]) -> BaseException:
    """Unwrap groups of one, so that a log shows the error and not its wrapping."""
    error: BaseException = raised
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
