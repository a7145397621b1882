"""The process and what is round it: readers who are gone or asleep, a manager, and a sudden death."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from callflow.line import Profile, dial_socket, place_call
from tests.e2e.processes import Process
from tests.e2e.serving import ROOT

QUIET = Profile(keeps_sending_silence=False)
WORDS = (sys.executable, "-m", "callflow", "serve", str(ROOT / "examples" / "echo.py"), "--port", "0", "--log-json")


@pytest.fixture
def serve(tmp_path: Path) -> Callable[..., Process[bytes]]:
    """Start the echo line as a process that tells a manager when it is ready; see ``Manager``."""

    def start(**options: Any) -> Process[bytes]:
        environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        extra = options.pop("environment", {})
        return Process[bytes](WORDS, cwd=tmp_path, env=environment | extra, **options)

    return start


class Manager:
    """A service manager, as far as it listens."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(60)  # seconds, of a busy machine

    def next(self) -> dict[str, str]:
        lines = self.socket.recv(4_096).decode().split("\n")
        return dict(line.partition("=")[::2] for line in lines)

    def port(self) -> int:
        """Wait until calls are answered; give the port."""
        while (status := self.next().get("STATUS", "")) == "":
            pass
        return int(status.rpartition(" ")[2])


@pytest.fixture
def manager(tmp_path: Path) -> Any:
    manager = Manager(tmp_path)
    yield manager
    manager.socket.close()


def call_once(port: int) -> None:
    async def call() -> None:
        async with place_call(lambda: dial_socket("127.0.0.1", port), profile=QUIET) as phone:
            await phone.play(bytes(3_200))

    trio.run(call)


def ended(running: Process[bytes]) -> int:
    """Tell a server to stop; give its exit code."""
    running.send_signal(signal.SIGTERM)
    return running.wait(60)


def test_a_manager_hears_of_the_whole_life(serve: Any, manager: Manager) -> None:
    environment = {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "200000"}
    with serve(environment=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        heard = [manager.next() for _ in range(5)]
        code = ended(running)
        while "STOPPING" not in (last := manager.next()):
            pass

    told = {key for message in heard for key in message}
    assert (told, last["STATUS"], code) == ({"READY", "STATUS", "WATCHDOG"}, "refusing, 0 calls", 0)


def test_a_log_that_nobody_reads_stops_no_call_and_no_end(serve: Any, manager: Manager) -> None:
    source, sink = os.pipe()
    os.set_blocking(sink, False)
    try:
        while True:  # full, before the server writes its first line
            os.write(sink, bytes(4_096))
    except BlockingIOError:
        os.set_blocking(sink, True)
    with serve(environment={"NOTIFY_SOCKET": manager.path}, stdout=subprocess.DEVNULL, stderr=sink) as running:
        port = manager.port()
        for _ in range(3):
            call_once(port)
        code = ended(running)
    os.close(source)
    os.close(sink)

    assert code == 0


@pytest.mark.parametrize("output", ["stdout", "stderr"])
def test_a_reader_who_is_gone_costs_nothing(output: str, serve: Any, manager: Manager) -> None:
    source, sink = os.pipe()
    os.close(source)
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, output: sink}
    with serve(environment={"NOTIFY_SOCKET": manager.path}, **streams) as running:
        call_once(manager.port())
        code = ended(running)
    os.close(sink)

    assert code == 0


def test_a_process_that_is_killed_has_told_of_every_call_that_was_over(
    serve: Any, manager: Manager, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    environment = {"NOTIFY_SOCKET": manager.path}
    with log.open("wb") as file, serve(environment=environment, stdout=subprocess.DEVNULL, stderr=file) as running:
        port = manager.port()

        async def call_and_kill() -> None:
            async with place_call(lambda: dial_socket("127.0.0.1", port), profile=QUIET) as running_call:
                await running_call.play(bytes(320))
                for _ in range(5):
                    async with place_call(lambda: dial_socket("127.0.0.1", port), profile=QUIET) as phone:
                        await phone.play(bytes(320))
                await trio.sleep(0.2)  # a thread writes
                running.kill()

        trio.run(call_and_kill)
        running.wait(10)

    lines = [json.loads(line) for line in log.read_text().splitlines()]
    causes = [line["record"]["cause"] for line in lines if line["event"] == "call ended"]
    assert (causes, log.read_bytes()[-1:]) == (["stop"] * 5, b"\n")


SILENT = """
from callflow import Flow, Hangup

class Bye(Hangup[None], prompt="nobody_recorded_this.wav"): ...

line = Flow("line", start=Bye, prompts="prompts")
"""


def test_a_prompt_that_is_missing_is_one_line_and_no_port_is_opened(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(SILENT)
    (tmp_path / "prompts").mkdir()
    command = [sys.executable, "-m", "callflow", "serve", "flow.py", "--port", "1"]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False, timeout=30
    )

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "nobody_recorded_this.wav: expected this file, found none; record it" in done.stderr
