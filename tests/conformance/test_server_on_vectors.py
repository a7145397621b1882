"""The server answers each stored session, and what it sends keeps every rule of its side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
import trio.testing
from attrs import frozen
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from callflow import Flow
from callflow.call.port import PortStream
from callflow.line.memory import MemoryNetwork
from callflow.server.serve import Server
from callflow.server.settings import Settings
from callflow.testing.rules import Verdict, check
from callflow.testing.witness import witnessed
from tests.properties.flows import make_flows, write_prompts

VECTORS = sorted((Path(__file__).parent / "vectors").glob("*.jsonl"))


@frozen
class Line:
    """One line of a stored session."""

    at: float
    """Seconds since the session began."""
    connection: int
    content: dict[str, Any]


def lines_of(path: Path) -> list[Line]:
    """Read what Exotel did: messages, and the transport's events."""
    stored = [msgspec.json.decode(text, type=dict[str, Any]) for text in path.read_bytes().splitlines()]
    return [Line(one["at_ms"] / 1000, one.get("conn", 1), one) for one in stored if one["dir"] == "in"]


async def play(lines: list[Line], network: MemoryNetwork) -> None:
    """Do what Exotel did, when it did it, on one connection."""
    async with trio.open_nursery() as nursery:
        port = await network.dial()
        target = next((one.content["ws"]["target"] for one in lines if "ws" in one.content), "/stream")
        query = target.partition("?")[2]
        resource = "/stream" + (f"?{query}" if query else "")
        stream: Any = PortStream(port)  # any Trio stream will do, whatever the annotation says
        socket = await wrap_client_stream(nursery, stream, "bot.example.com", resource)
        nursery.start_soon(_drain, socket)
        began = trio.current_time() - lines[0].at
        for line in lines[1:]:
            await trio.sleep_until(began + line.at)
            if "msg" in line.content and socket.closed is None:
                await socket.send_message(msgspec.json.encode(line.content["msg"]).decode())
        port.close(reset=True)
        nursery.cancel_scope.cancel()


async def _drain(socket: WebSocketConnection) -> None:
    try:
        while True:
            await socket.get_message()
    except ConnectionClosed:
        return


async def answer(flow: Flow[Any], lines: list[Line]) -> Server:
    """Serve one stored session."""
    server = Server(flow, Settings())
    server.load()
    async with trio.open_nursery() as nursery:
        network = MemoryNetwork()
        network.listen(server.connect, nursery)
        for connection in sorted({line.connection for line in lines}):
            await play([line for line in lines if line.connection == connection], network)
        await trio.sleep(20)  # virtual: the grace in which a call ends, lost lines included
        nursery.cancel_scope.cancel()
    return server


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_what_the_server_sends_keeps_every_rule(path: Path, tmp_path: Path) -> None:
    write_prompts(tmp_path)
    flow, lines = make_flows(tmp_path)["talks"], lines_of(path)
    streams = sum(line.content.get("msg", {}).get("event") == "start" for line in lines)

    with witnessed() as witness:
        server = trio.run(answer, flow, lines, clock=trio.testing.MockClock(autojump_threshold=0))

    verdict: Verdict = sum((check(log, notice=0.0) for log in witness.logs), Verdict((), (), {}))
    assert verdict.breaches == ()
    assert sum(record.links for record in server.records) == streams
