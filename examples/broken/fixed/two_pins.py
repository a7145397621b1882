"""A PIN in two tries, on a line that may be lost and come back."""

from __future__ import annotations

from callflow import Call, CollectDigits, Flow, Hangup, Resumed, Secret
from examples.broken import BANK

PIN = Secret("4129")
TRIES = 2

C = Call[None]


class Bye(Hangup[None], prompt="goodbye.wav"):
    """The end."""


class AskPin(CollectDigits[None], prompt="pin.wav", length=4, no_input="no_input.wav", failed=Bye):
    wrong: int = 0

    def on_digits(self, call: C, digits: Secret) -> Bye | AskAgain | Locked:
        if digits == PIN:
            return Bye()
        wrong = self.wrong + 1
        return Locked() if wrong >= TRIES else AskAgain(wrong)

    def on_resumed(self, call: C, gap: Resumed) -> AskPin:
        return AskPin(self.wrong)


class AskAgain(AskPin, prompt="pin_wrong.wav"):
    """The PIN was wrong, and there is a try left."""


class Locked(Hangup[None], prompt="locked.wav"):
    """Too many wrong PINs."""


line = Flow("two-pins", start=AskPin, prompts=BANK)
