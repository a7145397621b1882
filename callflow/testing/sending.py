"""Sends timed frames to a server over a WebSocket, and notes what comes back: a telephone that nobody holds."""

from __future__ import annotations

from collections.abc import Sequence

import trio
from attrs import define, field

from callflow.line.dialling import Dial, Link, Upgrade, alone, connect
from callflow.line.profile import CONFORMANT

CLOSE_SECONDS = 5.0
"""Longest time that a server may take to answer a close frame."""


@define
class Delivery:
    """What a server did while something was sent to it."""

    received: list[tuple[float, str | bytes]] = field(factory=list)
    """What it sent, with the seconds since the handshake."""
    closed_at: float | None = None
    """Seconds since the handshake when it closed the connection; None if it did not before the sender's end."""
    close_code: int | None = None
    """Its code; 1006 for none."""


async def deliver(
    frames: Sequence[tuple[float, str | bytes]],
    dial: Dial,
    *,
    closes_at: float,
    close_code: int,
    target: str = "/stream",
) -> Delivery:
    """Send frames at their moments, then end the connection.

    Args:
        frames: Seconds since the handshake, and content; in order.
        dial: Opens the connection.
        closes_at: Seconds since the handshake to the end.
        close_code: 1006 for a reset, another for a close frame.
        target: Path of the stream URL.

    Raises:
        NotAnswered: The handshake failed.

    Cancellation:
        The connection is gone; what was sent is unknown.
    """
    upgrade = Upgrade(host="bot.example.com", resource=target, credentials=None)
    delivery = Delivery()
    with alone():
        async with trio.open_nursery() as nursery:
            link = await connect(dial, upgrade, CONFORMANT)
            began = trio.current_time()
            nursery.start_soon(_read, link, delivery, began)
            try:
                sent = await _send(link, frames, began)
                if sent:
                    await trio.sleep_until(began + closes_at)
                server_was_first = not sent or delivery.closed_at is not None
                with trio.move_on_after(CLOSE_SECONDS):
                    await _end(link, close_code, waits=not sent)
            finally:
                link.socket.port.close(reset=True)
                nursery.cancel_scope.cancel()
    if not server_was_first:
        delivery.closed_at = delivery.close_code = None
    return delivery


async def _send(link: Link, frames: Sequence[tuple[float, str | bytes]], began: float) -> bool:
    """Send at the frames' moments; say whether the server was there for all of them."""
    for at, content in frames:
        await trio.sleep_until(began + at)
        if not await link.socket.send(content):
            return False
    return True


async def _read(link: Link, delivery: Delivery, began: float) -> None:
    while (text := await link.socket.receive()) is not None:
        delivery.received.append((trio.current_time() - began, text))
    delivery.closed_at, delivery.close_code = trio.current_time() - began, link.socket.code


async def _end(link: Link, code: int, *, waits: bool) -> None:
    if waits:
        await link.socket.wait_closed()  # the server was first; the reader is about to note how
    elif code != 1006:
        await link.socket.close(code)
