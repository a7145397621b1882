"""Two handlers of a menu have the same key."""

from __future__ import annotations

from attrs import define

from callflow import Call, Failed, Flow, Hangup, Menu, key


@define
class Caller:
    number: str = ""


C = Call[Caller]


class Welcome(Menu[Caller], prompt="welcome.wav"):
    @key("1")
    def sales(self, call: C) -> Bye:
        return Bye()

    @key("2", "1")
    def service(self, call: C) -> Bye:  # caught by: import
        return Bye()

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


class Bye(Hangup[Caller], prompt="bye.wav"):
    """The end."""


bank = Flow("bank", start=Welcome, data=Caller)
