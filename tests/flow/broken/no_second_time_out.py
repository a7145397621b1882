"""A time-out comes once. Who stays at it stays for as long as the call lasts."""

from __future__ import annotations

from callflow import Call, Dtmf, Flow, Hangup, State

C = Call[None]


class Hold(State[None], timeout=20.0):
    async def run(self, call: C) -> None:
        await call.play("hold.wav")

    def on_dtmf(self, call: C, key: Dtmf) -> Bye:
        return Bye()

    def on_timeout(self, call: C) -> Bye | None:  # finds: no-timeout
        return Bye() if call.now() > 60.0 else None


class Bye(Hangup[None], prompt="bye.wav"):
    """The end."""


shop = Flow("shop", start=Hold)
