"""A call that is over is given something to play."""

from __future__ import annotations

from attrs import define

from callflow import Call, EndedCall, Flow, Hangup, Say


@define
class Caller:
    number: str = ""


C = Call[Caller]


class Welcome(Say[Caller], prompt="welcome.wav"):
    def then(self, call: C) -> Bye:
        return Bye()


class Bye(Hangup[Caller], prompt="bye.wav"):
    def on_hangup(self, call: EndedCall[Caller]) -> None:
        call.start("sorry.wav")  # caught by: mypy, pyright


bank = Flow("bank", start=Welcome, data=Caller)
