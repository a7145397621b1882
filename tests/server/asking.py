"""Ask an ASGI app one thing over a connection in memory, as the door would let it be asked."""

from __future__ import annotations

import contextlib

import h11
import trio
from attrs import field, frozen
from starlette.types import ASGIApp

from callflow.call.port import PortStream
from callflow.line.memory import MemoryPort, memory_pair
from callflow.server.asgi import RequestServer
from callflow.server.head import HeadReader
from callflow.server.limits import Limits

HERE = "127.0.0.1:40000"


@frozen
class Answer:
    """A response as its reader sees it."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(factory=dict, eq=False)


async def ask(app: ASGIApp, request: bytes, *, peer: str = HERE, limits: Limits | None = None) -> Answer:
    """Send a whole request; give the answer."""
    client, server = memory_pair(names=(peer, "server:1"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, app, request, server, limits)
        received = await read_to_end(client)
        client.close()
    return read_answer(received, request.split(b" ")[0])


async def serve(app: ASGIApp, request: bytes, port: MemoryPort, limits: Limits | None = None) -> None:
    """Serve a request that was read already, then close the connection."""
    reader = HeadReader()
    head = reader.feed(request)
    assert head is not None
    await RequestServer(app, limits).serve(head, port, head.raw + reader.rest)
    port.close()


async def read_to_end(port: MemoryPort) -> bytes:
    """Read until the far end ends its direction."""
    stream, received = PortStream(port), b""
    while data := await stream.receive_some():
        received += data
    return received


async def send_on(port: MemoryPort, data: bytes, size: int, pause: float) -> None:
    """Send in pieces, with pauses, as long as somebody takes them."""
    with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        for at in range(0, len(data), size):
            await PortStream(port).send_all(data[at : at + size])
            await trio.sleep(pause)


def read_answer(received: bytes, method: bytes) -> Answer:
    """Read a response to a request of that method; fail if it is not exactly one."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("Host", "example")]))
    client.send(h11.EndOfMessage())
    client.receive_data(received)
    client.receive_data(b"")
    response, body = None, b""
    while not isinstance(event := client.next_event(), h11.EndOfMessage):
        if isinstance(event, h11.Response):
            response = event
        elif isinstance(event, h11.Data):
            body += event.data
    assert response is not None
    assert client.trailing_data == (b"", True)
    headers = {name.decode(): value.decode() for name, value in response.headers}
    return Answer(response.status_code, body, headers)
