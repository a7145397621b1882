"""A line that offers a person, and takes its leave of whoever wants none."""

from __future__ import annotations

from callflow import Call, Failed, Flow, Hangup, Menu, State, key
from examples.broken import BANK

C = Call[None]


class Main(Menu[None], prompt="menu_again.wav", no_input="no_input.wav", no_match="no_match.wav"):
    @key("0")
    def person(self, call: C) -> Person:
        return Person()

    @key("1", "2")
    def nothing_to_tell(self, call: C) -> Leave:
        return Leave()

    def on_failed(self, call: C, why: Failed) -> Leave:
        return Leave()


class Leave(State[None], timeout=15.0):
    async def run(self, call: C) -> Over:
        call.start("goodbye.wav")
        return Over()

    def on_timeout(self, call: C) -> Over:
        return Over()


class Person(Hangup[None], prompt="person.wav", branch="B"):
    """Exotel rings a person."""


class Over(Hangup[None]):
    """Everything was said."""


line = Flow("goodbye", start=Main, prompts=BANK)
