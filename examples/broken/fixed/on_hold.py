"""Music until an agent is free, and word of it when nobody is."""

from __future__ import annotations

import trio

from callflow import Call, Flow, Hangup, State
from examples.broken import QUEUE

C = Call[None]


class Agents:
    """Stands for those who might take the call, on an evening on which nobody comes."""

    async def next_free(self) -> bool:
        """Wait for somebody; False when nobody will be free today. May raise ``ConnectionError``."""
        await trio.sleep(3.0)
        return False


class Hold(State[None], timeout=300.0):
    async def run(self, call: C) -> Connect | Over:
        music = call.start("music.wav", loop=True)
        try:
            if await call.get(Agents).next_free():
                return Connect()
        except ConnectionError:
            pass  # then nobody comes either
        music.stop()
        await call.play("nobody_free.wav")
        return Over()

    def on_timeout(self, call: C) -> Over:
        return Over()


class Connect(Hangup[None], prompt="connecting.wav", branch="B"):
    """Exotel rings the agent."""


class Over(Hangup[None]):
    """Whoever is still there."""


line = Flow("on-hold", start=Hold, provide=[Agents()], prompts=QUEUE)
