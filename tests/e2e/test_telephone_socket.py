"""The line simulator over a real loopback socket, in real time."""

from __future__ import annotations

import contextlib
from functools import partial

import pytest
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream

from callflow.call.port import PortStream, SocketPort
from callflow.line import NotAnswered, Telephone, dial_socket, passthru, place_call
from callflow.wire.exotel import Outgoing, decode
from callflow.wire.messages import Dtmf, Mark, Start

GREETING = b"a" * 3200


async def serve_call(connected: trio.SocketStream) -> None:
    """Answer a call: a key brings a greeting of 0.2 s, and its mark's echo a good-bye."""
    async with PortStream(SocketPort(connected)) as stream, trio.open_nursery() as nursery:
        socket = await (await wrap_server_stream(nursery, stream)).accept()
        with contextlib.suppress(ConnectionClosed):
            await converse(socket)


async def converse(socket: WebSocketConnection) -> None:
    say = Outgoing("", 16_000)
    while True:
        match decode(await socket.get_message()):
            case Start(stream_sid=sid):
                say = Outgoing(sid, 16_000)
            case Dtmf():
                await socket.send_message(say.media(GREETING))
                await socket.send_message(say.mark("greeting"))
            case Mark():
                await socket.aclose(1000)


async def serve_passthru(connected: trio.SocketStream) -> None:
    async with PortStream(SocketPort(connected)) as stream:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n")


async def call() -> Telephone:
    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, serve_call, 0, host="127.0.0.1"))
        port = listener.socket.getsockname()[1]
        async with place_call(lambda: dial_socket("127.0.0.1", port)) as phone:
            await phone.press("1")
            with trio.fail_after(10):
                await phone.ended.wait()
        nursery.cancel_scope.cancel()
    return phone


async def test_a_call_over_a_socket_is_heard_and_ended() -> None:
    phone = await call()

    assert (phone.ended_by, phone.close_code, [heard.audio for heard in phone.playout.heard]) == (
        "server",
        1000,
        [GREETING],
    )


async def test_a_call_over_a_socket_keeps_time() -> None:
    """The greeting is played in 0.2 s, not at once; how late its mark comes back is the machine's affair."""
    phone = await call()
    [asked, echoed] = [entry.at for entry in phone.log if isinstance(entry.message, Mark)]

    assert echoed - asked >= 0.199


async def test_a_passthru_over_a_socket_is_answered() -> None:
    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, serve_passthru, 0, host="127.0.0.1"))
        port = listener.socket.getsockname()[1]
        status = await passthru(lambda: dial_socket("127.0.0.1", port), call_sid="c1", before=True)
        nursery.cancel_scope.cancel()

    assert status == 302


async def test_a_port_where_nobody_listens_does_not_answer() -> None:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    await listener.aclose()

    with pytest.raises(NotAnswered):
        await place_call(lambda: dial_socket("127.0.0.1", port)).__aenter__()
