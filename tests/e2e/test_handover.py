"""A server is replaced by another while calls come in all the time: none of them is refused."""

from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path

import trio
from attrs import Factory, define

from callflow.errors import NotAnswered
from callflow.line import Profile, dial_socket, place_call
from tests.e2e.processes import Process
from tests.e2e.serving import ROOT, wait_for

ECHO = str(ROOT / "examples" / "echo.py")
ONE_ATTEMPT = Profile(keeps_sending_silence=False, retries=0)
AS_EXOTEL = Profile(keeps_sending_silence=False, retries=1)


HAND_DOWN = """
import os, sys

os.dup2(int(sys.argv[1]), 3)
os.set_inheritable(3, True)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.execv(sys.argv[2], sys.argv[2:])
"""
"""What systemd does between fork and exec."""


def server(folder: Path, *words: str, inherited: int | None = None) -> Process[str]:
    """Serve the echo line; with *inherited*, on that socket of ours, handed down as systemd does."""
    command = [sys.executable, "-m", "callflow", "serve", ECHO, "--drain", "20", *words]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    keep: tuple[int, ...] = ()
    if inherited is not None:
        command = [sys.executable, "-c", HAND_DOWN, str(inherited), *command]
        keep = (inherited,)
    with (folder / f"{len(list(folder.iterdir()))}.log").open("w") as log:
        return Process[str](command, cwd=folder, env=environment, text=True, stdout=-1, stderr=log, pass_fds=keep)


@define
class Callers:
    """Calls that come one upon the other, some at a time."""

    port: int
    profile: Profile
    answered: int = 0
    refused: list[str] = Factory(list)
    stopping: bool = False
    over: trio.Event = Factory(trio.Event)

    async def keep_calling(self) -> None:
        while not self.stopping:
            try:
                async with place_call(lambda: dial_socket("127.0.0.1", self.port), profile=self.profile) as phone:
                    await phone.play(bytes(320))
                self.answered += 1
            except NotAnswered as refused:
                self.refused.append(str(refused))
            self.over.set()
            self.over = trio.Event()

    async def have(self, more: int) -> None:
        """Wait until so many more calls are over."""
        enough = self.answered + len(self.refused) + more
        with trio.fail_after(60):
            while self.answered + len(self.refused) < enough:
                await self.over.wait()


async def replace(callers: Callers, old: Process[str], new: Process[str]) -> None:
    """Call all the time; when the new server answers, tell the old one to stop, and go on when it is gone."""
    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(callers.keep_calling)
        await trio.to_thread.run_sync(wait_for, "--url", new)
        await callers.have(20)
        old.send_signal(signal.SIGTERM)
        await trio.to_thread.run_sync(old.wait)
        await callers.have(20)
        callers.stopping = True


def started(folder: Path) -> list[int]:
    return [log.read_text().count("call started") for log in sorted(folder.glob("*.log"))]


async def test_on_a_socket_that_both_were_given_no_call_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as ours:
        callers = Callers(ours.getsockname()[1], ONE_ATTEMPT)
        with server(tmp_path, inherited=ours.fileno()) as old:
            await trio.to_thread.run_sync(wait_for, "--url", old)
            with server(tmp_path, inherited=ours.fileno()) as new:
                await replace(callers, old, new)
                new.send_signal(signal.SIGTERM)
                await trio.to_thread.run_sync(new.wait)

    assert (callers.refused, old.returncode, new.returncode) == ([], 0, 0)
    assert min(started(tmp_path)) > 0


async def test_on_a_shared_port_no_call_is_refused_by_both_attempts(tmp_path: Path) -> None:
    words = ("--reuse-port", "--port")
    with server(tmp_path, *words, "0") as old:
        line = await trio.to_thread.run_sync(wait_for, "--url", old)
        callers = Callers(int(line.rpartition(":")[2].partition("/")[0]), AS_EXOTEL)
        with server(tmp_path, *words, str(callers.port)) as new:
            await replace(callers, old, new)
            new.send_signal(signal.SIGTERM)
            await trio.to_thread.run_sync(new.wait)

    assert (callers.refused, old.returncode, new.returncode) == ([], 0, 0)
    assert min(started(tmp_path)) > 0


def test_a_process_without_a_port_says_so_and_is_not_to_be_started_at_once(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        server(tmp_path, "--port", str(taken.getsockname()[1])) as run,
    ):
        code = run.wait(20)

    said = (tmp_path / "0.log").read_text()
    assert (code, said.count("\n"), "stop what listens there" in said) == (3, 1, True)
