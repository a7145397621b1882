"""A branch of a handler ends without a state."""

from __future__ import annotations

from attrs import define

from callflow import Call, Flow, Hangup, Say


@define
class Caller:
    number: str = ""


C = Call[Caller]


class Welcome(Say[Caller], prompt="welcome.wav"):
    def then(self, call: C) -> Bye:  # caught by: mypy, pyright
        if call.data.number:
            return Bye()


class Bye(Hangup[Caller], prompt="bye.wav"):
    """The end."""


bank = Flow("bank", start=Welcome, data=Caller)
