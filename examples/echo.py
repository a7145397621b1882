"""Echo: each of the caller's media messages goes back at once with the same bytes; a key clears what was not played.

The relay that benchmarks measure. Run it with ``callflow serve examples/echo.py``.
"""

from __future__ import annotations

import trio

from callflow import Call, Dtmf, Flow, Hangup, State

C = Call[None]


class Echo(State[None], timeout=1800.0):
    """Sends back what it hears."""

    async def run(self, call: C) -> None:
        call.tap(call.relay)
        await trio.sleep_forever()

    def on_dtmf(self, call: C, key: Dtmf) -> None:
        call.clear()

    def on_timeout(self, call: C) -> Done:
        return Done()


class Done(Hangup[None]):
    """Half an hour is enough."""


echo = Flow("echo", start=Echo, raw=True)
