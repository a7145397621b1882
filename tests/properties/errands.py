"""A flow for generated calls with the kinds of states that hold, watch and record: sub-flows, activities, messages."""

from __future__ import annotations

from pathlib import Path

import trio
from attrs import frozen

from callflow import (
    Again,
    Call,
    CollectDigits,
    Confirm,
    Done,
    Dtmf,
    EndedCall,
    Failed,
    Flow,
    GaveUp,
    Hangup,
    Menu,
    Record,
    Recording,
    Resumed,
    Say,
    Secret,
    State,
    SubFlow,
    activity,
    key,
    on,
)

C = Call[None]


@frozen
class Noticed:
    """What an activity posts."""

    count: int


class Sorry(Say[None], prompt="digits.wav", resume="stay"):
    """Where errors lead that no state takes."""

    def then(self, call: C) -> End:
        return End()


class End(Hangup[None], prompt="bye.wav"):
    """The end."""


class Which(Menu[None], prompt="menu.wav", tries=2, first_digit=2.0, barge_in="any", failed=End, keys={"9": End}):
    @key("1")
    def open(self, call: C) -> Safe:
        return Safe()

    @key("2")
    def message(self, call: C) -> Message:
        return Message()

    @key("3")
    def watch(self, call: C) -> Watch:
        return Watch()

    @key("4")
    def meddle(self, call: C) -> Meddle:
        return Meddle()

    @key("5")
    def broken(self, call: C) -> Watch:
        raise RuntimeError("a mistake in a handler")

    @key("6")
    def again(self, call: C) -> Again:
        return Again("no match")

    @key("8")
    def rest(self, call: C) -> Rest:
        return Rest()


class Rest(Say[None], prompt="long.wav", resume="stay"):
    """Says something that a lost line may take with it."""

    def then(self, call: C) -> Which:
        return Which()


class Pin(CollectDigits[None], prompt="digits.wav", length=3, tries=2, first_digit=2.0, between_digits=1.0):
    def on_digits(self, call: C, digits: Secret) -> Sure:
        return Sure()

    def on_failed(self, call: C, why: Failed) -> GaveUp:
        return GaveUp(why)


class Sure(Confirm[None], prompt="hello.wav", tries=2, first_digit=2.0):
    def on_yes(self, call: C) -> Done[int]:
        return Done(1)

    def on_no(self, call: C) -> Pin:
        return Pin()

    def on_failed(self, call: C, why: Failed) -> GaveUp:
        return GaveUp(why)


class Ask(SubFlow[None, int], start=Pin):
    """The inner one of two."""

    def on_done(self, call: C, result: int) -> Done[int]:
        return Done(result)

    def on_failed(self, call: C, why: Failed) -> GaveUp:
        return GaveUp(why)


class Safe(SubFlow[None, int], start=Ask, timeout=12.0):
    @activity
    async def count(self, call: C) -> None:
        for beat in range(3):
            await trio.sleep(2.0)
            call.post(Noticed(beat))

    @on(Noticed)
    def noticed(self, call: C, event: Noticed) -> None:
        """Stays."""

    def on_done(self, call: C, result: int) -> Watch:
        return Watch()

    def on_failed(self, call: C, why: Failed) -> Which:
        return Which()

    def on_dtmf(self, call: C, key: Dtmf) -> Which | None:
        return Which() if key.digit == "#" else None

    def on_timeout(self, call: C) -> Which:
        return Which()


class Message(Record[None], prompt="hello.wav", max_seconds=4.0, silence=2.0):
    def on_recorded(self, call: C, recording: Recording) -> Which:
        return Which()

    def on_recorded_hangup(self, call: EndedCall[None], recording: Recording) -> None:
        assert recording.seconds > 0

    def on_failed(self, call: C, why: Failed) -> Which:
        return Which()


class Watch(State[None], timeout=5.0):
    """Two activities and a timer beside a ``run`` that speaks."""

    async def run(self, call: C) -> None:
        call.every("beat", 0.8)
        await call.play("hello.wav", barge_in="any")

    @activity
    async def listen(self, call: C) -> None:
        async for pcm in call.audio():
            if any(pcm):
                call.post(Noticed(1))
                await trio.sleep(1.0)

    @activity
    async def wait(self, call: C) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(0.5)
        call.post(Noticed(2))

    @on(Noticed)
    def noticed(self, call: C, event: Noticed) -> None:
        """Stays."""

    def on_timer(self, call: C, name: str) -> None:
        """Stays."""

    def on_dtmf(self, call: C, key: Dtmf) -> Which | Watch:
        call.cancel_timer("beat")
        return Watch() if key.digit == "3" else Which()

    def on_resumed(self, call: C, gap: Resumed) -> Which | None:
        return Which() if gap.seconds > 1.0 else None

    def on_timeout(self, call: C) -> Which:
        call.cancel_timer("beat")
        return Which()


class Meddle(State[None], timeout=3.0):
    """Its activity speaks, which it must not: once, the state takes the error."""

    @activity
    async def speak(self, call: C) -> None:
        await trio.sleep(0.3)
        await call.play("hello.wav")

    def on_error(self, call: C, error: Exception) -> Which:
        return Which()

    def on_timeout(self, call: C) -> Which:
        return Which()


def make_errands(prompts: Path) -> Flow[None]:
    """Make the flow."""
    return Flow("errands", start=Which, prompts=prompts, error=Sorry)
