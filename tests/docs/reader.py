"""A reader of a page who does what it says: saves its files, serves its flow and makes its calls, in virtual time.

The commands are the real ones, from their words to what they print; only the network between them is in memory.
"""

from __future__ import annotations

import contextlib
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import groupby, pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import trio
from attrs import define, field, frozen

from callflow import Flow
from callflow.call.port import BytePort
from callflow.cli.app import app
from callflow.cli.serve import what_to_enter
from callflow.line.dialling import authorization
from callflow.line.memory import MemoryNetwork
from callflow.server.flow_argument import load_flow
from callflow.server.serve import Server
from callflow.server.settings import Settings, load_settings
from tests.server.asking import read_to_end
from tests.test_docs import ROOT, blocks, commands

SAVED = re.compile(r"# ([\w/]+\.\w+)\n")
"""The first line of a block that is to be saved: the file's name."""

MOMENT = re.compile(r"\d+\.\d ")
"""How a line of a printed call begins."""


@frozen
class Asked:
    """A command of a page."""

    words: str
    printed: str
    """What the page says that it prints, as a pattern."""


def to_do(page: Path) -> Iterator[tuple[str, str] | Asked]:
    """Give what a page asks for, in order: files to save (name and text) and commands."""
    for block in blocks(page):
        if named := SAVED.match(block.text):
            yield named[1], block.text
        elif block.info == "console":
            yield from (Asked(*each) for each in commands(block))


def looks_like(printed: str, expected: str) -> bool:
    """Say whether *printed* is what a page says; empty lines, and the order within one moment, do not count."""
    return fnmatchcase(_plain(printed), _plain(expected))


def _plain(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    moments = groupby(lines, key=lambda line: MOMENT.match(line) and line.split()[0])
    return "\n".join(line for moment, group in moments for line in (sorted(group) if moment else group))


@define
class Reader:
    """Works in one folder, and leaves a server running between commands."""

    folder: Path
    nursery: trio.Nursery
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    network: MemoryNetwork = field(factory=MemoryNetwork)
    server_says: list[str] = field(factory=list)
    """What the flow prints, which stands in the server's terminal."""
    server: Server | None = None
    """The one that was started last."""

    def save(self, name: str, text: str) -> None:
        """Save a file."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")

    async def do(self, words: str) -> str:
        """Carry a command out; return what it prints."""
        self.capsys.readouterr()
        match shlex.split(words):
            case ["python3", script]:
                runpy.run_path(script)
            case ["../run" | "./run", "serve", *rest]:
                self.serve(rest)
            case ["../run" | "./run", "call", *rest]:
                await self.call(rest)
            case ["curl", *rest]:
                print(await self.ask(rest))
            case ["callflow", "fuzz" | "replay" as command, *rest]:
                print(_by_itself(command, rest))
        return "".join(self.capsys.readouterr())

    def serve(self, words: Sequence[str]) -> None:
        """Serve a flow at 127.0.0.1:8080 of the network in memory, in place of what was served there."""
        _, bound, _ = app.parse_args(["serve", *words])
        flags = {name: value for name, value in bound.arguments.items() if hasattr(Settings(), name)}
        flow = load_flow(bound.arguments["flow"])
        module = Path(bound.arguments["flow"]).stem
        self.monkeypatch.setitem(vars(sys.modules[module]), "print", self.server_says.append)
        file = Path("callflow.toml")
        settings = load_settings(flags, {}, file if file.exists() else None)
        self.server = started(flow, settings)
        self.network.listen(self.server.connect, self.nursery)
        print(what_to_enter([flow], settings, settings.port))

    async def call(self, words: Sequence[str]) -> int:
        """Call whatever is served."""
        self.monkeypatch.setattr("callflow.cli.call.dial_socket", self._dial)
        command, bound, _ = app.parse_args(["call", *words])
        code: int = await command(*bound.args, **bound.kwargs)
        return code

    async def ask(self, words: Sequence[str]) -> str:
        """Ask whatever is served for something, as curl does; give its answer, head and body."""
        given = dict(pairwise(words))
        lines = [f"{name}: {value}" for name, value in authorization(given.get("-u"))]
        body = given.get("-d", "").encode()
        if body:
            lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
        target = words[-1].partition("127.0.0.1:8080")[2]
        head = [f"{'POST' if body else 'GET'} {target} HTTP/1.1", "Host: 127.0.0.1:8080", *lines, "", ""]
        port = await self.network.dial()
        port.try_send("\r\n".join(head).encode() + body)
        answer = await read_to_end(port)
        port.close()
        return answer.decode().replace("\r\n", "\n")

    async def _dial(self, host: str, port: int) -> BytePort:
        return await self.network.dial()


def _by_itself(command: str, words: Sequence[str]) -> str:
    """Carry out a command that has a loop of its own, and waits for nobody here."""
    done = subprocess.run(
        [sys.executable, "-m", "callflow", command, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    return done.stdout


def started(flow: Flow[Any], settings: Settings) -> Server:
    """Make a server that is ready for calls."""
    server = Server(flow, settings)
    server.load()
    return server


def work_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder; the flows of pages that are imported there are forgotten after the test."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for page_module in ("clinic", "night", "shop", "pin", "line"):
        monkeypatch.setitem(sys.modules, page_module, ModuleType(page_module))


@contextlib.asynccontextmanager
async def reading(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Reader]:
    """Have a reader who works in *folder*, until the end of the block."""
    work_in(folder, monkeypatch)
    async with trio.open_nursery() as nursery:
        yield Reader(folder, nursery, monkeypatch, capsys)
        nursery.cancel_scope.cancel()
