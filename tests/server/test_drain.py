"""Going down in stages: who is still taken, who is refused, what callers hear, and when it is over."""

from __future__ import annotations

import logging
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import evolve
from trio.testing import MockClock, wait_all_tasks_blocked

from callflow import AudioError, Call, Dtmf, EndedCall, Flow, Hangup, State
from callflow.call.journal import Kind
from callflow.errors import FlowDefinitionError, NotAnswered
from callflow.line import MemoryNetwork, place_call
from callflow.server.drain import Stage as Down
from callflow.server.serve import Server
from callflow.server.settings import Settings
from callflow.session.inputs import EndCause
from tests.call.far_end import OPENING, UPGRADE, Peer, dialled
from tests.call.stage import QUIET, Stage, ringing, serving, tone, write_prompts
from tests.server.asking import read_answer, read_to_end

Notes = list[str]
C = Call[Notes]


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_prompts(tmp_path_factory.mktemp("prompts"))


class Listen(State[Notes], timeout=7000.0):
    """Stays until a key comes: 1 says good-bye, 2 reads the long menu first."""

    def on_dtmf(self, call: C, key: Dtmf) -> Bye | Read | Cling:
        match key.digit:
            case "1":
                return Bye()
            case "2":
                return Read()
            case _:
                return Cling()

    def on_timeout(self, call: C) -> Bye:
        return Bye()

    def on_hangup(self, call: EndedCall[Notes]) -> None:
        call.data.append(f"listening: {call.reason}")


class Read(State[Notes], timeout=7000.0):
    """Reads something that takes long, and notes how it was left."""

    async def run(self, call: C) -> Bye:
        try:
            await call.play("menu.wav")
        finally:
            call.data.append("reading was left")
        return Bye()

    def on_timeout(self, call: C) -> Bye:
        return Bye()

    def on_hangup(self, call: EndedCall[Notes]) -> None:
        call.data.append(f"reading: {call.reason}")


class Cling(State[Notes], timeout=7000.0):
    """Does not end when it is cancelled."""

    async def run(self, call: C) -> Bye:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(100)
        return Bye()

    def on_timeout(self, call: C) -> Bye:
        return Bye()


class Bye(Hangup[Notes], prompt="bye.wav"):
    def on_hangup(self, call: EndedCall[Notes]) -> None:
        call.data.append(f"said good-bye: {call.reason}")


class Gone(Hangup[None]):
    """The end, without a word."""


SETTINGS = Settings(drain_delay=5.0, drain=20.0)
SORRY = 0.5
"""Seconds of the apology."""


def make_flow(prompts: Path, notes: Notes | None = None, apology: str | None = "sorry.wav") -> Flow[Notes]:
    kept: Notes = [] if notes is None else notes
    return Flow("bank", start=Listen, prompts=prompts, data=lambda: kept, apology=apology)


