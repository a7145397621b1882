"""Scripts of the examples in virtual time: the real server, the real command, no socket."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import trio
from attrs import frozen
from trio.testing import MockClock

from callflow import Flow
from callflow.call.record import CallRecord
from callflow.cli.call import carry_out, make_order
from callflow.line.memory import MemoryNetwork
from callflow.line.recording import read_wav
from callflow.server.serve import Server
from callflow.server.settings import Settings

EXAMPLES = Path("examples").resolve()
URL = "ws://127.0.0.1:8080/stream"
AFTER = 6.0
"""Seconds in which what has to wait after a call is done: ``Flow(after=…)`` has five."""


@frozen
class Played:
    """What came of a script."""

    code: int
    """The command's exit code: 0 if every line of the script held."""
    record: CallRecord


def play(flow: Flow[Any], script: str, folder: Path) -> Played:
    """Play a script of ``examples/calls`` against a server with this flow; what was heard goes into *folder*."""
    server = Server(flow, Settings(feed=True), chance=Random(1))
    server.load()

    async def call() -> int:
        async with trio.open_nursery() as nursery:
            network = MemoryNetwork()
            network.listen(server.connect, nursery)
            order = make_order(EXAMPLES / "calls" / script, url=URL, wav=folder / "call.wav")
            code = await carry_out(order, network.dial)
            await trio.sleep(AFTER)
            nursery.cancel_scope.cancel()
        return code

    code = trio.run(call, clock=MockClock(autojump_threshold=0))
    return Played(code, server.records[-1])


def voice(name: str) -> bytes:
    """Read what a caller says: 16-bit PCM of 8 kHz."""
    return read_wav(EXAMPLES / "voices" / f"{name}.wav", 8000)
