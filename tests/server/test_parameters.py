"""Custom parameters of a call, wherever Exotel puts them (D12)."""

from __future__ import annotations

from typing import Any

from trio.testing import MockClock

from callflow.wire.exotel import encode
from callflow.wire.messages import Connected, Start
from tests.call.far_end import UPGRADE, Peer, text
from tests.call.stage import serving
from tests.server.doors import make_flow


async def test_parameters_come_from_three_places(autojump_clock: MockClock) -> None:
    notes: list[Any] = []
    async with serving(make_flow(notes=notes)) as stage:
        peer = Peer(await stage.network.dial())
        target = b" /stream?a=url&b=url&c=url&d=two%20words&sample-rate=8000 "
        connected = Connected(parameters={"a": "connected", "b": "connected"})
        start = Start(
            stream_sid="s1", call_sid="c1", parameters={"a": "start", "d": "two%20words", "sample_rate": "8000"}
        )
        await peer.send(UPGRADE.replace(b" /stream ", target), text(encode(connected)), text(encode(start)))
        peer.port.close()

    assert notes[0].parameters == {"a": "start", "b": "connected", "c": "url", "d": "two words"}
