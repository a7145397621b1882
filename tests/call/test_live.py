"""What a handler holds in its hands: who rings, how to speak, and what is refused."""

from __future__ import annotations

import wave
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import trio
from attrs import evolve, frozen
from trio.testing import MockClock

from callflow import AudioError, Call, CallEnded, EndedBy, Fate, Flow, FlowError, Hangup, ServiceMissing, State
from callflow.call.journal import Kind
from callflow.call.live import ended_by
from callflow.line.applets import passthru
from callflow.line.placing import place_call
from callflow.line.profile import Profile
from callflow.server.settings import Settings
from callflow.session.inputs import EndCause
from callflow.wire.audio import Coding
from callflow.wire.exotel import encode
from callflow.wire.messages import Clear, Media
from tests.call.far_end import OPENING, START, UPGRADE, Peer, dialled, text
from tests.call.stage import LINE, PROMPTS, Stage, played, said, serving, tone

Notes = list[object]
C = Call[Notes]


@frozen
class Script:
    """Gives the state what its ``run`` does."""

    script: Callable[[C], Awaitable[None]]


class Scripted(State[Notes], timeout=20.0):
    """Does what a test says, and then ends the call."""

    async def run(self, call: C) -> Done:
        await call.get(Script).script(call)
        return Done()

    def on_timeout(self, call: C) -> Done:
        return Done()


class Done(Hangup[Notes]):
    """The end, at once."""


def doing(script: Callable[[C], Awaitable[None]], prompts: Path, **options: Any) -> tuple[Flow[Notes], Notes]:
    """Make a flow of one state that does *script*; what that appends to the call's data is returned."""
    notes: Notes = []
    services = (Script(script), *options.pop("provide", ()))
    return Flow("bank", start=Scripted, prompts=prompts, data=lambda: notes, provide=services, **options), notes


def fates(stage: Stage) -> list[str]:
    return [entry.what for entry in stage.journal(Kind.PLAYBACK) if entry.what != "queued"]


# Who rings.


