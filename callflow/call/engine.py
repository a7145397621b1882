"""The engine: delivers one event at a time to the current state, and moves where its handlers say.

A state lives in a nursery of its own: its ``run`` and whatever that starts. Moving is: cut what still plays, cancel the
nursery, wait for it, enter the next. Events already in the mailbox come before deadlines, so order never hangs on the
scheduler. This is one of two places that catch ``Exception``: user code may raise, and then this call ends, alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from operator import itemgetter
from typing import Any, Generic, assert_never

import trio
from attrs import frozen

from callflow.call.driver import Driver
from callflow.call.handlers import Failed, ask, begin, check_again, failed, make, moved, only, prompt_of
from callflow.call.hearing import Hearing
from callflow.call.journal import Kind
from callflow.call.keypad import Keypad
from callflow.call.level import Came, Left, Level, Tell, enter, wants_event, wants_timer, with_hook
from callflow.call.live import ACTIVITY, LiveCall, ended_by
from callflow.call.mailbox import Handled, KeyCame, LineLost, PlaybackSettled, Posted, RunEnded, SpeechCame, TapFailed
from callflow.call.outage import Outage
from callflow.errors import FlowError
from callflow.flow.call import D, EndedCall, LimitNear, Resumed, Speech
from callflow.flow.conduct import WAIT, Capture, Deliver, Finish, Go, Speak, Step, Wait
from callflow.flow.flow import Flow
from callflow.flow.keys import Again
from callflow.flow.marks import ACTIVITY_ATTRIBUTE, marked
from callflow.flow.prompts import Prompt
from callflow.flow.state import State
from callflow.flow.subflow import Done, GaveUp, SubFlow
from callflow.session.inputs import EndCause

logger = logging.getLogger("callflow.flow")

_DEADLINE = "state"
_LEAVING = "leaving a state"


_Next = Step | Tell | Came
"""What the engine does next: a step of the state's conduct, or one that its conduct knows nothing of."""


