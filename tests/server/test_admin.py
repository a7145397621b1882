"""The admin listener: what it answers, and to whom."""

from __future__ import annotations

import base64

import pytest
import trio
from trio.testing import MockClock

from callflow.call.port import PortStream
from callflow.errors import ListenError
from callflow.line.memory import memory_pair
from callflow.server.admin import open_admin, read_admin_entry
from callflow.server.entry import Entry, read_entry
from callflow.server.serve import Server
from callflow.server.settings import Settings
from examples.echo import echo
from tests.certificates import shared_certificate
from tests.server.asking import HERE, Answer, read_answer, read_to_end

LOCAL = "Host: localhost:9100"
KEY = "Authorization: Basic " + base64.b64encode(b"admin:word").decode()
EXOTEL = "Authorization: Basic " + base64.b64encode(b"exotel:word").decode()
GUARDED = Settings(credentials=("exotel:word",), admin_credentials=("admin:word",))


async def ask(
    settings: Settings, *headers: str, path: str = "/metrics", method: str = "GET", peer: str = HERE
) -> Answer:
    """Ask the admin listener of a server."""
    server = Server(echo, settings)
    client, port = memory_pair(names=(peer, "server:1"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.admin.serve, port)
        lines = "".join(f"{header}\r\n" for header in headers)
        await PortStream(client).send_all(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode())
        received = await read_to_end(client)
        client.close()
    return read_answer(received, method.encode())


async def test_without_an_address_for_operators_nothing_is_opened() -> None:
    assert await open_admin(Settings()) == []


async def test_the_address_for_operators_is_listened_on() -> None:
    [listener] = await open_admin(Settings(admin="127.0.0.1:0"))
    async with listener:
        host, port = listener.socket.getsockname()

    assert (host, port > 0) == ("127.0.0.1", True)


async def test_an_address_for_operators_that_is_taken_is_named_with_its_flag() -> None:
    [taken] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with taken:
        address = "{}:{}".format(*taken.socket.getsockname())
        with pytest.raises(ListenError) as refused:
            await open_admin(Settings(admin=address))

    assert (address in str(refused.value), "--admin" in str(refused.value)) == (True, True)


async def test_metrics_are_answered_on_this_machine(autojump_clock: MockClock) -> None:
    answer = await ask(Settings(), LOCAL)

    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert answer.body.startswith(b"# HELP callflow_build_info ")


@pytest.mark.parametrize(
    ("settings", "headers", "status"),
    [
        (Settings(), [LOCAL], 200),
        (Settings(), ["Host: calls.example.com:9100"], 403),
        (Settings(), [LOCAL, "X-Forwarded-For: 203.0.113.7"], 403),
        (GUARDED, [LOCAL], 401),
        (GUARDED, [LOCAL, EXOTEL], 401),
        (GUARDED, [LOCAL, KEY], 200),
        (GUARDED, ["Host: calls.example.com:9100", KEY], 200),
    ],
)
async def test_who_may_ask(settings: Settings, headers: list[str], status: int, autojump_clock: MockClock) -> None:
    assert (await ask(settings, *headers)).status == status


@pytest.mark.parametrize(
    ("path", "method", "status"), [("/stream", "GET", 404), ("/passthru", "GET", 404), ("/metrics", "POST", 405)]
)
async def test_nothing_of_the_public_port_is_here(
    path: str, method: str, status: int, autojump_clock: MockClock
) -> None:
    assert (await ask(Settings(), LOCAL, path=path, method=method)).status == status


async def test_no_stream_is_here(autojump_clock: MockClock) -> None:
    upgrade = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
    sent = [LOCAL, *upgrade, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]

    assert (await ask(Settings(), *sent, path="/stream")).status == 404


@pytest.mark.parametrize(("admin", "is_secure"), [("9100", False), ("127.0.0.1:9100", False), ("0.0.0.0:9100", True)])
def test_it_speaks_tls_where_others_reach_it_and_the_public_port_does(admin: str, is_secure: bool) -> None:
    files = shared_certificate()
    settings = Settings(admin=admin, tls_certificate=str(files.certificate), tls_key=str(files.key))

    assert (read_admin_entry(settings, read_entry(settings)).tls is not None) is is_secure


def test_without_credentials_of_its_own_it_has_none() -> None:
    assert read_admin_entry(Settings(credentials=("exotel:word",)), Entry()) == Entry()
