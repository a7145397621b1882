"""Recording a caller in whole calls: what begins it, what ends it, and who is told."""

from __future__ import annotations

import contextlib
from array import array
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import Factory, define
from trio.testing import MockClock

from callflow import Call, CallEnded, EndCause, EndedCall, Failed, Flow, Hangup, Record, Recording, RecordingEnd, State
from callflow.call.journal import Kind
from callflow.flow.prompts import Prompt
from callflow.flow.record import BEEP
from callflow.line.placing import place_call
from callflow.line.profile import Profile
from callflow.line.telephone import Telephone
from callflow.line.tones import tone as touch_tone
from callflow.wire.audio import Coding
from callflow.wire.messages import Media
from tests.call.stage import LINE, PROMPTS, Stage, ringing, said, tone

WELCOME = PROMPTS["welcome"][1]
VOICE = tone(300, 2.0)


@define
class Notes:
    told: list[Any] = Factory(list)
    """Each hook that was called, with what ended the call or why it failed."""
    recordings: list[Recording] = Factory(list)


C = Call[Notes]


class Bye(Hangup[Notes]):
    """The end, at once."""


def recording_flow(prompts: Path, notes: Notes, *, again: bool = False, **options: Any) -> Flow[Notes]:
    """Make a flow that records, tells the notes, and hangs up."""

    class Message(Record[Notes], **options):
        def on_recorded(self, call: C, recording: Recording) -> Bye | None:
            call.data.told.append("recorded")
            call.data.recordings.append(recording)
            return None if again and len(call.data.recordings) == 1 else Bye()

        def on_recorded_hangup(self, call: EndedCall[Notes], recording: Recording) -> None:
            call.data.told.append(call.cause)
            call.data.recordings.append(recording)

        def on_failed(self, call: C, why: Failed) -> Bye:
            call.data.told.append(why.name)
            return Bye()

        def on_hangup(self, call: EndedCall[Notes]) -> None:
            call.data.told.append("hung up")

    return Flow("voicemail", start=Message, data=lambda: notes, prompts=prompts, scope=locals() | globals())


Act = tuple[float, str | bytes | None]
"""When, and what: keys, something to say, or hanging up."""


async def recorded(prompts: Path, *acts: Act, profile: Profile | None = None, **options: Any) -> tuple[Any, ...]:
    """Call a flow that records, and do things at their moments."""
    notes = Notes()
    flow = recording_flow(prompts, notes, **options)
    async with ringing(flow, line={"profile": profile or Profile()}) as (phone, stage):
        for at, act in acts:
            with trio.move_on_at(phone.answered_at + at):
                await phone.ended.wait()
            await do(phone, act)
        with trio.move_on_at(phone.answered_at + 30):
            await phone.ended.wait()
    return phone, stage, notes


async def do(phone: Telephone, act: str | bytes | None) -> None:
    match act:
        case None:
            await phone.hang_up()
        case str():
            await phone.press(act, hold=0.0)
        case bytes():
            with contextlib.suppress(CallEnded):  # the flow may well end while the caller speaks
                await phone.play(act)


# What is recorded.


@pytest.mark.parametrize("coding", Coding)
async def test_a_message_is_recorded_sample_for_sample(
    autojump_clock: MockClock, prompts: Path, coding: Coding
) -> None:
    profile = Profile(coding=coding, encoding="mulaw" if coding is Coding.MULAW else "base64")
    _, _, notes = await recorded(prompts, (1.0, VOICE), (4.0, "#"), profile=profile)
    [recording] = notes.recordings
    heard = profile.form.to_pcm16(profile.form.from_pcm16(VOICE))

    assert (notes.told, heard in recording.pcm, recording.rate, recording.ended_by) == (
        ["recorded"],
        True,
        8000,
        RecordingEnd.KEY,
    )


async def test_it_begins_behind_prompt_and_beep(autojump_clock: MockClock, prompts: Path) -> None:
    loud = tone(300, WELCOME + BEEP.seconds)
    phone, _, notes = await recorded(prompts, (0.0, loud), (2.5, VOICE), (5.0, "#"), prompt="welcome.wav")
    heard = b"".join(segment.audio for segment in phone.playout.heard)
    [recording] = notes.recordings

    assert BEEP.pcm(8000) in heard
    assert LINE.seconds(len(recording.pcm)) == pytest.approx(5.0 - WELCOME - BEEP.seconds, abs=0.05)


async def test_without_a_beep_it_begins_at_once_and_sends_nothing(autojump_clock: MockClock, prompts: Path) -> None:
    phone, _, notes = await recorded(prompts, (0.5, VOICE), (3.0, "#"), beep=False)
    [recording] = notes.recordings

    assert (said(phone, Media), recording.seconds) == ([], pytest.approx(3.0, abs=0.05))


