"""The stage of the testing kit: the real server in memory, the same for the same circumstances."""

from __future__ import annotations

import pytest
import trio
from attrs import evolve
from trio.testing import MockClock

from callflow import Call, Flow, Hangup, Say
from callflow.errors import NotAnswered
from callflow.line.memory import Conditions
from callflow.line.script import parse
from callflow.server.settings import Settings
from callflow.session.inputs import EndCause
from callflow.testing.seeding import task_order
from callflow.testing.stage import CUTS, FOLDED, Circumstances, Stage
from tests.call.stage import write_prompts


class Hello(Say[None], prompt="welcome.wav"):
    def then(self, call: Call[None]) -> Bye:
        return Bye()


class Bye(Hangup[None], prompt="bye.wav"): ...


@pytest.fixture(scope="module")
def hello(tmp_path_factory: pytest.TempPathFactory) -> Flow[None]:
    return Flow("hello", start=Hello, prompts=write_prompts(tmp_path_factory.mktemp("prompts")))


async def test_a_call_goes_through_and_leaves_nothing(autojump_clock: MockClock, hello: Flow[None]) -> None:
    stage = Stage(hello)
    async with trio.open_nursery() as nursery:
        await stage.open(nursery)
        phone = await stage.ring()
        await trio.sleep(1.0)
        there = stage.leftovers()
        await phone.ended.wait()
        await trio.sleep(10.0)
        left = stage.leftovers()

    assert (there["tasks"], there["live calls"], there["sockets"], left) == (2, 1, 1, {})
    assert [(record.cause, record.last_state) for record in stage.records] == [(EndCause.FLOW, "Bye")]


def trace(hello: Flow[None], circumstances: Circumstances) -> list[tuple[float, str, str | bytes]]:
    """Everything that passed on the wire of one call, to the byte."""

    async def main() -> list[tuple[float, str, str | bytes]]:
        stage = Stage(hello, circumstances)
        async with trio.open_nursery() as nursery:
            await stage.open(nursery)
            phone = await stage.ring()
            await phone.press("12")
            await phone.ended.wait()
        return [(entry.at, entry.side, entry.text) for entry in phone.log]

    with task_order(circumstances.order):
        return trio.run(main, clock=MockClock(autojump_threshold=0))


ROUGH = Conditions(lag=0.05, split=True, partial_sends=True, would_block=0.2, cuts=CUTS)


def test_the_same_circumstances_give_the_same_call(hello: Flow[None]) -> None:
    here = Circumstances(seed=7, order=3, conditions=ROUGH)

    assert trace(hello, here) == trace(hello, here)


def test_a_script_s_header_says_the_circumstances() -> None:
    header = parse("seed 7\norder 3\nlag 50ms\nechoes late\nnetwork rough\nhangup\n").header

    assert Circumstances.of(header) == Circumstances(
        seed=7, order=3, conditions=ROUGH, profile=evolve(FOLDED, echoes_cleared_marks="late")
    )


def test_another_seed_gives_another_call(hello: Flow[None]) -> None:
    traces = [trace(hello, Circumstances(seed=seed, conditions=ROUGH)) for seed in (1, 2)]

    assert traces[0] != traces[1]


async def test_a_full_server_does_not_answer(autojump_clock: MockClock, hello: Flow[None]) -> None:
    stage = Stage(hello, settings=Settings(max_calls=1))
    async with trio.open_nursery() as nursery:
        await stage.open(nursery)
        await stage.ring()
        with pytest.raises(NotAnswered):
            await stage.ring()

        nursery.cancel_scope.cancel()
