"""A queue: music that goes round, one's place every 20 seconds, and an agent when it is one's turn.

``callflow serve examples/queue.py``. In Exotel's flow a Passthru behind the Voicebot applet sends whoever leaves by
``Connecting`` to its branch B, where a Connect applet rings the agents; callers who waited in vain go to branch A.
"""

from __future__ import annotations

import trio
from attrs import Factory, define

from callflow import Call, Flow, Hangup, Prompt, Say, State

EVERY = 20.0
"""Seconds of music between two announcements."""

C = Call[None]


@define
class Desk:
    """Who waits for an agent, first come first served. A call centre's own service stands here in truth."""

    takes: float = 45.0
    """Seconds until an agent is free for whoever is first."""
    _waiting: list[str] = Factory(list[str])
    _moved: trio.Event = Factory(trio.Event)

    async def agent(self, call_id: str) -> None:
        """Join the queue, and wait until an agent is free.

        Cancellation:
            The caller has left the queue.
        """
        self._waiting.append(call_id)
        try:
            while self._waiting[0] != call_id:
                await self._moved.wait()
            await trio.sleep(self.takes)
        finally:
            self._waiting.remove(call_id)
            self._moved.set()
            self._moved = trio.Event()

    def place(self, call_id: str) -> int:
        """Say which place a waiting call has, from 1."""
        return self._waiting.index(call_id) + 1


class Welcome(Say[None], prompt="welcome.wav", barge_in=None):
    def then(self, call: C) -> Waiting:
        return Waiting()


class Waiting(State[None], timeout=900.0):
    """Waits for an agent. A lost line that is back finds its place kept: ``run`` went on, and now the music does."""

    async def run(self, call: C) -> Connecting:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._entertain, call)
            await call.get(Desk).agent(call.call_id)
            nursery.cancel_scope.cancel()
        return Connecting()

    async def _entertain(self, call: C) -> None:
        await call.play(self._place(call))
        music = call.start("music.wav", loop=True)
        while True:
            await trio.sleep(EVERY)
            music.pause()
            await call.play(self._place(call))
            music.resume()

    def _place(self, call: C) -> Prompt:
        place = call.get(Desk).place(call.call_id)
        return ("you_are_number.wav", f"{place}.wav", "in_the_queue.wav") if place <= 5 else "among_the_next.wav"

    def on_timeout(self, call: C) -> NobodyFree:
        return NobodyFree()

    def on_error(self, call: C, error: Exception) -> NobodyFree:
        return NobodyFree()


class Connecting(Hangup[None], prompt="connecting.wav", branch="B"): ...


class NobodyFree(Hangup[None], prompt="nobody_free.wav"): ...


queue = Flow("queue", start=Welcome, prompts="prompts/queue", provide=[Desk()])
