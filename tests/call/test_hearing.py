"""Speech in a call: it cuts what it may cut inside the reader's own step, and states are told of it."""

from __future__ import annotations

import contextlib
from array import array
from pathlib import Path
from random import Random

import pytest
import trio
from attrs import Factory, define
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from callflow import Call, CallEnded, Failed, Flow, Hangup, Menu, Say, Sensitivity, Speech, State, key
from callflow.call.journal import Kind
from callflow.call.port import BytePort
from callflow.flow.playback import BargeIn
from callflow.line.profile import Profile
from callflow.line.telephone import Telephone
from callflow.wire.exotel import encode
from callflow.wire.messages import Clear, Media
from tests.call.far_end import OPENING, START, dialled, text
from tests.call.stage import LINE, PROMPTS, Stage, in_virtual_time, played, ringing, said, serving, tone
from tests.call.test_barge_in import Steps, Watched, first

BEGIN = Sensitivity().begin_after

REAL = Profile()
"""An Exotel that sends silence while nobody speaks, as real calls do: the detector's clock."""


@define
class Notes:
    heard: list[tuple[str, Speech]] = Factory(list)
    told: list[object] = Factory(list)
    audio: bytes = b""


C = Call[Notes]


def noise(seconds: float, level: float) -> bytes:
    random, scale = Random(0), 32768 * 10 ** (level / 20)
    return array("h", (round(random.gauss(0, scale)) for _ in range(round(seconds * LINE.rate)))).tobytes()


VOICE = tone(300, 1.0)
CLICK = noise(0.1, -12)


class Bye(Hangup[Notes]):
    """The end, at once."""


def saying(barge_in: BargeIn, prompts: Path) -> Flow[Notes]:
    """A flow that says one prompt of 3 seconds and hangs up."""

    class Offer(Say[Notes], prompt="menu.wav", barge_in=barge_in):
        def then(self, call: C) -> Bye:
            return Bye()

    return Flow("bank", start=Offer, data=Notes, prompts=prompts, scope=locals())


async def spoken(flow: Flow[Notes], *says: tuple[float, bytes], stays: float = 8.0) -> tuple[Telephone, Stage]:
    """Call a flow and say things at their moments."""
    async with ringing(flow, line={"profile": REAL}) as (phone, stage), trio.open_nursery() as nursery:

        async def say(at: float, audio: bytes) -> None:
            await trio.sleep_until(phone.answered_at + at)
            with contextlib.suppress(CallEnded):  # the flow may well end while the caller speaks
                await phone.play(audio)

        for at, audio in says:
            nursery.start_soon(say, at, audio)
        with trio.move_on_at(phone.answered_at + stays):
            await phone.ended.wait()
        nursery.cancel_scope.cancel()
    return phone, stage


def cut_by(stage: Stage) -> list[object]:
    return [entry.details["by"] for entry in stage.journal(Kind.PLAYBACK) if entry.what == "barge-in"]


# What cuts, and what does not.


@pytest.mark.parametrize(("barge_in", "cut"), [("dtmf", []), ("speech", ["speech"]), ("any", ["speech"]), (None, [])])
async def test_a_voice_cuts_what_it_may_cut(
    autojump_clock: MockClock, prompts: Path, barge_in: BargeIn, cut: list[str]
) -> None:
    phone, stage = await spoken(saying(barge_in, prompts), (1.0, VOICE))

    assert (cut_by(stage), len(said(phone, Clear))) == (cut, len(cut))


@pytest.mark.parametrize(("barge_in", "cut"), [("dtmf", ["key"]), ("speech", []), ("any", ["key"]), (None, [])])
async def test_a_key_cuts_what_it_may_cut(
    autojump_clock: MockClock, prompts: Path, barge_in: BargeIn, cut: list[str]
) -> None:
    _, stage = await played(saying(barge_in, prompts), (1.0, "1"), line={"profile": REAL})

    assert cut_by(stage) == cut


@pytest.mark.parametrize("sound", [CLICK, CLICK + bytes(1_600) + CLICK], ids=["a click", "two bumps"])
async def test_what_is_too_short_for_speech_cuts_nothing(
    autojump_clock: MockClock, prompts: Path, sound: bytes
) -> None:
    phone, _ = await spoken(saying("speech", prompts), (1.0, sound))

    assert said(phone, Clear) == []


async def test_noise_cuts_nothing(autojump_clock: MockClock, prompts: Path) -> None:
    phone, _ = await spoken(saying("speech", prompts), (0.0, noise(4.0, -35)))

    assert said(phone, Clear) == []


async def test_a_voice_is_heard_as_speech_when_it_has_lasted_long_enough(
    autojump_clock: MockClock, prompts: Path
) -> None:
    _, stage = await spoken(saying("speech", prompts), (1.0, VOICE))
    [began] = [entry for entry in stage.journal(Kind.SPEECH) if entry.what == "began"]

    assert began.at == pytest.approx(1.0 + BEGIN, abs=0.021)


async def test_how_much_sound_is_speech_is_the_flows_choice(autojump_clock: MockClock, prompts: Path) -> None:
    class Offer(Say[Notes], prompt="menu.wav", barge_in="speech"):
        def then(self, call: C) -> Bye:
            return Bye()

    patient = Sensitivity(begin_after=0.8)
    flow = Flow("bank", start=Offer, data=Notes, prompts=prompts, speech=patient, scope=locals())
    _, stage = await spoken(flow, (1.0, tone(300, 0.7)), (2.0, VOICE))
    [began] = [entry.at for entry in stage.journal(Kind.SPEECH) if entry.what == "began"]

    assert began == pytest.approx(2.8, abs=0.021)


