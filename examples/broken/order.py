"""An order by key: the caller hears "one moment", and then it is placed."""

from __future__ import annotations

from attrs import define

from callflow import Call, Confirm, Flow, Hangup, State
from examples.broken import BANK


@define
class Basket:
    """What a caller wants."""

    ordered: bool = False


C = Call[Basket]


class Bye(Hangup[Basket], prompt="goodbye.wav"):
    """Ordered or not."""


class Sure(Confirm[Basket], prompt="menu_again.wav", failed=Bye):
    def on_yes(self, call: C) -> Place:
        return Place()

    def on_no(self, call: C) -> Bye:
        return Bye()


class Place(State[Basket], timeout=10.0):
    async def run(self, call: C) -> Ordered:
        try:
            await call.play("one_moment.wav")
        finally:
            call.data.ordered = True
        return Ordered()

    def on_timeout(self, call: C) -> Bye:
        return Bye()


class Ordered(Hangup[Basket], prompt="goodbye.wav"):
    """It is placed, and the caller was there."""


line = Flow("order", start=Sure, data=Basket, prompts=BANK)
