"""The engine: delivers one event at a time to the current state, and moves where its handlers say.

A state lives in a nursery of its own: its ``run`` and whatever that starts. Moving is: cut what still plays, cancel the
nursery, wait for it, enter the next. Events already in the mailbox come before deadlines, so order never hangs on the
scheduler. This is one of two places that catch ``Exception``: user code may raise, and then this call ends, alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, assert_never

import trio
from attrs import frozen

from callflow.call.driver import Driver
from callflow.call.hearing import Hearing
from callflow.call.journal import Kind
from callflow.call.live import LiveCall, ended_by
from callflow.call.mailbox import Event, KeyCame, PlaybackSettled, RunEnded, SpeechCame, TapFailed
from callflow.call.outage import Outage
from callflow.call.playback import LivePlayback
from callflow.call.typed import TypedKeys
from callflow.errors import FlowError, UndeclaredMove
from callflow.flow.call import CUT_BY_KEY, CUT_BY_SPEECH, BargeIn, D, EndedCall, Resumed
from callflow.flow.conduct import WAIT, Conduct, Deliver, Finish, Speak, Step, Wait
from callflow.flow.definition import overrides
from callflow.flow.flow import Flow
from callflow.flow.prompts import Prompt
from callflow.flow.secret import DOT
from callflow.flow.state import State
from callflow.session.inputs import EndCause
from callflow.wire.messages import Dtmf

logger = logging.getLogger("callflow.flow")

_DEADLINE = "state"
_LEAVING = "leaving a state"


@frozen
class LastWords:
    """What a call that is taken from its flow still hears, and how it is closed."""

    prompt: Prompt
    cause: EndCause
    code: int


class _Failed(Exception):
    """User code raised; the call cannot go on. A signal inside this module."""


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
        self._typed = TypedKeys(self._note_key)
        self._skipped: set[type[State[D]]] = set()
        """States that were not spoken because of the keys that are held."""
        self._state: State[D] = object.__new__(flow.start)  # its class says where the call is; ``run`` makes it
        self._is_made = False
        self._visit = 0
        """How many states were entered: a number for each time, so that what ``run`` returns can be told apart."""
        self._conduct: Conduct = Conduct()
        self._own_prompt: LivePlayback | None = None
        """The prompt of the state's conduct; what ``run`` plays is none of it."""
        self._outage: Outage | None = None
        """Set from the loss of the line until the flow was told that it is back: nothing else happens meanwhile."""
        self._failed: _Failed | None = None
        self._last_words: LastWords | None = None
        self._life = trio.CancelScope()
        self.ended = trio.Event()
        """Set when the flow is over, or when a state that has to end does not: nobody need wait for it longer."""
        driver.on_over = self._over
        driver.before_key = self._key_read
        call.add_tap = self._add_tap
        hearing = Hearing(driver, flow.speech, self._speech_read)
        call.listen_for_speech = hearing.begin
        if flow.listens:
            hearing.begin()

    @property
    def has_data(self) -> bool:
        """Whether the flow came as far as to have data and a state."""
        return self._is_made

    @property
    def data(self) -> D:
        """The flow's data of this call."""
        return self._call.data

    @property
    def state(self) -> State[D]:
        """The current state."""
        return self._state

    async def run(self) -> None:
        """Run the flow to its end or the call's.

        Cancellation:
            The current state is cancelled; ``on_hangup`` is not called.
        """
        reached: State[D] | None = self._make()
        while reached is not None and self._failed is None and self._last_words is None and not self._is_over():
            reached = await self._live_in(reached)
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

    def interrupt(self, words: LastWords) -> None:
        """Take the call from its flow: leave the state as a move would, say *words* to their end, and close.

        The state that is left stays the current one: its ``on_hangup`` is called when the call is over. Without effect
        when it is over, was interrupted before, or is in a last state, which has words of its own.
        """
        if self._is_over() or self._last_words is not None or self._state.final:
            return
        self._last_words = words
        self._journal(Kind.STATE, "interrupted", state=type(self._state).__name__, by=words.cause.value)
        self._leave()
        self._life.cancel()
        self._call.playbacks.release()

    async def _say(self, words: LastWords) -> None:
        self._driver.deadlines.stop(_LEAVING)
        if self._is_over():
            return
        try:
            playback = self._call.begin(words.prompt, None)
        except (ValueError, FlowError) as wrong:
            self._report(_failed("apology", wrong))
            playback = None
        while playback is not None and playback.entry.result is None:  # if it is lost with its line, so be it
            await self._driver.mailbox.wait()
            self._driver.mailbox.take()  # its fate comes with an event; nobody is left for keys and the like
        self._driver.hang_up(words.cause, words.code)

    def _make(self) -> State[D]:
        """Make the call's data and its first state."""
        making = "data"
        try:
            self._call.make_data()
            making = "start"
            self._state = self._flow.start()
            self._is_made = True
        except (Exception, SystemExit) as raised:  # noqa: BLE001  # user code; the call ends by it
            self._fail(making, raised)
        return self._state

    def _fail(self, where: str, error: BaseException) -> None:
        self._failed = _failed(where, error)

    def _is_over(self) -> bool:
        return self._driver.ended_at is not None

    def _over(self, cause: EndCause) -> None:
        """The call is over: pre-empt the state, whatever it does (L9)."""
        self._life.cancel()
        self._call.playbacks.release()
        self._expect_end()
        if self._outage is not None:
            self._outage.call_over()

    # One state.

    async def _live_in(self, state: State[D]) -> State[D] | None:
        """Enter a state, run it until it is left, and return the next; None at the flow's end."""
        if not await self._has_line():
            return None
        self._state = state
        self._visit += 1
        self._journal(Kind.STATE, "entered", state=type(state).__name__, visit=self._visit)
        reached: State[D] | None = None
        async with trio.open_nursery() as nursery:
            self._life = nursery.cancel_scope
            try:
                reached = await self._serve(state, nursery)
            except _Failed as failed:
                self._failed = failed  # kept as a value: an exception would leave the nursery wrapped in a group
            self._leave()
            nursery.cancel_scope.cancel()
            self._call.playbacks.release()
        self._driver.deadlines.stop(_LEAVING)
        return reached

    async def _serve(self, state: State[D], nursery: trio.Nursery) -> State[D] | None:
        self._conduct = conduct = state.conduct(trio.current_time())
        self._own_prompt = None
        if state.options.typeahead == "drop":
            self._drop_keys()
        if overrides(type(state), "run"):
            nursery.start_soon(self._run, state)
        step = conduct.enter(trio.current_time())
        while True:
            end = self._carry_out(step)
            if end is not None:
                return None if isinstance(end, Finish) else end
            step = await self._next_step()

    def _drop_keys(self) -> None:
        self._typed.drop(len(self._driver.mailbox.take_keys()))

    def _leave(self) -> None:
        """Silence first: a slow clean-up of the state must not delay the clear."""
        self._call.playbacks.silence()
        self._driver.drop_taps()
        now = trio.current_time()
        if self._conduct.secret:
            self._typed.mask(now)
        self._typed.expect_late(self._conduct.late_terminator, now)
        self._driver.deadlines.stop(_DEADLINE)
        self._expect_end()

    def _expect_end(self) -> None:
        self._driver.deadlines.set(_LEAVING, trio.current_time() + self._driver.timing.leave, self._stuck)

    def _stuck(self) -> None:
        name = type(self._state).__name__
        self._journal(Kind.ERROR, "does not end", state=name)
        logger.error("state does not end", extra={"call_id": self._call.call_id, "state": name})
        self._driver.hang_up(EndCause.APP_TIMEOUT, 1011)
        self.ended.set()

    async def _run(self, state: State[D]) -> None:
        visit = self._visit
        try:
            result = await state.run(self._call)
        except* (Exception, SystemExit) as raised:  # noqa: BLE001  # user code; the engine ends the call by it
            self._driver.mailbox.put(RunEnded(state, error=_only(raised)))
        else:
            to = "" if result is None else type(result).__name__
            self._journal(Kind.STATE, "run returned", state=type(state).__name__, visit=visit, to=to)
            self._driver.mailbox.put(RunEnded(state, result))

    # Events, in order: keys typed ahead, the mailbox, the deadline.

    async def _next_step(self) -> Step:
        conduct = self._conduct
        while True:
            if self._is_over():
                await trio.lowlevel.checkpoint()  # cancelled: what came in the same segment as the end is not handled
            if self._outage is not None:
                return await self._sit_out(self._outage)
            if self._listens() and (typed := self._typed.take()) is not None:
                return self._press(Dtmf(digit=typed[0]), masked=typed[1])
            event = self._driver.mailbox.take()
            if event is not None:
                return self._handle(event)
            now = trio.current_time()
            if conduct.deadline is not None and conduct.deadline <= now:
                self._journal(Kind.TIMER, "due", state=type(self._state).__name__)
                return conduct.due(now)
            self._set_deadline(conduct.deadline)
            await self._driver.mailbox.wait()

    # The line comes and goes.

    def lost(self) -> None:
        """The line is gone; called inside the step that saw it. Freeze."""
        if self._outage is None:
            self._outage = Outage()
        self._outage.lost()
        self._driver.mailbox.wake()

    def resumed(self, gap: Resumed) -> None:
        """There is a line again, maybe one that took over; called inside the step that read its ``start``."""
        if self._outage is None:
            self._outage = Outage()
        self._outage.ended(gap)
        self._driver.mailbox.wake()

    async def _has_line(self) -> bool:
        """Wait, between two states, for a line; say whether there is one. Nobody is told: no state was cut off."""
        while (outage := self._outage) is not None and not self._is_over():
            if outage.gap is not None:
                self._outage = None
            else:
                await outage.wait_news()
        return not self._is_over()

    async def _sit_out(self, outage: Outage) -> Step:
        """Be frozen: handle nothing until the line is back (the end of the call cancels this)."""
        self._driver.deadlines.stop(_DEADLINE)
        self._tell_detached()
        while (gap := outage.gap) is None:
            await outage.wait_news()
        self._outage = None
        self._conduct.stood_still(gap.seconds)
        return Deliver("on_resumed", (gap,))

    def _tell_detached(self) -> None:
        try:
            self._state.on_detached(self._call)
        except (Exception, SystemExit) as raised:
            raise _Failed("on_detached") from raised

    def _say_again(self) -> Step:
        """Carry on with the state: what the old line took with it is said again, unless the state does without."""
        self._journal(Kind.STATE, "resumed", state=type(self._state).__name__)
        own, self._own_prompt = self._own_prompt, None
        was_cut_off = own is not None and own.is_waiting
        if self._state.options.resume == "stay":
            self._call.playbacks.give_up_lost()
            self._play_waiting()
            return self._conduct.prompt_ended(trio.current_time()) if was_cut_off else WAIT
        if own is not None:
            self._call.playbacks.give_up(own)
        return WAIT if self._play_waiting() else self._conduct.resumed(trio.current_time())

    def _play_waiting(self) -> bool:
        try:
            return self._call.playbacks.play_waiting()
        except (ValueError, FlowError) as wrong:
            raise _Failed("prompt") from wrong

    def _set_deadline(self, at: float | None) -> None:
        if at is None:
            self._driver.deadlines.stop(_DEADLINE)
        else:
            self._driver.deadlines.set(_DEADLINE, at, self._driver.mailbox.wake)

    def _handle(self, event: Event) -> Step:
        match event:
            case KeyCame():
                return self._key(event)
            case SpeechCame(speech, ended):
                return self._conduct.speech_ended(speech) if ended else self._conduct.speech_began(speech)
            case PlaybackSettled():
                return self._settled(event)
            case RunEnded():
                return self._run_ended(event)
            case TapFailed():
                raise _Failed("tap") from event.error
            case _:
                assert_never(event)

    def _key(self, event: KeyCame) -> Step:
        if not self._listens():
            self._hold(event)
            return WAIT
        if self._typed.swallows(event.key.digit, event.at):
            return WAIT
        return self._press(event.key, masked=self._typed.is_masked(event.at))

    def _hold(self, event: KeyCame) -> None:
        self._typed.hold(event.key.digit, event.at, self._state.options.typeahead)

    def _listens(self) -> bool:
        """Whether a key goes to the state now: it asks for keys, and no prompt protects itself."""
        playing = self._call.playbacks.playing
        return self._conduct.takes_keys and (playing is None or playing.gives_way(CUT_BY_KEY))

    def _press(self, key: Dtmf, *, masked: bool) -> Step:
        self._skipped.clear()
        shown = DOT if masked or self._conduct.secret else key.digit
        self._journal(Kind.KEY, "taken", key=shown, state=type(self._state).__name__)
        return self._conduct.press(key, trio.current_time())

    def _settled(self, event: PlaybackSettled) -> Step:
        settled = self._call.playbacks.settled(event.entry)
        if settled is None or settled is not self._own_prompt:
            return WAIT
        return self._conduct.prompt_ended(trio.current_time())

    def _run_ended(self, event: RunEnded) -> Step:
        if event.state is not self._state:
            return WAIT  # the state was left meanwhile (L3)
        if event.error is not None:
            raise _Failed("run") from event.error
        return WAIT if event.result is None else Deliver("run", (event.result,))

    # Steps.

    def _carry_out(self, step: Step) -> Finish | State[D] | None:
        """Do a step and those that follow from it; return what ends the state, or None."""
        while True:
            match step:
                case Wait():
                    return None
                case Finish():
                    return step
                case Speak():
                    step = self._speak(step)
                case Deliver():
                    reached = self._deliver(step)
                    if reached is not None:
                        return reached
                    step = self._stayed(step)
                case _:
                    assert_never(step)

    def _stayed(self, step: Deliver) -> Step:
        if step.handler == "on_resumed":
            return self._say_again()
        now = trio.current_time()
        self._typed.expect_late(self._conduct.late_terminator, now)
        return self._conduct.stayed(now)

    def _speak(self, step: Speak) -> Step:
        if step.again:
            self._typed.drop()
        for event in self._driver.mailbox.take_keys():
            self._hold(event)
        if step.barge_in in CUT_BY_KEY and len(self._typed) and type(self._state) not in self._skipped:
            # The answer is there already. Once: an announcement that leads back to itself would go round for ever.
            self._skipped.add(type(self._state))
            return self._conduct.prompt_ended(trio.current_time())
        try:
            self._own_prompt = self._call.begin(step.prompt, step.barge_in)
        except (ValueError, FlowError) as wrong:
            raise _Failed("prompt") from wrong
        return WAIT

    def _deliver(self, step: Deliver) -> State[D] | None:
        if step.handler == "run":
            return self._checked("run", step.args[0])
        state = type(self._state).__name__
        self._journal(Kind.STATE, "asked", state=state, handler=step.handler)
        try:
            result = getattr(self._state, step.handler)(self._call, *step.args)
        except (Exception, SystemExit) as raised:
            raise _Failed(step.handler) from raised
        if result is not None:
            return self._checked(step.handler, result)
        self._journal(Kind.STATE, "stayed", state=state, by=step.handler)
        return None

    def _checked(self, handler: str, result: object) -> State[D]:
        source = type(self._state)
        where, declared = f"{source.__qualname__}.{handler}", self._flow.graph.declared(source, handler)
        if not isinstance(result, State):
            cure = (
                f"{result.__name__}, the class; return {result.__name__}()"
                if isinstance(result, type)
                else repr(result)
            )
            raise _Failed(handler) from UndeclaredMove(where, cure, declared)
        if not self._flow.graph.allows(source, handler, type(result)):
            raise _Failed(handler) from UndeclaredMove(where, type(result).__name__, declared)
        self._journal(Kind.STATE, "left", state=source.__name__, by=handler, to=type(result).__name__)
        return result

    # What others call.

    def _key_read(self, key: Dtmf, at: float) -> bool:
        """Inside the reader's step: cut what the key may cut. Say whether the flow gets it."""
        if not len(self._driver.mailbox) and self._typed.swallows(key.digit, at):
            return False
        self._barge_in(CUT_BY_KEY, "key")
        return True

    def _speech_read(self) -> None:
        """Inside the reader's step: cut what speech may cut."""
        self._barge_in(CUT_BY_SPEECH, "speech")

    def _barge_in(self, cuts: tuple[BargeIn, ...], by: str) -> None:
        playing = self._call.playbacks.playing
        if playing is not None and playing.is_sounding and playing.barge_in in cuts:
            self._journal(Kind.PLAYBACK, "barge-in", prompt=" ".join(playing.entry.names), by=by)
            self._driver.cut()

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
        state = self._state
        if not overrides(type(state), "on_hangup"):
            return
        self._journal(Kind.STATE, "asked", state=type(state).__name__, handler="on_hangup")
        try:
            state.on_hangup(self._ended_call())
        except (Exception, SystemExit) as raised:  # noqa: BLE001  # user code; the call is over anyway
            self._report(_failed("on_hangup", raised))

    def _ended_call(self) -> EndedCall[D]:
        driver, call = self._driver, self._call
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

    def _report(self, failed: _Failed) -> None:
        error = failed.__cause__
        where = f"{type(self._state).__name__}.{failed}"
        self._journal(Kind.ERROR, type(error).__name__, where=where)
        extra = {"call_id": self._call.call_id, "call_sid": self._call.call_sid, "where": where}
        logger.error("flow failed", exc_info=error, extra=extra)

    def _note_key(self, what: str, count: int | None) -> None:
        self._journal(Kind.KEY, what, **({} if count is None else {"count": count}))

    def _journal(self, kind: Kind, what: str, **details: str | int | float) -> None:
        self._driver.journal.add(trio.current_time(), kind, what, **details)


def _failed(where: str, error: BaseException) -> _Failed:
    failed = _Failed(where)
    failed.__cause__ = error
    return failed


def _only(raised: BaseExceptionGroup[BaseException]) -> Exception:
    """Unwrap groups of one, so that a log shows the error and not its wrapping."""
    error: BaseException = raised
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error if isinstance(error, Exception) else RuntimeError(f"the state raised {type(error).__name__}")
