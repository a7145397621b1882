"""A script asks a web server through a function that waits without Trio."""

from __future__ import annotations

import urllib.request

from callflow import Call, Flow, Hangup, State

C = Call[None]


def stock_of(article: str) -> int:
    with urllib.request.urlopen(f"https://stock.example/{article}") as answer:  # finds: blocking-call
        return int(answer.read())


class LookUp(State[None], timeout=5.0):
    async def run(self, call: C) -> Bye:
        if stock_of("lamp") > 0:
            await call.play("in_stock.wav")
        return Bye()

    def on_timeout(self, call: C) -> Bye:
        return Bye()


class Bye(Hangup[None], prompt="bye.wav"):
    """The end."""


shop = Flow("shop", start=LookUp)
