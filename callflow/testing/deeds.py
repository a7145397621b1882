"""What a caller does, step by step, on a stage: the same for a machine that thinks it up and a script that is replayed.

A deed ends when everything is blocked: nothing more can happen until time passes or the next one. A deed on a call that
is over, or on a line that is lost, does nothing, so that a script can be shortened at any place and still be played.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import assert_never

import trio
from attrs import define, field, frozen
from trio.testing import wait_all_tasks_blocked

from callflow.errors import CallEnded, ScriptError
from callflow.line.applets import passthru
from callflow.line.oddities import Oddity, Place
from callflow.line.steps import (
    CALLED,
    CALLER,
    Branch,
    Deafen,
    Drop,
    Ended,
    Enter,
    Freeze,
    HalfClose,
    HangUp,
    Hear,
    Play,
    Press,
    Quiet,
    Reach,
    Reconnect,
    Ring,
    RingAgain,
    SendOdd,
    Service,
    Step,
    TakeOver,
    Trouble,
    Wait,
)
from callflow.line.telephone import Telephone
from callflow.line.troubles import make_trouble
from callflow.testing.doubles import Steered, named
from callflow.testing.stage import Stage

KEY_GAP = 0.3
"""Seconds from one key to the next where a step says nothing."""

KEY_HOLD = 0.1
"""Seconds that a key is held."""

HERE = 200
"""What a Passthru answers where the stream is to come."""

LEFTOVERS = 25.0
"""Seconds after which nothing of a call may be left: resume, close and leave time and what waits after it, and some."""


@frozen(kw_only=True)
class CallerFacts:
    """Who calls, and what this caller knows."""

    caller: str = CALLER
    called: str = CALLED
    parameters: Mapping[str, str] = field(factory=dict)
    answers: Mapping[str, str] = field(factory=dict, repr=False)
    """What ``type $name`` types."""
    sounds: Mapping[str, bytes] = field(factory=dict, repr=False)
    """What ``play FILE`` says, by file: 16-bit PCM of the line's rate."""


