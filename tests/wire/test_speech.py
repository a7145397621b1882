"""The speech detector: what it hears in real voices, in noise and in clicks, and that no cut of the audio matters."""

from __future__ import annotations

import math
import wave
from array import array
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callflow.wire.audio import QUIETEST, RATES, AudioFormat, Coding, dbfs
from callflow.wire.speech import STEP, Sensitivity, SpeechBegan, SpeechDetector, SpeechEnded

LINE = AudioFormat()
VOICES = sorted((Path(__file__).parents[2] / "examples" / "bank_ivr").rglob("*.wav"))
"""61 sentences and single words, one voice."""


def noise(seconds: float, level: float, *, form: AudioFormat = LINE, seed: int = 0) -> bytes:
    """Make white noise of a level in dBFS, as 16-bit PCM."""
    random, scale = Random(seed), 32768 * 10 ** (level / 20)
    samples = (round(random.gauss(0, scale)) for _ in range(round(seconds * form.rate)))
    return array("h", (max(-32768, min(32767, sample)) for sample in samples)).tobytes()


def hum(seconds: float, level: float, *, rate: int = 8000) -> bytes:
    """Make a sine of 300 Hz whose level is *level* dBFS, as 16-bit PCM."""
    top = 32768 * math.sqrt(2) * 10 ** (level / 20)
    count = round(seconds * rate)
    return array("h", (round(top * math.sin(2 * math.pi * 300 * at / rate)) for at in range(count))).tobytes()


