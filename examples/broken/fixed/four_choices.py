"""The bank's menu: two answers, a person, and the menu itself, once more and no oftener."""

from __future__ import annotations

from callflow import Call, Failed, Flow, Hangup, Menu, Say, key
from examples.broken import BANK

C = Call[None]


class Main(Menu[None], prompt="menu.wav", no_input="no_input.wav", no_match="no_match.wav"):
    again_left: int = 1

    @key("1")
    def balance(self, call: C) -> Balance:
        return Balance()

    @key("2")
    def transfer(self, call: C) -> Transfer:
        return Transfer()

    @key("0")
    def person(self, call: C) -> Person:
        return Person()

    @key("9")
    def again(self, call: C) -> Main | Person:
        return Main(self.again_left - 1) if self.again_left else Person()

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


class Balance(Say[None], prompt=("balance_is.wav", "zero.wav", "rupees.wav")):
    def then(self, call: C) -> Bye:
        return Bye()


class Transfer(Say[None], prompt="no_transfer.wav"):
    def then(self, call: C) -> Bye:
        return Bye()


class Person(Hangup[None], prompt="person.wav", branch="B"):
    """Exotel rings a person."""


class Bye(Hangup[None], prompt="goodbye.wav"):
    """The end."""


line = Flow("four-choices", start=Main, prompts=BANK)
