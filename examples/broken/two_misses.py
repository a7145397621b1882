"""A desk that asks twice and then lets the caller go; it counts the misses for the evening's report."""

from __future__ import annotations

from attrs import define

from callflow import Call, Failed, Flow, Hangup, Menu, key
from examples.broken import BANK

MOST = 2


@define
class Desk:
    """What the line knows of its day."""

    misses: int = 0


@define
class Caller:
    """What is known of a caller during one call."""

    misses: int = 0


C = Call[Caller]


class Main(Menu[Caller], prompt="menu_again.wav", tries=1):
    @key("0")
    def person(self, call: C) -> Person:
        return Person()

    def on_failed(self, call: C, why: Failed) -> Main | Goodbye:
        desk = call.get(Desk)
        desk.misses += 1
        call.data.misses += 1
        return Goodbye() if desk.misses >= MOST else Main()


class Person(Hangup[Caller], prompt="person.wav", branch="B"):
    """Exotel rings a person."""


class Goodbye(Hangup[Caller], prompt="goodbye.wav"):
    """Nobody chose anything."""


line = Flow("two-misses", start=Main, data=Caller, provide=[Desk()], prompts=BANK)
