"""What is known of a connection before its call: what the upgrade said, and what the server's settings are."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import trio
from attrs import field, frozen

from callflow.call.link import Link
from callflow.session.timing import Timing


@frozen(kw_only=True)
class LineSettings:
    """What a call needs to know of the server's settings."""

    timing: Timing = Timing()
    codec: str = "auto"
    """``auto``, ``pcm16`` or ``mulaw`` (ruling on codecs)."""
    low_latency: bool = False
    """20 ms chunks and a lead of 0.16 s in place of 200 ms and 0.4 s."""
    counters: bool = True
    """Number our messages (D8)."""


def _nobody_counts() -> None:
    """Stand in where nobody counts sockets."""


@frozen(kw_only=True, eq=False)
class Socket:
    """What the upgrade said."""

    link: Link
    rate: int | None = None
    """``sample-rate`` of the stream URL, in hertz."""
    parameters: Mapping[str, str]
    """Its query."""
    shown: str | None = None
    """The ``CallSid`` whose token it showed."""
    closed: Callable[[], None] = _nobody_counts
    """Called when the link is closed for good; the call may go on without it."""
    reading: trio.CancelScope = field(factory=trio.CancelScope, init=False)
    """Cancelled when the call has no more use for the link; then it is closed in order."""
