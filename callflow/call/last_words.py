"""Last words: what a call that is taken from its flow still hears."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from callflow.call.driver import Driver
from callflow.call.live import LiveCall
from callflow.flow.prompts import Prompt
from callflow.session.inputs import EndCause


@frozen
class LastWords:
    """What is said, and how the call is closed behind it."""

    prompt: Prompt
    cause: EndCause
    code: int


async def say_to_the_end(words: LastWords, call: LiveCall[Any], driver: Driver) -> None:
    """Say them and wait for their fate; if they are lost with the line, so be it.

    Raises:
        AudioError: A file is absent or not of the line's rate.
        FlowError: They cannot be played.

    Cancellation:
        They play on.
    """
    playback = call.begin(words.prompt, None)
    while playback.entry.result is None:
        await driver.mailbox.wait()
        driver.mailbox.take()  # its fate comes with an event; nobody is left for keys and the like
