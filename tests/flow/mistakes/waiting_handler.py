"""A handler waits."""

from __future__ import annotations

import trio
from attrs import define

from callflow import Call, Flow, Hangup, Say


@define
class Caller:
    number: str = ""


C = Call[Caller]


class Welcome(Say[Caller], prompt="welcome.wav"):
    async def then(self, call: C) -> Bye:  # caught by: import, mypy, pyright
        await trio.sleep(1.0)
        return Bye()


class Bye(Hangup[Caller], prompt="bye.wav"):
    """The end."""


bank = Flow("bank", start=Welcome, data=Caller)
