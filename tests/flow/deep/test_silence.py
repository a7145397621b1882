"""How long a silent caller is in a state of each kind, and what comes then."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from callflow import Call, CollectDigits, Confirm, Failed, Hangup, Menu, Record, Recording, Say, State, key
from callflow.flow.deep.silence import Silence, silence_of
from callflow.flow.prompts import Prompt, Tone

C = Call[None]

LENGTHS = {"ask.wav": 2.0, "sorry.wav": 0.5, "again.wav": 1.0, "last.wav": 3.0}


def length(prompt: Prompt) -> float | None:
    """Add up what is known; a beep tells its own length."""
    parts = prompt if isinstance(prompt, tuple) else (prompt,)
    known = [part.seconds if isinstance(part, Tone) else LENGTHS.get(str(part)) for part in parts]
    return None if None in known else sum(filter(None, known))


class Bye(Hangup[None], prompt="last.wav"): ...


class Quiet(Hangup[None]): ...


class Told(Say[None], prompt="ask.wav"):
    def then(self, call: C) -> Bye:
        return Bye()


class Chosen(Say[None]):
    def prompt_for(self, call: C) -> Prompt:
        return "ask.wav"

    def then(self, call: C) -> Bye:
        return Bye()


class Asked(Menu[None], prompt="ask.wav", reprompts=("again.wav",), no_input="sorry.wav", first_digit=4.0):
    @key("1")
    def one(self, call: C) -> Bye:
        return Bye()

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


class Once(Confirm[None], prompt="ask.wav", tries=1, failed=Bye):
    def on_yes(self, call: C) -> Bye:
        return Bye()

    def on_no(self, call: C) -> Bye:
        return Bye()


class Typed(CollectDigits[None], prompt="ask.wav", length=4, tries=2, failed=Bye):
    def on_digits(self, call: C, digits: str) -> Bye:
        return Bye()


class Recorded(Record[None], prompt="ask.wav"):
    def on_recorded(self, call: C, recording: Recording) -> Bye:
        return Bye()

    def on_recorded_hangup(self, call: Any, recording: Recording) -> None: ...

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


class RecordedLong(Recorded, silence=None, max_seconds=60.0): ...


class Works(State[None], timeout=5.0):
    async def run(self, call: C) -> Bye:
        return Bye()

    def on_timeout(self, call: C) -> Bye:
        return Bye()


@pytest.mark.parametrize(
    ("state", "passage"),
    [
        (Told, Silence(seconds=2.0, handler="then")),
        (Chosen, Silence(seconds=0.0, handler="then", known=False)),
        (Asked, Silence(seconds=2.0 + 4.0 + 2 * (0.5 + 1.0 + 4.0), handler="on_failed")),
        (Once, Silence(seconds=2.0 + 5.0, handler="failed")),
        (Typed, Silence(seconds=2 * (2.0 + 5.0), handler="failed")),
        (Recorded, Silence(seconds=2.0 + 0.3 + 5.0, handler="on_failed")),
        (RecordedLong, Silence(seconds=2.0 + 0.3 + 60.0, handler="on_recorded")),
        (Works, Silence(seconds=inf)),
        (Bye, Silence(seconds=3.0)),
        (Quiet, Silence(seconds=0.0)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_silent_caller_passes_through_a_state(state: type[State[None]], passage: Silence) -> None:
    assert silence_of(state, length) == passage
