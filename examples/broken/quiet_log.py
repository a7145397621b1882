"""A PIN, and a log that tells how the check of it went."""

from __future__ import annotations

import logging

from callflow import Again, Call, CollectDigits, Flow, Hangup, Secret
from examples.broken import BANK

PIN = Secret("4129")

C = Call[None]

log = logging.getLogger("bank.pins")


class Bye(Hangup[None], prompt="goodbye.wav"):
    """The end."""


class AskPin(CollectDigits[None], prompt="pin.wav", length=4, no_match="pin_wrong.wav", failed=Bye):
    def on_digits(self, call: C, digits: Secret) -> Bye | Again:
        right = digits == PIN
        log.info("pin %s", digits.reveal() if right else "refused", extra={"call": call.call_id})
        return Bye() if right else Again("no match")


line = Flow("quiet-log", start=AskPin, prompts=BANK)
