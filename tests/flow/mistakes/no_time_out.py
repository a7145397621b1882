"""A state waits, and nothing ends the waiting."""

from __future__ import annotations

from attrs import define

from callflow import Call, Dtmf, Flow, Hangup, State


@define
class Caller:
    number: str = ""


C = Call[Caller]


class Welcome(State[Caller]):  # caught by: import
    def on_dtmf(self, call: C, key: Dtmf) -> Bye:
        return Bye()

    def on_timeout(self, call: C) -> Bye:
        return Bye()


class Bye(Hangup[Caller], prompt="bye.wav"):
    """The end."""


bank = Flow("bank", start=Welcome, data=Caller)
