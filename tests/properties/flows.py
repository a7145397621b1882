"""Flows for generated calls: one of each kind that has rules of its own, with prompts of tones."""

from __future__ import annotations

import math
import struct
import wave
from pathlib import Path
from typing import cast

import trio

from callflow import (
    Call,
    CollectDigits,
    Dtmf,
    EndedCall,
    Failed,
    Flow,
    Hangup,
    Menu,
    PassthruReport,
    Say,
    Secret,
    State,
    StatusReport,
    Verdict,
    key,
)
from tests.properties.errands import make_errands

C = Call[None]

TONES = {"hello": (440, 1.3), "menu": (330, 2.05), "digits": (550, 0.9), "long": (600, 5.0), "bye": (220, 0.73)}
"""Prompts: hertz and seconds. No length is a whole number of chunks."""


def write_prompts(folder: Path) -> None:
    """Write the tones as WAV files."""
    folder.mkdir(exist_ok=True)
    for name, (hertz, seconds) in TONES.items():
        samples = (round(8000 * math.sin(2 * math.pi * hertz * n / 8000)) for n in range(int(8000 * seconds)))
        with wave.open(str(folder / f"{name}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))


class Hello(Say[None], prompt="hello.wav"):
    def then(self, call: C) -> Choose:
        return Choose()


class Choose(Menu[None], prompt="menu.wav", tries=2, first_digit=2.0, no_input="bye.wav"):
    @key("1")
    def digits(self, call: C) -> Digits:
        return Digits()

    @key("2", "3")
    def talk(self, call: C) -> Talk:
        return Talk()

    @key("9")
    def again(self, call: C) -> Choose:
        return Choose()

    @key("4")
    def think(self, call: C) -> Think:
        return Think()

    @key("5")
    def broken(self, call: C) -> Broken:
        return Broken()

    @key("7")
    def lost(self, call: C) -> Talk:
        return cast("Talk", Digits())  # no type checker sees it, the engine does

    @key("8")
    def listen(self, call: C) -> Ask:
        return Ask()

    @key("6")
    def fail(self, call: C) -> None:
        raise RuntimeError("a mistake in a handler")

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


class Digits(CollectDigits[None], prompt="digits.wav", length=3, tries=2, first_digit=2.0, between_digits=1.0):
    def on_digits(self, call: C, digits: Secret) -> Talk:
        return Talk()

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


class Talk(State[None], timeout=4.0):
    async def run(self, call: C) -> Choose:
        await call.play(("hello.wav", "digits.wav"), barge_in="dtmf")
        await trio.sleep(0.3)
        await call.play("long.wav")
        return Choose()

    def on_timeout(self, call: C) -> Choose:
        return Choose()


class Think(State[None], timeout=3.0):
    """Books something, which must not be cut off; keys are answered meanwhile, and then its result is nobody's."""

    async def run(self, call: C) -> Choose:
        with trio.CancelScope(shield=True):
            await trio.sleep(1.0)
        return Choose()

    def on_dtmf(self, call: C, key: Dtmf) -> Think | Talk | None:
        if key.digit == "1":
            return Talk()
        return Think() if key.digit == "2" else None

    def on_timeout(self, call: C) -> Choose:
        return Choose()

    def on_hangup(self, call: EndedCall[None]) -> None:
        assert call.seconds > 0


class Ask(State[None], timeout=9.0):
    """Asks by itself: a key ends the prompt, and with it ``run``, in the step in which it moves the call."""

    async def run(self, call: C) -> Choose:
        await call.play("long.wav", barge_in="dtmf")
        return Choose()

    def on_dtmf(self, call: C, key: Dtmf) -> Talk:
        return Talk()

    def on_timeout(self, call: C) -> Choose:
        return Choose()


class Broken(State[None], timeout=3.0):
    """A mistake of the flow's author."""

    async def run(self, call: C) -> Choose:
        await trio.sleep(0.2)
        raise RuntimeError("a mistake in run")

    def on_timeout(self, call: C) -> Choose:
        return Choose()


class Bye(Hangup[None], prompt="bye.wav"):
    """The end."""


class Listen(State[None], timeout=30.0):
    async def run(self, call: C) -> None:
        call.tap(lambda audio: None)
        await trio.sleep_forever()

    def on_timeout(self, call: C) -> Gone:
        return Gone()


class Gone(Hangup[None]):
    """The end without words."""


async def before_the_stream(report: PassthruReport) -> Verdict:
    """Judge a call that a Passthru names: well, slowly or badly, as its CallSid says."""
    if report.call_sid.endswith("slowly"):
        await trio.sleep(3.0)
    if report.call_sid.endswith("badly"):
        raise RuntimeError("a mistake in the flow's passthru function")
    return Verdict(302)


def after_the_call(report: StatusReport) -> None:
    """Take a status callback."""


def make_flows(prompts: Path) -> dict[str, Flow[None]]:
    """Make the flows, by name."""
    return {
        "talks": Flow("talks", start=Hello, prompts=prompts, passthru=before_the_stream, status=after_the_call),
        "listens": Flow("listens", start=Listen, one_way=True, prompts=prompts),
        "errands": make_errands(prompts),
    }
