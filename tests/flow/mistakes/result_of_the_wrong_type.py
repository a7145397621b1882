"""The result of a sub-flow is used as if it were of another type."""

from __future__ import annotations

from attrs import define

from callflow import Call, Done, Flow, Hangup, Say, SubFlow


@define
class Caller:
    tries: int = 0


C = Call[Caller]


class Count(Say[Caller], prompt="counting.wav"):
    def then(self, call: C) -> Done[int]:
        return Done(3)


class Counting(SubFlow[Caller, int], start=Count):
    def on_done(self, call: C, result: int) -> Bye:
        call.data.tries = result.upper()  # caught by: mypy, pyright
        return Bye()


class Bye(Hangup[Caller], prompt="bye.wav"):
    """The end."""


bank = Flow("bank", start=Counting, data=Caller)
