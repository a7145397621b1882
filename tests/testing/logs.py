"""Words to write wire logs with."""

from __future__ import annotations

from callflow.session.inputs import Started
from callflow.testing.wirelog import Arrival, Entry, Fact, Opened, Side, WireLog
from callflow.wire.messages import Clear, Connected, Dtmf, Mark, Media, Start, Stop
from tests.testing.model_server import OWN, speech

IN, OUT, APP = Side.IN, Side.OUT, Side.APP
Line = tuple[float, Side, Arrival | Fact]

START = Start(stream_sid=OWN, call_sid="call")
OTHER = Start(stream_sid="other", call_sid="call")
OPENING: list[Line] = [(0.0, IN, Opened()), (0.0, IN, Connected()), (0.0, IN, START), (0.0, APP, Started(START))]
STOP = Stop(stream_sid=OWN)
SPEECH = speech(1, 6400)
CLEAR = Clear(stream_sid=OWN)


def media(payload: bytes = SPEECH[:3200], sid: str = OWN, **numbers: float) -> Media:
    return Media(payload=payload, stream_sid=sid, **numbers)  # type: ignore[arg-type]  # counters are whole here


def mark(name: str, number: int | None = None) -> Mark:
    return Mark(name=name, stream_sid=OWN, sequence_number=number)


def key(digit: str, number: int | None = None) -> Dtmf:
    return Dtmf(digit=digit, stream_sid=OWN, sequence_number=number)


def log(*lines: Line, crossing: float = 0.0) -> WireLog:
    """Write a log; what is not said otherwise happens in a stream that has begun."""
    return WireLog([Entry(*line) for line in lines], crossing=crossing)


def stream(*lines: Line, crossing: float = 0.0) -> WireLog:
    return log(*OPENING, *lines, crossing=crossing)
