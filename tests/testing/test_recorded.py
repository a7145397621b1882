"""A telephone's recording is a wire log that rules can judge, also of a call on several lines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest
import trio
from trio.testing import MockClock

from callflow import Call, Flow, Hangup, Say
from callflow.line.memory import MemoryNetwork
from callflow.line.placing import place_call
from callflow.line.profile import Profile
from callflow.line.telephone import Telephone
from callflow.server.serve import Server
from callflow.server.settings import Settings
from callflow.testing.recorded import recorded
from callflow.testing.rules import ALL, check
from callflow.testing.wirelog import Closed, Opened, WireLog
from tests.properties.flows import write_prompts

Act = Callable[[Telephone], Awaitable[None]]


class Bye(Hangup[None], prompt="bye.wav"):
    """The end."""


class Talk(Say[None], prompt="long.wav"):
    def then(self, call: Call[None]) -> Bye:
        return Bye()


@asynccontextmanager
async def ringing(prompts: Path) -> AsyncIterator[Telephone]:
    """Call a flow that says something long, from a line that sends audio all the time."""
    write_prompts(prompts)
    server, network = Server(Flow("talks", start=Talk, prompts=prompts), Settings()), MemoryNetwork()
    server.load()
    async with trio.open_nursery() as nursery:
        network.listen(server.connect, nursery)
        async with place_call(network.dial, profile=Profile(), random=Random(1)) as phone:
            yield phone
        await server.registry.wait_no_calls()
        nursery.cancel_scope.cancel()


async def reconnected(phone: Telephone) -> None:
    phone.lose()
    await phone.wait(1.5)
    await phone.reconnect()


async def taken_over(phone: Telephone) -> None:
    await phone.take_over()


async def lost_twice(phone: Telephone) -> None:
    await reconnected(phone)
    await phone.wait(0.5)
    await reconnected(phone)


async def call_with(act: Act, prompts: Path) -> tuple[Telephone, WireLog]:
    """Make a call, have something happen to its line after a while, and hear it to its end."""
    async with ringing(prompts) as phone:
        await phone.wait(1.0)
        await act(phone)
        await phone.ended.wait()
    return phone, recorded(phone)


@pytest.mark.parametrize("act", [reconnected, taken_over, lost_twice], ids=lambda act: act.__name__)
async def test_a_call_on_several_lines_keeps_every_rule(act: Act, autojump_clock: MockClock, tmp_path: Path) -> None:
    phone, log = await call_with(act, tmp_path / "prompts")

    verdict = check(log, rules=ALL)
    assert (verdict.breaches, verdict.premises["R1"], verdict.premises["R2"]) == ((), phone.links, phone.links)


async def test_each_line_is_a_connection_with_its_own_life(autojump_clock: MockClock, tmp_path: Path) -> None:
    _, log = await call_with(lost_twice, tmp_path / "prompts")

    lives = [[e.what for e in part.entries if isinstance(e.what, Opened | Closed)] for part in log.connections()]
    assert lives == [[Opened(), Closed()], [Opened(), Closed()], [Opened(), Closed(code=1000, clean=True)]]


async def test_who_hangs_up_on_a_lost_line_ends_no_other(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with ringing(tmp_path / "prompts") as phone:
        await phone.wait(1.0)
        phone.lose()
        await phone.wait(1.0)

    log = recorded(phone)
    assert [(round(e.at, 3), e.conn) for e in log.entries if isinstance(e.what, Closed)] == [(1.0, 1)]
