"""Calls to the bank's line in virtual time: the real server, the real command, no socket."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import trio
import trio.testing

from callflow import Flow
from callflow.cli.call import carry_out, make_order
from callflow.line.memory import Conditions, MemoryNetwork
from callflow.server.serve import Server
from callflow.server.settings import Settings
from examples.bank_ivr.bank import FakeBank
from examples.bank_ivr.ivr import bank_ivr

CALLS = Path("examples/bank_ivr/calls").resolve()
URL = "ws://127.0.0.1:8080/stream"


def line_of(bank: FakeBank) -> Flow[Any]:
    """Make the bank's line with this bank behind it."""
    return bank_ivr.providing(bank)


def play(
    scripts: Sequence[Path], bank: FakeBank, folder: Path, *, lag: float = 0.0, prompts: Path = CALLS.parent / "prompts"
) -> tuple[list[int], Server]:
    """Play scripts one after another against one server; give their exit codes, and the server."""
    server = Server(line_of(bank), Settings(feed=True), chance=Random(1))
    server.load()

    async def calls() -> list[int]:
        codes = []
        async with trio.open_nursery() as nursery:
            network = MemoryNetwork(Conditions(lag=lag))
            network.listen(server.connect, nursery)
            for number, script in enumerate(scripts):
                answers = [] if script.parent == CALLS else ["pin=4129", "other_pin=7702", "wrong=1111"]
                order = make_order(script, url=URL, wav=folder / f"{number}.wav", prompts=prompts, answers=answers)
                codes.append(await carry_out(order, network.dial))
                await server.registry.wait_no_calls()
            nursery.cancel_scope.cancel()
        return codes

    return trio.run(calls, clock=trio.testing.MockClock(autojump_threshold=0)), server


def write(folder: Path, text: str) -> Path:
    """Write a script of a test's own."""
    path = folder / "own.call"
    path.write_text(text)
    return path