async def test_the_tone_of_the_key_that_ended_it_is_not_on_it(autojump_clock: MockClock, prompts: Path) -> None:
    _, _, notes = await recorded(prompts, (1.0, VOICE + touch_tone("#", 8000, 0.3)), (3.31, "#"))
    [recording] = notes.recordings

    assert len(VOICE) - VOICE.find(recording.pcm[-320:]) <= LINE.size(0.06)


async def test_other_keys_do_not_end_it_and_are_not_the_next_states(autojump_clock: MockClock, prompts: Path) -> None:
    _, stage, notes = await recorded(prompts, (1.0, VOICE), (3.2, "12"), (4.0, "#"))

    assert (notes.told, [entry.what for entry in stage.journal(Kind.KEY)]) == (["recorded"], ["pressed", "taken"] * 3)


# What begins it.


async def test_a_key_cuts_the_greeting_and_does_not_end_the_recording(autojump_clock: MockClock, prompts: Path) -> None:
    _, stage, notes = await recorded(prompts, (0.5, "#"), (1.5, VOICE), (5.0, "#"), prompt="welcome.wav")
    [recording] = notes.recordings

    assert ([e.what for e in stage.journal(Kind.PLAYBACK)].count("cut"), VOICE in recording.pcm) == (1, True)


async def test_keys_of_before_do_not_end_it(autojump_clock: MockClock, prompts: Path) -> None:
    _, _, notes = await recorded(prompts, (0.1, "#"), (1.0, VOICE), (4.0, "#"), prompt="welcome.wav", barge_in=None)
    [recording] = notes.recordings

    assert recording.seconds == pytest.approx(4.0 - WELCOME - BEEP.seconds, abs=0.05)


async def test_a_key_in_the_beep_does_not_end_it(autojump_clock: MockClock, prompts: Path) -> None:
    _, _, notes = await recorded(prompts, (0.1, "#"), (1.0, VOICE), (4.0, "#"))

    assert (notes.told, len(notes.recordings)) == (["recorded"], 1)


