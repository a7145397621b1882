"""Live audio: what is written is heard as it is, in time, and whoever writes waits for the line."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from callflow import Call, CallEnded, Fate, FlowError, Heard
from callflow.call.journal import Kind
from callflow.line.placing import place_call
from callflow.line.profile import Profile
from callflow.line.telephone import Telephone
from callflow.session.timing import Timing
from callflow.testing.recorded import recorded
from callflow.testing.rules import check
from callflow.wire.audio import BLOCK, RATES, AudioFormat, Coding
from callflow.wire.messages import Clear, Mark, Media
from tests.call.stage import CHUNK, LINE, QUIET, Stage, in_virtual_time, played, ringing, said, tone
from tests.call.test_live import doing

Notes = list[object]
C = Call[Notes]

SPEECH = tone(440, 3.0)
LEAD = Timing().lead


async def scripted(
    script: Callable[[C], Awaitable[None]], prompts: Path, *presses: tuple[float, str], profile: Profile | None = None
) -> tuple[Telephone, Stage, Notes]:
    """Have a call whose one state does *script*."""
    profile = profile or Profile(keeps_sending_silence=False)
    folder = prompts if profile.sample_rate == LINE.rate else prompts / "none"
    flow, notes = doing(script, folder, rate=profile.sample_rate)
    phone, stage = await played(flow, *presses, line={"profile": profile}, stays=15.0)
    return phone, stage, notes


def audio(phone: Telephone) -> bytes:
    return b"".join(segment.audio for segment in phone.playout.heard)


# What is heard.


@given(cuts=st.lists(st.integers(0, 9_001), max_size=12), rate=st.sampled_from(RATES), coding=st.sampled_from(Coding))
def test_however_it_is_cut_what_is_written_is_heard(prompts: Path, cuts: list[int], rate: int, coding: Coding) -> None:
    async def script(call: C) -> None:
        at = 0
        async with call.speaker() as speaker:
            for size in [*cuts, len(SPEECH)]:
                await speaker.write(SPEECH[at : at + size])
                at += size
        call.data.append(speaker.result)

    form = AudioFormat(rate, coding)
    encoding = "mulaw" if coding is Coding.MULAW else "base64"
    profile = Profile(sample_rate=rate, coding=coding, encoding=encoding, keeps_sending_silence=False)
    phone, _, [heard] = in_virtual_time(lambda: scripted(script, prompts, profile=profile))
    whole = form.from_pcm16(SPEECH)
    line, padding = audio(phone)[: len(whole)], audio(phone)[len(whole) :]
    assert isinstance(heard, Heard)

    assert (line, padding, heard.fate) == (whole, form.silence(-len(whole) % BLOCK), Fate.HEARD)
    assert check(recorded(phone)).breaches == ()
    assert heard.seconds == heard.sent == pytest.approx(form.seconds(len(whole)))


async def test_chunks_are_whole_but_for_the_last_before_a_flush(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        async with call.speaker() as speaker:
            for _ in range(3):
                await speaker.write(SPEECH[:1_001])
            speaker.flush()
            await speaker.write(SPEECH[:7_001])

    phone, *_ = await scripted(script, prompts)

    assert [len(media.payload) for media in said(phone, Media)] == [3_200, 3_200, 3_200, 640]


async def test_a_short_chunk_ends_an_utterance_so_that_none_is_short_in_the_middle_of_one(
    autojump_clock: MockClock, prompts: Path
) -> None:
    async def script(call: C) -> None:
        async with call.speaker() as speaker:
            await speaker.write(SPEECH[:1_000])
            speaker.flush()
            await speaker.write(SPEECH[:7_000])

    phone, *_ = await scripted(script, prompts)

    sent = [len(message.payload) if isinstance(message, Media) else "mark" for message in said(phone, Media, Mark)]
    assert sent == [1_280, "mark", 3_200, 3_200, 640, "mark"]


async def test_long_speech_has_marks_inside_and_one_at_its_end(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        async with call.speaker() as speaker:
            for _ in range(4):
                await speaker.write(SPEECH)

    phone, *_ = await scripted(script, prompts)

    assert [type(message) for message in said(phone, Media, Mark)].count(Mark) == 3


async def test_nothing_written_is_nothing_heard(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        async with call.speaker() as speaker:
            pass
        call.data.append(speaker.result)

    _, _, notes = await scripted(script, prompts)

    assert notes == [Heard(fate=Fate.HEARD, seconds=0.0)]


# In time.


async def test_a_writer_waits_while_more_than_the_lead_is_not_sent(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        async with call.speaker() as speaker:
            for _ in range(3):
                await speaker.write(SPEECH)
                call.data.append(round(call.now(), 3))

    _, _, notes = await scripted(script, prompts)

    assert notes == pytest.approx([3 * number - 2 * LEAD - 2 * CHUNK for number in (1, 2, 3)])


async def test_audio_that_comes_in_time_is_heard_without_a_gap(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        async with call.speaker() as speaker:
            for at in range(0, len(SPEECH), 1_600):
                await speaker.write(SPEECH[at : at + 1_600])
                await trio.sleep(0.09)
            call.data.append(speaker.gaps)

    phone, stage, notes = await scripted(script, prompts)

    assert (notes, phone.playout.underruns, stage.record.late_chunks) == ([0], 0, 0)


async def test_audio_that_comes_late_is_a_gap_and_not_our_lateness(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        async with call.speaker() as speaker:
            for _ in range(3):
                await speaker.write(SPEECH[:6_400])
                await trio.sleep(2.0)
            call.data.append(speaker.gaps)

    _, stage, notes = await scripted(script, prompts)

    assert (notes, stage.record.late_chunks) == ([2], 0)


# When it is cut.


async def test_a_writer_learns_that_the_caller_cut_it(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        async with call.speaker(barge_in="dtmf") as speaker:
            while await speaker.write(SPEECH):
                pass
            call.data.append((round(call.now(), 3), speaker.result and speaker.result.fate))

    phone, _, notes = await scripted(script, prompts, (4.0, "1"))

    assert (notes, type(said(phone, Media, Mark, Clear)[-1])) == ([(4.0, Fate.CUT)], Clear)


async def test_a_speaker_without_barge_in_is_not_cut_by_a_key(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        async with call.speaker() as speaker:
            call.data.append(await speaker.write(SPEECH))

    _, _, notes = await scripted(script, prompts, (1.0, "1"))

    assert notes == [True]


async def test_an_error_in_the_block_cuts_it(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        with contextlib.suppress(ZeroDivisionError):
            async with call.speaker() as speaker:
                await speaker.write(SPEECH[:16_000])
                raise ZeroDivisionError
        call.data.append(speaker.result and speaker.result.fate)

    phone, _, notes = await scripted(script, prompts)

    assert (notes, len(said(phone, Clear))) == ([Fate.CUT], 1)


async def test_giving_up_in_the_block_cuts_it(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        with trio.move_on_after(1.0):
            async with call.speaker() as speaker:
                await speaker.write(SPEECH)
        call.data.append(speaker.result and (speaker.result.fate, speaker.result.seconds))

    _, _, notes = await scripted(script, prompts)

    assert notes == [(Fate.CUT, 3.0)]


async def test_a_speaker_pauses_and_takes_more_meanwhile(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        async with call.speaker() as speaker:
            await speaker.write(SPEECH[:9_600])
            speaker.pause()
            await call.play("sorry.wav")
            await speaker.write(SPEECH[9_600:16_000])
            speaker.resume()

    phone, *_ = await scripted(script, prompts)
    sorry = tone(660, 0.5)

    assert audio(phone).replace(sorry, b"").rstrip(b"\0") == SPEECH[:16_000].rstrip(b"\0")


async def test_the_end_of_the_call_frees_whoever_writes(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        async with call.speaker() as speaker:
            try:
                while await speaker.write(SPEECH):
                    pass
            finally:
                call.data.append(speaker.result and speaker.result.fate)

    _, _, notes = await scripted(script, prompts)

    assert notes == [Fate.ENDED]


async def test_what_was_said_live_is_not_said_again_on_the_next_line(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        async with call.speaker() as speaker:
            while await speaker.write(SPEECH):
                pass
        call.data.append(speaker.result and speaker.result.fate)

    flow, notes = doing(script, prompts)
    async with ringing(flow) as (phone, stage):
        await phone.wait(1.0)
        phone.drop()
        await phone.wait(2.0)
        async with place_call(stage.network.dial, call_sid=phone.call_sid, profile=QUIET) as back:
            await back.ended.wait()

    assert (notes, said(back, Media)) == ([Fate.LOST], [])


# Misuse.


async def test_nothing_is_written_behind_the_finish(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        async with call.speaker() as speaker:
            speaker.finish()
            with pytest.raises(FlowError, match="after its finish"):
                await speaker.write(SPEECH)
            call.data.append("refused")

    _, _, notes = await scripted(script, prompts)

    assert notes == ["refused"]


async def test_a_call_that_is_over_has_no_speaker(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        try:
            await trio.sleep(60)
        finally:
            try:
                call.speaker()
            except CallEnded as over:
                call.data.append(over.args)

    _, _, notes = await scripted(script, prompts)

    assert len(notes) == 1


async def test_the_journal_says_what_is_spoken_live(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        async with call.speaker(words="Good morning.") as speaker:
            await speaker.write(SPEECH)

    _, stage, _ = await scripted(script, prompts)
    queued = stage.journal(Kind.PLAYBACK)[0]

    assert queued.details == {"prompt": "speaker", "words": "Good morning.", "barge_in": "", "live": True}


async def test_writing_is_a_checkpoint(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        async with call.speaker() as speaker:
            with trio.testing.assert_checkpoints():
                await speaker.write(SPEECH[:2])
        call.data.append(LINE)

    _, _, notes = await scripted(script, prompts)

    assert notes == [LINE]
