"""Listening to a call between two others, for Exotel's Stream applet: who talks how long, and how long nobody does.

``callflow serve examples/tap.py``. The applet sends both voices mixed and plays nothing, so this flow has no words.
"""

from __future__ import annotations

import logging
from typing import Protocol, runtime_checkable

from attrs import define

from callflow import EndedCall, Flow, Speech, Tap, TapCall

log = logging.getLogger("examples.tap")


@define
class Talk:
    """What was heard of one call."""

    seconds: float = 0.0
    """Of speech, pauses within a sentence included."""
    turns: int = 0
    """How often somebody began to speak."""


@runtime_checkable
class Report(Protocol):
    """Takes what was found."""

    def tell(self, call_sid: str, talk: Talk, seconds: float) -> None:
        """Take the talk of one call that lasted so many seconds."""


class Log:
    """Writes it to the log."""

    def tell(self, call_sid: str, talk: Talk, seconds: float) -> None:
        log.info("%s: %.1f of %.1f s were speech, in %d turns", call_sid, talk.seconds, seconds, talk.turns)


class Listen(Tap[Talk]):
    def on_speech(self, call: TapCall[Talk], speech: Speech) -> None:
        call.data.turns += 1

    def on_speech_ended(self, call: TapCall[Talk], speech: Speech) -> None:
        call.data.seconds += speech.seconds

    def on_hangup(self, call: EndedCall[Talk]) -> None:
        call.get(Report).tell(call.call_sid, call.data, call.seconds)


tap = Flow("tap", start=Listen, data=Talk, provide=[Log()])
