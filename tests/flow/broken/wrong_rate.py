"""A prompt has the rate of music, not of the telephone."""

from __future__ import annotations

from callflow import Call, Flow, Hangup, Say

C = Call[None]


class Welcome(Say[None], prompt=("welcome.wav", "44100_hz.wav")):  # finds: prompt-file
    def then(self, call: C) -> Bye:
        return Bye()


class Bye(Hangup[None], prompt="bye.wav"):
    """The end."""


shop = Flow("shop", start=Welcome)