@frozen
class LastWords:
    """What a call that is taken from its flow still hears, and how it is closed."""

    prompt: Prompt
    cause: EndCause
    code: int


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
        self._levels: list[Level] = []
        """Where the call is, the outermost first; kept when a state is left until the next is entered."""
        self._keypad = Keypad(driver, call, self._levels)
        self._outage: Outage | None = None
        """Set from the loss of the line until the flow was told that it is back: nothing else happens meanwhile."""
        self._failed: Failed | None = None
        self._last_words: LastWords | None = None
        self._recovered = False
        """Whether one error of this call was taken by the flow; the second ends the call (L10)."""
        self.ended = trio.Event()
        """Set when the flow is over, or when a state that has to end does not: nobody need wait for it longer."""
        driver.on_over = self._over
        driver.before_key = self._keypad.read
        call.add_tap = self._add_tap
        self._hearing = Hearing(driver, flow.speech, self._keypad.speech_read)
        call.listen_for_speech = self._hearing.begin
        if flow.listens:
            self._hearing.begin()

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
        return self._ended_call(self._call) if self._is_made and self._is_over() else None

    async def run(self) -> None:
        """Run the flow to its end or the call's.

        Cancellation:
            The current state is cancelled; ``on_hangup`` is not called.
        """
        left: Left | None = self._make()
        while left is not None and left.to is not None and not self._is_taken():
            left = await self._live_in(left.to, self._call, 0)
        if self._failed is None and self._last_words is not None:
            await self._say(self._last_words)
        if self._failed is None:
            self._driver.hang_up(EndCause.FLOW)
        else:
            self._report(self._failed)
            self._driver.hang_up(EndCause.APP_ERROR, 1011)
        self._driver.deadlines.stop(_LEAVING)
        if self._is_made:
            self._tell_hangup()
        self.ended.set()

    def _is_taken(self) -> bool:
        """Whether the call is its flow's no more."""
        return self._failed is not None or self._last_words is not None or self._is_over()

    def interrupt(self, words: LastWords) -> None:
        """Take the call from its flow: leave the state as a move would, say *words* to their end, and close.

        The state that is left stays the current one: its ``on_hangup`` is called when the call is over. Without effect
        when it is over, was interrupted before, or is in a last state, which has words of its own.
        """
        if self._is_taken() or self.state.final:
            return
        self._last_words = words
        self._journal(Kind.STATE, "interrupted", state=type(self.state).__name__, by=words.cause.value)
        if self._levels:
            self._leave(self._levels[-1])
            self._levels[0].scope.cancel()
        self._call.playbacks.release()

    async def _say(self, words: LastWords) -> None:
        self._driver.deadlines.stop(_LEAVING)
        if self._is_over():
            return
        try:
            playback = self._call.begin(words.prompt, None)
        except (ValueError, FlowError) as wrong:
            self._report(failed(self._levels[-1] if self._levels else None, "apology", wrong))
            playback = None
        while playback is not None and playback.entry.result is None:  # if it is lost with its line, so be it
            await self._driver.mailbox.wait()
            self._driver.mailbox.take()  # its fate comes with an event; nobody is left for keys and the like
        self._driver.hang_up(words.cause, words.code)

    def _make(self) -> Left | None:
        """Make the call's data and its first state."""
        making = "data"
        try:
            self._call.make_data()
            making = "start"
            self._first = self._flow.start()
            self._is_made = True
        except (Exception, SystemExit) as raised:  # noqa: BLE001  # user code; the call ends by it
            self._failed = failed(None, making, raised)
            return None
        return Left(0, self._first)

    def _is_over(self) -> bool:
        return self._driver.ended_at is not None

    def _over(self, cause: EndCause) -> None:
        """The call is over: pre-empt the state, whatever it does (L9)."""
        if self._levels:
            self._levels[0].scope.cancel()
        self._call.playbacks.release()
        self._call.close_audio()
        self._expect_end()
        if self._outage is not None:
            self._outage.call_over()

    # One state.

    async def _live_in(self, state: State[Any], call: LiveCall[Any], depth: int) -> Left | None:
        """Enter a state, run it until it is left, and say where the call goes; None if it cannot go on."""
        if not await self._has_line():
            return None
        del self._levels[depth:]
        self._visits += 1
        level = enter(state, call, depth, trio.current_time())
        around = {"within": self._levels[-1].name} if self._levels else {}
        self._journal(Kind.STATE, "entered", state=level.name, visit=self._visits, **around)
        self._levels.append(level)
        left: Left | None = None
        async with trio.open_nursery() as nursery:
            level.scope = nursery.cancel_scope
            try:
                left = await self._serve(level, nursery)
            except Failed as wrong:  # kept as a value: an exception would leave the nursery wrapped in a group
                left = self._recover(wrong)
            self._leave(level)
            nursery.cancel_scope.cancel()
            self._call.playbacks.release()
        self._driver.deadlines.stop(_LEAVING)
        return left

    async def _serve(self, level: Level, nursery: trio.Nursery) -> Left | None:
        state = level.state
        if state.options.typeahead == "drop":
            self._keypad.drop()
        if level.has("run"):
            nursery.start_soon(self._run, level)
        for name, _ in marked(type(state), ACTIVITY_ATTRIBUTE):
            nursery.start_soon(self._be_active, level, name)
        if isinstance(state, SubFlow):
            return await self._serve_inside(level, state)
        step: _Next = level.conduct.enter(trio.current_time())
        while (left := self._carry_out(level, step)) is None:
            step = await self._next_step()
        return left

    async def _serve_inside(self, level: Level, state: SubFlow[Any, Any]) -> Left | None:
        """Run the flow inside a sub-flow until it is done, or until this level or one around it is left."""
        to, call = begin(level, state)
        while not isinstance(to, Done | GaveUp):
            if self._is_over():
                await trio.lowlevel.checkpoint()  # cancelled
            left = await self._live_in(to, call, level.depth + 1)
            if left is None or left.depth <= level.depth or left.to is None:
                return left
            to = left.to
        del self._levels[level.depth + 1 :]
        handler, brings = ("on_failed", to.why) if isinstance(to, GaveUp) else ("on_done", to.result)
        return self._move(Tell(level, handler, (brings,)))

    def _leave(self, level: Level) -> None:
        """Silence first: a slow clean-up of the state must not delay the clear."""
        self._call.playbacks.silence()
        self._call.close_audio()
        self._driver.drop_taps()
        self._keypad.leave(level)
        self._driver.deadlines.stop(_DEADLINE)
        self._expect_end()

    def _expect_end(self) -> None:
        self._driver.deadlines.set(_LEAVING, trio.current_time() + self._driver.timing.leave, self._stuck)

    def _stuck(self) -> None:
        name = type(self.state).__name__
        self._journal(Kind.ERROR, "does not end", state=name)
        logger.error("state does not end", extra={"call_id": self._call.call_id, "state": name})
        self._driver.hang_up(EndCause.APP_TIMEOUT, 1011)
        self.ended.set()

    async def _run(self, level: Level) -> None:
        visit = self._visits
        try:
            result = await level.state.run(level.call)
        except* (Exception, SystemExit) as raised:  # noqa: BLE001  # user code; the flow or the end takes it
            self._driver.mailbox.put(RunEnded(level.state, error=only(raised)))
        else:
            to = "" if result is None else type(result).__name__
            self._journal(Kind.STATE, "run returned", state=level.name, visit=visit, to=to)
            self._driver.mailbox.put(RunEnded(level.state, result))

    async def _be_active(self, level: Level, name: str) -> None:
        ACTIVITY.set(f"{level.name}.{name}")  # for this task and those that it starts
        try:
            await getattr(level.state, name)(level.call)
        except* (Exception, SystemExit) as raised:  # noqa: BLE001  # user code; the flow or the end takes it
            self._driver.mailbox.put(RunEnded(level.state, error=only(raised), method=name))

    # Events, in order: keys typed ahead, the mailbox, what is due.

    async def _next_step(self) -> _Next:
        while True:
            if self._is_over():
                await trio.lowlevel.checkpoint()  # cancelled: what came in the same segment as the end is not handled
            if (step := self._keypad.ahead()) is not None:
                return step
            event = self._driver.mailbox.take()
            if isinstance(event, LineLost):
                return await self._sit_out()
            if event is not None:
                return self._handle(event)
            due = min(self._timers(), key=itemgetter(0), default=None)  # of one instant the first of them
            if due is not None and due[0] <= trio.current_time():
                return due[1]()
            self._set_deadline(None if due is None else due[0])
            await self._driver.mailbox.wait()

    def _timers(self) -> Iterator[tuple[float, Callable[[], _Next]]]:
        """Give what the flow waits for: when it is due, and what then. Of one instant the first comes first."""
        inner = self._levels[-1]
        if inner.conduct.deadline is not None:
            yield inner.conduct.deadline, partial(self._conduct_due, inner)
        for level in reversed(self._levels):
            if level.deadline is not None:
                yield level.deadline, partial(self._timed_out, level)
        for name, at in self._call.timers:
            yield at, partial(self._beat, name)

    def _conduct_due(self, level: Level) -> Step:
        self._journal(Kind.TIMER, "due", state=level.name)
        return level.conduct.due(trio.current_time())

    def _timed_out(self, level: Level) -> Tell:
        level.deadline = None
        self._journal(Kind.TIMER, "due", state=level.name)
        return Tell(level, "on_timeout")

    def _beat(self, name: str) -> _Next:
        self._call.timers.beat(name, trio.current_time())
        return self._wanted("timer", name, wants_timer(self._levels, name))

    def _posted(self, event: object) -> _Next:
        return self._wanted("event", type(event).__name__, wants_event(self._levels, event))

    def _wanted(self, what: str, name: str, tell: Tell | None) -> _Next:
        """Write down who takes an event or a beat; one that nobody wants is counted."""
        state = {} if tell is None else {"state": tell.level.name}
        self._journal(Kind.EVENT, what if tell else f"unwanted {what}", name=name, **state)
        self._driver.unwanted += tell is None and name != LimitNear.__name__
        return WAIT if tell is None else tell

    # The line comes and goes.

    def lost(self) -> None:
        """The line is gone; called inside the step that saw it. Freeze, once what came before is handled."""
        self._begin_outage().lost()

    def resumed(self, gap: Resumed) -> None:
        """There is a line again, maybe one that took over; called inside the step that read its ``start``."""
        self._begin_outage().ended(gap)

    def _begin_outage(self) -> Outage:
        if self._outage is None:
            self._outage = Outage()
            self._driver.mailbox.put(LineLost())
        return self._outage

    async def _has_line(self) -> bool:
        """Wait, between two states, for a line; say whether there is one. Nobody is told: no state was cut off."""
        while (outage := self._outage) is not None and not self._is_over():
            if outage.gap is not None:
                self._outage = None
            else:
                await outage.wait_news()
        return not self._is_over()

    async def _sit_out(self) -> _Next:
        """Be frozen: handle nothing until the line is back (the end of the call cancels this)."""
        outage = self._outage
        if outage is None:
            return WAIT  # it was over before this state was entered
        self._driver.deadlines.stop(_DEADLINE)
        for level in with_hook(self._levels, "on_detached"):
            ask(Tell(level, "on_detached"))
        while (gap := outage.gap) is None:
            await outage.wait_news()
        if self._is_over():
            await trio.lowlevel.checkpoint()  # cancelled: a line that comes back may end in the same segment (L9)
        self._outage = None
        for level in self._levels:
            level.stood_still(gap.seconds)
        return Tell(self._levels[-1], "on_resumed", (gap,))

    def _not_moved_by(self, tell: Tell) -> _Next:
        """A state has heard that the line is back, and stays: so hears the next around it, and then all goes on."""
        around = next(with_hook(self._levels[: tell.level.depth], "on_resumed"), None)
        return self._say_again() if around is None else Tell(around, "on_resumed", tell.args)

    def _say_again(self) -> Step:
        """Carry on with the state: what the old line took with it is said again, unless the state does without."""
        inner = self._levels[-1]
        self._journal(Kind.STATE, "resumed", state=inner.name)
        own, inner.own_prompt = inner.own_prompt, None
        was_cut_off = own is not None and own.is_waiting
        if inner.state.options.resume == "stay":
            self._call.playbacks.give_up_lost()
            self._play_waiting()
            return inner.conduct.prompt_ended(trio.current_time()) if was_cut_off else WAIT
        if own is not None:
            self._call.playbacks.give_up(own)
        return WAIT if self._play_waiting() else inner.conduct.resumed(trio.current_time())

    def _play_waiting(self) -> bool:
        try:
            return self._call.playbacks.play_waiting()
        except (ValueError, FlowError) as wrong:
            raise Failed(self._levels[-1], "prompt") from wrong

    def _set_deadline(self, at: float | None) -> None:
        if at is None:
            self._driver.deadlines.stop(_DEADLINE)
        else:
            self._driver.deadlines.set(_DEADLINE, at, self._driver.mailbox.wake)

    def _handle(self, event: Handled) -> _Next:
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
                return self._posted(event.event)
            case SpeechCame(speech, ended):
                return self._spoken(speech, ended=ended)
            case _:
                assert_never(event)

    def _spoken(self, speech: Speech, *, ended: bool) -> _Next:
        conduct, hook = self._levels[-1].conduct, "on_speech_ended" if ended else "on_speech"
        step = conduct.speech_ended(speech) if ended else conduct.speech_began(speech)
        level = next(with_hook(self._levels, hook), None)
        return step if level is None or not isinstance(step, Wait) else Tell(level, hook, (speech,))

    def _settled(self, event: PlaybackSettled) -> _Next:
        inner = self._levels[-1]
        if (key := self._keypad.came_before(event)) is not None:
            return self._keypad.came(key)
        settled = self._call.playbacks.settled(event.entry)
        if settled is None or settled is not inner.own_prompt:
            return WAIT
        return inner.conduct.prompt_ended(trio.current_time())

    def _run_ended(self, event: RunEnded) -> _Next:
        level = next((level for level in self._levels if level.state is event.state), None)
        if level is None:
            return WAIT  # the state was left meanwhile (L3)
        if event.error is not None:
            raise Failed(level, event.method) from event.error
        return WAIT if event.result is None else Came(level, event.result)

    # Steps.

    def _carry_out(self, level: Level, step: _Next) -> Left | None:
        """Do a step of the innermost level and those that follow from it; return what ends the state, or None."""
        while True:
            match step:
                case Wait():
                    return None
                case Finish():
                    return Left(0, None)
                case Speak():
                    step = self._speak(level, step)
                case Capture():
                    self._hearing.record(step.recorder)
                    return None
                case Go():
                    return self._moved(level, step.by, make(level, step.by, step.target))
                case Came():
                    return self._moved(step.level, "run", step.result)
                case Tell() | Deliver():
                    tell = step if isinstance(step, Tell) else Tell(level, step.handler, step.args)
                    result = self._ask(tell)
                    if result is not None and not isinstance(result, Again):
                        return self._moved(tell.level, tell.handler, result)
                    step = self._stayed(tell, result, asked=isinstance(step, Deliver))
                case _:
                    assert_never(step)

    def _stayed(self, tell: Tell, again: Again | None, *, asked: bool) -> _Next:
        """A handler returned None or ``Again``. *asked*: it was the conduct that had it called."""
        now, conduct = trio.current_time(), tell.level.conduct
        if again is not None:
            check_again(self._flow.graph, tell.level, tell.handler, again)
        self._journal(
            Kind.STATE, "stayed", state=tell.level.name, by=tell.handler, **({"again": again.name} if again else {})
        )
        if tell.handler == "on_resumed":
            return self._not_moved_by(tell)
        if asked:
            self._keypad.typed.expect_late(conduct.late_terminator, now)
        if again is None:
            return conduct.stayed(now) if asked else WAIT
        return conduct.again(again.name, now)

    def _speak(self, level: Level, step: Speak) -> Step:
        if self._keypad.is_answered(level, step):
            return level.conduct.prompt_ended(trio.current_time())
        prompt = prompt_of(level, step.before) if step.prompt is None else step.prompt
        try:
            level.own_prompt = self._call.begin(prompt, step.barge_in)
        except (ValueError, FlowError) as wrong:
            raise Failed(level, "prompt") from wrong
        return WAIT

    def _move(self, tell: Tell) -> Left:
        """Call a handler that has to say where the call goes."""
        return self._moved(tell.level, tell.handler, self._ask(tell))

    def _ask(self, tell: Tell) -> Any:
        self._journal(Kind.STATE, "asked", state=tell.level.name, handler=tell.handler)
        return ask(tell)

    def _moved(self, level: Level, handler: str, result: object) -> Left:
        left = moved(self._flow.graph, level, handler, result)
        self._journal(Kind.STATE, "left", state=level.name, by=handler, to=type(left.to).__name__)
        return left

    # Errors.

    def _recover(self, wrong: Failed) -> Left | None:
        """Go where the flow wants an error to go. A call's second one, and one that nobody takes, ends it (L10)."""
        left: Left | None = None
        last = wrong
        if not self._recovered and isinstance(wrong.__cause__, Exception) and not self._is_over():
            try:
                left = self._error_state(wrong, wrong.__cause__)
            except Failed as second:
                self._report(wrong)
                last = second
        if left is None:
            self._failed = last
        else:
            self._recovered = True
            self._report(wrong, next_state=type(left.to).__name__)
        return left

    def _error_state(self, wrong: Failed, error: Exception) -> Left | None:
        assert wrong.level is not None, "there is a state"
        for level in with_hook(self._levels[: wrong.level.depth + 1], "on_error"):
            return self._move(Tell(level, "on_error", (error,)))
        if self._flow.error is None:
            return None
        return Left(0, make(wrong.level, "error", self._flow.error))

    # What others call.

    def _add_tap(self, listen: Callable[[bytes], None]) -> None:
        def guarded(audio: bytes) -> None:
            try:
                listen(audio)
            except (Exception, SystemExit) as raised:  # noqa: BLE001  # user code; the engine ends the call by it
                self._driver.drop_taps()
                self._driver.mailbox.put(TapFailed(raised))

        self._driver.add_tap(guarded)

    # The end.

    def _tell_hangup(self) -> None:
        """Tell every level, the innermost first."""
        levels = self._levels or [enter(self._first, self._call, 0, trio.current_time())]
        for level in reversed(levels):
            more = level.conduct.hung_up()
            if more is not None:
                self._tell_end(level, more.handler, *more.args)
            if level.has("on_hangup"):
                self._tell_end(level, "on_hangup")

    def _tell_end(self, level: Level, hook: str, *args: object) -> None:
        self._journal(Kind.STATE, "asked", state=level.name, handler=hook)
        try:
            getattr(level.state, hook)(self._ended_call(level.call), *args)
        except (Exception, SystemExit) as raised:  # noqa: BLE001  # user code; the call is over anyway
            self._report(failed(level, hook, raised))

    def _ended_call(self, call: LiveCall[Any]) -> EndedCall[Any]:
        driver = self._driver
        assert driver.session.cause is not None
        return EndedCall(
            data=call.data,
            call_id=call.call_id,
            call_sid=call.call_sid,
            caller=call.caller,
            called=call.called,
            cause=driver.session.cause,
            ended_by=ended_by(driver.session.cause),
            seconds=driver.seconds,
            services=self._flow.services,
        )

    def _report(self, wrong: Failed, next_state: str = "") -> None:
        error = wrong.__cause__
        where = f"{type(self._first).__name__ if wrong.level is None else wrong.level.name}.{wrong.method}"
        following = {"next": next_state} if next_state else {}
        self._journal(Kind.ERROR, type(error).__name__, where=where, **following)
        extra = {"call_id": self._call.call_id, "call_sid": self._call.call_sid, "where": where, **following}
        logger.error("flow failed", exc_info=error, extra=extra)

    def _journal(self, kind: Kind, what: str, **details: str | int | float) -> None:
        self._driver.journal.add(trio.current_time(), kind, what, **details)
