"""A server on a real loopback socket, in the test's own process or in one of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from callflow import Flow
from callflow.server.serve import Server
from callflow.server.settings import Settings
from tests.e2e.processes import Process

ROOT = Path(__file__).resolve().parents[2]


@asynccontextmanager
async def serving(flow: Flow[Any], settings: Settings | None = None) -> AsyncIterator[tuple[Server, int]]:
    """Serve *flow* on a free port of this machine while the block runs."""
    server = Server(flow, settings or Settings(port=0, feed=True))
    server.load()
    async with trio.open_nursery() as nursery:
        port: int = await nursery.start(server.run, await trio.open_tcp_listeners(0, host="127.0.0.1"))
        yield server, port
        nursery.cancel_scope.cancel()


def process(*words: str, cwd: Path) -> Process[str]:
    """Run ``python -m callflow`` with these words until the block is left."""
    command = [sys.executable, "-m", "callflow", *words]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(cwd)}
    return Process[str](command, cwd=cwd, env=environment, text=True, stdout=-1, stderr=-1)


def wait_for(text: str, running: subprocess.Popen[str], seconds: float = 60.0) -> str:
    """Read the process's standard output until a line holds *text*; give that line."""
    assert running.stdout is not None
    give_up = time.monotonic() + seconds
    for line in running.stdout:
        if text in line:
            return line
        assert time.monotonic() < give_up, f"{text!r} was not printed within {seconds} s"
    raise AssertionError(f"{text!r} was never printed: {running.stderr.read() if running.stderr else ''}")
