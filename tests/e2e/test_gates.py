"""Who may come in, on real sockets: TLS, proxies, the allow-list, public addresses, and SIGHUP on a live server."""

from __future__ import annotations

import json
import os
import signal
import ssl
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from callflow.call.port import BytePort, PortStream
from callflow.cli.call import call
from callflow.errors import NotAnswered, SettingsError
from callflow.line import Profile, Telephone, dial_socket, dial_tls, place_call
from callflow.server.serve import Server
from callflow.server.settings import Settings
from examples.echo import echo
from tests.certificates import CertificateFiles, client_context, make_certificate
from tests.e2e.processes import Process
from tests.e2e.serving import ROOT, process, serving, wait_for
from tests.server.test_proxy_protocol import tcp

QUIET = Profile(keeps_sending_silence=False)
ECHO = str(ROOT / "examples" / "echo.py")


@pytest.fixture
def files(tmp_path: Path) -> CertificateFiles:
    return make_certificate(tmp_path)


def calling(port: int, context: ssl.SSLContext | None = None, **line: Any) -> Any:
    """Place a call to a port of this machine, over TLS if there is a context."""

    async def dial() -> BytePort:
        if context is None:
            return await dial_socket("127.0.0.1", port)
        return await dial_tls("127.0.0.1", port, context, name="localhost")

    return place_call(dial, profile=QUIET, **line)


async def said_back(phone: Telephone, pcm: bytes) -> bool:
    """Say something to the echo line, and hear whether it comes back."""
    before = phone.bytes_heard
    await phone.play(pcm)
    with trio.fail_after(10):
        while phone.bytes_heard < before + len(pcm):
            await phone.changed()
    return True


async def refusal(port: int, context: ssl.SSLContext | None = None, **line: Any) -> int | None:
    try:
        async with calling(port, context, **line):
            return None
    except NotAnswered as refused:
        return refused.status


async def first_line(port: int, data: bytes) -> bytes:
    """Send something; give the first line of the answer."""
    async with PortStream(await dial_socket("127.0.0.1", port)) as stream:
        await stream.send_all(data)
        received = b""
        while more := await stream.receive_some():
            received += more
    return received.partition(b"\r\n")[0]


# TLS.


async def test_a_call_goes_over_tls(files: CertificateFiles) -> None:
    settings = Settings(tls_certificate=str(files.certificate), tls_key=str(files.key))
    async with serving(echo, settings) as (server, port), calling(port, client_context(files)) as phone:
        heard = await said_back(phone, bytes(range(1, 161)) * 2)
        failed = server.door.failed

    assert (heard, failed) == (True, 0)


