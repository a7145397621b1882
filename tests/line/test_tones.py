"""Touch tones: each key is found again, at every rate and in every coding, and nothing else is taken for one."""

from __future__ import annotations

import math
import random
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callflow.line.tones import digits_in, tone
from callflow.wire.audio import RATES, AudioFormat, Coding, level
from callflow.wire.messages import KEYS
from callflow.wire.tones import COLUMNS, ROWS


def silence(seconds: float, rate: int) -> bytes:
    return bytes(2 * round(seconds * rate))


def noise(seed: int, seconds: float, rate: int = 8000, loudness: int = 9000) -> bytes:
    draw = random.Random(seed)
    return array("h", (draw.randrange(-loudness, loudness) for _ in range(round(seconds * rate)))).tobytes()


def chord(*frequencies: float, rate: int = 8000, loudness: float = 7000) -> bytes:
    def sample(at: int) -> int:
        return round(loudness * sum(math.sin(2 * math.pi * f * at / rate) for f in frequencies))

    return array("h", map(sample, range(rate))).tobytes()


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("key", KEYS)
def test_each_key_is_found_at_each_rate(key: str, rate: int) -> None:
    assert digits_in(silence(0.05, rate) + tone(key, rate) + silence(0.05, rate), rate) == key


@settings(deadline=None, max_examples=40)
@given(keys=st.text(KEYS, max_size=8), shift=st.integers(0, 800), pause=st.integers(800, 2400))
def test_an_entry_is_found_wherever_its_tones_stand(keys: str, shift: int, pause: int) -> None:
    pcm = bytes(2 * shift) + b"".join(tone(key, 8000) + bytes(2 * pause) for key in keys)

    assert digits_in(pcm, 8000) == keys


def test_an_entry_survives_mu_law() -> None:
    form = AudioFormat(8000, Coding.MULAW)
    pcm = b"".join(tone(key, 8000) + silence(0.1, 8000) for key in KEYS)

    assert digits_in(form.to_pcm16(form.from_pcm16(pcm)), 8000) == KEYS


def test_a_key_that_is_held_counts_once() -> None:
    assert digits_in(tone("5", 8000, seconds=1.0), 8000) == "5"


@pytest.mark.parametrize("seconds", [0.01, 0.02, 0.03])
def test_a_tone_of_a_few_milliseconds_is_no_key(seconds: float) -> None:
    assert digits_in(tone("5", 8000, seconds) + silence(0.1, 8000), 8000) == ""


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_no_key(seed: int) -> None:
    assert digits_in(noise(seed, 5.0), 8000) == ""


def test_noise_in_the_voice_band_with_syllables_is_no_key() -> None:
    draw = random.Random(7)
    voiced = [chord(pitch, 2 * pitch, 3 * pitch, 4 * pitch, 5 * pitch, loudness=2500) for pitch in range(90, 290, 10)]
    syllables = [each[: 2 * draw.randrange(600, 3000)] + noise(3, 0.05, loudness=2000) for each in voiced]

    assert digits_in(b"".join(syllables), 8000) == ""


@pytest.mark.parametrize("frequencies", [(440, 554), (523, 659), (697, 1100), (800, 1209), (697, 770), (480, 620)])
def test_a_chord_of_two_other_tones_is_no_key(frequencies: tuple[float, float]) -> None:
    assert digits_in(chord(*frequencies), 8000) == ""


@pytest.mark.parametrize("frequency", [*ROWS, *COLUMNS])
def test_half_a_key_is_no_key(frequency: float) -> None:
    assert digits_in(chord(frequency), 8000) == ""


def test_a_tone_is_ten_decibels_below_a_full_sine() -> None:
    full_sine = 1 / math.sqrt(2)

    decibels = 20 * math.log10(level(tone("8", 8000, seconds=1.0)) / full_sine)

    assert decibels == pytest.approx(-10, abs=0.2)


def test_a_tone_begins_and_ends_softly() -> None:
    samples = array("h", tone("8", 8000))

    assert max(map(abs, (*samples[:4], *samples[-4:]))) < 0.1 * max(samples)


@pytest.mark.parametrize("wrong", ["A", "", "12"])
def test_what_is_no_key_has_no_tone(wrong: str) -> None:
    with pytest.raises(ValueError, match="no telephone key"):
        tone(wrong, 8000)
