"""A line that floods: its call ends by policy, and calls beside it are not late."""

from __future__ import annotations

import contextlib

import pytest
import trio
from trio.testing import MockClock

from callflow import EndCause
from callflow.wire.exotel import encode
from callflow.wire.messages import Mark, Media
from examples.echo import echo
from tests.call.far_end import OPENING, PING, Peer, dialled, frame, text
from tests.call.stage import serving

FLOODS = {
    "pings": frame(PING),
    "audio": text(encode(Media(payload=bytes(320), stream_sid="stream"))),
    "marks": text(encode(Mark(name="of nobody", stream_sid="stream"))),
}


async def flood(peer: Peer, piece: bytes) -> None:
    """Send as fast as the server takes it, until it says that it has had enough."""
    rest = b""
    with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        while not peer.codes:
            rest = rest or piece * 100
            rest = rest[peer.port.try_send(rest) :]
            await trio.sleep(0.01)


@pytest.mark.parametrize("kind", ["pings", "audio", "marks"])
async def test_a_call_whose_line_floods_ends_by_policy(kind: str, autojump_clock: MockClock) -> None:
    async with serving(echo) as stage:
        peer = await dialled(stage.network, OPENING)
        with trio.move_on_after(30):
            await flood(peer, FLOODS[kind])
        codes = peer.codes
        peer.port.close()

    assert (codes, stage.record.cause, stage.server.door.failed) == ([1008], EndCause.POLICY, 0)