async def test_a_call_knows_who_rings_whom_and_under_which_names(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        call.data += [call.caller, call.called, call.call_sid, call.stream_sid, len(call.call_id), call.form]

    flow, notes = doing(script, prompts)
    line = {"caller": "+910000000106", "called": "00000000320", "call_sid": "c1"}
    phone, stage = await played(flow, line=line)

    assert notes == ["+910000000106", "00000000320", "c1", phone.stream_sid, len(stage.record.call_id), LINE]


async def test_parameters_come_from_the_url_and_from_the_start(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        call.data += sorted(call.parameters.items())

    flow, notes = doing(script, prompts)
    await played(flow, line={"parameters": {"lang": "hi"}, "target": "/stream?x=1&sample-rate=8000"})

    assert notes == [("lang", "hi"), ("x", "1")]


async def test_what_the_start_says_of_a_parameter_wins(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        call.data += sorted(call.parameters.items())

    flow, notes = doing(script, prompts)
    async with serving(flow) as stage:
        peer = Peer(await stage.network.dial())
        start = evolve(START, parameters={"b": "start", "c": "start"})
        await peer.send(UPGRADE.replace(b"/stream", b"/stream?a=url&b=url"), text(encode(start)))
        peer.port.close()

    assert notes == [("a", "url"), ("b", "start"), ("c", "start")]


async def test_what_a_passthru_announced_is_known(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        call.data += [call.passthru["CallFrom"], call.passthru["Direction"]]

    flow, notes = doing(script, prompts)
    async with serving(flow) as stage:
        await passthru(stage.network.dial, call_sid="c1", caller="+910000000107", before=True)
        async with place_call(stage.network.dial, call_sid="c1") as phone:
            await phone.ended.wait()

    assert notes == ["+910000000107", "incoming"]


async def test_without_a_passthru_nothing_is_known_of_one(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        call.data.append(dict(call.passthru))

    flow, notes = doing(script, prompts)
    await played(flow)

    assert notes == [{}]


async def test_chance_is_the_calls_own_and_can_be_seeded(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        call.data.append(call.random.random())

    flow, notes = doing(script, prompts)
    for seed in (1, 1, 2):
        await played(flow, seed=seed)

    assert (notes[0] == notes[1], notes[1] == notes[2], isinstance(Random(0).random(), type(notes[0]))) == (
        True,
        False,
        True,
    )


async def test_now_counts_from_the_start_of_the_stream(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        await trio.sleep(1.5)
        call.data.append(call.now())

    flow, notes = doing(script, prompts)
    async with serving(flow) as stage:
        peer = await dialled(stage.network)
        await trio.sleep(3.0)
        await peer.send(OPENING)
        await trio.sleep(2.0)
        peer.port.close()

    assert notes == [1.5]


async def test_a_service_is_found_by_its_type(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        call.data.append(call.get(Random))
        try:
            call.get(Settings)
        except ServiceMissing as missing:
            call.data.append(str(missing).partition(";")[0])

    random = Random(3)
    flow, notes = doing(script, prompts, provide=[random])
    await played(flow)

    assert notes == [random, "no Settings is provided (provided: Script, Random)"]


# Speaking.


async def test_play_returns_when_the_prompt_was_heard(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        heard = await call.play("welcome.wav")
        call.data += [heard.fate, heard.complete, heard.seconds, heard.at_least, round(call.now(), 6)]

    flow, notes = doing(script, prompts)
    await played(flow)

    assert notes == [Fate.HEARD, True, 2.0, 2.0, 2.0]


async def test_a_prompt_whose_mark_never_comes_back_is_assumed_to_have_been_heard(
    autojump_clock: MockClock, prompts: Path
) -> None:
    async def script(call: C) -> None:
        call.data += [(await call.play("welcome.wav")).fate, call.now()]

    flow, notes = doing(script, prompts)
    async with serving(flow) as stage:
        peer = await dialled(stage.network, OPENING)
        await trio.sleep(10.0)
        peer.port.close()

    assert notes == [Fate.ASSUMED, 4.0]


async def test_several_prompts_are_one_playback(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        call.data.append((await call.play(("welcome.wav", "bye.wav"))).seconds)

    flow, notes = doing(script, prompts)
    phone, _ = await played(flow)
    heard = b"".join(segment.audio for segment in phone.playout.heard)

    assert (notes, heard) == ([3.0], tone(*PROMPTS["welcome"]) + tone(*PROMPTS["bye"]))


async def test_a_play_that_is_cancelled_is_cut(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        with trio.move_on_after(0.5):
            await call.play("menu.wav")
        await trio.sleep(1.0)

    flow, _ = doing(script, prompts)
    phone, stage = await played(flow)

    assert (len(said(phone, Clear)), fates(stage), round(phone.playout.heard[-1].end, 3)) == (1, ["cut"], 0.6)


async def test_a_playback_can_be_started_and_stopped(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        playback = call.start("menu.wav")
        call.data.append(playback.result)
        await trio.sleep(0.5)
        playback.stop()
        playback.stop()
        call.data.append((await playback.heard()).fate)
        call.data.append((await playback.heard()).fate)

    flow, notes = doing(script, prompts)
    phone, _ = await played(flow)

    assert (notes, len(said(phone, Clear))) == ([None, Fate.CUT, Fate.CUT], 1)


async def test_a_stopped_playback_is_known_also_when_the_next_runs_already(
    autojump_clock: MockClock, prompts: Path
) -> None:
    async def script(call: C) -> None:
        first = call.start("menu.wav")
        first.stop()
        second = call.start("welcome.wav")
        call.data += [(await first.heard()).fate, (await second.heard()).fate]

    flow, notes = doing(script, prompts)
    await played(flow)

    assert notes == [Fate.CUT, Fate.HEARD]


async def test_a_second_playback_while_one_runs_is_refused(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        call.start("menu.wav")
        with pytest.raises(FlowError, match="was started while another playback runs"):
            await call.play("welcome.wav")
        call.data.append("refused")

    flow, notes = doing(script, prompts)
    await played(flow)

    assert notes == ["refused"]


async def test_a_prompt_that_is_not_there_is_refused(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        with pytest.raises(AudioError, match=r"did you mean 'welcome\.wav'"):
            await call.play("welcom.wav")
        call.data.append("refused")

    flow, notes = doing(script, prompts)
    await played(flow)

    assert notes == ["refused"]


async def test_a_missing_prompt_that_nobody_catches_ends_the_call(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        await call.play("nowhere.wav")

    flow, _ = doing(script, prompts)
    _, stage = await played(flow)

    assert stage.record.cause is EndCause.APP_ERROR


async def test_a_prompt_of_another_language_is_taken_from_its_folder(
    autojump_clock: MockClock, prompts: Path, tmp_path: Path
) -> None:
    (tmp_path / "hi").mkdir()
    (tmp_path / "hi" / "word.wav").write_bytes((prompts / "sorry.wav").read_bytes())
    (tmp_path / "word.wav").write_bytes((prompts / "bye.wav").read_bytes())

    async def script(call: C) -> None:
        call.language = "hi"
        call.data.append((await call.play("word.wav")).seconds)

    flow, notes = doing(script, tmp_path)
    await played(flow)

    assert notes == [PROMPTS["sorry"][1]]


async def test_nothing_can_be_said_or_heard_when_the_call_is_over(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with pytest.raises(CallEnded, match=r"call\.play: the call is over \(ended by unknown\)"):
                call.start("menu.wav")
            with pytest.raises(CallEnded, match=r"call\.tap"):
                call.tap(call.data.append)
            call.data.append("refused")

    flow, notes = doing(script, prompts)
    await played(flow, stays=1.0)

    assert notes == ["refused"]


@pytest.mark.parametrize(
    ("rate", "encoding", "coding", "size"),
    [
        (8000, "base64", Coding.PCM16, 320),
        (16000, "base64", Coding.PCM16, 640),
        (24000, "base64", Coding.PCM16, 960),
        (8000, "audio/x-mulaw", Coding.MULAW, 320),
        (24000, "audio/x-mulaw", Coding.MULAW, 640),
    ],
)
async def test_low_latency_chunks_are_whole_blocks_of_about_20_ms(
    autojump_clock: MockClock, tmp_path: Path, rate: int, encoding: str, coding: Coding, size: int
) -> None:
    with wave.open(str(tmp_path / "tone.wav"), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(bytes(rate))

    async def script(call: C) -> None:
        await call.play("tone.wav")

    flow, _ = doing(script, tmp_path, rate=rate)
    profile = Profile(sample_rate=rate, encoding=encoding, coding=coding, keeps_sending_silence=False)
    phone, stage = await played(flow, settings=Settings(low_latency=True), line={"profile": profile})

    assert ({len(media.payload) for media in said(phone, Media)}, fates(stage)) == ({size}, ["heard"])


# Listening.


class Deaf(State[Notes], timeout=20.0):
    """Listens to nothing."""

    def on_timeout(self, call: C) -> Done:
        return Done()


class Listening(State[Notes], timeout=1.0):
    """Notes what it hears, for a second."""

    async def run(self, call: C) -> None:
        call.tap(call.data.append)

    def on_timeout(self, call: C) -> Deaf:
        return Deaf()


async def test_a_tap_hears_whole_samples_as_long_as_its_state_lives(autojump_clock: MockClock, prompts: Path) -> None:
    notes: Notes = []
    async with serving(Flow("bank", start=Listening, prompts=prompts, data=lambda: notes)) as stage:
        peer = await dialled(stage.network, OPENING)
        for payload in (b"123", b"456"):
            await peer.send(text(encode(Media(payload=payload))))
        await trio.sleep(2.0)
        await peer.send(text(encode(Media(payload=b"too late"))))
        peer.port.close()

    assert notes == [b"12", b"3456"]


async def test_several_taps_hear_the_same(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        counts = [0, 0]

        def count(place: int, audio: bytes) -> None:
            counts[place] += len(audio)

        call.tap(lambda audio: count(0, audio))
        call.tap(lambda audio: count(1, audio))
        await trio.sleep(1.01)
        call.data += counts

    flow, notes = doing(script, prompts)
    await played(flow, line={"profile": Profile()})

    assert notes == [16_000, 16_000]


# Relays.


async def test_a_raw_flow_sends_at_once_what_it_likes(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        call.relay(b"odd")
        call.relay(b"")
        call.clear()
        await trio.lowlevel.checkpoint()

    flow, _ = doing(script, prompts, raw=True)
    phone, _ = await played(flow)

    assert [getattr(message, "payload", None) for message in said(phone, Media, Clear)] == [b"odd", None]


async def test_a_flow_that_is_not_raw_relays_nothing(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        with pytest.raises(FlowError, match=r"call\.relay is for raw flows"):
            call.relay(b"audio")
        with pytest.raises(FlowError, match=r"call\.clear is for raw flows"):
            call.clear()
        call.data.append("refused")

    flow, notes = doing(script, prompts)
    await played(flow)

    assert notes == ["refused"]


async def test_a_one_way_flow_says_nothing(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        with pytest.raises(FlowError, match=r"call\.play: the flow is one-way"):
            call.start("menu.wav")
        call.data.append("refused")

    flow, notes = doing(script, prompts, one_way=True)
    await played(flow)

    assert notes == ["refused"]


# Whose doing an end is.


@pytest.mark.parametrize("cause", EndCause)
def test_every_cause_of_an_end_is_somebodys(cause: EndCause) -> None:
    network = {EndCause.PEER_GONE, EndCause.LOST, EndCause.IDLE, EndCause.PROTOCOL, EndCause.TOO_BIG}
    others = {EndCause.STOP: EndedBy.UNKNOWN, EndCause.FLOW: EndedBy.FLOW}

    assert ended_by(cause) is (EndedBy.NETWORK if cause in network else others.get(cause, EndedBy.SERVER))
