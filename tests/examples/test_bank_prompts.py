"""The bank's recordings: what the line needs of them, and that prompts.toml tells the truth about the folder."""

from __future__ import annotations

import math
import tomllib
import wave
from itertools import groupby
from pathlib import Path

import pytest
from attrs import frozen

from callflow.wire.audio import AudioFormat, level
from examples import bank_ivr

BANK = Path(bank_ivr.__file__).parent
WORDS = tomllib.loads((BANK / "prompts" / "prompts.toml").read_text(encoding="utf-8"))["words"]
FILES = [*sorted((BANK / "prompts").glob("*.wav")), BANK / "voices" / "balance_please.wav"]
PARTS = [BANK / "prompts" / f"{stem}.wav" for stem, words in WORDS.items() if words == stem]
LINE = AudioFormat()
FULL = 32768


@frozen
class Speech:
    """One file, measured in frames of 20 ms."""

    pcm: bytes

    @property
    def seconds(self) -> float:
        return LINE.seconds(len(self.pcm))

    @property
    def levels(self) -> list[float]:
        """Of each frame, in decibels of full scale; digital silence is -100."""
        step = LINE.frame_bytes
        return [decibels(level(self.pcm[at : at + step])) for at in range(0, len(self.pcm), step)]

    @property
    def audible(self) -> list[bool]:
        return [one > max(self.levels) - 45 for one in self.levels]

    @property
    def loudness(self) -> float:
        """Level of the voiced part: of all frames within 25 dB of the loudest."""
        voiced = [10 ** (one / 10) for one in self.levels if one > max(self.levels) - 25]
        return 10 * math.log10(sum(voiced) / len(voiced))

    @property
    def peak(self) -> float:
        return decibels(max(abs(sample) for sample in memoryview(self.pcm).cast("h")) / FULL)

    @property
    def longest_pause(self) -> float:
        """Seconds of the longest silence, ends included."""
        return max((0.02 * len(list(run)) for audible, run in groupby(self.audible) if not audible), default=0.0)


def decibels(ratio: float) -> float:
    return 20 * math.log10(max(ratio, 1e-5))


def speech(path: Path) -> Speech:
    with wave.open(str(path)) as file:
        return Speech(file.readframes(file.getnframes()))


def name(path: Path) -> str:
    return path.stem


each_file = pytest.mark.parametrize("path", FILES, ids=name)


def test_words_and_files_are_the_same_set() -> None:
    assert {path.stem for path in (BANK / "prompts").glob("*.wav")} == set(WORDS)


def test_folder_stays_small() -> None:
    assert sum(path.stat().st_size for path in FILES) < 1_500_000


@each_file
def test_file_is_in_the_format_of_the_line(path: Path) -> None:
    with wave.open(str(path)) as file:
        found = (file.getframerate(), file.getnchannels(), file.getsampwidth(), file.getcomptype())

    assert found == (8000, 1, 2, "NONE")


@each_file
def test_speech_is_as_loud_as_in_every_other_file(path: Path) -> None:
    assert speech(path).loudness == pytest.approx(-20, abs=1.5)


@each_file
def test_loudest_sample_leaves_a_decibel(path: Path) -> None:
    assert speech(path).peak < -1


@each_file
def test_file_begins_and_ends_in_a_short_silence(path: Path) -> None:
    audible = speech(path).audible

    assert (1 <= audible.index(True) <= 3, 1 <= audible[::-1].index(True) <= 3) == (True, True)


@each_file
def test_no_pause_is_longer_than_between_two_sentences(path: Path) -> None:
    assert speech(path).longest_pause < 0.8


@pytest.mark.parametrize("path", PARTS, ids=name)
def test_word_of_an_amount_is_short(path: Path) -> None:
    assert 0.2 < speech(path).seconds < 1.2
