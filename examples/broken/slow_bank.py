"""A balance, asked of the bank while the caller waits."""

from __future__ import annotations

import trio

from callflow import Call, Flow, Hangup, Say, State
from examples.broken import BANK

C = Call[None]


class Bank:
    """Stands for a bank that answers at once."""

    async def balance(self, number: str) -> int:
        """Give a balance in rupees, or raise ``ConnectionError``."""
        await trio.sleep(0.2)
        return 0


class Welcome(Say[None], prompt="welcome.wav"):
    def then(self, call: C) -> LookUp:
        return LookUp()


class LookUp(State[None], timeout=600.0):
    async def run(self, call: C) -> Balance | Slow:
        try:
            await call.get(Bank).balance(call.caller)
        except ConnectionError:
            return Slow()
        return Balance()

    def on_timeout(self, call: C) -> Slow:
        return Slow()


class Balance(Hangup[None], prompt=("balance_is.wav", "zero.wav", "rupees.wav")):
    """The answer."""


class Slow(Hangup[None], prompt="slow.wav"):
    """The bank is slow or down."""


line = Flow("slow-bank", start=Welcome, provide=[Bank()], prompts=BANK)
