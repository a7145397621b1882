"""A payment that the caller may stop by the star key while it goes through."""

from __future__ import annotations

import trio
from attrs import define

from callflow import Call, Confirm, Flow, Hangup, State, key
from examples.broken import BANK


@define
class Order:
    """What a caller pays for."""

    stopped: bool = False
    paid: bool = False

    def stop(self) -> bool:
        """Stop the payment, and say whether that was in time."""
        self.stopped = not self.paid
        return self.stopped


C = Call[Order]


class Till:
    """Stands for a till whose answers take longer than the payments."""

    async def pay(self, order: Order) -> None:
        """Make a payment unless it is stopped, and wait for the answer; may raise ``ConnectionError``."""
        await trio.sleep(0.5)
        order.paid = not order.stopped
        await trio.sleep(2.5)


class Bye(Hangup[Order], prompt="goodbye.wav"):
    """Nothing was paid."""


class Sure(Confirm[Order], prompt="menu_again.wav", failed=Bye):
    def on_yes(self, call: C) -> Pay:
        return Pay()

    def on_no(self, call: C) -> Bye:
        return Bye()


class Pay(State[Order], timeout=10.0):
    async def run(self, call: C) -> Paid | Slow:
        try:
            await call.get(Till).pay(call.data)
        except ConnectionError:
            return Slow()
        return Paid()

    @key("*")
    def stop(self, call: C) -> Bye | None:
        return Bye() if call.data.stop() else None

    def on_timeout(self, call: C) -> Slow:
        return Slow()


class Paid(Hangup[Order], prompt="goodbye.wav"):
    """The money is gone, and the caller knows."""


class Slow(Hangup[Order], prompt="slow.wav"):
    """Nobody knows yet."""


line = Flow("payment", start=Sure, data=Order, provide=[Till()], prompts=BANK)
