"""The proxies of the how-to page, with the configurations that stand there, in front of a server: real, on loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from callflow.call.port import BytePort, PortStream, SocketPort
from callflow.call.tls_port import TlsPort
from callflow.errors import NotAnswered
from callflow.line import Profile, place_call
from callflow.server.serve import Server
from callflow.server.settings import Settings, load_settings
from examples.echo import echo
from tests.certificates import CertificateFiles, client_context, make_certificate
from tests.e2e.processes import Process
from tests.e2e.serving import ROOT, serving
from tests.test_docs import blocks

PAGE = ROOT / "docs" / "how-to" / "run-behind-a-proxy.md"
KNOWN, OTHER = "127.0.0.2", "127.0.0.3"
"""Addresses that callers come from; loopback has sixteen million of them."""

CREDENTIALS = "exotel:a-long-password"
QUIET = Profile(keeps_sending_silence=False)

NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{block}
}}
"""
"""What stands round the page's block: all that a system's own nginx.conf would say."""

CADDY = """
{{
    admin off
    auto_https disable_redirects
}}
{block}
"""
"""Keeps Caddy from asking anybody for a certificate, and from ports of its own."""


def block(info: str) -> str:
    [found] = [each.text for each in blocks(PAGE) if each.info == info]
    return found


def settings_of_the_page(folder: Path) -> Settings:
    """Read the page's settings, and let in one of the callers alone."""
    file = folder / "callflow.toml"
    file.write_text(block("toml"))
    return load_settings({"port": 0}, {"CALLFLOW_ALLOW": KNOWN}, file)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def nginx(folder: Path, files: CertificateFiles, port: int, behind: int) -> list[str]:
    """Write nginx's configuration as the page has it, with this machine's ports and files."""
    text = block("nginx").replace("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;")
    text = text.replace("/etc/ssl/calls.example.com.pem", str(files.certificate))
    text = text.replace("/etc/ssl/calls.example.com.key", str(files.key)).replace("8080", str(behind))
    file = folder / "nginx.conf"
    file.write_text(NGINX.format(folder=folder, block=text))
    return ["nginx", "-e", "stderr", "-c", str(file), "-p", str(folder)]


def caddy(folder: Path, files: CertificateFiles, port: int, behind: int) -> list[str]:
    """The same for Caddy, which is given a certificate so that it asks nobody for one."""
    text = block("caddy").replace("8080", str(behind))
    text = text.replace("calls.example.com {", f"https://localhost:{port} {{\n    tls {files.certificate} {files.key}")
    file = folder / "Caddyfile"
    file.write_text(CADDY.format(block=text))
    return ["caddy", "run", "--config", str(file), "--adapter", "caddyfile"]


@pytest.fixture(params=[nginx, caddy], ids=lambda proxy: proxy.__name__)
def proxy(request: pytest.FixtureRequest) -> Any:
    name = request.param.__name__
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed; ./test --system installs it where apt-get does")
    return request.param


@asynccontextmanager
async def in_front(proxy: Any, folder: Path) -> AsyncIterator[tuple[Server, int, CertificateFiles]]:
    """Serve the echo line with the proxy before it; give the server, the proxy's port, and whom to trust."""
    files = make_certificate(folder)
    async with serving(echo, settings_of_the_page(folder)) as (server, behind):
        port = free_port()
        with process_of(proxy(folder, files, port, behind), folder) as running:
            await wait_until_open(port, running)
            yield server, port, files


def process_of(command: list[str], home: Path) -> Process[bytes]:
    """Run a proxy until the block is left."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    return Process[bytes](command, stderr=subprocess.PIPE, env=environment)


async def wait_until_open(port: int, running: Process[bytes]) -> None:
    with trio.fail_after(60):
        while True:
            try:
                stream = await trio.open_tcp_stream("127.0.0.1", port)
            except OSError:
                assert running.poll() is None, running.communicate()[1].decode()
                await trio.sleep(0.05)
            else:
                await stream.aclose()
                return


async def dial_from(host: str, port: int, files: CertificateFiles) -> BytePort:
    """Connect to the proxy from one of this machine's addresses, and speak TLS."""
    sock = trio.socket.socket()
    await sock.bind((host, 0))
    await sock.connect(("127.0.0.1", port))
    wire = TlsPort(SocketPort(trio.SocketStream(sock)), client_context(files), server_hostname="localhost")
    await wire.shake_hands()
    return wire


async def status_of(port: int, files: CertificateFiles, host: str, *headers: str, path: str = "/stream") -> int:
    """Ask by hand; give the status."""
    lines = "".join(f"{header}\r\n" for header in (f"Host: localhost:{port}", "Connection: close", *headers))
    async with PortStream(await dial_from(host, port, files)) as stream:
        await stream.send_all(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
        return int((await stream.receive_some()).split(b" ")[1])


async def test_a_call_comes_through_and_is_known_by_its_own_address(proxy: Any, tmp_path: Path) -> None:
    async with in_front(proxy, tmp_path) as (server, port, files):

        async def dial() -> BytePort:
            return await dial_from(KNOWN, port, files)

        async with place_call(dial, profile=QUIET, credentials=CREDENTIALS, host=f"localhost:{port}") as phone:
            said = bytes(range(1, 161)) * 2
            await phone.play(said)
            with trio.fail_after(10):
                while phone.bytes_heard < len(said):
                    await phone.changed()
            peers = [task.socket.link.peer.rpartition(":")[0] for task in server.registry.live]

    assert (peers, server.door.failed) == ([KNOWN], 0)


async def test_who_is_not_listed_or_has_no_password_is_refused_behind_it_too(proxy: Any, tmp_path: Path) -> None:
    async with in_front(proxy, tmp_path) as (_, port, files):

        async def refusal(host: str, credentials: str) -> int | None:
            async def dial() -> BytePort:
                return await dial_from(host, port, files)

            with pytest.raises(NotAnswered) as refused:
                async with place_call(dial, credentials=credentials, host=f"localhost:{port}"):
                    pass
            return refused.value.status

        statuses = [await refusal(OTHER, CREDENTIALS), await refusal(KNOWN, "exotel:wrong")]

    assert statuses == [403, 401]


@pytest.mark.parametrize("invented", [f"X-Forwarded-For: {KNOWN}", f"Forwarded: for={KNOWN}"])
async def test_nobody_gets_in_by_inventing_an_address(proxy: Any, invented: str, tmp_path: Path) -> None:
    async with in_front(proxy, tmp_path) as (_, port, files):
        assert await status_of(port, files, OTHER, invented) == 403


async def test_readiness_is_answered_through_it(proxy: Any, tmp_path: Path) -> None:
    async with in_front(proxy, tmp_path) as (_, port, files):
        assert await status_of(port, files, OTHER, path="/ready") == 200