@define(eq=False)
class Deeds:
    """Takes the steps of one caller. ``ring`` first; ``finish`` at the end.

    Args:
        stage: Open.
        facts: Who calls.
        services: The doubles that ``service`` steps are about, by name.
    """

    stage: Stage
    facts: CallerFacts = CallerFacts()
    services: Mapping[str, Steered] = field(factory=dict)
    phones: list[Telephone] = field(factory=list, init=False)
    """One for each call of the caller, oldest first; all of one ``CallSid``, as where Exotel's flow has two applets."""
    _streams: dict[str, Telephone] = field(factory=dict, init=False)

    @property
    def phone(self) -> Telephone:
        """The telephone of the last call, if there was one."""
        return self.phones[-1]

    @property
    def is_over(self) -> bool:
        """Whether the last call is, or none came to be: the Passthru sent the caller elsewhere."""
        return not self.phones or self.phone.ended.is_set()

    async def ring(self, *, asks: bool = False) -> None:
        """Place a call.

        Args:
            asks: Whether Exotel asks the Passthru before the stream. If that sends the caller elsewhere, there is none.

        Raises:
            NotAnswered: The server does not answer.

        Cancellation:
            The call is dropped.
        """
        facts, self.stage.steer = self.facts, self.steer
        call_sid = self.phones[0].call_sid if self.phones else self.stage.draw_sid()
        if not asks or await self._is_sent_here(call_sid):
            phone = await self.stage.ring(
                caller=facts.caller, called=facts.called, parameters=facts.parameters, call_sid=call_sid
            )
            self.phones.append(phone)
        await self._settle()

    async def _is_sent_here(self, call_sid: str) -> bool:
        facts = self.facts
        dial = self.stage.network.dial
        answer = await passthru(dial, call_sid=call_sid, caller=facts.caller, called=facts.called, before=True)
        return answer == HERE

    def steer(self, step: Service) -> None:
        """Have a service answer, fail or hang from now on.

        Raises:
            ScriptError: There is none of that name.
        """
        named(self.services, step).behave(step.way)

    async def take(self, step: Step) -> None:
        """Take one step, and wait until nothing more happens without time.

        Raises:
            ScriptError: It is none of those that a caller takes here, or names what is not there.
            NotAnswered: The server does not answer a line that comes back, or another call.

        Cancellation:
            In part; the stage has to be closed.
        """
        with suppress(CallEnded):  # it may end in the middle of a deed
            await self._do(step)
        await self._settle()

    async def _settle(self) -> None:
        await wait_all_tasks_blocked()
        if self.phones:
            self._streams[self.phone.stream_sid] = self.phone

    def phone_of(self, stream_sid: str) -> Telephone:
        """Give the telephone that a stream is of."""
        return self._streams.get(stream_sid, self.phone)

    async def finish(self) -> None:
        """End every call as its caller, and wait until nothing may be left of any.

        Cancellation:
            In part; the stage has to be closed.
        """
        for phone in self.phones:
            await phone.hang_up()
            await self._report(phone)
        await trio.sleep(LEFTOVERS)
        await wait_all_tasks_blocked()

    @property
    def strangers(self) -> list[tuple[str, str]]:
        """Who else asked at the door, and what was answered."""
        return [each for phone in self.phones for each in phone.strangers]

    async def _report(self, phone: Telephone) -> None:
        """Tell a flow that wants to know how its call ended, as Exotel does: a status callback comes twice."""
        flow, facts, dial = self.stage.flow, self.facts, self.stage.network.dial
        paths = ["/passthru"] * (flow.passthru is not None) + ["/status", "/status"] * (flow.status is not None)
        for path in paths:
            await passthru(
                dial,
                call_sid=phone.call_sid,
                caller=facts.caller,
                called=facts.called,
                before=False,
                stream=phone.record(),
                method="GET" if path == "/passthru" else "POST form",
                path=path,
            )

    async def _do(self, step: Step) -> None:
        match step:
            case Ring():
                pass  # whoever takes the steps rang before the first one
            case Press():
                await self._press(step.digits, step.gap)
            case Enter():
                await self._press(self._entry(step), step.gap)
            case Play():
                await self._say(self._sound(step))
            case Wait():
                await trio.sleep(step.seconds)
            case HangUp():
                await self._hang_up()
            case SendOdd(oddity=oddity) if oddity.place is Place.APPLET:
                await self._ask_oddly(oddity)
            case Drop() | HalfClose() | Freeze() | Deafen() | Reconnect() | TakeOver() | SendOdd():
                await self._make_trouble(step)
            case Service():
                self.steer(step)
            case RingAgain():
                await self._ring_again()
            case Hear() | Reach() | Quiet() | Ended() | Branch():
                raise self._wrong(step, "a step that expects something is for callflow call; this takes a caller's own")
            case _:
                assert_never(step)

    @property
    def _is_there(self) -> bool:
        """Whether the last call lives and its line carries what the caller does."""
        return not (self.is_over or self.phone.is_lost or self.phone.is_deaf)

    async def _press(self, keys: str, gap: float | None) -> None:
        if self._is_there:
            await self.phone.press(keys, gap=KEY_GAP if gap is None else gap, hold=KEY_HOLD)

    async def _say(self, pcm16: bytes) -> None:
        if self._is_there:
            await self.phone.play(pcm16)

    async def _ask_oddly(self, oddity: Oddity) -> None:
        if not self.is_over:
            for _ in range(2 if oddity is Oddity.PASSTHRU_AGAIN else 1):
                await self._is_sent_here(self.phone.call_sid)

    async def _make_trouble(self, trouble: Trouble) -> None:
        if self.phones:
            await make_trouble(self.phone, trouble)

    async def _hang_up(self) -> None:
        if not self.is_over:
            await self.phone.hang_up()

    async def _ring_again(self) -> None:
        if self.is_over:
            await self.ring()

    # What a step names.

    def _entry(self, step: Enter) -> str:
        if not step.answer:
            return step.digits
        if step.answer not in self.facts.answers:
            raise self._wrong(step, f"nobody knows ${step.answer}; give it by answers=")
        return self.facts.answers[step.answer]

    def _sound(self, step: Play) -> bytes:
        if step.file not in self.facts.sounds:
            raise self._wrong(step, f"nobody has read {step.file!r}; put it beside the script")
        return self.facts.sounds[step.file]

    def _wrong(self, step: Step, words: str) -> ScriptError:
        return ScriptError("script.call", step.line, words)
