"""Steps: what a state's conduct asks for is done, until it waits or the state is left."""

from __future__ import annotations

from typing import Any, assert_never

import trio
from attrs import frozen

from callflow.call.handlers import Failed, make, prompt_of
from callflow.call.keypad import Keypad
from callflow.call.level import Came, Left, Level, Next, Tell
from callflow.call.live import LiveCall
from callflow.call.moves import Moves
from callflow.call.standstill import Standstill
from callflow.errors import FlowError
from callflow.flow.conduct import WAIT, Capture, Deliver, Finish, Go, Speak, Step, Wait
from callflow.flow.keys import Again


@frozen(eq=False, kw_only=True)
class Steps:
    """Carries out the steps of one call.

    Args:
        call: What speaks and listens.
        keypad: Knows what is answered already.
        moves: Has handlers say where the call goes.
        standstill: Goes on when all have heard that a line is back.
    """

    _call: LiveCall[Any]
    _keypad: Keypad
    _moves: Moves
    _standstill: Standstill

    def carry_out(self, level: Level, step: Next) -> Left | None:
        """Do a step of the innermost level and those that follow from it.

        Returns:
            Where the call goes; None if it stays and waits.

        Raises:
            Failed: User code raised, or did what its annotation does not say.
        """
        then: Next | Left = step
        while True:
            match then:
                case Left():
                    return then
                case Wait():
                    return None
                case Finish():
                    return Left(0, None)
                case Go():
                    return self._moves.moved(level, then.by, make(level, then.by, then.target))
                case Came():
                    return self._moves.moved(then.level, "run", then.result)
                case Speak():
                    then = self._speak(level, then)
                case Capture():
                    self._call.hearing.record(then.recorder)
                    then = WAIT
                case Tell():
                    then = self._tell(then)
                case Deliver():
                    then = self._tell(Tell(level, then.handler, then.args), asked=True)
                case _:
                    assert_never(then)

    def _tell(self, tell: Tell, *, asked: bool = False) -> Next | Left:
        """Call a handler. *asked*: the state's conduct did, and waits to hear what came of it."""
        result = self._moves.ask(tell)
        if result is not None and not isinstance(result, Again):
            return self._moves.moved(tell.level, tell.handler, result)
        self._moves.stayed(tell.level, tell.handler, result)
        if tell.handler == "on_resumed":
            return self._standstill.not_moved_by(tell)
        now, conduct = trio.current_time(), tell.level.conduct
        if asked:
            self._keypad.typed.expect_late(conduct.late_terminator, now)
        if result is not None:
            return conduct.again(result.name, now)
        return conduct.stayed(now) if asked else WAIT

    def _speak(self, level: Level, step: Speak) -> Step:
        if self._keypad.is_answered(level, step):
            return level.conduct.prompt_ended(trio.current_time())
        prompt = prompt_of(level, step.before) if step.prompt is None else step.prompt
        try:
            level.own_prompt = self._call.begin(prompt, step.barge_in)
        except (ValueError, FlowError) as wrong:
            raise Failed(level, "prompt") from wrong
        return WAIT
