"""The queue: music without a gap, one's place in between, and the way to an agent."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock

import examples.queue
from callflow import Call, Flow
from callflow.line import Segment, place_call
from callflow.line.recording import read_wav
from callflow.server.settings import Settings
from examples.queue import Desk, NobodyFree, Waiting, Welcome, queue
from tests.call.stage import LINE, QUIET, ringing, serving
from tests.examples.scripts import EXAMPLES, play

PROMPTS = EXAMPLES / "prompts" / "queue"
MUSIC = read_wav(PROMPTS / "music.wav", 8000)
HOUR = 3_600.0
LONGEST_GAP = 0.02


def longest_gap(heard: Sequence[Segment]) -> float:
    """Seconds between the end of one piece of sound and the beginning of the next, at most."""
    return max((after.start - (before.start + LINE.seconds(len(before.audio))) for before, after in pairwise(heard)))


def test_a_caller_hears_music_and_the_place_and_goes_to_an_agent(tmp_path: Path) -> None:
    played = play(queue.providing(Desk()), "queue.call", tmp_path)

    assert (played.code, played.record.last_state) == (0, "Connecting")


async def test_an_hour_of_music_has_no_gap_and_no_drift(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Patient(Waiting, timeout=2 * HOUR):
        def on_timeout(self, call: Call[None]) -> NobodyFree:
            return NobodyFree()

    class Hello(Welcome):
        def then(self, call: Call[None]) -> Patient:
            return Patient()

    monkeypatch.setattr(examples.queue, "EVERY", 2 * HOUR)
    flow = Flow("q", start=Hello, prompts=PROMPTS, provide=[Desk(takes=2 * HOUR)], scope=locals())
    async with ringing(flow, settings=Settings(call_limit=2 * HOUR)) as (phone, _):
        await phone.wait(HOUR)
        heard = list(phone.playout.heard)
    audio = b"".join(segment.audio for segment in heard)
    music = audio[audio.index(MUSIC[:8_000]) :]
    rounds = MUSIC * (len(music) // len(MUSIC) + 1)
    until = heard[-1].start + LINE.seconds(len(heard[-1].audio))

    assert longest_gap(heard) <= LONGEST_GAP
    assert music == rounds[: len(music)]
    assert HOUR - 0.5 < until <= HOUR + LONGEST_GAP


async def test_voice_and_music_follow_each_other_without_a_gap(autojump_clock: MockClock) -> None:
    async with ringing(queue.providing(Desk(takes=400.0))) as (phone, _):
        await phone.wait(300.0)
        heard = list(phone.playout.heard)

    assert longest_gap(heard) <= LONGEST_GAP


async def test_whoever_hangs_up_leaves_the_queue_to_those_behind(autojump_clock: MockClock) -> None:
    desk = Desk(takes=30.0)
    async with ringing(queue.providing(desk)) as (phone, stage):
        await trio.sleep(10.0)
        desk._waiting.append("somebody behind")
        await phone.hang_up()
        await stage.server.registry.wait_no_calls()

        assert desk.place("somebody behind") == 1


async def test_places_are_told_and_move_up(autojump_clock: MockClock) -> None:
    desk = Desk(takes=30.0)
    before = trio.CancelScope()
    async with serving(queue.providing(desk)) as stage, trio.open_nursery() as nursery:

        async def first() -> None:
            with before:
                await desk.agent("first")

        nursery.start_soon(first)
        await trio.lowlevel.checkpoint()
        async with place_call(stage.network.dial, profile=QUIET) as phone:
            await trio.sleep(20.0)
            places = [desk.place(stage.call.call_id)]
            before.cancel()
            await trio.sleep(1.0)
            places.append(desk.place(stage.call.call_id))
            await phone.hang_up()

    assert places == [2, 1]


def test_the_sixth_is_told_of_many() -> None:
    desk = Desk()
    desk._waiting += [str(number) for number in range(6)]

    class Line:
        call_id = "5"

        def get(self, _: object) -> Desk:
            return desk

    assert Waiting()._place(Line()) == "among_the_next.wav"  # type: ignore[arg-type]  # all that it asks of a call


async def test_a_lost_line_keeps_the_place(autojump_clock: MockClock) -> None:
    desk = Desk(takes=600.0)
    async with ringing(queue.providing(desk)) as (phone, stage):
        await trio.sleep(15.0)
        desk._waiting.append("somebody behind")
        phone.lose()
        await trio.sleep(5.0)
        await phone.reconnect()
        await trio.sleep(30.0)
        place, heard = desk.place(stage.call.call_id), list(phone.playout.heard)

    until = heard[-1].start + LINE.seconds(len(heard[-1].audio))
    assert (place, until > phone.now - 2.0) == (1, True)