async def test_a_soft_word_right_behind_the_beep_is_heard(autojump_clock: MockClock, prompts: Path) -> None:
    soft = array("h", (sample // 16 for sample in array("h", tone(300, 2.0)[-12_800:]))).tobytes()
    _, _, notes = await recorded(prompts, (WELCOME + BEEP.seconds, soft), (6.0, "#"), prompt="welcome.wav")

    assert notes.told == ["recorded"]


async def test_a_voice_may_cut_the_greeting(autojump_clock: MockClock, prompts: Path) -> None:
    _, stage, _ = await recorded(prompts, (0.5, VOICE), (4.0, "#"), prompt="welcome.wav", barge_in="speech")

    assert [e.what for e in stage.journal(Kind.PLAYBACK)].count("barge-in") == 1


# What ends it.


async def test_silence_ends_it(autojump_clock: MockClock, prompts: Path) -> None:
    _, stage, notes = await recorded(prompts, (1.0, VOICE), silence=3.0)
    [recording] = notes.recordings

    assert (notes.told, recording.ended_by) == (["recorded"], RecordingEnd.SILENCE)
    assert stage.record.seconds == pytest.approx(3.0 + 3.0, abs=0.05)


async def test_silence_ends_it_on_a_line_that_sends_none(autojump_clock: MockClock, prompts: Path) -> None:
    quiet = Profile(keeps_sending_silence=False)
    _, stage, notes = await recorded(prompts, (1.0, VOICE), silence=3.0, profile=quiet)

    assert (notes.told, stage.record.seconds) == (["recorded"], pytest.approx(6.0, abs=0.05))


async def test_the_limit_ends_it(autojump_clock: MockClock, prompts: Path) -> None:
    _, _, notes = await recorded(prompts, (0.5, tone(300, 6.0)), max_seconds=3.0)
    [recording] = notes.recordings

    assert (recording.ended_by, recording.seconds) == (RecordingEnd.LIMIT, pytest.approx(3.0, abs=0.021))


async def test_hanging_up_ends_it_and_the_message_is_there(autojump_clock: MockClock, prompts: Path) -> None:
    _, _, notes = await recorded(prompts, (1.0, VOICE), (4.0, None))
    [recording] = notes.recordings

    assert (notes.told, recording.ended_by, VOICE in recording.pcm) == (
        [EndCause.STOP, "hung up"],
        RecordingEnd.HANGUP,
        True,
    )


async def test_a_line_that_breaks_leaves_the_message_as_well(autojump_clock: MockClock, prompts: Path) -> None:
    notes = Notes()
    async with ringing(recording_flow(prompts, notes), line={"profile": Profile()}) as (phone, _):
        await phone.wait(1.0)
        await phone.play(VOICE)
        phone.drop()
        await trio.sleep(30)

    assert notes.told == [EndCause.PEER_GONE, "hung up"]


async def test_nobody_is_told_twice(autojump_clock: MockClock, prompts: Path) -> None:
    _, _, notes = await recorded(prompts, (1.0, VOICE), (4.0, "#"), (4.0, None))

    assert len(notes.recordings) == 1


async def test_a_message_over_two_lines_is_one(autojump_clock: MockClock, prompts: Path) -> None:
    notes, first, second = Notes(), tone(300, 1.0), tone(500, 1.0)
    async with ringing(recording_flow(prompts, notes), line={"profile": Profile()}) as (phone, stage):
        await phone.wait(1.0)
        await phone.play(first)
        await phone.wait(0.1)
        phone.drop()
        await trio.sleep(6.0)
        async with place_call(stage.network.dial, call_sid=phone.call_sid, profile=Profile()) as back:
            await back.wait(1.0)
            await back.play(second)
            await back.press("#")
            await back.ended.wait()
    [recording] = notes.recordings

    assert (notes.told, first in recording.pcm, second in recording.pcm) == (["recorded"], True, True)


# When there is none.


@pytest.mark.parametrize(
    ("acts", "options", "why"),
    [
        ([], {}, "no input"),
        ([(1.0, "#")], {}, "no input"),
        ([(0.5, "#")], {"silence": None}, "too short"),
        ([(0.5, tone(300, 0.6)), (1.2, "#")], {"least_seconds": 2.0}, "too short"),
    ],
)
async def test_nothing_recorded_is_a_failure(
    autojump_clock: MockClock, prompts: Path, acts: list[Act], options: dict[str, Any], why: str
) -> None:
    _, _, notes = await recorded(prompts, *acts, **options)

    assert (notes.told, notes.recordings) == ([why], [])


async def test_hanging_up_without_a_word_is_no_message(autojump_clock: MockClock, prompts: Path) -> None:
    _, _, notes = await recorded(prompts, (2.0, None))

    assert notes.told == ["hung up"]


async def test_hanging_up_in_the_greeting_is_no_message(autojump_clock: MockClock, prompts: Path) -> None:
    _, _, notes = await recorded(prompts, (1.0, None), prompt="welcome.wav", silence=None, least_seconds=0.0)

    assert notes.told == ["hung up"]


# More than one.


async def test_whoever_stays_records_another(autojump_clock: MockClock, prompts: Path) -> None:
    _, _, notes = await recorded(prompts, (1.0, VOICE), (4.0, "#"), (5.0, tone(500, 1.0)), (7.0, "#"), again=True)

    assert [VOICE in recording.pcm for recording in notes.recordings] == [True, False]


async def test_a_recording_is_played_back(autojump_clock: MockClock, prompts: Path) -> None:
    class Message(Record[Notes]):
        def on_recorded(self, call: C, recording: Recording) -> Back:
            return Back(recording)

        def on_recorded_hangup(self, call: EndedCall[Notes], recording: Recording) -> None: ...

        def on_failed(self, call: C, why: Failed) -> Bye:
            return Bye()

    class Back(State[Notes], timeout=20.0):
        what: Prompt

        async def run(self, call: C) -> Bye:
            await call.play(self.what)
            return Bye()

        def on_timeout(self, call: C) -> Bye:
            return Bye()

    flow = Flow("voicemail", start=Message, data=Notes, prompts=prompts, scope=locals())
    async with ringing(flow, line={"profile": Profile()}) as (phone, _):
        await phone.wait(1.0)
        await phone.play(VOICE)
        await phone.press("#")
        await phone.ended.wait()

    assert VOICE in b"".join(segment.audio for segment in phone.playout.heard)


async def test_an_error_in_a_hook_of_the_end_is_logged_and_the_other_called(
    autojump_clock: MockClock, prompts: Path
) -> None:
    told: list[str] = []

    class Message(Record[Notes]):
        def on_recorded(self, call: C, recording: Recording) -> Bye:
            return Bye()

        def on_recorded_hangup(self, call: EndedCall[Notes], recording: Recording) -> None:
            raise OSError("no space left")

        def on_failed(self, call: C, why: Failed) -> Bye:
            return Bye()

        def on_hangup(self, call: EndedCall[Notes]) -> None:
            told.append("hung up")

    flow = Flow("voicemail", start=Message, data=Notes, prompts=prompts, scope=locals())
    async with ringing(flow, line={"profile": Profile()}) as (phone, stage):
        await phone.wait(1.0)
        await phone.play(VOICE)
        await phone.hang_up()
    errors = [(entry.what, entry.details["where"]) for entry in stage.journal(Kind.ERROR)]

    assert (told, errors) == (["hung up"], [("OSError", "Message.on_recorded_hangup")])


def stage_of(stage: Stage) -> list[str]:
    return [entry.what for entry in stage.journal(Kind.RECORDING)]


async def test_the_journal_says_when_it_begins(autojump_clock: MockClock, prompts: Path) -> None:
    _, stage, _ = await recorded(prompts, (1.0, VOICE), (4.0, "#"))

    assert stage_of(stage) == ["began"]
