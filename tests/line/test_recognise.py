"""Which prompt is being heard: found by its samples, followed, told apart, and told when it ended."""

from __future__ import annotations

import random
import wave
from array import array
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callflow.line.heard import HeardPrompt
from callflow.line.recognise import PAUSE, Prompt, Recogniser, read_prompts
from callflow.wire.audio import AudioFormat, Coding

PCM = AudioFormat(8000)
MULAW = AudioFormat(8000, Coding.MULAW)


def sound(seed: int, seconds: float, rate: int = 8000) -> bytes:
    """Make audio that nothing else resembles."""
    draw = random.Random(seed)
    return array("h", (draw.randrange(-9000, 9000) for _ in range(round(seconds * rate)))).tobytes()


def prompt(name: str, pcm: bytes, words: str = "") -> Prompt:
    return Prompt(name=name, words=words or name, pcm=pcm)


WELCOME = prompt("welcome", bytes(1600) + sound(1, 1.2), "Welcome to the bank.")
MENU = prompt("menu", sound(2, 2.0), "Press 1.")
ONE = prompt("one", sound(3, 0.4))
ONE_HUNDRED = prompt("one_hundred", ONE.pcm + sound(4, 0.5))
BEEP = prompt("beep", sound(5, 0.06))
PROMPTS = (WELCOME, MENU, ONE, ONE_HUNDRED, BEEP)


def hear(*pieces: tuple[float, bytes], form: AudioFormat = PCM, until: float = 60.0, step: float = 0.02) -> Recogniser:
    """Let a recogniser hear 16-bit *pieces*, each from its own moment on, frame by frame."""
    recogniser = Recogniser(PROMPTS, form)
    for start, pcm in pieces:
        audio, size = form.from_pcm16(pcm), form.size(step)
        for at in range(0, len(audio), size):
            recogniser.feed(start + form.seconds(at), audio[at : at + size])
    recogniser.settle(until)
    return recogniser


def told(heard: list[HeardPrompt]) -> list[tuple[str, float, float, bool]]:
    return [(each.name, round(each.start, 3), round(each.seconds, 3), each.complete) for each in heard]


@pytest.mark.parametrize("form", [PCM, MULAW], ids=["pcm16", "mulaw"])
def test_a_prompt_is_named_with_its_place_and_its_length(form: AudioFormat) -> None:
    recogniser = hear((0.5, WELCOME.pcm), form=form)

    assert told(recogniser.heard) == [("welcome", 0.5, 1.3, True)]


def test_a_prompt_is_found_though_it_begins_as_the_one_that_was_cut_for_it_would_go_on() -> None:
    longer = prompt("longer", sound(6, 1.0) + MENU.pcm[:20] + sound(7, 1.0))
    recogniser = Recogniser([longer, MENU], PCM)
    recogniser.feed(0.0, longer.pcm[:16000] + MENU.pcm)
    recogniser.settle(60.0)

    assert told(recogniser.heard)[1] == ("menu", 1.001, 1.999, True)


def test_the_words_of_a_prompt_come_with_it() -> None:
    (heard,) = hear((0.0, WELCOME.pcm)).heard

    assert (heard.words, heard.of_seconds, heard.over, heard.cut) == ("Welcome to the bank.", 1.3, True, False)


def test_a_prompt_is_told_while_it_is_still_heard() -> None:
    recogniser = hear((0.0, MENU.pcm[:4000]), until=0.25)

    (heard,) = recogniser.heard
    assert (heard.name, heard.over, heard.seconds) == ("menu", False, 0.25)


def test_a_prompt_that_stops_is_cut_once_the_pause_is_over() -> None:
    recogniser = hear((0.0, MENU.pcm[:4000]), until=0.25 + PAUSE)

    (heard,) = recogniser.heard
    assert (heard.cut, heard.seconds, heard.of_seconds) == (True, 0.25, 2.0)


def test_a_prompt_cut_by_the_next_ends_where_the_next_begins() -> None:
    recogniser = hear((0.0, MENU.pcm[:8000] + WELCOME.pcm))

    assert told(recogniser.heard) == [("menu", 0.0, 0.5, False), ("welcome", 0.5, 1.3, True)]


def test_parts_that_follow_without_a_gap_are_named_one_after_another() -> None:
    recogniser = hear((0.0, MENU.pcm + ONE.pcm + BEEP.pcm + ONE.pcm))

    assert [heard.name for heard in recogniser.heard] == ["menu", "one", "beep", "one"]


def test_of_prompts_that_begin_alike_the_longest_wins() -> None:
    recogniser = hear((0.0, ONE_HUNDRED.pcm))

    assert told(recogniser.heard) == [("one_hundred", 0.0, 0.9, True)]


def test_the_shorter_of_prompts_that_begin_alike_is_named_when_something_else_follows() -> None:
    recogniser = hear((0.0, ONE.pcm + MENU.pcm))

    assert told(recogniser.heard) == [("one", 0.0, 0.4, True), ("menu", 0.4, 2.0, True)]


def test_the_shorter_of_prompts_that_begin_alike_is_named_after_a_pause() -> None:
    recogniser = hear((0.0, ONE.pcm), until=0.4 + PAUSE)

    assert told(recogniser.heard) == [("one", 0.0, 0.4, True)]


def test_prompts_that_begin_alike_are_not_named_before_they_part() -> None:
    recogniser = hear((0.0, ONE.pcm), until=0.4)

    assert recogniser.heard == []


