"""Small flows that use every feature of the flow API at once, each with the machine that calls it.

They are made to be broken: what begins beside something else, what is cut while it waits, what leaves from inside.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import trio
from attrs import Factory, define, frozen

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
    LimitNear,
    Menu,
    Prompt,
    Record,
    Recording,
    Resumed,
    Say,
    Secret,
    Speech,
    State,
    SubFlow,
    Tap,
    TapCall,
    activity,
    key,
    on,
)
from callflow.testing.machine import CallMachine
from callflow.testing.seen import Seen, always, in_the_end, sometimes

PROMPTS = Path("examples/bank_ivr/prompts").resolve()
MUSIC = Path("examples/prompts/queue").resolve()


@define
class Visit:
    """Data of a call."""

    tries: int = 0
    name: str = ""
    beats: list[str] = Factory(list)
    is_over: bool = False


C = Call[Visit]


class Clerk:
    """A service."""

    async def knows(self, digits: str) -> bool:
        await trio.sleep(0.5)
        return digits.startswith("1")


# Questions, sub-flows within sub-flows, superstates, errors.


@define
class Badge:
    """Data of a sub-flow of its own."""

    digits: str = ""


B = Call[Badge]


class Counter(State[Visit], timeout=45.0):
    """A superstate."""

    @key("0")
    def person(self, call: C) -> Person:
        return Person()

    def on_timeout(self, call: C) -> Closing:
        return Closing()


class Hello(Say[Visit], prompt="welcome.wav", barge_in="any", typeahead="drop"):
    def then(self, call: C) -> Front:
        return Front()


class Front(
    Counter,
    Menu[Visit],
    prompt="menu.wav",
    reprompts=("menu_again.wav", "sorry.wav"),
    no_input="no_input.wav",
    no_match="no_match.wav",
    barge_in="any",
):
    @key("1")
    def identify(self, call: C) -> Identify:
        return Identify()

    @key("2", "3")
    def amount(self, call: C, pressed: str) -> Amount | None:
        return Amount(int(pressed)) if pressed == "2" else None

    @key("4")
    def not_this(self, call: C) -> Again:
        return Again("no match")

    @key("5")
    def back(self, call: C) -> Hello:
        return Hello()

    @key("6")
    def ask(self, call: C) -> Ask:
        return Ask()

    def on_failed(self, call: C, why: Failed) -> Closing:
        return Closing()


class Amount(Counter, Confirm[Visit], tries=2, first_digit=3.0, no_match="no_match.wav"):
    count: int

    def prompt_for(self, call: C) -> Prompt:
        return ("two.wav", "hundred.wav", "rupees.wav") if self.count == 2 else "three.wav"

    def on_yes(self, call: C) -> Front | Again:
        call.data.tries += 1
        return Front() if call.data.tries > 1 else Again("too short")

    def on_no(self, call: C) -> Front | None:
        call.data.tries += 1
        return Front() if call.data.tries > 1 else None

    def on_failed(self, call: C, why: Failed) -> Closing:
        return Closing()


class Ask(Counter, typeahead="drop", resume="stay"):
    """Asks a service while it plays."""

    async def run(self, call: C) -> Front:
        with suppress(OSError):
            await call.get(Clerk).knows("1")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call.play, "one_moment.wav")
            await trio.sleep(0.7)
            nursery.cancel_scope.cancel()
        return Front()

    def on_dtmf(self, call: C, pressed: Dtmf) -> Front | None:
        return Front() if pressed.digit == "9" else None


class AskBadge(CollectDigits[Badge], prompt="pin.wav", least=2, most=5, secret=False, total=9.0, between_digits=2.0):
    def on_digits(self, call: B, digits: str) -> CheckBadge | Again | None:
        call.data.digits = digits
        return None if digits.startswith("3") else Again("no match") if digits.startswith("2") else CheckBadge()

    @key("*")
    def help(self, call: B) -> AskPin:
        return AskPin()

    def on_failed(self, call: B, why: Failed) -> GaveUp:
        return GaveUp(why)


class CheckBadge(State[Badge], timeout=4.0):
    async def run(self, call: B) -> Done[str] | AskBadge:
        knows = await call.get(Clerk).knows(call.data.digits)
        return Done(call.data.digits) if knows else AskBadge()

    def on_timeout(self, call: B) -> GaveUp:
        return GaveUp(Failed(name="gave up"))


class Pin(CollectDigits[Badge], prompt="pin_wrong.wav", length=3, tries=1, first_digit=4.0, barge_in=None):
    def on_digits(self, call: B, digits: Secret) -> Done[bool]:
        return Done(digits == Secret("123"))

    def on_failed(self, call: B, why: Failed) -> GaveUp:
        return GaveUp(why)


class AskPin(SubFlow[Badge, bool], start=Pin, timeout=8.0):
    """Inside of the other one, with its data."""

    def on_done(self, call: B, result: bool) -> AskBadge:
        return AskBadge()

    def on_failed(self, call: B, why: Failed) -> GaveUp:
        return GaveUp(why)

    def on_timeout(self, call: B) -> AskBadge:
        return AskBadge()


class Identify(SubFlow[Visit, str], start=AskBadge, data=Badge, timeout=40.0):
    def on_done(self, call: C, result: str) -> Front:
        call.data.name = result
        return Front()

    def on_failed(self, call: C, why: Failed) -> Front:
        return Front()

    def on_timeout(self, call: C) -> Closing:
        return Closing()

    def on_error(self, call: C, error: Exception) -> Closing:
        return Closing()

    @key("#")
    def out(self, call: C) -> Front:
        return Front()

    def on_hangup(self, call: EndedCall[Visit]) -> None:
        call.data.is_over = True


class Sorry(Say[Visit], prompt="sorry.wav", barge_in=None):
    def then(self, call: C) -> Front:
        return Front()


class Person(Hangup[Visit], prompt="person.wav", branch="sales"): ...


class Closing(Hangup[Visit], prompt=("goodbye.wav",)): ...


async def note(call: EndedCall[Visit]) -> None:
    await call.get(Clerk).knows("1")


counter = Flow("counter", start=Hello, data=Visit, prompts=PROMPTS, provide=[Clerk()], after=note, error=Sorry)


class CounterLine(CallMachine, flow=counter, services={"clerk": Clerk}, require_edges=0.7):
    @always
    def a_name_is_one_that_the_clerk_knows(self, seen: Seen[Visit]) -> None:
        assert seen.data.name[:1] in ("", "1")

    @sometimes
    def somebody_is_known(self, seen: Seen[Visit]) -> bool:
        return bool(seen.data.name)


# Music, timers, events, live speech, the limit.


@frozen
class Tick:
    """Somebody comes."""

    number: int


class Ticks:
    """A service."""

    async def next(self) -> None:
        await trio.sleep(1.1)


class Lounge(State[Visit], timeout=70.0):
    """A superstate: everything here ends in time."""

    @on(LimitNear)
    def near(self, call: C, event: LimitNear) -> LastWords:
        return LastWords()

    def on_timer(self, call: C, name: str) -> Speaking | None:
        call.data.beats.append(name)
        return Speaking() if name == "late" else None

    def on_timeout(self, call: C) -> LastWords:
        return LastWords()


class Waiting(Lounge):
    async def run(self, call: C) -> None:
        call.every("place", 4.0)
        call.after("late", 9.5)
        music = call.start("music.wav", barge_in="dtmf", loop=True)
        while True:
            await trio.sleep(2.5)
            music.pause()
            await call.play(("you_are_number.wav", "1.wav"), barge_in="any")
            music.resume()

    @activity
    async def watch(self, call: C) -> None:
        for number in range(8):
            await call.get(Ticks).next()
            call.post(Tick(number))

    @on(Tick)
    def tick(self, call: C, event: Tick) -> Waiting | Speaking | None:
        call.cancel_timer("late")
        return Speaking() if event.number == 6 else Waiting() if event.number == 7 else None

    @key("1")
    def speak(self, call: C) -> Speaking:
        return Speaking()

    @key("2")
    def again(self, call: C) -> Waiting:
        return Waiting()

    def on_error(self, call: C, error: Exception) -> LastWords:
        return LastWords()


class Speaking(Lounge, resume="stay"):
    """Live, and cut by a voice."""

    async def run(self, call: C) -> Waiting:
        async with call.speaker(barge_in="any", words="forty two") as speaker:
            for number in range(12):
                if not await speaker.write(bytes(3_000)):
                    break
                if number % 5 == 4:
                    speaker.flush()
                    await trio.sleep(0.7)
        return Waiting()

    def on_speech(self, call: C, speech: Speech) -> Waiting | None:
        return Waiting() if speech.seconds > 0.31 else None

    def on_speech_ended(self, call: C, speech: Speech) -> Dozing:
        return Dozing()

    def on_dtmf(self, call: C, pressed: Dtmf) -> Waiting | None:
        return Waiting() if pressed.digit == "3" else None

    def on_resumed(self, call: C, gap: Resumed) -> Dozing | None:
        return Dozing() if gap.seconds > 2.0 else None

    def on_detached(self, call: C) -> None:
        call.data.tries += 1


class Dozing(Lounge):
    """Starts, stops, and starts again; what it plays is stopped by the next sound."""

    async def run(self, call: C) -> Waiting | None:
        first = call.start("1.wav", barge_in="speech")
        await trio.sleep(0.3)
        first.stop()
        second = call.start("you_are_number.wav", barge_in="dtmf")
        await trio.sleep(0.2)
        second.pause()
        with trio.move_on_after(1.0):
            await call.play("music.wav")
        second.resume()
        await second.heard()
        return Waiting() if call.random.random() < 0.5 else None


class LastWords(Hangup[Visit], prompt="nobody_free.wav", branch="B"): ...


lounge = Flow("lounge", start=Waiting, data=Visit, prompts=MUSIC, provide=[Ticks()], max_seconds=100.0, resume=6.0)


class LoungeLine(CallMachine, flow=lounge, services={"ticks": Ticks}, require_edges=0.4):
    @sometimes
    def the_limit_is_near(self, seen: Seen[Visit]) -> bool:
        return seen.took("Waiting", "near", "LastWords")


# Messages.


class Greet(Say[Visit], barge_in="speech"):
    def prompt_for(self, call: C) -> Prompt:
        return ("welcome.wav", "sorry.wav")

    def then(self, call: C) -> Leave:
        return Leave()


class Leave(Record[Visit], prompt="one_moment.wav", max_seconds=8.0, silence=3.0, finish="#*", barge_in="any"):
    def on_recorded(self, call: C, recording: Recording) -> Leave | Play | None:
        call.data.tries += 1
        return None if call.data.tries == 2 else Leave() if recording.seconds < 1.0 else Play(recording)

    def on_recorded_hangup(self, call: EndedCall[Visit], recording: Recording) -> None:
        call.data.name = f"{recording.seconds:.1f}"

    def on_failed(self, call: C, why: Failed) -> Pause:
        return Pause()

    def on_hangup(self, call: EndedCall[Visit]) -> None:
        call.data.is_over = True


class Play(State[Visit], timeout=30.0):
    said: Recording

    async def run(self, call: C) -> Short:
        await call.play(("sorry.wav", self.said, "one.wav"), barge_in="dtmf")
        return Short()

    def on_timeout(self, call: C) -> Out:
        return Out()


class Short(Record[Visit], beep=False, silence=None, max_seconds=3.0, least_seconds=1.0, finish=""):
    def on_recorded(self, call: C, recording: Recording) -> Out:
        return Out()

    def on_recorded_hangup(self, call: EndedCall[Visit], recording: Recording) -> None:
        pass

    def on_failed(self, call: C, why: Failed) -> Out:
        return Out()


class Pause(State[Visit], timeout=5.0):
    """Listens to the line itself, and is silent."""

    async def run(self, call: C) -> Leave:
        heard = 0
        call.tap(lambda audio: None)
        async for pcm in call.audio():
            heard += len(pcm)
            if heard > 24_000:
                break
        return Leave()

    def on_timeout(self, call: C) -> Out:
        return Out()


class Out(Hangup[Visit]): ...


messages = Flow("messages", start=Greet, data=Visit, prompts=PROMPTS)


class MessagesLine(CallMachine, flow=messages, require_edges=0.6):
    @in_the_end
    def the_end_is_told(self, seen: Seen[Visit]) -> None:
        assert seen.data.is_over or seen.state is not Leave


# A relay, and a tap.


class Relay(State[None], timeout=50.0):
    async def run(self, call: Call[None]) -> Relay:
        call.tap(call.relay)
        await trio.sleep(20.0)
        call.relay(bytes(7))
        return Relay()

    def on_dtmf(self, call: Call[None], pressed: Dtmf) -> Relay | Silent | None:
        call.clear()
        return Relay() if pressed.digit == "1" else Silent() if pressed.digit == "2" else None

    def on_timeout(self, call: Call[None]) -> Silent:
        return Silent()


class Silent(Hangup[None]): ...


relay = Flow("relay", start=Relay, raw=True, resume=0)


class RelayLine(CallMachine, flow=relay, require_edges=0.6): ...


class Overhear(Tap[None]):
    async def run(self, call: TapCall[None]) -> None:
        heard = 0
        async for pcm in call.audio():
            heard += len(pcm)

    def on_speech_ended(self, call: TapCall[None], speech: Speech) -> Nap:
        return Nap()


class Nap(Tap[None], timeout=6.0):
    def on_timeout(self, call: TapCall[None]) -> Overhear:
        return Overhear()

    def on_speech(self, call: TapCall[None], speech: Speech) -> Overhear | None:
        return Overhear() if speech.level > -30.0 else None


overheard = Flow("overheard", start=Overhear)


class OverheardLine(CallMachine, flow=overheard, require_edges=0.6): ...
