"""What a ``start`` and its connection say together: the line's audio, the parameters, and which call it is."""

from __future__ import annotations

from collections.abc import Mapping

from callflow.call.accepted import Socket
from callflow.call.driver import Driver
from callflow.call.journal import Kind
from callflow.wire.audio import AudioFormat, known_encoding, line_format
from callflow.wire.messages import Start
from callflow.wire.parameters import RATE_NAMES, TOKEN_PARAMETER, merge_parameters


def line_of(start: Start, socket: Socket, codec: str) -> AudioFormat:
    """Find the rate and coding of a line."""
    form = start.media_format
    return line_format(codec, form.encoding, form.sample_rate, socket.rate)


def note_oddities(start: Start, socket: Socket, driver: Driver) -> None:
    """Write down what is odd about the rate and coding of a line."""
    form = start.media_format
    if not known_encoding(form.encoding):
        driver.note(Kind.ODD, "encoding", encoding=form.encoding[:64])
    if form.sample_rate is not None and socket.rate is not None and form.sample_rate != socket.rate:
        driver.note(Kind.ODD, "rate", start=form.sample_rate, url=socket.rate)


def parameters_of(start: Start, socket: Socket, connected: Mapping[str, str]) -> dict[str, str]:
    """Give the custom parameters of a call, wherever they came."""
    merged = merge_parameters(start=start.parameters, connected=connected, url=socket.parameters)
    if socket.shown is not None:
        merged.pop(TOKEN_PARAMETER, None)  # Exotel hands the URL's query back, and this part of it is a secret
    return {name: text for name, text in merged.items() if name not in RATE_NAMES}


def is_same(one: Start, other: Start) -> bool:
    """Say whether two ``start`` are of the same call: the same ``CallSid``, account and numbers."""
    return _identity(one) == _identity(other)


def _identity(start: Start) -> tuple[str, str, str, str]:
    return (start.call_sid, start.account_sid, start.caller, start.called)
