"""A target's name is mistyped."""

from __future__ import annotations

from attrs import define

from callflow import Call, Flow, Hangup, Say


@define
class Caller:
    number: str = ""


C = Call[Caller]


class Welcome(Say[Caller], prompt="welcome.wav"):
    def then(self, call: C) -> Byee:  # caught by: import, mypy, pyright
        return Bye()


class Bye(Hangup[Caller], prompt="bye.wav"):
    """The end."""


bank = Flow("bank", start=Welcome, data=Caller)
