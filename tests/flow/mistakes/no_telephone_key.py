"""A key is on no telephone."""

from __future__ import annotations

from attrs import define

from callflow import Call, Failed, Flow, Hangup, Menu, key


@define
class Caller:
    number: str = ""


C = Call[Caller]


class Welcome(Menu[Caller], prompt="welcome.wav"):
    @key("10")  # caught by: import
    def sales(self, call: C) -> Bye:
        return Bye()

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


class Bye(Hangup[Caller], prompt="bye.wav"):
    """The end."""


bank = Flow("bank", start=Welcome, data=Caller)
