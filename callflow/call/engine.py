"""The engine: delivers one event at a time to the innermost state, and moves where handlers say.

A state lives in a nursery of its own: its ``run`` and whatever that starts. Moving is: cut what still plays, cancel the
nursery, wait for it, enter the next. What happens comes from ``delivery``; what a state wants of it is done by
``steps``; and where its code raises, ``mishaps`` says how the call goes on, or that it ends, alone.
"""

from __future__ import annotations

import logging
from typing import Any, Generic

import trio

from callflow.call.afterwards import ended_call, tell_hangup
from callflow.call.delivery import Delivery
from callflow.call.driver import Driver
from callflow.call.handlers import Failed, begin, failed
from callflow.call.journal import Kind
from callflow.call.keypad import Keypad
from callflow.call.last_words import LastWords, say_to_the_end
from callflow.call.level import Left, Level, Next, Tell, enter
from callflow.call.live import LiveCall
from callflow.call.mishaps import Mishaps
from callflow.call.moves import Moves
from callflow.call.standstill import Standstill
from callflow.call.steps import Steps
from callflow.call.tasks import start_tasks
from callflow.errors import FlowError
from callflow.flow.facts import D, EndedCall, Resumed
from callflow.flow.flow import Flow
from callflow.flow.state import State
from callflow.flow.subflow import Done, GaveUp, SubFlow
from callflow.session.inputs import EndCause

logger = logging.getLogger("callflow.flow")

_LEAVING = "leaving a state"
_LAST_TURN = 0.1
"""Seconds at the end of the time that a state has to end; a process that was stopped, or a machine that is overloaded,
leaves that much of it in any case."""


