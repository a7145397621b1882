"""A state was given another name, and one annotation has the old one."""

from __future__ import annotations

from callflow import Call, Failed, Flow, Hangup, Menu, Say, key

C = Call[None]


class Main(Menu[None], prompt="menu.wav"):
    @key("1")
    def hours(self, call: C) -> OpeningHours:
        return OpeningHours()

    @key("2")
    def hours_again(self, call: C) -> OpenHours:  # finds: unknown-target
        return OpeningHours()

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


class OpeningHours(Say[None], prompt="hours.wav"):
    def then(self, call: C) -> Goodbye:  # finds: unknown-target
        return Bye()


class Bye(Hangup[None], prompt="bye.wav"):
    """The end."""


shop = Flow("shop", start=Main)