async def test_a_key_waits_for_the_end_of_a_question_that_only_speech_cuts(
    autojump_clock: MockClock, prompts: Path
) -> None:
    class Ask(Menu[Notes], prompt="menu.wav", barge_in="speech"):
        @key("1")
        def one(self, call: C) -> Bye:
            return Bye()

        def on_failed(self, call: C, why: Failed) -> Bye:
            return Bye()

    flow = Flow("bank", start=Ask, data=Notes, prompts=prompts, scope=locals())
    _, stage = await played(flow, (1.0, "1"), line={"profile": REAL})

    assert ([e.what for e in stage.journal(Kind.KEY)], stage.record.seconds) == (
        ["pressed", "held", "taken"],
        PROMPTS["menu"][1],
    )


async def test_speech_that_began_before_a_prompt_does_not_cut_it(autojump_clock: MockClock, prompts: Path) -> None:
    class Quiet(State[Notes], timeout=2.0):
        def on_timeout(self, call: C) -> Offer:
            return Offer()

    class Offer(Say[Notes], prompt="welcome.wav", barge_in="speech"):
        def then(self, call: C) -> Bye:
            return Bye()

    flow = Flow("bank", start=Quiet, data=Notes, prompts=prompts, scope=locals())
    _, stage = await spoken(flow, (1.0, tone(300, 2.5)))

    assert cut_by(stage) == []


# How fast, and how clean.


async def test_the_clear_is_on_the_wire_in_the_step_that_read_the_voice(
    autojump_clock: MockClock, prompts: Path
) -> None:
    steps = Steps()
    trio.lowlevel.add_instrument(steps)
    watched: list[Watched] = []
    async with serving(saying("speech", prompts)) as stage:

        async def connect(port: BytePort) -> None:
            watched.append(Watched(port, steps))
            await stage.server.connect(watched[0])

        stage.network.listen(connect, stage.nursery)
        peer = await dialled(stage.network, OPENING)
        heard = bytes(16_000) + VOICE
        frames = [heard[at : at + 320] for at in range(0, len(heard), 320)]
        for frame in frames:
            await trio.sleep(0.02)
            await peer.send(text(encode(Media(payload=frame, stream_sid=START.stream_sid))))
        peer.port.close()
    trio.lowlevel.remove_instrument(steps)
    clear_step, clear_at = first(watched[0].sent, b'"clear"')
    read = [(step, at) for step, at, data in watched[0].received if b"media" in data and at <= clear_at]

    assert read[-1] == (clear_step, clear_at)


@given(st.lists(st.sampled_from([VOICE, CLICK, bytes(8_000), noise(0.5, -40)]), max_size=6), st.integers(0, 9))
def test_no_media_stands_behind_a_clear_of_speech(prompts: Path, sounds: list[bytes], delay: int) -> None:
    async def main() -> list[type[object]]:
        phone, _ = await spoken(saying("any", prompts), (delay / 5, b"".join(sounds)))
        return [type(message) for message in said(phone, Media, Clear)]

    sent = in_virtual_time(main)

    assert Clear not in sent[:-1]


# What it costs.


async def test_a_call_that_never_asks_for_speech_has_no_detector(autojump_clock: MockClock, prompts: Path) -> None:
    async with ringing(saying("dtmf", prompts), line={"profile": REAL}) as (phone, stage):
        await phone.wait(1.0)
        taps = stage.call.driver.taps.all
        await phone.hang_up()

    assert taps == ()


async def test_a_play_that_speech_may_cut_brings_the_detector(autojump_clock: MockClock, prompts: Path) -> None:
    class Script(State[Notes], timeout=20.0):
        async def run(self, call: C) -> Bye:
            await call.play("menu.wav", barge_in="speech")
            return Bye()

        def on_timeout(self, call: C) -> Bye:
            return Bye()

    flow = Flow("bank", start=Script, data=Notes, prompts=prompts, scope=locals())
    _, stage = await spoken(flow, (1.0, VOICE))

    assert cut_by(stage) == ["speech"]


# What a state is told.


class Listening(State[Notes], timeout=6.0):
    def on_speech(self, call: C, speech: Speech) -> None:
        call.data.heard.append(("began", speech))

    def on_speech_ended(self, call: C, speech: Speech) -> Bye:
        call.data.heard.append(("ended", speech))
        return Bye()

    def on_timeout(self, call: C) -> Bye:
        return Bye()


async def test_a_state_is_told_when_the_caller_begins_and_ends(autojump_clock: MockClock, prompts: Path) -> None:
    notes = Notes()
    await spoken(Flow("bank", start=Listening, data=lambda: notes, prompts=prompts), (1.0, VOICE))
    told = [(what, round(s.at, 1), round(s.seconds, 1), -20 < s.level < 0) for what, s in notes.heard]

    assert told == [("began", 1.0, 0.3, True), ("ended", 1.0, 1.0, True)]


async def test_a_state_is_told_of_the_voice_that_cut_what_was_said_before_it(
    autojump_clock: MockClock, prompts: Path
) -> None:
    class Offer(Say[Notes], prompt="menu.wav", barge_in="speech"):
        def then(self, call: C) -> Listening:
            return Listening()

    notes = Notes()
    flow = Flow("bank", start=Offer, data=lambda: notes, prompts=prompts, scope=locals())
    await spoken(flow, (1.0, VOICE))

    assert [what for what, _ in notes.heard] == ["began", "ended"]
