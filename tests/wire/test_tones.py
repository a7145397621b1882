"""The tone of the key that ended a recording is taken off its end, and nothing else is."""

from __future__ import annotations

import functools
import math
from array import array
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callflow.line.tones import tone
from callflow.wire.audio import RATES
from callflow.wire.messages import KEYS
from callflow.wire.tones import before_tone, frequencies


@functools.cache
def speech(seconds: float, rate: int) -> bytes:
    """Make something like a voice: a swelling buzz with many overtones."""
    random, count = Random(1), round(seconds * rate)
    parts = [(140.0 * n, random.random() * 3_000 / n) for n in (1, 2, 3, 5, 8)]
    samples = (sum(a * math.sin(2 * math.pi * f * at / rate) for f, a in parts) for at in range(count))
    return array("h", map(round, samples)).tobytes()


@given(
    key=st.sampled_from(KEYS),
    rate=st.sampled_from(RATES),
    held=st.sampled_from([0.06, 0.1, 0.173, 0.5]),
    after=st.sampled_from([0.0, 0.02, 0.1, 0.4]),
)
def test_a_tone_and_what_follows_it_are_taken_off(key: str, rate: int, held: float, after: float) -> None:
    said = speech(0.5, rate)
    left = before_tone(said + tone(key, rate, held) + bytes(2 * round(after * rate)), rate, key)
    short = (len(said) - len(left)) / 2 / rate

    assert (said.startswith(left), 0 <= short <= 0.041) == (True, True)


@pytest.mark.parametrize("rate", RATES)
def test_speech_without_a_tone_stays_as_it_is(rate: int) -> None:
    said = speech(1.0, rate)

    assert [before_tone(said, rate, key) == said for key in KEYS] == [True] * len(KEYS)


def test_the_tone_of_another_key_stays() -> None:
    said = tone("1", 8000, 0.2)

    assert before_tone(said, 8000, "#") == said


def test_a_tone_long_before_the_end_stays() -> None:
    said = tone("#", 8000, 0.2) + speech(1.0, 8000)

    assert before_tone(said, 8000, "#") == said


def test_a_tone_alone_leaves_nothing() -> None:
    assert before_tone(tone("#", 8000, 0.2), 8000, "#") == b""


def test_nothing_stays_nothing() -> None:
    assert before_tone(b"", 8000, "#") == b""


def test_what_is_too_long_for_a_key_stays() -> None:
    hum = tone("#", 8000, 6.0)

    assert before_tone(hum, 8000, "#") == hum


def test_letters_are_no_keys() -> None:
    with pytest.raises(ValueError, match="is no telephone key"):
        frequencies("A")
