"""The menu is asked anew when nobody answers: a telephone that was put down keeps the line for an hour."""

from __future__ import annotations

from callflow import Call, Failed, Flow, Hangup, Menu, Say, key

C = Call[None]


class Main(Menu[None], prompt="menu.wav"):
    @key("1")
    def done(self, call: C) -> Bye:
        return Bye()

    def on_failed(self, call: C, why: Failed) -> Sorry:  # finds: silent-loop
        return Sorry()


class Sorry(Say[None], prompt="sorry.wav"):
    def then(self, call: C) -> Main:
        return Main()


class Bye(Hangup[None], prompt="bye.wav"):
    """The end."""


shop = Flow("shop", start=Main)
