"""A PIN in three tries."""

from __future__ import annotations

from attrs import define

from callflow import Call, CollectDigits, Flow, Hangup, Secret
from examples.broken import BANK

PIN = Secret("4129")
TRIES = 3


@define
class Caller:
    """What is known of a caller during one call."""

    wrong: int = 0


C = Call[Caller]


class Bye(Hangup[Caller], prompt="goodbye.wav"):
    """The end."""


class AskPin(CollectDigits[Caller], prompt="pin.wav", length=4, no_input="no_input.wav", failed=Bye):
    def on_digits(self, call: C, digits: Secret) -> Bye | AskAgain | Locked:
        if digits == PIN:
            return Bye()
        call.data.wrong += 1
        return Locked() if call.data.wrong > TRIES else AskAgain()


class AskAgain(AskPin, prompt="pin_wrong.wav"):
    """The PIN was wrong, and there are tries left."""


class Locked(Hangup[Caller], prompt="locked.wav"):
    """Too many wrong PINs."""


line = Flow("three-tries", start=AskPin, data=Caller, prompts=BANK)
