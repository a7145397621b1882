"""A state is imported for type checkers only, so that the flow cannot see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callflow import Call, Flow, Say

if TYPE_CHECKING:
    from elsewhere import Bye

C = Call[None]


class Welcome(Say[None], prompt="welcome.wav"):
    def then(self, call: C) -> Bye:  # finds: unknown-target
        return Bye()


shop = Flow("shop", start=Welcome)
