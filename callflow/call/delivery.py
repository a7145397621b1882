"""Delivery: one event at a time to the state that wants it.

In order: keys that were typed ahead, the mailbox, what is due. Events that are in the mailbox come before deadlines, so
that order never hangs on the scheduler.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

import trio
from attrs import define, field

from callflow.call.driver import Driver
from callflow.call.due import first_due
from callflow.call.handlers import Failed
from callflow.call.keypad import Keypad
from callflow.call.level import Came, Level, Next
from callflow.call.live import LiveCall
from callflow.call.mailbox import Handled, KeyCame, LineLost, PlaybackSettled, Posted, RunEnded, SpeechCame, TapFailed
from callflow.call.standstill import Standstill
from callflow.call.wants import offer_event, wants_speech
from callflow.flow.conduct import WAIT

DEADLINE = "state"
"""Name of the deadline for what is due next."""

AT_ONCE = 64
"""Events that a call handles in a row before others have a turn."""


@define(eq=False, kw_only=True)
class Delivery:
    """Takes what happens in one call to its states.

    Args:
        driver: Of the call.
        call: What the states are given; its playbacks and timers are what happens beside the mailbox.
        keypad: Finds who gets a key.
        standstill: Waits for a line.
        levels: Where the call is; the engine keeps them.
    """

    _driver: Driver
    _call: LiveCall[Any]
    _keypad: Keypad
    _standstill: Standstill
    _levels: Sequence[Level]
    _in_a_row: int = field(default=0, init=False)
    """Events since this task last waited."""

    async def next(self) -> Next:
        """Wait for the next event and give it to its state's conduct; say what follows.

        Raises:
            Failed: The event is that user code raised.

        Cancellation:
            No event is lost, but then the state is left.
        """
        await self._give_others_a_turn()
        while True:
            if self._driver.is_over:
                await trio.lowlevel.checkpoint()  # cancelled: what came in the same segment as the end is not handled
            if (step := self._keypad.ahead()) is not None:
                return step
            event = self._driver.mailbox.take()
            if isinstance(event, LineLost):
                self.stop()
                return await self._standstill.sit_out()
            if event is not None:
                return self._handle(event)
            due = first_due(self._levels, self._call.timers, self._driver)
            if due is not None and due.at <= trio.current_time():
                return due.come()
            self._wake_at(None if due is None else due.at)
            await self._driver.mailbox.wait()
            self._in_a_row = 0

    async def _give_others_a_turn(self) -> None:
        """Let go after some events in a row: a handler that posts what it handles would else stop every call."""
        self._in_a_row += 1
        if self._in_a_row > AT_ONCE:
            self._in_a_row = 0
            await trio.lowlevel.checkpoint()

    def stop(self) -> None:
        """Nothing is waited for any more."""
        self._driver.deadlines.stop(DEADLINE)

    def _wake_at(self, at: float | None) -> None:
        if at is None:
            self.stop()
        else:
            self._driver.deadlines.set(DEADLINE, at, self._driver.mailbox.wake)

    def _handle(self, event: Handled) -> Next:
        match event:
            case KeyCame():
                return self._keypad.came(event)
            case PlaybackSettled():
                return self._settled(event)
            case RunEnded():
                return self._run_ended(event)
            case TapFailed():
                raise Failed(self._levels[-1], "tap") from event.error
            case Posted():
                return offer_event(self._levels, event.event, self._driver)
            case SpeechCame():
                return wants_speech(self._levels, event)
            case _:
                assert_never(event)

    def _settled(self, event: PlaybackSettled) -> Next:
        if (key := self._keypad.came_before(event)) is not None:
            return self._keypad.came(key)
        inner = self._levels[-1]
        settled = self._call.playbacks.settled(event.entry)
        if settled is None or settled is not inner.own_prompt:
            return WAIT
        return inner.conduct.prompt_ended(trio.current_time())

    def _run_ended(self, event: RunEnded) -> Next:
        level = next((level for level in self._levels if level.state is event.state), None)
        if level is None:
            return WAIT  # the state was left meanwhile (L3)
        if event.error is not None:
            raise Failed(level, event.method) from event.error
        return WAIT if event.result is None else Came(level, event.result)
