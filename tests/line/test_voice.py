"""What the caller says, as it is cut into frames and as the server gets it."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from callflow.line.profile import Profile
from callflow.wire.audio import Coding
from callflow.wire.messages import Media
from tests.line.bot import QUIET, ringing


async def test_silence_comes_in_frames_of_20_ms_in_time(autojump_clock: MockClock) -> None:
    async with ringing() as (phone, bot):
        await phone.wait(1.005)
        frames = [(round(at, 6), media.payload, media.timestamp) for at, media in bot.read if isinstance(media, Media)]

    assert frames == [(round(n * 0.02, 6), bytes(320), round(n * 0.02, 3)) for n in range(1, 51)]


async def test_frames_that_are_late_come_at_once(autojump_clock: MockClock) -> None:
    async with ringing() as (phone, bot):
        await phone.wait(0.01)
        autojump_clock.jump(0.1)
        await wait_all_tasks_blocked()

    assert len(bot.got(Media)) == 5


async def test_a_profile_can_send_longer_frames_at_another_rate(autojump_clock: MockClock) -> None:
    async with ringing(profile=Profile(frame_seconds=0.1, sample_rate=16000)) as (phone, bot):
        await phone.wait(1.01)

    assert [len(media.payload) for media in bot.got(Media)] == [3200] * 10


async def test_a_profile_can_send_nothing_while_the_caller_is_silent(autojump_clock: MockClock) -> None:
    async with ringing(profile=QUIET) as (phone, bot):
        await phone.wait(5.0)
        before = len(bot.got(Media))
        await phone.play(bytes(640))
        await phone.wait(5.0)

    assert (before, len(bot.got(Media))) == (0, 2)


async def test_what_the_caller_says_is_sent_in_frames_and_noted(autojump_clock: MockClock) -> None:
    voice = bytes(range(200)) * 4
    async with ringing() as (phone, bot):
        await phone.wait(0.05)
        await phone.play(voice)
        said_at = phone.now
        await phone.wait(0.1)

    assert b"".join(media.payload for media in bot.got(Media)[2:5]) == voice + bytes(160)
    assert [(round(said.start, 6), len(said.audio)) for said in phone.spoken] == [(0.04, 320), (0.06, 320), (0.08, 160)]
    assert said_at == pytest.approx(0.1)


async def test_what_is_said_twice_is_said_one_after_the_other(autojump_clock: MockClock) -> None:
    async with ringing(profile=QUIET) as (phone, bot):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(phone.play, b"1" * 640)
            await wait_all_tasks_blocked()
            await phone.play(b"2" * 640)
        await phone.wait(0.1)

    assert [media.payload[:1] for media in bot.got(Media)] == [b"1", b"1", b"2", b"2"]


async def test_a_mulaw_line_sends_mulaw(autojump_clock: MockClock) -> None:
    async with ringing(profile=Profile(keeps_sending_silence=False, coding=Coding.MULAW)) as (phone, bot):
        await phone.play(bytes(320))
        await phone.wait(0.1)

    assert bot.got(Media)[0].payload == b"\xff" * 160


async def test_a_profile_can_send_a_frame_of_silence_now_and_then(autojump_clock: MockClock) -> None:
    async with ringing(profile=Profile(keeps_sending_silence=False, silence_every=4.0)) as (phone, bot):
        await phone.wait(5.0)
        await phone.play(bytes([1]) * 640)
        await phone.wait(9.0)
        frames = [round(at, 6) for at, media in bot.read if isinstance(media, Media)]

    assert frames == [4.0, 5.02, 5.04, 9.04, 13.04]
