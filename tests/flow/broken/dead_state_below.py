"""A state stands below the flow, which therefore could not know of it when it was made."""

from __future__ import annotations

from callflow import Call, Flow, Hangup, Say

C = Call[None]


class Welcome(Say[None], prompt="welcome.wav"):
    def then(self, call: C) -> Bye:
        return Bye()


class Bye(Hangup[None], prompt="bye.wav"):
    """The end."""


shop = Flow("shop", start=Welcome)


class Closed(Hangup[None], prompt="closed.wav"):  # finds: dead-state
    """Was to be said at night."""