def voice(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        audio: bytes = file.readframes(file.getnframes())
        return audio


def mixed(one: bytes, other: bytes) -> bytes:
    """Have two sounds at once, for as long as the shorter lasts."""
    sums = (a + b for a, b in zip(array("h", one), array("h", other), strict=False))
    return array("h", (max(-32768, min(32767, sample)) for sample in sums)).tobytes()


def begins(detector: SpeechDetector, audio: bytes) -> list[float]:
    """The moments in which speech began, in seconds of the audio."""
    return [round(told.at, 2) for told in detector.feed(audio) if isinstance(told, SpeechBegan)]


QUIET = noise(1.0, -60)


# What is speech.


def test_speech_is_told_with_its_begin_and_its_length() -> None:
    told = SpeechDetector(LINE).feed(QUIET + hum(1.0, -20) + noise(2.0, -60))

    assert [(type(each), round(each.at, 2), round(each.level)) for each in told] == [
        (SpeechBegan, 1.0, -20),
        (SpeechEnded, 1.0, -20),
    ]
    assert isinstance(told[-1], SpeechEnded)
    assert told[-1].seconds == pytest.approx(1.0)


def test_speech_is_told_as_soon_as_enough_of_it_was_heard() -> None:
    detector = SpeechDetector(LINE)
    detector.feed(QUIET)
    said = hum(1.0, -20)
    told = [detector.feed(said[at : at + 320]) for at in range(0, len(said), 320)]

    assert [number for number, each in enumerate(told, 1) if each] == [round(detector.sensitivity.begin_after / STEP)]


@pytest.mark.parametrize(("level", "heard"), [(QUIETEST, 60), (-60.0, 60), (-50.0, 58), (-45.0, 50)])
def test_voices_are_heard_in_noise(level: float, heard: int) -> None:
    around, found = noise(9.0, level), 0
    for path in VOICES:
        audio = around[:16_000] + mixed(around, voice(path)) + around[:16_000]
        found += bool(begins(SpeechDetector(LINE), audio))

    assert (len(VOICES), found >= heard) == (61, True)


def test_the_gap_between_words_is_part_of_the_speech() -> None:
    pause = noise(0.6, -60)
    told = SpeechDetector(LINE).feed(QUIET + hum(0.5, -20) + pause + hum(0.5, -20) + QUIET)

    assert [type(each) for each in told] == [SpeechBegan, SpeechEnded]


def test_a_voice_that_speaks_from_the_first_instant_on_is_heard_after_its_first_breath() -> None:
    audio = hum(0.5, -25) + noise(0.2, -60) + hum(0.5, -25)

    assert begins(SpeechDetector(LINE), audio) == [0.7]


def test_a_speaking_voice_does_not_become_the_noise() -> None:
    syllables = (hum(0.25, -25) + noise(0.08, -55)) * 60
    told = SpeechDetector(LINE).feed(QUIET + syllables + QUIET)

    assert [type(each) for each in told] == [SpeechBegan, SpeechEnded]


# What is none.


@pytest.mark.parametrize("level", [QUIETEST, -60.0, -45.0, -30.0, -20.0])
def test_steady_noise_is_no_speech(level: float) -> None:
    assert SpeechDetector(LINE).feed(noise(30.0, level)) == ()


@given(gaps=st.lists(st.floats(0.15, 1.0), min_size=1, max_size=8), level=st.floats(-40, -3))
def test_clicks_and_bumps_are_no_speech(gaps: list[float], level: float) -> None:
    audio = b"".join(noise(gap, -60) + noise(0.08, level) for gap in gaps)

    assert SpeechDetector(LINE).feed(QUIET + audio + QUIET) == ()


def test_a_cough_is_no_speech() -> None:
    cough = noise(0.05, -10) + noise(0.1, -25) + noise(0.1, -20)

    assert SpeechDetector(LINE).feed(QUIET + cough + QUIET) == ()


def test_noise_that_is_switched_on_is_known_as_such_in_a_few_seconds() -> None:
    detector = SpeechDetector(LINE)
    detector.feed(noise(2.0, -60) + noise(8.0, -35))

    assert (detector.speaking, detector.floor == pytest.approx(-35, abs=3)) == (False, True)


def test_a_constant_part_is_no_sound() -> None:
    assert dbfs(array("h", [12_000] * 160).tobytes()) == QUIETEST


def test_nothing_below_the_threshold_is_speech() -> None:
    audio = bytes(16_000) + hum(1.0, -40) + bytes(16_000)
    told = [SpeechDetector(LINE, Sensitivity(threshold=level)).feed(audio) for level in (-45.0, -35.0)]

    assert [len(each) for each in told] == [2, 0]


@pytest.mark.parametrize(
    "wrong",
    [{"threshold": 3.0}, {"threshold": math.nan}, {"above_noise": -1.0}, {"begin_after": 0.0}, {"end_after": math.inf}],
)
def test_a_sensitivity_without_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Sensitivity(**wrong)


# Formats and pieces.


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("coding", Coding)
def test_every_format_tells_the_same(rate: int, coding: Coding) -> None:
    form = AudioFormat(rate, coding)
    audio = noise(1.0, -60, form=form) + hum(1.0, -20, rate=rate) + noise(1.0, -60, form=form)
    told = SpeechDetector(form).feed(form.from_pcm16(audio))

    assert [(type(each), round(each.at, 2)) for each in told] == [(SpeechBegan, 1.0), (SpeechEnded, 1.0)]


@given(st.lists(st.integers(0, 2_000), max_size=60), st.sampled_from(list(Coding)))
def test_how_the_audio_is_cut_does_not_matter(cuts: list[int], coding: Coding) -> None:
    form = AudioFormat(coding=coding)
    audio = form.from_pcm16(QUIET + hum(0.5, -20) + QUIET)
    detector, at = SpeechDetector(form), 0
    told: list[SpeechBegan | SpeechEnded] = []
    for size in [*cuts, len(audio)]:
        told += detector.feed(audio[at : at + size])
        at += size

    assert tuple(told) == SpeechDetector(form).feed(audio)


@given(st.lists(st.binary(max_size=3_000), max_size=8), st.sampled_from(list(Coding)))
def test_any_bytes_give_begins_and_ends_in_turn(pieces: list[bytes], coding: Coding) -> None:
    eager = Sensitivity(threshold=QUIETEST, above_noise=0.0, begin_after=0.02, end_after=0.02)
    detector = SpeechDetector(AudioFormat(coding=coding), eager)
    kinds = [type(told) for piece in pieces for told in detector.feed(piece)]

    assert kinds == [(SpeechBegan, SpeechEnded)[number % 2] for number in range(len(kinds))]


# How long nobody spoke.


def test_silence_is_counted_from_the_last_speech() -> None:
    detector = SpeechDetector(LINE)
    detector.feed(QUIET + hum(1.0, -20) + noise(2.0, -60))

    assert detector.silent_for == pytest.approx(2.0)


def test_silence_without_any_speech_is_counted_from_the_beginning() -> None:
    detector = SpeechDetector(LINE)
    detector.feed(noise(2.0, -60))

    assert detector.silent_for == pytest.approx(2.0)


def test_a_click_does_not_break_the_silence() -> None:
    detector = SpeechDetector(LINE)
    detector.feed(noise(2.0, -60) + noise(0.06, -20) + noise(0.5, -60))

    assert detector.silent_for == pytest.approx(2.56)


def test_what_may_become_speech_is_no_silence() -> None:
    detector = SpeechDetector(LINE)
    detector.feed(noise(2.0, -60) + hum(0.1, -20))

    assert detector.silent_for == 0.0
