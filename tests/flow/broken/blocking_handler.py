"""A handler sleeps: for two seconds no call of the process goes on."""

from __future__ import annotations

from time import sleep as pause

from callflow import Call, Failed, Flow, Hangup, Menu, key

C = Call[None]


class Main(Menu[None], prompt="menu.wav"):
    @key("1")
    def done(self, call: C) -> Bye:
        pause(2.0)  # finds: blocking-call
        return Bye()

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


class Bye(Hangup[None], prompt="bye.wav"):
    """The end."""


shop = Flow("shop", start=Main)
