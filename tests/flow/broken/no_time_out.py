"""A state waits for keys, and for a caller who presses none it waits for ever."""

from __future__ import annotations

from callflow import Call, Dtmf, Flow, Hangup, State

C = Call[None]


class Hold(State[None]):  # finds: no-timeout
    def on_dtmf(self, call: C, key: Dtmf) -> Bye:
        return Bye()

    def on_timeout(self, call: C) -> Bye:
        return Bye()


class Bye(Hangup[None], prompt="bye.wav"):
    """The end."""


shop = Flow("shop", start=Hold)
