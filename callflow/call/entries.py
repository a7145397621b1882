"""What the journal says of what is fed to the session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from callflow.call.journal import Kind
from callflow.session.inputs import Hangup, Input, SendClear, SendMark, SendMedia, TimerDue, Verdict
from callflow.wire.messages import Clear, Dtmf, Mark, Media, Start, Stop

Details = Mapping[str, str | int | float]

UNWRITTEN = (Media, SendMedia, Dtmf)
"""What has no entry of this kind unless it is odd: audio is too much for that, and keys have their own."""


def describe(event: Input, verdict: Verdict) -> tuple[Kind, Details]:
    """Say what kind of entry an input makes, and its details."""
    if verdict in (Verdict.ODD, Verdict.FAULT, Verdict.IGNORED):
        return Kind.ODD, {}
    match event:
        case Start() | Mark() | Clear() | Stop():
            return Kind.MESSAGE, {**_told_by(event), "side": "in"}
        case SendMark() | SendClear():
            return Kind.MESSAGE, {**_told_by(event), "side": "out"}
        case TimerDue():
            return Kind.TIMER, {}
        case Hangup():
            return Kind.END, {"cause": event.cause.value, "code": event.code}
        case _:
            return Kind.LINK, {}


def _told_by(message: Start | Mark | Clear | Stop | SendMark | SendClear) -> Details:
    match message:
        case Mark() | SendMark():
            return {"name": message.name}
        case Start():
            return {"stream_sid": message.stream_sid}
        case Stop():
            return {"text": message.text[:64]}
        case Clear() | SendClear():
            return {}
        case _:
            assert_never(message)
