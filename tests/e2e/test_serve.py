"""The server on real sockets: it listens, counts its calls, and goes down in order when the system says so."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import time
from collections.abc import Sequence
from typing import Any

import pytest
import trio
import trio.testing
from attrs import frozen

from callflow import Flow
from callflow.call.port import PortStream
from callflow.cli.serve import answer
from callflow.errors import NotAnswered
from callflow.line import Profile, Telephone, dial_socket, passthru, place_call
from callflow.server.serve import Server
from callflow.server.settings import Settings
from callflow.session.inputs import EndCause
from examples.echo import echo
from tests.e2e.serving import ROOT, process, serving, wait_for

QUIET = Profile(keeps_sending_silence=False)


def calling(port: int, **line: Any) -> Any:
    """Place a call to a port of this machine."""
    return place_call(lambda: dial_socket("127.0.0.1", port), profile=QUIET, **line)


async def get(port: int, path: str) -> bytes:
    """Ask for something; give the first line of the answer."""
    async with PortStream(await dial_socket("127.0.0.1", port)) as stream:
        await stream.send_all(f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode())
        received = b""
        while data := await stream.receive_some():
            received += data
    return received.partition(b"\r\n")[0]


async def refusal(port: int) -> int | None:
    """Place a call that is expected to be refused; give the status."""
    try:
        async with calling(port):
            return None
    except NotAnswered as refused:
        return refused.status


async def over(phone: Telephone) -> None:
    with trio.fail_after(20):
        await phone.ended.wait()


# Answering.


async def test_a_server_listens_where_its_settings_say_and_tells_the_port() -> None:
    server = Server(echo, Settings(port=0))
    async with trio.open_nursery() as nursery:
        port: int = await nursery.start(server.run)
        lines = [await get(port, path) for path in ("/live", "/ready", "/stream", "/absent")]
        nursery.cancel_scope.cancel()

    assert [line.split()[1] for line in lines] == [b"200", b"200", b"426", b"404"]


async def test_every_call_leaves_one_record() -> None:
    async with serving(echo) as (server, port):
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(call_and_leave, port)
        await server.registry.wait_no_calls()

    records = server.records
    assert (len(records), len({record.call_id for record in records}), server.door.failed) == (10, 10, 0)


async def call_and_leave(port: int) -> None:
    async with calling(port) as phone:
        await phone.play(bytes(3_200))


async def test_a_port_that_is_taken_is_no_server() -> None:
    [taken] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with taken:
        with pytest.raises(OSError, match="in use"):
            await Server(echo, Settings(port=taken.socket.getsockname()[1])).run()


async def test_a_command_whose_port_is_taken_says_so_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    [taken] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with taken:
        port = taken.socket.getsockname()[1]
        code = await answer([echo], Settings(port=port), announced=lambda *_: None)

    said = capsys.readouterr().err
    assert (code, said) == (
        3,
        f"callflow: cannot listen on 127.0.0.1:{port}: Address already in use; "
        "stop what listens there, or give another --port\n",
    )


async def test_a_connection_that_is_gone_before_it_is_looked_at_is_nobody() -> None:
    server = Server(echo)
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        with socket.create_connection(listener.socket.getsockname()) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await server._come_in(await listener.accept())

    assert (server.door.gate.sockets, server.door.failed) == (0, 0)


# Going down, in this process: so that its insides can be seen.


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
async def test_a_server_without_calls_stops_when_it_is_told(told: signal.Signals) -> None:
    ports: list[int] = []

    def announced(flows: Sequence[Flow[Any]], settings: Settings, port: int) -> None:
        ports.append(port)
        signal.raise_signal(told)

    with trio.fail_after(5):
        code = await answer([echo], Settings(port=0), announced)

    assert (code, len(ports)) == (0, 1)


async def test_while_it_goes_down_callers_are_refused_and_passthrus_answered() -> None:
    server = Server(echo, Settings(port=0, drain=30.0))
    async with trio.open_nursery() as nursery:
        port: int = await nursery.start(server.run)
        async with calling(port, call_sid="c1") as phone:
            await phone.play(bytes(320))
            os.kill(os.getpid(), signal.SIGTERM)
            await trio.testing.wait_all_tasks_blocked(0.05)
            refused, ready = await refusal(port), await get(port, "/ready")
            behind = await passthru(lambda: dial_socket("127.0.0.1", port), call_sid="c1", before=False)

    assert (refused, ready.split()[1], behind, len(server.records)) == (503, b"503", 200, 1)


async def test_a_second_signal_means_now() -> None:
    server = Server(echo, Settings(port=0, drain=30.0))
    async with trio.open_nursery() as nursery:
        port: int = await nursery.start(server.run)
        async with calling(port) as phone:
            await phone.play(bytes(320))
            os.kill(os.getpid(), signal.SIGINT)
            await trio.testing.wait_all_tasks_blocked(0.05)
            still = not phone.ended.is_set()
            os.kill(os.getpid(), signal.SIGTERM)
            await over(phone)

    assert (still, phone.close_code) == (True, 1012)


async def test_a_port_that_is_left_is_closed_while_its_calls_go_on() -> None:
    server = Server(echo, Settings(port=0, drain=30.0, reuse_port=True))
    async with trio.open_nursery() as nursery:
        port: int = await nursery.start(server.run)
        async with calling(port) as phone:
            await phone.play(bytes(320))
            os.kill(os.getpid(), signal.SIGTERM)
            await trio.testing.wait_all_tasks_blocked(0.05)
            with pytest.raises(OSError, match="connect"):
                await dial_socket("127.0.0.1", port)
            still = not phone.ended.is_set()

    assert (still, server.ended) == (True, {EndCause.STOP: 1})


async def test_it_listens_no_more_when_it_has_stopped() -> None:
    server = Server(echo, Settings(port=0))
    async with trio.open_nursery() as nursery:
        port: int = await nursery.start(server.run)
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(OSError, match="connect"):
        await dial_socket("127.0.0.1", port)


# Going down, as a process of its own.


@frozen
class Stopped:
    """A process that was told to stop during a call."""

    code: int
    seconds: float
    """From telling it to its end."""
    phone: Telephone
    log: list[dict[str, Any]]
    """Each line of standard error."""


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    """Serve the echo line, call it, and tell it to stop while the call goes on."""
    words = ("serve", str(ROOT / "examples" / "echo.py"), "--port", "0", "--drain", "1", "--log-json")
    with process(*words, cwd=tmp_path_factory.mktemp("server")) as running:
        port = int(wait_for("--url", running).rpartition(":")[2].partition("/")[0])
        phone, told_at = trio.run(call_and_stop, port, running.pid)
        _, log = running.communicate(timeout=60)
        seconds = time.monotonic() - told_at
    return Stopped(running.returncode, seconds, phone, [json.loads(line) for line in log.splitlines()])


async def call_and_stop(port: int, server: int) -> tuple[Telephone, float]:
    """Call, tell the server to stop, and stay until it ends the call; give the moment of telling, too."""
    async with calling(port, call_sid="c0ffee", caller="+910000000105") as phone:
        await phone.play(bytes(320))
        told_at = time.monotonic()
        os.kill(server, signal.SIGTERM)
        await over(phone)
    return phone, told_at


def test_a_call_under_way_is_ended_with_1012_when_its_time_is_over(stopped: Stopped) -> None:
    assert (stopped.phone.ended_by, stopped.phone.close_code) == ("server", 1012)


def test_the_process_ends_in_order_and_within_its_time(stopped: Stopped) -> None:
    assert stopped.code == 0
    assert 1.0 <= stopped.seconds < 8.0  # drain, closing handshake, leaving; real machines are slow now and then


def test_its_log_is_json_from_the_first_line_to_the_last(stopped: Stopped) -> None:
    assert [line["event"] for line in stopped.log] == [
        "server started",
        "call started",
        "server draining",
        "server draining",
        "call ended",
        "server stopped",
    ]


def test_its_log_says_how_the_call_ended_and_not_who_called(stopped: Stopped) -> None:
    [record] = [line["record"] for line in stopped.log if line["event"] == "call ended"]

    assert (record["call_sid"], record["cause"], record["ended_by"], record["caller"]) == (
        "c0ffee",
        "drain",
        "server",
        "…05",
    )
