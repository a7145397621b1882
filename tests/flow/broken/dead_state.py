"""A state was left behind when its key was taken out of the menu."""

from __future__ import annotations

from callflow import Call, Failed, Flow, Hangup, Menu, Say, key

C = Call[None]


class Main(Menu[None], prompt="menu.wav"):
    @key("1")
    def hours(self, call: C) -> Hours:
        return Hours()

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


class Hours(Say[None], prompt="hours.wav"):
    def then(self, call: C) -> Bye:
        return Bye()


class Offers(Say[None], prompt="offers.wav"):  # finds: dead-state
    def then(self, call: C) -> Bye:
        return Bye()


class Bye(Hangup[None], prompt="bye.wav"):
    """The end."""


shop = Flow("shop", start=Main)
