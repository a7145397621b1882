"""A handler returns a state that its annotation does not name."""

from __future__ import annotations

from attrs import define

from callflow import Call, Failed, Flow, Hangup, Menu, key


@define
class Caller:
    number: str = ""


C = Call[Caller]


class Welcome(Menu[Caller], prompt="welcome.wav"):
    @key("1")
    def again(self, call: C) -> Welcome:
        return Bye()  # caught by: mypy, pyright

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


class Bye(Hangup[Caller], prompt="bye.wav"):
    """The end."""


bank = Flow("bank", start=Welcome, data=Caller)