class Engine(Generic[D]):
    """Runs one flow on one call.

    Args:
        flow: The flow.
        driver: The call's session, ledger, writer and mailbox.
        call: What handlers are given.
    """

    def __init__(self, flow: Flow[D], driver: Driver, call: LiveCall[D]) -> None:
        self._flow = flow
        self._driver = driver
        self._call = call
        self._first: State[D] = object.__new__(flow.start)  # its class says where the call is; ``run`` makes it
        self._is_made = False
        self._visits = 0
        """How many states were entered: a number for each time, so that what ``run`` returns can be told apart."""
        self._last_words: LastWords | None = None
        self.ended = trio.Event()
        """Set when the flow is over, or when a state that has to end does not: nobody need wait for it longer."""
        self._levels: list[Level] = []
        """Where the call is, the outermost first; kept when a state is left until the next is entered."""
        levels = self._levels
        self._keypad = keypad = Keypad(driver, call.playbacks, levels)
        self._standstill = standstill = Standstill(driver, call.playbacks, levels)
        self._moves = moves = Moves(flow.graph, driver)
        self._mishaps = Mishaps(flow, driver, call, moves, levels)
        self._delivery = Delivery(driver=driver, call=call, keypad=keypad, standstill=standstill, levels=levels)
        self._steps = Steps(call=call, keypad=keypad, moves=moves, standstill=standstill)
        driver.on_over = self._over
        driver.before_key = self._keypad.read
        if flow.listens:
            call.hearing.begin()

    @property
    def has_data(self) -> bool:
        """Whether the flow came as far as to have data and a state."""
        return self._is_made

    @property
    def data(self) -> D:
        """The flow's data of this call."""
        return self._call.data

    @property
    def state(self) -> State[Any]:
        """The current state; in a sub-flow the innermost one."""
        return self._levels[-1].state if self._levels else self._first

    @property
    def remains(self) -> EndedCall[D] | None:
        """What remains of the call when it is over; None where it never had any data."""
        return self._remains(self._call) if self._is_made and self._driver.is_over else None

    def _remains(self, call: LiveCall[Any]) -> EndedCall[Any]:
        return ended_call(call, self._driver, self._flow.services)

    # From the first state to the end.

    async def run(self) -> None:
        """Run the flow to its end or the call's.

        Cancellation:
            The current state is cancelled; ``on_hangup`` is not called.
        """
        left = self._make()
        while left is not None and left.to is not None and not self._is_taken():
            left = await self._live_in(left.to, self._call, 0)
        await self._close()
        self._driver.deadlines.stop(_LEAVING)
        if self._is_made:
            now = trio.current_time()
            levels = self._levels or [enter(self._first, self._call, 0, now)]
            tell_hangup(levels, self._remains, self._driver, self._mishaps.report)
        self.ended.set()

    def _make(self) -> Left | None:
        """Make the call's data and its first state."""
        making = "data"
        try:
            self._call.make_data()
            making = "start"
            self._first = self._flow.start()
            self._is_made = True
        except (Exception, SystemExit) as raised:  # noqa: BLE001  # user code; the call ends by it
            self._mishaps.end_by(failed(None, making, raised))
            return None
        return Left(0, self._first)

    def _is_taken(self) -> bool:
        """Whether the call is its flow's no more."""
        return self._mishaps.is_fatal or self._last_words is not None or self._driver.is_over

    async def _close(self) -> None:
        """End the call as its flow does, whoever took it from that; without effect when it is over."""
        if self._last_words is not None:
            await self._say(self._last_words)
        else:
            self._driver.hang_up(EndCause.FLOW)

    def interrupt(self, words: LastWords) -> None:
        """Take the call from its flow: leave the state as a move would, say *words* to their end, and close.

        The state that is left stays the current one: its ``on_hangup`` is called when the call is over. Without effect
        when it is over, was interrupted before, or is in a last state, which has words of its own.
        """
        if self._is_taken() or self.state.final:
            return
        self._last_words = words
        self._driver.note(Kind.STATE, "interrupted", state=type(self.state).__name__, by=words.cause.value)
        if self._levels:
            self._leave(self._levels[-1])
            self._levels[0].scope.cancel()
        self._call.playbacks.release()

    async def _say(self, words: LastWords) -> None:
        self._driver.deadlines.stop(_LEAVING)
        if self._driver.is_over:
            return
        try:
            await say_to_the_end(words, self._call, self._driver)
        except (ValueError, FlowError) as wrong:
            self._mishaps.report(failed(self._levels[-1] if self._levels else None, "apology", wrong))
        self._driver.hang_up(words.cause, words.code)

    def _over(self, cause: EndCause) -> None:
        """The call is over: pre-empt the state, whatever it does (L9)."""
        if self._levels:
            self._levels[0].scope.cancel()
        self._call.playbacks.release()
        self._call.close_audio()
        self._expect_end()
        self._standstill.call_over()

    def lost(self) -> None:
        """The line is gone; called inside the step that saw it."""
        self._standstill.lost()

    def resumed(self, gap: Resumed) -> None:
        """There is a line again, maybe one that took over; called inside the step that read its ``start``."""
        self._standstill.resumed(gap)

    # One state.

    async def _live_in(self, state: State[Any], call: LiveCall[Any], depth: int) -> Left | None:
        """Enter a state, run it until it is left, and say where the call goes; None if it cannot go on."""
        if not await self._standstill.has_line():
            return None
        level = self._enter(state, call, depth)
        left: Left | None = None
        async with trio.open_nursery() as nursery:
            level.scope = nursery.cancel_scope
            try:
                left = await self._serve(level, nursery)
            except Failed as wrong:  # kept as a value: an exception would leave the nursery wrapped in a group
                left = self._mishaps.recover(wrong)
            self._leave(level)
            nursery.cancel_scope.cancel()
            self._call.playbacks.release()
        self._end_what_plays()  # a clean-up may have begun something since
        self._driver.deadlines.stop(_LEAVING)
        return left

    def _enter(self, state: State[Any], call: LiveCall[Any], depth: int) -> Level:
        del self._levels[depth:]
        self._visits += 1
        level = enter(state, call, depth, trio.current_time())
        around = {"within": self._levels[-1].name} if self._levels else {}
        self._driver.note(Kind.STATE, "entered", state=level.name, visit=self._visits, **around)
        self._levels.append(level)
        return level

    async def _serve(self, level: Level, nursery: trio.Nursery) -> Left | None:
        """Deliver events to a state one by one until it is left."""
        if level.state.options.typeahead == "drop":
            self._keypad.drop()
        start_tasks(level, self._driver, nursery, self._visits)
        if isinstance(level.state, SubFlow):
            return await self._serve_inside(level, level.state)
        step: Next = level.conduct.enter(trio.current_time())
        while (left := self._steps.carry_out(level, step)) is None:
            step = await self._delivery.next()
        return left

    async def _serve_inside(self, level: Level, state: SubFlow[Any, Any]) -> Left | None:
        """Run the flow inside a sub-flow until it is done, or until this level or one around it is left."""
        to, call = begin(level, state)
        while not isinstance(to, Done | GaveUp):
            if self._driver.is_over:
                await trio.lowlevel.checkpoint()  # cancelled
            left = await self._live_in(to, call, level.depth + 1)
            if left is None or left.depth <= level.depth or left.to is None:
                return left
            to = left.to
        del self._levels[level.depth + 1 :]
        handler, brings = ("on_failed", to.why) if isinstance(to, GaveUp) else ("on_done", to.result)
        return self._moves.move(Tell(level, handler, (brings,)))

    def _leave(self, level: Level) -> None:
        """Silence first: a slow clean-up of the state must not delay the clear."""
        self._end_what_plays()
        self._keypad.leave(level)
        self._delivery.stop()
        self._expect_end()

    def _end_what_plays(self) -> None:
        """End what a state plays, and what listens for it."""
        self._call.playbacks.silence()
        self._call.close_audio()
        self._driver.taps.leave_state()

    def _expect_end(self) -> None:
        self._driver.deadlines.set(_LEAVING, trio.current_time() + self._driver.timing.leave - _LAST_TURN, self._late)

    def _late(self) -> None:
        """Look once more in an instant: if the process stood still, the state had no turn in which to end."""
        self._driver.deadlines.set(_LEAVING, trio.current_time() + _LAST_TURN, self._stuck)

    def _stuck(self) -> None:
        name = type(self.state).__name__
        self._driver.note(Kind.ERROR, "does not end", state=name)
        logger.error("state does not end", extra={"call_id": self._call.call_id, "state": name})
        self._driver.hang_up(EndCause.APP_TIMEOUT, 1011)
        self.ended.set()
