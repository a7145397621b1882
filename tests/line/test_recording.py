"""The stereo recording: everything stands where it was heard, and nothing stands where nothing was."""

from __future__ import annotations

import tracemalloc
import wave
from array import array
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callflow.errors import AudioError
from callflow.line.playout import Segment
from callflow.line.recording import KeyTone, read_wav, write_stereo
from callflow.line.tones import digits_in
from callflow.wire.audio import AudioFormat, Coding

PCM = AudioFormat(8000)
MULAW = AudioFormat(8000, Coding.MULAW)


def steady(value: int, seconds: float, start: float, form: AudioFormat = PCM) -> Segment:
    """Make a segment whose samples all have one value."""
    audio = form.from_pcm16(array("h", [value] * round(seconds * form.rate)).tobytes())
    return Segment(start, audio, seconds)


def record(
    folder: Path,
    *,
    caller: Sequence[Segment] = (),
    bot: Sequence[Segment] = (),
    tones: Sequence[KeyTone] = (),
    form: AudioFormat = PCM,
) -> tuple[list[int], list[int]]:
    """Write a recording and read its two channels."""
    write_stereo(folder / "call.wav", form, caller=caller, bot=bot, tones=tones)
    with wave.open(str(folder / "call.wav"), "rb") as file:
        both = array("h", file.readframes(file.getnframes()))
    return list(both[0::2]), list(both[1::2])


def test_the_caller_is_left_and_the_bot_is_right(tmp_path: Path) -> None:
    left, right = record(tmp_path, caller=[steady(7, 0.5, 0.0)], bot=[steady(9, 0.5, 0.0)])

    assert (set(left), set(right)) == ({7}, {9})


def test_the_file_is_stereo_in_16_bit_at_the_line_s_rate(tmp_path: Path) -> None:
    record(tmp_path, caller=[steady(7, 0.5, 0.0, MULAW)], form=MULAW)

    with wave.open(str(tmp_path / "call.wav"), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 8000)


def test_a_segment_stands_at_its_sample_across_blocks(tmp_path: Path) -> None:
    _, right = record(tmp_path, bot=[steady(9, 2.5, 0.75)])

    assert right == [0] * 6000 + [9] * 20000


def test_gaps_are_silence(tmp_path: Path) -> None:
    left, _ = record(tmp_path, caller=[steady(7, 0.1, 0.1), steady(8, 0.1, 3.1)])

    assert left == [0] * 800 + [7] * 800 + [0] * 23200 + [8] * 800


def test_both_channels_are_as_long_as_the_longer(tmp_path: Path) -> None:
    left, right = record(tmp_path, caller=[steady(7, 0.5, 0.0)], bot=[steady(9, 1.5, 0.0)])

    assert len(left) == len(right) == 12000


def test_overlapping_segments_do_not_shift(tmp_path: Path) -> None:
    _, right = record(tmp_path, bot=[steady(1, 0.2, 0.0), steady(2, 0.2, 0.1), steady(3, 0.1, 0.9)])

    assert right == [1] * 800 + [2] * 1600 + [0] * 4800 + [3] * 800


def test_segments_are_placed_by_their_start_and_not_by_their_order(tmp_path: Path) -> None:
    _, right = record(tmp_path, bot=[steady(2, 0.1, 2.1), steady(1, 2.1, 0.0)])

    assert right == [1] * 16800 + [2] * 800


def test_mu_law_is_written_as_pcm(tmp_path: Path) -> None:
    _, right = record(tmp_path, bot=[steady(1000, 0.1, 0.0, MULAW)], form=MULAW)

    assert right[0] == pytest.approx(1000, rel=0.05)


def test_a_payload_that_breaks_off_inside_a_sample_breaks_nothing(tmp_path: Path) -> None:
    _, right = record(tmp_path, bot=[Segment(0.0, b"\x01\x00\x02", 0.0)])

    assert right == [1]


def test_a_key_sounds_on_the_caller_s_channel_when_it_was_pressed(tmp_path: Path) -> None:
    left, right = record(tmp_path, bot=[steady(0, 3.0, 0.0)], tones=[KeyTone(0.95, "4"), KeyTone(2.0, "#")])

    assert (digits_in(array("h", left).tobytes(), 8000), set(right)) == ("4#", {0})


def test_a_tone_is_added_to_what_the_caller_says(tmp_path: Path) -> None:
    alone, _ = record(tmp_path, tones=[KeyTone(0.0, "4")])
    left, _ = record(tmp_path, caller=[steady(1000, 0.1, 0.0)], tones=[KeyTone(0.0, "4")])

    assert [both - 1000 for both in left] == alone


def test_a_tone_over_the_loudest_speech_is_clipped(tmp_path: Path) -> None:
    left, _ = record(tmp_path, caller=[steady(32767, 0.1, 0.0)], tones=[KeyTone(0.0, "4")])

    assert max(left) == 32767


def test_a_call_in_which_nothing_was_heard_is_an_empty_file(tmp_path: Path) -> None:
    assert write_stereo(tmp_path / "call.wav", PCM, caller=[], bot=[]) == 0.0


def test_the_length_is_told_in_seconds(tmp_path: Path) -> None:
    assert write_stereo(tmp_path / "call.wav", PCM, caller=[steady(7, 0.5, 2.0)], bot=[]) == 2.5


def test_an_hour_is_written_in_little_memory(tmp_path: Path) -> None:
    minute = steady(9, 60.0, 0.0).audio
    bot = [Segment(60.0 * at, minute, 60.0) for at in range(60)]

    tracemalloc.start()
    write_stereo(tmp_path / "call.wav", PCM, caller=[], bot=bot)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < 5_000_000


def write_wav(path: Path, *, channels: int = 1, width: int = 2, rate: int = 8000) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        file.writeframes(bytes(range(48)))
    return path


def test_what_a_caller_says_is_read_from_a_file(tmp_path: Path) -> None:
    assert read_wav(write_wav(tmp_path / "a.wav"), 8000) == bytes(range(48))


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ({"channels": 2}, "16 bits, 2 channels, 8000 Hz"),
        ({"width": 1}, "8 bits, 1 channels, 8000 Hz"),
        ({"rate": 44100}, "16 bits, 1 channels, 44100 Hz"),
    ],
)
def test_a_file_of_another_form_is_refused_with_the_cure(tmp_path: Path, wrong: dict[str, int], found: str) -> None:
    path = write_wav(tmp_path / "a.wav", **wrong)

    with pytest.raises(AudioError, match=f"expected 16-bit mono PCM at 8000 Hz, found {found}; convert it: ffmpeg"):
        read_wav(path, 8000)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"ID3 and so on", b"RIFF\x10\x00\x00\x00WAVEfmt "])
def test_a_file_that_is_no_wav_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(content)

    with pytest.raises(AudioError, match=r"found .*; convert it"):
        read_wav(tmp_path / "a.wav", 8000)


@given(st.lists(st.tuples(st.integers(0, 20000), st.integers(1, 9000)), max_size=6))
def test_every_sample_is_that_of_the_latest_segment_there(
    tmp_path_factory: pytest.TempPathFactory, places: list[tuple[int, int]]
) -> None:
    places = sorted(places, key=lambda place: place[0])
    expected = [0] * max((at + count for at, count in places), default=0)
    for value, (at, count) in enumerate(places, 1):
        expected[at : at + count] = [value] * count

    bot = [steady(value, count / 8000, at / 8000) for value, (at, count) in enumerate(places, 1)]
    _, right = record(tmp_path_factory.mktemp("wav"), bot=bot)

    assert right == expected
