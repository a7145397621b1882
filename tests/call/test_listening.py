"""Listening to the caller: at one's own pace, in a flow that may speak and in one that may not."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, assert_checkpoints

from callflow import (
    Call,
    CallerAudio,
    Dtmf,
    EndedCall,
    Failed,
    Flow,
    Hangup,
    Record,
    Recording,
    Speech,
    State,
    Tap,
    TapCall,
)
from callflow.call.driver import Driver
from callflow.call.hearing import Hearing
from callflow.call.journal import Kind
from callflow.call.ring import RING_SECONDS, Ring
from callflow.errors import FlowDefinitionError, FlowError, LocalProtocolError
from callflow.line.profile import Profile
from callflow.session.inputs import SocketOpened
from callflow.session.timing import Timing
from callflow.wire.audio import AudioFormat, Coding
from callflow.wire.messages import Media
from callflow.wire.speech import Sensitivity
from tests.call.far_end import START
from tests.call.stage import LINE, in_virtual_time, ringing, said, tone
from tests.call.test_hearing import Notes, spoken

VOICE = tone(300, 1.0)
ONE_WAY = Profile(one_way=True)


# The ring.


async def taken(audio: CallerAudio) -> list[bytes]:
    return [piece async for piece in audio]


@given(st.lists(st.binary(max_size=40_000).map(lambda raw: raw[: len(raw) // 2 * 2]), max_size=8))
def test_a_ring_keeps_the_newest_and_counts_the_rest(pieces: list[bytes]) -> None:
    ring = Ring(LINE)
    for piece in pieces:
        ring.feed(piece)
    ring.close()
    kept = in_virtual_time(taken, ring)
    lost = sum(map(len, pieces)) - sum(map(len, kept))

    assert (kept, ring.dropped) == (pieces[len(pieces) - len(kept) :], LINE.seconds(lost))


def test_a_ring_never_holds_more_than_its_seconds() -> None:
    ring = Ring(LINE)
    for _ in range(1_000):
        ring.feed(bytes(320))

    assert (ring.dropped, sum(map(len, in_virtual_time(drained, ring)))) == (20 - RING_SECONDS, 80_000)


async def drained(ring: Ring) -> list[bytes]:
    ring.close()
    return await taken(ring)


async def test_a_ring_gives_pcm_whatever_the_line_has() -> None:
    ring = Ring(AudioFormat(coding=Coding.MULAW))
    ring.feed(b"\xff" * 160)

    assert await drained(ring) == [bytes(320)]


async def test_taking_from_a_ring_is_a_checkpoint() -> None:
    ring = Ring(LINE)
    ring.feed(b"12")
    with assert_checkpoints():
        piece = await anext(ring)

    assert piece == b"12"


async def test_giving_up_on_a_ring_loses_nothing(autojump_clock: MockClock) -> None:
    ring = Ring(LINE)
    with trio.move_on_after(1):
        await anext(ring)
    ring.feed(b"12")

    assert await anext(ring) == b"12"


# In a call.


C = Call[Notes]
T = TapCall[Notes]


async def test_a_state_hears_what_the_caller_says(autojump_clock: MockClock, prompts: Path) -> None:
    class Listening(State[Notes], timeout=4.0):
        async def run(self, call: C) -> None:
            async for pcm in call.audio():
                call.data.audio += pcm

        def on_timeout(self, call: C) -> Bye:
            return Bye()

    notes = Notes()
    await spoken(Flow("bank", start=Listening, data=lambda: notes, prompts=prompts, scope=locals()), (1.0, VOICE))

    assert VOICE in notes.audio
    assert LINE.seconds(len(notes.audio)) == pytest.approx(4.0, abs=0.021)


class Bye(Hangup[Notes]):
    """The end."""


async def test_a_listener_that_is_too_slow_loses_the_oldest_and_the_journal_says_so(
    autojump_clock: MockClock, prompts: Path
) -> None:
    class Slow(State[Notes], timeout=8.0):
        async def run(self, call: C) -> None:
            audio = call.audio()
            await trio.sleep(7.0)
            async for pcm in audio:
                call.data.audio += pcm

        def on_timeout(self, call: C) -> Bye:
            return Bye()

    notes = Notes()
    flow = Flow("bank", start=Slow, data=lambda: notes, prompts=prompts, scope=locals())
    _, stage = await spoken(flow, stays=10.0)
    [lost] = [entry for entry in stage.journal(Kind.ODD) if entry.what == "audio dropped"]

    assert lost.details["seconds"] == pytest.approx(2.0, abs=0.021)


async def test_a_listener_ends_with_its_state(autojump_clock: MockClock, prompts: Path) -> None:
    kept: list[CallerAudio] = []

    class First(State[Notes], timeout=1.0):
        async def run(self, call: C) -> None:
            kept.append(call.audio())

        def on_timeout(self, call: C) -> Second:
            return Second()

    class Second(State[Notes], timeout=2.0):
        async def run(self, call: C) -> None:
            call.data.told.append(len(await taken(kept[0])))

        def on_timeout(self, call: C) -> Bye:
            return Bye()

    notes = Notes()
    await spoken(Flow("bank", start=First, data=lambda: notes, prompts=prompts, scope=locals()))

    assert notes.told in ([49], [50])


# Taps.


class Listen(Tap[Notes]):
    async def run(self, call: T) -> None:
        async for pcm in call.audio():
            call.data.audio += pcm

    def on_speech(self, call: T, speech: Speech) -> None:
        call.data.told.append("began")

    def on_speech_ended(self, call: T, speech: Speech) -> None:
        call.data.told.append("ended")

    def on_dtmf(self, call: T, key: Dtmf) -> None:
        call.data.told.append(key.digit)

    def on_hangup(self, call: EndedCall[Notes]) -> None:
        call.data.told.append("over")


async def test_a_tap_hears_everything_and_sends_nothing(autojump_clock: MockClock) -> None:
    notes = Notes()
    flow = Flow("tap", start=Listen, data=lambda: notes)
    async with ringing(flow, line={"profile": ONE_WAY}) as (phone, _):
        await phone.wait(1.0)
        await phone.play(VOICE)
        await phone.wait(2.0)
        await phone.hang_up()

    assert (flow.one_way, notes.told, VOICE in notes.audio, said(phone, object)) == (
        True,
        ["began", "ended", "over"],
        True,
        [],
    )


async def test_a_key_that_comes_after_all_is_told(autojump_clock: MockClock) -> None:
    notes = Notes()
    async with ringing(Flow("tap", start=Listen, data=lambda: notes)) as (phone, _):
        await phone.press("7")
        await phone.wait(0.02)  # in one instant, the end goes before the key
        await phone.hang_up()

    assert notes.told == ["7", "over"]


async def test_a_tap_moves_on_when_its_time_is_over_if_it_has_one(autojump_clock: MockClock) -> None:
    class Brief(Tap[Notes], timeout=3.0):
        def on_timeout(self, call: T) -> Bye:
            return Bye()

    async with ringing(Flow("tap", start=Brief, data=Notes, scope=locals())) as (phone, stage):
        await phone.ended.wait()

    assert (stage.record.seconds, said(phone, object)) == (3.0, [])


@pytest.mark.parametrize("what", ["start", "speaker", "relay", "clear"])
async def test_what_would_send_is_refused_in_a_tap(autojump_clock: MockClock, what: str) -> None:
    class Loud(Tap[Notes]):
        async def run(self, call: T) -> Bye:
            arguments = {"start": ("menu.wav",), "relay": (b"12",)}.get(what, ())
            with pytest.raises(FlowError):
                getattr(call, what)(*arguments)
            call.data.told.append("refused")
            return Bye()

    notes = Notes()
    flow = Flow("tap", start=Loud, data=lambda: notes, raw=what in ("relay", "clear"), scope=locals())
    async with ringing(flow) as (phone, _):
        await phone.ended.wait()

    assert notes.told == ["refused"]


@pytest.mark.parametrize("send", ["relay", "clear"])
async def test_the_driver_sends_nothing_on_a_one_way_stream(send: str) -> None:
    driver = await streaming(one_way=True)
    act = {"relay": lambda: driver.writer.relay(bytes(320)), "clear": driver.writer.clear}[send]

    with pytest.raises(LocalProtocolError, match="one-way"):
        act()


async def streaming(*, one_way: bool = False) -> Driver:
    """A driver whose stream has started, on a link that takes everything."""
    driver = Driver(Timing(), one_way=one_way)
    driver.feed(SocketOpened())
    driver.feed(START)
    driver.writer._link = object()  # type: ignore[assignment]  # any: nothing must reach it
    return driver


def test_a_tap_behind_a_state_that_may_speak_is_refused() -> None:
    class Ask(State[Notes], timeout=1.0):
        def on_timeout(self, call: C) -> Listen:
            return Listen()

    with pytest.raises(FlowDefinitionError) as refused:
        Flow("bank", start=Ask, data=Notes)

    assert str(refused.value) == (
        "Listen is a Tap, which is for one-way streams, but Flow('bank') starts with "
        f"{Ask.__qualname__}, which may speak; make it a State that listens by call.audio(), or begin with the Tap"
    )


def test_a_prompt_behind_a_tap_is_refused() -> None:
    class Quiet(Tap[Notes], timeout=1.0):
        def on_timeout(self, call: T) -> Loud:
            return Loud()

    class Loud(Hangup[Notes], prompt="bye.wav"):
        """Says what nobody can hear."""

    with pytest.raises(FlowDefinitionError, match=r"says 'bye\.wav', but Flow"):
        Flow("tap", start=Quiet, data=Notes, scope=locals())


def test_a_beep_behind_a_tap_is_refused() -> None:
    class Quiet(Tap[Notes], timeout=1.0):
        def on_timeout(self, call: T) -> Message:
            return Message()

    class Message(Record[Notes]):
        def on_recorded(self, call: C, recording: Recording) -> Bye:
            return Bye()

        def on_recorded_hangup(self, call: EndedCall[Notes], recording: Recording) -> None: ...

        def on_failed(self, call: C, why: Failed) -> Bye:
            return Bye()

    with pytest.raises(FlowDefinitionError, match="says 'a beep', but Flow"):
        Flow("tap", start=Quiet, data=Notes, scope=locals())


# What an hour of it takes.


def hour() -> Iterator[Media]:
    """An hour of a call: somebody speaks for a second, and says nothing for the next."""
    frames = [VOICE[at : at + 320] for at in range(0, len(VOICE), 320)] + [bytes(320)] * 50
    for number in range(3_600 * 50):
        yield Media(payload=frames[number % len(frames)], stream_sid=START.stream_sid)


async def test_an_hour_of_listening_takes_no_memory(autojump_clock: MockClock) -> None:
    driver = await streaming(one_way=True)
    ring = Ring(LINE)
    driver.taps.add(ring.feed)
    Hearing(driver, Sensitivity(), lambda: None).begin()
    sizes: list[int] = []
    for number, media in enumerate(hour()):
        if number == 170_000:  # what is traced is slow: the ring is full by then, and all else as large as it gets
            tracemalloc.start()
        driver.heard(media)
        driver.mailbox.take()
        driver.journal.entries.clear()  # bounded by itself, and tested where it is
        if number >= 175_000 and number % 1_000 == 0:
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()

    assert (driver.media_in, max(sizes) - min(sizes) < 8_000) == (180_000, True)
