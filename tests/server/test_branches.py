"""Which branch a Passthru after the stream is sent down, when one ``CallSid`` has had two streams."""

from __future__ import annotations

from pathlib import Path
from random import Random

import trio
from trio.testing import MockClock

from callflow import Call, Flow, Hangup, State
from callflow.line import MemoryNetwork, place_call
from callflow.server.calls import MOST_JOURNALS
from callflow.server.serve import Server
from callflow.server.settings import Settings
from callflow.wire.passthru import PassthruReport, StreamReport

SID = "acall"


class Stays(State[None], timeout=30.0):
    """Waits; a key leads to a person."""

    def on_dtmf(self, call: Call[None], key: object) -> Person:
        return Person()

    def on_timeout(self, call: Call[None]) -> Person:
        return Person()


class Person(Hangup[None], branch="B"):
    """The other branch."""


def report(stream_sid: str) -> PassthruReport:
    return PassthruReport(call_sid=SID, stream=StreamReport(stream_sid=stream_sid, status="completed"))


async def test_a_passthru_is_answered_for_the_stream_that_it_names(tmp_path: Path, autojump_clock: MockClock) -> None:
    server = Server(Flow("stays", start=Stays, prompts=tmp_path), Settings())
    server.load()
    async with trio.open_nursery() as nursery:
        network = MemoryNetwork()
        network.listen(server.connect, nursery)
        async with (
            place_call(network.dial, call_sid=SID, random=Random(1)) as stays,
            place_call(network.dial, call_sid=SID, random=Random(2)) as leaves,
        ):
            await leaves.press("1")
            await leaves.ended.wait()
            await trio.sleep(0.1)
            answers = [await server.registry.passthru(None, report(phone.stream_sid)) for phone in (stays, leaves)]
        nursery.cancel_scope.cancel()

    assert answers == [200, 302]


async def test_only_the_last_journals_are_kept(tmp_path: Path, autojump_clock: MockClock) -> None:
    server = Server(Flow("stays", start=Stays, prompts=tmp_path), Settings(feed=True))
    server.load()
    async with trio.open_nursery() as nursery:
        network = MemoryNetwork()
        network.listen(server.connect, nursery)
        for number in range(MOST_JOURNALS + 3):
            async with place_call(network.dial, call_sid=f"call{number}", random=Random(number)) as phone:
                await phone.wait(0.1)
                await phone.hang_up()
            await server.registry.wait_no_calls()
        nursery.cancel_scope.cancel()

    assert next(iter(server.registry.calls._journals)) == "call3"
    assert len(server.registry.calls._journals) == MOST_JOURNALS