@pytest.mark.parametrize("step", [80, 160_000], ids=["in crumbs", "at once"])
def test_what_a_longer_prompt_swallowed_by_chance_is_read_again(step: int) -> None:
    shorter = prompt("shorter", sound(6, 0.4))
    longer = prompt("longer", shorter.pcm + bytes(160) + sound(7, 1.0))
    after = prompt("after", bytes(320) + sound(8, 0.5))
    recogniser = Recogniser([shorter, longer, after], PCM)

    audio = shorter.pcm + after.pcm
    for at in range(0, len(audio), step):
        recogniser.feed(PCM.seconds(at), audio[at : at + step])
    recogniser.settle(9.0)

    assert told(recogniser.heard) == [("shorter", 0.0, 0.4, True), ("after", 0.4, 0.52, True)]


def test_sound_that_is_no_prompt_is_told_with_its_length() -> None:
    recogniser = hear((1.0, sound(99, 1.2)))

    (heard,) = recogniser.heard
    assert (str(heard), round(heard.start, 1), heard.over, heard.cut) == ("unrecognised, 1.2 s", 1.0, True, False)


def test_a_prompt_is_found_behind_unknown_sound() -> None:
    recogniser = hear((0.0, sound(99, 1.0) + MENU.pcm))

    assert told(recogniser.heard) == [("", 0.0, 1.0, False), ("menu", 1.0, 2.0, True)]


def test_unknown_sounds_with_silence_between_them_are_told_apart() -> None:
    recogniser = hear((0.0, sound(98, 0.5) + bytes(16000) + sound(99, 0.5)))

    assert [(round(heard.start, 1), round(heard.seconds, 1)) for heard in recogniser.heard] == [(0.0, 0.5), (1.5, 0.5)]


def test_a_click_is_not_worth_a_word() -> None:
    recogniser = hear((0.0, sound(99, 0.05)), (1.0, ONE.pcm))

    assert [heard.name for heard in recogniser.heard] == ["one"]


def test_silence_is_not_told() -> None:
    assert hear((0.0, bytes(32000))).heard == []


def test_a_playback_that_stutters_is_still_one_prompt() -> None:
    recogniser = hear((0.0, MENU.pcm[:9600]), (0.75, MENU.pcm[9600:]))

    assert told(recogniser.heard) == [("menu", 0.0, 2.15, True)]


def test_a_playback_that_comes_back_after_a_pause_was_cut() -> None:
    recogniser = hear((0.0, MENU.pcm[:9600]), (0.6 + PAUSE, MENU.pcm[9600:]))

    assert [(heard.name, heard.cut) for heard in recogniser.heard] == [("menu", True), ("", False)]


def test_a_prompt_whose_silence_was_missed_is_named_all_the_same() -> None:
    recogniser = hear((0.0, WELCOME.pcm[1600:]))

    assert told(recogniser.heard) == [("welcome", 0.0, 1.2, True)]


def test_the_same_bytes_between_samples_are_no_prompt() -> None:
    recogniser = hear((0.0, b"\x01" + MENU.pcm + b"\x01"))

    assert [heard.name for heard in recogniser.heard] == [""]


def test_a_prompt_that_parts_from_another_inside_a_sample_begins_with_that_sample() -> None:
    low, high = MENU.pcm[8000:8002]
    after = prompt("after", bytes([low, high ^ 1]) + sound(9, 0.5))
    recogniser = Recogniser([MENU, after], PCM)

    recogniser.feed(0.0, MENU.pcm[:8000] + after.pcm)
    recogniser.settle(9.0)

    assert told(recogniser.heard) == [("menu", 0.0, 0.5, False), ("after", 0.5, 0.5, True)]


def test_a_prompt_that_is_all_silence_is_never_named() -> None:
    recogniser = Recogniser([prompt("hold", bytes(16000)), ONE], PCM)

    recogniser.feed(0.0, bytes(16000) + ONE.pcm)

    assert [heard.name for heard in recogniser.heard] == ["one"]


def test_a_payload_that_breaks_off_inside_a_sample_breaks_nothing() -> None:
    recogniser = Recogniser(PROMPTS, PCM)

    recogniser.feed(0.0, ONE.pcm + b"\x07")
    recogniser.settle(9.0)

    assert [heard.name for heard in recogniser.heard] == ["one"]


def test_nothing_is_open_when_nothing_was_heard() -> None:
    recogniser = Recogniser(PROMPTS, PCM)

    assert recogniser.settles_at == float("inf")


@settings(deadline=None)
@given(
    names=st.lists(st.sampled_from(range(len(PROMPTS))), min_size=1, max_size=5),
    cuts=st.lists(st.integers(0, 4000), max_size=12, unique=True),
    form=st.sampled_from([PCM, MULAW]),
)
def test_how_the_audio_is_cut_into_pieces_changes_nothing(names: list[int], cuts: list[int], form: AudioFormat) -> None:
    audio = form.from_pcm16(b"".join(PROMPTS[name].pcm for name in names))
    edges = sorted({0, len(audio), *(min(len(audio), cut * form.sample_bytes * 7) for cut in cuts)})
    recogniser = Recogniser(PROMPTS, form)

    for begin, end in pairwise(edges):
        recogniser.feed(form.seconds(begin), audio[begin:end])
    recogniser.settle(99.0)

    assert [(heard.name, heard.complete) for heard in recogniser.heard] == [
        (PROMPTS[name].name, True) for name in names
    ]


def write_wav(path: Path, pcm: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(pcm)


def test_a_folder_is_read_with_its_languages_and_words(tmp_path: Path) -> None:
    write_wav(tmp_path / "welcome.wav", WELCOME.pcm)
    write_wav(tmp_path / "hi" / "welcome.wav", MENU.pcm)
    (tmp_path / "prompts.toml").write_text('[words]\nwelcome = "Welcome."\n')

    prompts = read_prompts(tmp_path, 8000)

    assert {each.name: each.pcm for each in prompts} == {"welcome": WELCOME.pcm, "hi/welcome": MENU.pcm}