@asynccontextmanager
async def going_down(stage: Stage) -> AsyncIterator[None]:
    """Take a server down beside the block, and wait for its end."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.server.drain)
        await wait_all_tasks_blocked()
        yield


async def refused(network: MemoryNetwork) -> tuple[int | None, int]:
    """Place a call; give the status if it is refused, and whether it began."""
    try:
        async with place_call(network.dial, profile=QUIET):
            return None, 1
    except NotAnswered as told:
        return told.status, 0


async def call_out(stage: Stage) -> tuple[int | None, int]:
    """Call, and stay until the end; give the status of a refusal, and the bytes heard."""
    try:
        async with place_call(stage.network.dial, profile=QUIET) as phone:
            await phone.ended.wait()
            return None, phone.bytes_heard
    except NotAnswered as refused:
        return refused.status, 0


async def drained(stage: Stage) -> float:
    """Take a server down; give the seconds that it took."""
    began = trio.current_time()
    await stage.server.drain()
    return round(trio.current_time() - began, 3)


def fates(stage: Stage) -> list[tuple[object, str]]:
    return [(e.details["prompt"], e.what) for e in stage.journal(Kind.PLAYBACK) if e.what != "queued"]


def told(caplog: pytest.LogCaptureFixture, *fields: str) -> list[tuple[Any, ...]]:
    found = [vars(record) for record in caplog.records if record.getMessage() == "server draining"]
    return [tuple(record[name] for name in fields) for record in found]


# Not ready, and refusing.


async def test_for_the_delay_a_server_is_not_ready_and_takes_calls(autojump_clock: MockClock, prompts: Path) -> None:
    async with serving(make_flow(prompts), settings=SETTINGS) as stage, going_down(stage):
        ready = stage.server.registry.ready()
        await trio.sleep(4.9)
        status, began = await refused(stage.network)

    assert (ready, status, began, len(stage.server.records)) == (False, None, 1, 1)


async def test_after_the_delay_new_calls_are_told_to_try_again(autojump_clock: MockClock, prompts: Path) -> None:
    async with ringing(make_flow(prompts), settings=SETTINGS) as (phone, stage), going_down(stage):
        await trio.sleep(5.1)
        port = await stage.network.dial()
        port.try_send(
            b"GET /stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        answer = read_answer(await read_to_end(port), b"GET")
        port.close()
        await phone.hang_up()

    assert (answer.status, dict(answer.headers).get("retry-after")) == (503, "1")


async def test_a_stream_that_came_before_and_starts_later_is_a_call_like_any(
    autojump_clock: MockClock, prompts: Path
) -> None:
    async with serving(make_flow(prompts), settings=Settings(drain=20.0)) as stage:
        peer = await dialled(stage.network)
        async with going_down(stage):
            await trio.sleep(3.0)
            await peer.send(OPENING)
            await trio.sleep(1.0)
            live = len(stage.server.registry.live)
            peer.port.close()

    assert (live, len(stage.server.records)) == (1, 1)


# The apology.


async def test_a_call_that_is_still_there_hears_the_apology_to_its_end(
    autojump_clock: MockClock, prompts: Path
) -> None:
    async with ringing(make_flow(prompts), settings=SETTINGS) as (phone, stage), going_down(stage):
        await phone.ended.wait()

    assert (phone.close_code, stage.record.cause, fates(stage)) == (1012, EndCause.DRAIN, [("sorry.wav", "heard")])
    assert phone.bytes_heard == len(tone(660, SORRY))


async def test_the_apology_comes_when_the_patience_is_over(autojump_clock: MockClock, prompts: Path) -> None:
    async with ringing(make_flow(prompts), settings=SETTINGS) as (phone, stage), going_down(stage):
        began = trio.current_time()
        await phone.ended.wait()

    assert round(trio.current_time() - began - 25.0 - SORRY, 1) == 0.0
    assert phone.ended_by == "server"


async def test_what_the_state_says_is_cut_and_it_is_left_before_the_apology(
    autojump_clock: MockClock, prompts: Path
) -> None:
    notes: Notes = []
    settings = Settings(drain=1.0)
    async with ringing(make_flow(prompts, notes), settings=settings) as (phone, stage):
        await phone.press("2", gap=0.0)
        async with going_down(stage):
            await phone.ended.wait()

    assert fates(stage) == [("menu.wav", "cut"), ("sorry.wav", "heard")]
    assert notes == ["reading was left", "reading: drain"]


async def test_last_words_of_a_flow_are_not_taken_for_the_apology(autojump_clock: MockClock, prompts: Path) -> None:
    notes: Notes = []
    async with ringing(make_flow(prompts, notes), settings=Settings(drain=0.5)) as (phone, stage):
        await phone.press("1", gap=0.0)
        async with going_down(stage):
            await phone.ended.wait()

    assert (fates(stage), phone.close_code, notes) == ([("bye.wav", "heard")], 1000, ["said good-bye: flow"])


async def test_a_caller_who_hangs_up_during_the_apology_has_ended_the_call(
    autojump_clock: MockClock, prompts: Path
) -> None:
    notes: Notes = []
    async with ringing(make_flow(prompts, notes), settings=Settings(drain=1.0)) as (phone, stage), going_down(stage):
        await trio.sleep(1.2)
        await phone.hang_up()

    assert (stage.record.cause, notes) == (EndCause.STOP, ["listening: stop"])


async def test_keys_do_not_cut_the_apology(autojump_clock: MockClock, prompts: Path) -> None:
    async with ringing(make_flow(prompts), settings=Settings(drain=1.0)) as (phone, stage), going_down(stage):
        await trio.sleep(1.1)
        await phone.press("123", gap=0.0)
        await phone.ended.wait()

    assert (fates(stage), stage.record.cause) == ([("sorry.wav", "heard")], EndCause.DRAIN)


async def test_without_an_apology_a_call_is_closed_when_the_patience_is_over(
    autojump_clock: MockClock, prompts: Path
) -> None:
    flow = make_flow(prompts, apology=None)
    async with ringing(flow, settings=Settings(drain=3.0)) as (phone, stage):
        await wait_all_tasks_blocked()
        took = await drained(stage)

    assert (round(took, 3), phone.close_code, fates(stage)) == (3.0, 1012, [])


async def test_of_two_flows_only_the_calls_of_one_hear_its_apology(autojump_clock: MockClock, prompts: Path) -> None:
    polite = Flow("polite", start=Listen, prompts=prompts, data=list, apology="sorry.wav")
    curt = Flow("curt", start=Listen, prompts=prompts, data=list)
    async with serving([polite, curt], settings=Settings(drain=1.0)) as stage, trio.open_nursery() as nursery:
        heard: dict[str, int] = {}

        async def ring(name: str) -> None:
            async with place_call(stage.network.dial, profile=QUIET, target=f"/stream/{name}") as phone:
                await phone.ended.wait()
                heard[name] = phone.bytes_heard

        nursery.start_soon(ring, "polite")
        nursery.start_soon(ring, "curt")
        await trio.sleep(0.5)
        await stage.server.drain()

    assert heard == {"polite": len(tone(660, SORRY)), "curt": 0}


async def test_a_state_that_does_not_end_is_not_waited_for_longer_than_the_bound(
    autojump_clock: MockClock, prompts: Path
) -> None:
    server = Server(make_flow(prompts), Settings(drain=1.0))
    network = MemoryNetwork()
    async with trio.open_nursery() as nursery:
        network.listen(server.connect, nursery)
        async with place_call(network.dial, profile=QUIET) as phone:
            await phone.press("3", gap=0.0)
            began = trio.current_time()
            await server.drain()
            took = trio.current_time() - began
        nursery.cancel_scope.cancel()

    assert (round(took, 3), server.records[0].cause) == (1.0 + 19.0 + 7.0 + 1.0, EndCause.APP_TIMEOUT)


async def test_a_line_that_cannot_play_the_apology_is_closed_all_the_same(
    autojump_clock: MockClock, prompts: Path, caplog: pytest.LogCaptureFixture
) -> None:
    line = {"target": "/stream?sample-rate=16000", "profile": evolve(QUIET, sample_rate=16_000)}
    async with (
        ringing(make_flow(prompts), settings=Settings(drain=1.0), line=line) as (phone, stage),
        going_down(stage),
    ):
        await phone.ended.wait()

    where = [vars(record)["where"] for record in caplog.records if record.getMessage() == "flow failed"]
    assert (phone.close_code, stage.record.cause, where) == (1012, EndCause.DRAIN, ["Listen.apology"])


def test_an_apology_that_is_too_long_stops_the_server(tmp_path: Path) -> None:
    write_prompts(tmp_path)
    with wave.open(str(tmp_path / "sorry.wav"), "wb") as file:
        file.setparams((1, 2, 8_000, 0, "NONE", ""))
        file.writeframes(bytes(2 * 8_000 * 11))
    server = Server(make_flow(tmp_path))

    with pytest.raises(AudioError, match=r"apology='sorry.wav' of Flow\('bank'\): expected at most 10 s, found 11.0 s"):
        server.load()


def test_a_flow_that_only_listens_has_no_apology(prompts: Path) -> None:
    with pytest.raises(FlowDefinitionError, match=r"apology= of Flow\('tap'\) says 'sorry.wav'"):
        Flow("tap", start=Gone, prompts=prompts, apology="sorry.wav", one_way=True)


# A second signal.


@pytest.mark.parametrize("after", [1.0, 6.0, 25.2])
async def test_in_a_hurry_nobody_is_waited_for(after: float, autojump_clock: MockClock, prompts: Path) -> None:
    async with ringing(make_flow(prompts), settings=SETTINGS) as (phone, stage), going_down(stage):
        await trio.sleep(after)
        stage.server.going_down.hurry()
        began = trio.current_time()
        await phone.ended.wait()
        took = trio.current_time() - began

    assert (round(took, 3), phone.close_code, stage.server.door.draining) == (0.0, 1012, True)


# Many calls, and the log.


async def test_of_twenty_calls_each_hears_the_apology_and_leaves_one_record(
    autojump_clock: MockClock, prompts: Path
) -> None:
    began: list[tuple[int | None, int]] = []

    async def call(stage: Stage, at: float) -> None:
        await trio.sleep(at)
        began.append(await call_out(stage))

    async with serving(make_flow(prompts), settings=SETTINGS) as stage, trio.open_nursery() as nursery:
        for n in range(20):
            nursery.start_soon(call, stage, 0.3 * n)
        await trio.sleep(3.05)  # eleven calls are there
        await drained(stage)

    causes = [record.cause for record in stage.server.records]
    assert causes == [EndCause.DRAIN] * len(causes)
    assert sorted(began) == sorted([(None, 4_000 * 2)] * len(causes) + [(503, 0)] * (20 - len(causes)))


async def test_each_stage_is_told_with_what_is_there(
    autojump_clock: MockClock, prompts: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "callflow.server")
    async with ringing(make_flow(prompts), settings=SETTINGS) as (phone, stage):
        await phone.wait(1.0)
        async with going_down(stage):
            await phone.ended.wait()

    assert told(caplog, "stage", "calls", "streams", "within") == [
        ("not ready", 1, 1, 5.0),
        ("refusing", 1, 1, 20.0),
        ("apology", 1, 1, 19.0),
    ]
    assert stage.server.going_down.stage is Down.STOPPED


async def test_without_calls_a_server_goes_down_when_balancers_had_their_time(
    autojump_clock: MockClock, prompts: Path
) -> None:
    async with serving(make_flow(prompts), settings=SETTINGS) as stage:
        took = await drained(stage)

    assert took == 5.0


# A port that is left to a successor.


async def test_who_had_come_when_the_port_was_left_is_not_refused(autojump_clock: MockClock, prompts: Path) -> None:
    left: list[float] = []
    async with serving(make_flow(prompts), settings=Settings(drain=20.0)) as stage:
        stage.server.going_down.leave = lambda: left.append(trio.current_time())
        peer = Peer(await stage.network.dial())
        async with going_down(stage):
            await trio.sleep(3.0)
            await peer.send(UPGRADE, OPENING)
            await trio.sleep(1.0)
            live = len(stage.server.registry.live)
            peer.port.close()

    assert (live, len(left), stage.server.door.refused) == (1, 1, {})


async def test_who_comes_and_says_nothing_is_waited_for_as_long_as_for_any_head(
    autojump_clock: MockClock, prompts: Path
) -> None:
    async with serving(make_flow(prompts), settings=Settings(drain=20.0)) as stage:
        stage.server.going_down.leave = lambda: None
        peer = Peer(await stage.network.dial())
        await wait_all_tasks_blocked()
        took = await drained(stage)
        peer.port.close()

    assert 10.0 <= took <= 11.0
