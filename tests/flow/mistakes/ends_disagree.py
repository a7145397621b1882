"""The end of a sub-flow carries something else than the sub-flow says that it gives back."""

from __future__ import annotations

from attrs import define

from callflow import Call, Done, Flow, Hangup, Say, SubFlow


@define
class Caller:
    number: str = ""


C = Call[Caller]


class Count(Say[Caller], prompt="counting.wav"):
    def then(self, call: C) -> Done[str]:
        return Done("three")


class Counting(SubFlow[Caller, int], start=Count):  # caught by: import
    def on_done(self, call: C, result: int) -> Bye:
        return Bye()


class Bye(Hangup[Caller], prompt="bye.wav"):
    """The end."""


bank = Flow("bank", start=Counting, data=Caller)
