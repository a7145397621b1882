"""What passes on a line, read once for all who look at it: the far end, its log, and whoever judges both. Pure."""

from __future__ import annotations

import functools

from attrs import frozen

from callflow.errors import MalformedMessage
from callflow.wire.exotel import decode
from callflow.wire.messages import Message


@frozen
class Malformed:
    """A WebSocket message that is no AgentStream message."""

    reason: str


@functools.lru_cache(maxsize=256)
def read(text: str | bytes) -> Message | Malformed:
    """Read the content of a frame. Where a simulation has both ends of a line, the second one finds it read."""
    try:
        return decode(text)
    except MalformedMessage as broken:
        return Malformed(broken.reason)
