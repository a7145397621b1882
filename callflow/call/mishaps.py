"""What the user's code does wrong: written down each time, and taken by the flow once (L10)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from attrs import define, field

from callflow.call.driver import Driver
from callflow.call.handlers import Failed, make
from callflow.call.journal import Kind
from callflow.call.level import Left, Level, Tell, with_hook
from callflow.call.live import LiveCall
from callflow.call.moves import Moves
from callflow.flow.flow import Flow
from callflow.session.inputs import EndCause

logger = logging.getLogger("callflow.flow")


@define(eq=False)
class Mishaps:
    """The errors of one call.

    Args:
        flow: Whose call it is.
        driver: Of the call.
        call: The call; the log names it.
        moves: Where ``on_error`` is asked.
        levels: Where the call is; the engine keeps them.
    """

    _flow: Flow[Any]
    _driver: Driver
    _call: LiveCall[Any]
    _moves: Moves
    _levels: Sequence[Level]
    is_fatal: bool = field(default=False, init=False)
    """Whether the call ends by one."""
    _recovered: bool = field(default=False, init=False)
    """Whether one of this call was taken by the flow; the second ends the call."""

    def recover(self, wrong: Failed) -> Left | None:
        """Go where the flow wants an error to go. A call's second one, and one that nobody takes, ends it."""
        left: Left | None = None
        last = wrong
        if not self._recovered and isinstance(wrong.__cause__, Exception) and not self._driver.is_over:
            try:
                left = self._error_state(wrong, wrong.__cause__)
            except Failed as second:
                self.report(wrong)
                last = second
        if left is None:
            self.end_by(last)
        else:
            self._recovered = True
            self.report(wrong, next_state=type(left.to).__name__)
        return left

    def end_by(self, wrong: Failed) -> None:
        """End the call by an error, at once: whatever comes while the state is left comes after the end."""
        self.is_fatal = True
        self.report(wrong)
        self._driver.hang_up(EndCause.APP_ERROR, 1011)

    def _error_state(self, wrong: Failed, error: Exception) -> Left | None:
        assert wrong.level is not None, "there is a state"
        for level in with_hook(self._levels[: wrong.level.depth + 1], "on_error"):
            return self._moves.move(Tell(level, "on_error", (error,)))
        if self._flow.error is None:
            return None
        return Left(0, make(wrong.level, "error", self._flow.error))

    def report(self, wrong: Failed, next_state: str = "") -> None:
        """Write an error into the journal and the log, and where the call goes after it."""
        state = self._flow.start.__name__ if wrong.level is None else wrong.level.name
        where = {"where": f"{state}.{wrong.method}", **({"next": next_state} if next_state else {})}
        self._driver.note(Kind.ERROR, _name_of(wrong.__cause__), **where)
        names = {"call_id": self._call.call_id, "call_sid": self._call.call_sid}
        logger.error("flow failed", exc_info=wrong.__cause__, extra={**names, **where})


def _name_of(error: BaseException | None) -> str:
    """Name what was raised: the class within the groups that nurseries put round it, where it is one."""
    names = {_name_of(one) for one in error.exceptions} if isinstance(error, BaseExceptionGroup) else set()
    return names.pop() if len(names) == 1 else type(error).__name__
