"""The next state is given data of the wrong type."""

from __future__ import annotations

from attrs import define

from callflow import Call, Flow, Hangup, Say


@define
class Caller:
    number: str = ""


C = Call[Caller]


class Welcome(Say[Caller], prompt="welcome.wav"):
    def then(self, call: C) -> Bye:
        return Bye("three")  # caught by: mypy, pyright


class Bye(Hangup[Caller], prompt="bye.wav"):
    tries: int


bank = Flow("bank", start=Welcome, data=Caller)
