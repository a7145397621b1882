"""Moving between states: what a handler returns is held to its annotation, and where the call goes is written down."""

from __future__ import annotations

from typing import Any, NoReturn

from attrs import frozen

from callflow.call.driver import Driver
from callflow.call.handlers import Failed, ask
from callflow.call.journal import Kind
from callflow.call.level import Left, Level, Tell
from callflow.errors import UndeclaredMove
from callflow.flow.graph import Graph
from callflow.flow.keys import Again
from callflow.flow.state import State


@frozen(eq=False)
class Moves:
    """Has the handlers of one call say where it goes. All of it raises ``Failed`` for what a handler does wrong.

    Args:
        graph: What the handlers may return.
        driver: Of the call.
    """

    _graph: Graph
    _driver: Driver

    def ask(self, tell: Tell) -> Any:
        """Call a handler; return what it returns."""
        self._driver.note(Kind.STATE, "asked", state=tell.level.name, handler=tell.handler)
        return ask(tell)

    def move(self, tell: Tell) -> Left:
        """Call a handler that has to name a state."""
        return self.moved(tell.level, tell.handler, self.ask(tell))

    def moved(self, level: Level, handler: str, result: object) -> Left:
        """Leave a level for the state that one of its handlers returned, if that is one that it may return."""
        if not isinstance(result, State):
            name = result.__name__ if isinstance(result, type) else ""
            self._refuse(level, handler, f"{name}, the class; return {name}()" if name else repr(result))
        if not self._graph.allows(type(level.state), handler, type(result)):
            self._refuse(level, handler, type(result).__name__)
        self._driver.note(Kind.STATE, "left", state=level.name, by=handler, to=type(result).__name__)
        return Left(level.depth, result)

    def stayed(self, level: Level, handler: str, again: Again | None) -> None:
        """Stay: a handler returned None, or ``Again`` if it may return that."""
        if again is not None and not self._graph.asks_again(type(level.state), handler):
            self._refuse(level, handler, repr(again))
        how = {} if again is None else {"again": again.name}
        self._driver.note(Kind.STATE, "stayed", state=level.name, by=handler, **how)

    def _refuse(self, level: Level, handler: str, result: str) -> NoReturn:
        state = type(level.state)
        declared = self._graph.declared(state, handler)
        raise Failed(level, handler) from UndeclaredMove(f"{state.__qualname__}.{handler}", result, declared)
