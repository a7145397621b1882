"""Recordings as values, and the recorder that makes them, by itself: moments are only numbers here."""

from __future__ import annotations

import wave
from math import inf
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callflow import AudioError, Recording, RecordingEnd
from callflow.flow.prompts import PromptLibrary, Tone
from callflow.flow.recording import Recorder
from callflow.line.tones import tone as touch_tone
from callflow.wire.audio import AudioFormat, Coding
from callflow.wire.speech import Sensitivity
from tests.call.stage import tone
from tests.strategies import formats

LINE = AudioFormat()
VOICE = tone(300, 1.0)
RECORDING = Recording(pcm=VOICE, rate=8000, ended_by=RecordingEnd.KEY)


def recorder(most: float = 120.0, silence: float | None = 5.0, form: AudioFormat = LINE) -> Recorder:
    """Begin to record at 10 on a quiet line."""
    made = Recorder(most, silence)
    made.begin(form, Sensitivity(), -60.0, 10.0)
    return made


def feed(to: Recorder, audio: bytes, at: float) -> float:
    """Feed audio as it comes, in frames of 20 ms; return when the last was there."""
    for place in range(0, len(audio), 320):
        at += 0.02
        to.feed(audio[place : place + 320], at)
    return at


@given(formats, st.lists(st.binary(max_size=2_000), max_size=10))
def test_a_recording_is_what_came_sample_for_sample(form: AudioFormat, pieces: list[bytes]) -> None:
    made = recorder(form=form)
    whole = [piece[: len(piece) // form.sample_bytes * form.sample_bytes] for piece in pieces]
    for at, piece in enumerate(whole):
        made.feed(piece, 10.0 + at)

    assert made.finish(RecordingEnd.LIMIT).pcm == form.to_pcm16(b"".join(whole))


def test_a_recording_goes_on_after_a_gap() -> None:
    made = recorder()
    made.feed(b"12", 10.0)
    made.feed(b"34", 14.0)

    assert made.finish(RecordingEnd.HANGUP).pcm == b"1234"


def test_no_more_is_kept_than_the_limit() -> None:
    made = recorder(most=1.5)
    made.feed(bytes(80_000), 10.1)

    assert made.finish(RecordingEnd.LIMIT).seconds == 1.5


def test_what_comes_after_the_end_is_none_of_it() -> None:
    made = recorder()
    made.finish(RecordingEnd.KEY)
    made.feed(b"12", 11.0)

    assert made.finish(RecordingEnd.KEY).pcm == b""


def test_what_comes_before_it_begins_is_none_of_it() -> None:
    made = Recorder(120.0, None)
    made.feed(b"12", 9.0)
    made.begin(LINE, Sensitivity(), None, 10.0)

    assert made.finish(RecordingEnd.KEY).pcm == b""


@pytest.mark.parametrize(("silence", "most", "due"), [(5.0, 120.0, 15.0), (5.0, 3.0, 13.0), (None, 120.0, 130.0)])
def test_a_line_that_sends_nothing_is_silent_and_over_in_time(silence: float | None, most: float, due: float) -> None:
    made = recorder(most, silence)

    assert (made.deadline, made.ended(due - 0.01), made.ended(due) is not None) == (due, None, True)


def test_silence_is_counted_from_the_last_word() -> None:
    made = recorder()
    at = feed(made, VOICE + bytes(32_000), 10.0)

    assert made.spoke
    assert (made.deadline, at) == pytest.approx((16.0, 13.0))


def test_without_an_end_by_silence_nothing_is_known_of_speech() -> None:
    made = recorder(silence=None)
    feed(made, VOICE, 10.0)

    assert (made.spoke, made.deadline < inf) == (False, True)


def test_the_tone_of_the_finish_key_is_taken_off() -> None:
    made = recorder()
    feed(made, VOICE + touch_tone("#", 8000, 0.2), 10.0)
    recording = made.finish(RecordingEnd.KEY, "#")

    assert recording.seconds == pytest.approx(1.0, abs=0.041)


# The value.


def test_a_recording_shows_no_audio() -> None:
    assert repr(RECORDING) == "Recording(rate=8000, ended_by=<RecordingEnd.KEY: 'key'>)"


def test_a_saved_recording_is_a_wav_file(tmp_path: Path) -> None:
    path = RECORDING.save(tmp_path / "new" / "message.wav")
    with wave.open(str(path)) as file:
        saved = (file.getparams()[:3], file.readframes(file.getnframes()))

    assert (saved, [each.name for each in path.parent.iterdir()]) == (((1, 2, 8000), VOICE), ["message.wav"])


def test_a_saved_recording_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "message.wav"
    path.write_text("old")
    RECORDING.save(str(path))

    assert path.read_bytes()[:4] == b"RIFF"


# As a prompt.


def library(tmp_path: Path, rate: int = 8000) -> PromptLibrary:
    RECORDING.save(tmp_path / "before.wav")
    return PromptLibrary.load(tmp_path, rate)


def test_a_recording_is_played_between_files(tmp_path: Path) -> None:
    clip = library(tmp_path).clip(("before.wav", RECORDING))

    assert (clip.pcm, clip.names, clip.words) == (
        VOICE + VOICE,
        ("before.wav", "recording"),
        "[before.wav] [recording]",
    )


def test_a_recording_is_not_kept_for_others(tmp_path: Path) -> None:
    prompts = library(tmp_path)

    assert prompts.clip(RECORDING) is not prompts.clip(RECORDING)


def test_a_recording_of_another_rate_is_refused(tmp_path: Path) -> None:
    strange = Recording(pcm=VOICE, rate=16_000, ended_by=RecordingEnd.KEY)

    with pytest.raises(AudioError, match="expected 8000 Hz, found 16000 Hz"):
        library(tmp_path).clip(strange)


@pytest.mark.parametrize("rate", [8000, 16_000, 24_000])
def test_a_tone_is_as_long_as_it_says_and_does_not_click(tmp_path: Path, rate: int) -> None:
    pcm = Tone(hertz=1_000, seconds=0.3).pcm(rate)

    assert (AudioFormat(rate).seconds(len(pcm)), pcm[:2], AudioFormat(rate, Coding.PCM16).rate) == (0.3, b"\0\0", rate)
