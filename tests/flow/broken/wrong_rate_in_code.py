"""A prompt that code names has another rate than the flow."""

from __future__ import annotations

from callflow import Call, Flow, Hangup, State

C = Call[None]


class Queue(State[None], timeout=30.0):
    place: int = 1

    async def run(self, call: C) -> Bye:
        await call.play(("your_place.wav", "8000_hz.wav"))  # finds: prompt-file
        return Bye()

    def on_timeout(self, call: C) -> Bye:
        return Bye()


class Bye(Hangup[None], prompt="bye.wav"):
    """The end."""


shop = Flow("shop", start=Queue, rate=16000)
