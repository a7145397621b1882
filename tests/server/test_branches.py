"""Which branch a Passthru after the stream is sent down: by the URL's own name, and of two streams by the right one."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from callflow import Call, Dtmf, Flow, Hangup, State
from callflow.line import MemoryNetwork, StreamRecord, passthru, place_call
from callflow.server.branches import MOST_TOLD
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


class Choose(State[None], timeout=30.0):
    """A key chooses who is rung behind the stream."""

    def on_dtmf(self, call: Call[None], key: Dtmf) -> Sales | Support | Person:
        match key.digit:
            case "1":
                return Sales()
            case "2":
                return Support()
            case _:
                return Person()

    def on_timeout(self, call: Call[None]) -> Sales:
        return Sales()


class Sales(Hangup[None], branch="sales"):
    """Rings those who sell."""


class Support(Hangup[None], branch="support"):
    """Rings those who help."""


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


# A chain of applets, each with a name in its URL.


async def answers(key: str, paths: list[str], tmp_path: Path, **form: Any) -> tuple[list[int], Server]:
    """Press a key, and ask the applets behind the Voicebot one after another, whatever they answer."""
    server = Server(Flow("shop", start=Choose, prompts=tmp_path), Settings())
    server.load()
    async with trio.open_nursery() as nursery:
        network = MemoryNetwork()
        network.listen(server.connect, nursery)
        async with place_call(network.dial, call_sid=SID) as phone:
            await phone.press(key)
            await phone.ended.wait()
            record = phone.record()
        got = [
            await passthru(network.dial, call_sid=SID, before=False, stream=record, path=path, **form) for path in paths
        ]
        nursery.cancel_scope.cancel()
    return got, server


CHAIN = ["/passthru?branch=sales", "/passthru/shop?branch=support", "/passthru"]


@pytest.mark.parametrize(("key", "statuses"), [("1", [302, 200, 200]), ("2", [200, 302, 200]), ("3", [200, 200, 302])])
@pytest.mark.parametrize("method", ["GET", "POST form", "POST json"])
async def test_a_call_leaves_a_chain_of_applets_where_its_last_state_says(
    key: str, statuses: list[int], method: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    got, _ = await answers(key, CHAIN, tmp_path, method=method)

    assert got == statuses


async def test_applets_of_a_chain_are_no_repeated_requests(tmp_path: Path, autojump_clock: MockClock) -> None:
    _, server = await answers("3", CHAIN[:2], tmp_path)

    assert server.registry.flagged["repeated"] == 0


async def test_a_name_that_no_state_has_is_told_once_and_answered_200(
    tmp_path: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    got, _ = await answers("1", ["/passthru?branch=salse"] * 2 + ["/passthru?branch=support"], tmp_path)

    told = [vars(record) for record in caplog.records if record.message == "branch unknown"]
    named = [(record["flow"], record["branch"], record["branches"]) for record in told]
    assert (got, named) == ([200, 200, 200], [("shop", "salse", ["A", "B", "sales", "support"])])


async def test_of_any_number_of_wrong_names_a_hundred_are_told(
    tmp_path: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    await answers("1", [f"/passthru?branch=x{number}" for number in range(MOST_TOLD + 5)], tmp_path)

    assert sum(record.message == "branch unknown" for record in caplog.records) == MOST_TOLD


async def test_a_name_of_a_call_that_is_not_known_is_answered_200(tmp_path: Path, autojump_clock: MockClock) -> None:
    server = Server(Flow("shop", start=Choose, prompts=tmp_path), Settings())
    server.load()
    async with trio.open_nursery() as nursery:
        network = MemoryNetwork()
        network.listen(server.connect, nursery)
        path, record = "/passthru?branch=sales", StreamRecord()
        got = await passthru(network.dial, call_sid="other", before=False, stream=record, path=path)
        nursery.cancel_scope.cancel()

    assert got == 200