async def test_a_plain_client_on_the_tls_port_is_told_and_costs_no_traceback(files: CertificateFiles) -> None:
    settings = Settings(tls_certificate=str(files.certificate), tls_key=str(files.key))
    async with serving(echo, settings) as (server, port):
        line = await first_line(port, b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        failed, refused = server.door.failed, dict(server.door.refused)

    assert (line, failed, refused) == (b"HTTP/1.1 400 Bad Request", 0, {"tls": 1})


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "own.call"
    file.write_text("wait 0.2s\nhangup\n")
    return file


@pytest.mark.parametrize(("trusts", "code"), [(True, 0), (False, 1)])
async def test_the_command_calls_over_tls_whom_it_trusts(
    trusts: bool, code: int, files: CertificateFiles, script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(tls_certificate=str(files.certificate), tls_key=str(files.key))
    async with serving(echo, settings) as (_, port):
        url = f"wss://localhost:{port}/stream"
        found = await call(script, url=url, ca=files.certificate if trusts else None, wav=script.with_suffix(".wav"))

    said = capsys.readouterr()
    assert (found, f"Calling {url}" in said.out, "(--ca FILE)" in said.err) == (code, True, not trusts)


# Addresses.


async def test_a_load_balancers_header_says_who_calls() -> None:
    settings = Settings(proxies=("127.0.0.1",), proxy_protocol=True, allow=("203.0.113.0/24",))
    async with serving(echo, settings) as (server, port):

        async def dial() -> BytePort:
            wire = await dial_socket("127.0.0.1", port)
            wire.try_send(tcp("203.0.113.9", 4711))
            return wire

        async with place_call(dial, profile=QUIET) as phone:
            heard = await said_back(phone, bytes(range(1, 161)) * 2)
            peers = [task.socket.link.peer for task in server.registry.live]
        without = await first_line(port, b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")

    assert (heard, peers, without) == (True, ["203.0.113.9:4711"], b"")


@pytest.mark.parametrize(("network", "status"), [("127.0.0.0/8", None), ("203.0.113.0/24", 403)])
async def test_only_those_on_the_list_get_through(network: str, status: int | None) -> None:
    async with serving(echo, Settings(allow=(network,))) as (_, port):
        assert await refusal(port) == status


# What is public.


async def test_a_server_for_everybody_does_not_listen_where_others_reach_it() -> None:
    [listener] = await trio.open_tcp_listeners(0, host="0.0.0.0")
    with pytest.raises(SettingsError, match="can be reached by others"):
        await Server(echo).run([listener])

    with pytest.raises(trio.ClosedResourceError):
        await listener.accept()


def test_the_command_says_so_in_one_line(tmp_path: Path) -> None:
    with process("serve", ECHO, "--host", "0.0.0.0", "--port", "0", cwd=tmp_path) as running:
        _, log = running.communicate(timeout=60)

    assert (running.returncode, log.splitlines()) == (
        1,
        [
            "callflow: host: 0.0.0.0 can be reached by others, and everybody would be let in; "
            "set credentials or allow, or say insecure (--insecure) if something else keeps them out"
        ],
    )


# SIGHUP on a live server.


def toml(folder: Path, *lines: str) -> None:
    (folder / "callflow.toml").write_text("\n".join(lines) + "\n")


def logged(running: Process[str], event: str) -> dict[str, Any]:
    """Read the process's log until an event comes; give it."""
    assert running.stderr is not None
    for line in running.stderr:
        if (entry := json.loads(line))["event"] == event:
            return dict(entry)
    raise AssertionError(f"{event!r} was never logged")


def reloaded(running: Process[str], event: str = "reloaded") -> dict[str, Any]:
    os.kill(running.pid, signal.SIGHUP)
    return logged(running, event)


async def hang_on(port: int, running: Process[str], files: CertificateFiles, folder: Path) -> list[object]:
    """Call, change the certificate under the running call, break it, and look each time who is answered."""
    old = client_context(files)
    async with calling(port, old, credentials="a:old") as phone:
        make_certificate(folder, "server")
        new = client_context(files)
        toml(folder, 'credentials = ["a:new", "a:old"]')
        await trio.to_thread.run_sync(reloaded, running)
        with pytest.raises(NotAnswered):
            async with calling(port, old, credentials="a:new"):
                pass
        statuses = [await refusal(port, new, credentials=f"a:{word}") for word in ("new", "old", "wrong")]
        files.certificate.write_text("broken")
        toml(folder, "credentials = []")
        kept = await trio.to_thread.run_sync(reloaded, running, "reload refused")
        statuses += [await refusal(port, new, credentials=f"a:{word}") for word in ("new", "old", "wrong")]
        return [*statuses, "hold no certificate" in kept["error"], await said_back(phone, bytes(range(1, 161)) * 2)]


def test_hangup_changes_certificate_and_credentials_under_a_running_call(tmp_path: Path) -> None:
    files = make_certificate(tmp_path)
    toml(tmp_path, 'credentials = ["a:old"]')
    words = ("serve", ECHO, "--port", "0", "--log-json", "--drain", "0")
    tls = ("--tls-certificate", str(files.certificate), "--tls-key", str(files.key))
    with process(*words, *tls, cwd=tmp_path) as running:
        url = wait_for("--url", running)
        port = int(url.rpartition(":")[2].partition("/")[0])
        found = trio.run(hang_on, port, running, files, tmp_path)
        os.kill(running.pid, signal.SIGTERM)
        _, log = running.communicate(timeout=60)

    assert ("wss://" in url, running.returncode, "Traceback" in log) == (True, 0, False)
    assert found == [None, None, 401, None, None, 401, True, True]


def test_a_terminal_that_is_closed_ends_the_server(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "callflow", "serve", ECHO, "--port", "0", "--log-json"]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    setsid = ["setsid", "--ctty", *command]  # a session whose terminal this is, as in a window of its own
    streams = {"stdin": theirs, "stdout": -1, "stderr": -1}
    with Process[str](setsid, start_new_session=False, cwd=tmp_path, env=environment, text=True, **streams) as running:
        os.close(theirs)
        wait_for("--url", running)
        os.close(ours)
        _, log = running.communicate(timeout=60)

    assert (running.returncode, '"server stopped"' in log, '"reloaded"' in log) == (0, True, False)


# Operators.


async def test_metrics_are_scraped_on_their_own_listener_and_not_on_the_public_one() -> None:
    server = Server(echo, Settings(port=0))
    [admin] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with trio.open_nursery() as nursery:
        port: int = await nursery.start(partial(server.run, admin=[admin]))
        async with calling(port) as phone:
            await said_back(phone, bytes(range(1, 161)) * 2)
            lines = [await first_line(each, request) for each in (admin.socket.getsockname()[1], port)]
        nursery.cancel_scope.cancel()

    assert lines == [b"HTTP/1.1 200 OK", b"HTTP/1.1 404 Not Found"]


def test_an_admin_address_that_others_reach_wants_credentials(tmp_path: Path) -> None:
    with process("serve", ECHO, "--port", "0", "--admin", "0.0.0.0:0", cwd=tmp_path) as running:
        _, log = running.communicate(timeout=60)

    assert (running.returncode, log.count("\n"), "admin: 0.0.0.0 can be reached" in log) == (1, 1, True)
