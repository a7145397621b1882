"""The name of a handler is mistyped."""

from __future__ import annotations

from attrs import define

from callflow import Call, Flow, Hangup, State


@define
class Caller:
    number: str = ""


C = Call[Caller]


class Welcome(State[Caller], timeout=5.0):
    def on_timout(self, call: C) -> Bye:  # caught by: import
        return Bye()

    def on_timeout(self, call: C) -> Bye:
        return Bye()


class Bye(Hangup[Caller], prompt="bye.wav"):
    """The end."""


bank = Flow("bank", start=Welcome, data=Caller)
