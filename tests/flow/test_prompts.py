from __future__ import annotations

import array
import io
import math
import struct
import wave
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callflow.errors import AudioError
from callflow.flow import prompts
from callflow.flow.prompts import Clip, Part, PromptLibrary


def tone(seconds: float, *, hertz: float = 440.0, rate: int = 8000) -> bytes:
    """Make a tone as 16-bit mono PCM."""
    return array.array(
        "h", (round(8000 * math.sin(2 * math.pi * hertz * n / rate)) for n in range(round(seconds * rate)))
    ).tobytes()


def wav(pcm: bytes, *, rate: int = 8000, channels: int = 1, sample_bytes: int = 2) -> bytes:
    """Write *pcm* as the bytes of a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setparams((channels, sample_bytes, rate, 0, "NONE", ""))
        recording.writeframes(pcm)
    return file.getvalue()


def with_length(data: bytes, said: int) -> bytes:
    """Have a plain header of 44 bytes say that there are *said* bytes of audio."""
    return b"RIFF" + struct.pack("<I", min(said + 36, 0xFFFFFFFF)) + data[8:40] + struct.pack("<I", said) + data[44:]


def with_tag(data: bytes, tag: int) -> bytes:
    """Have the header say another coding."""
    return data[:20] + struct.pack("<H", tag) + data[22:]


TONE = tone(0.1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a welcome of 0.1 s, numbers of their own pitch, and some Hindi."""
    (tmp_path / "hi").mkdir()
    (tmp_path / "welcome.wav").write_bytes(wav(TONE))
    (tmp_path / "12.wav").write_bytes(wav(tone(0.2, hertz=300)))
    (tmp_path / "20.wav").write_bytes(wav(tone(0.2, hertz=500)))
    (tmp_path / "hi" / "12.wav").write_bytes(wav(tone(0.3, hertz=700)))
    (tmp_path / "hi" / "namaste.wav").write_bytes(wav(tone(0.4, hertz=900)))
    (tmp_path / "prompts.toml").write_text('[words]\nwelcome = "Welcome to the bank."\n12 = "twelve"\n20 = "Twenty"\n')
    (tmp_path / "hi" / "prompts.toml").write_text('[words]\n12 = "बारह"\n', encoding="utf-8")
    return tmp_path


@pytest.fixture
def library(folder: Path) -> PromptLibrary:
    return PromptLibrary.load(folder, 8000)


def refusal(folder: Path, rate: int = 8000) -> str:
    """Say why *folder* cannot be loaded, with the folder itself left out."""
    with pytest.raises(AudioError) as refused:
        PromptLibrary.load(folder, rate)
    return str(refused.value).replace(f"{folder}/", "")


def refused_clip(library: PromptLibrary, prompt: prompts.Prompt, language: str = "") -> str:
    with pytest.raises(AudioError) as refused:
        library.clip(prompt, language)
    return str(refused.value).replace(f"{library.folder}/", "")


# --- clips


def test_a_file_is_played_as_it_was_recorded(library: PromptLibrary) -> None:
    assert library.clip("welcome.wav").pcm == TONE


def test_a_clip_knows_its_length_its_words_and_its_files(library: PromptLibrary) -> None:
    clip = library.clip(("welcome.wav", "twelve"))

    assert (round(clip.seconds, 6), clip.words, clip.names, clip.rate) == (
        0.3,
        "Welcome to the bank. twelve",
        ("welcome.wav", "12.wav"),
        8000,
    )


def test_the_parts_of_a_clip_follow_each_other_without_a_gap(library: PromptLibrary) -> None:
    assert library.clip(("welcome.wav", "12.wav", "welcome.wav")).pcm == TONE + tone(0.2, hertz=300) + TONE


@pytest.mark.parametrize("words", ["twenty", "TWENTY", "Twenty.", " twenty ", "„Twenty!”"])
def test_words_are_found_whatever_their_case_and_punctuation(library: PromptLibrary, words: str) -> None:
    assert library.clip(words).names == ("20.wav",)


@pytest.mark.parametrize(
    ("written", "said"), [("twenty-one", "Twenty one"), ("don’t know", "DON'T KNOW"), ("a  b", "a b"), ("1)", "1")]
)
def test_words_that_sound_alike_are_the_same(tmp_path: Path, written: str, said: str) -> None:
    (tmp_path / "x.wav").write_bytes(wav(TONE))
    (tmp_path / "prompts.toml").write_text(f'[words]\nx = "{written}"\n', encoding="utf-8")

    assert PromptLibrary.load(tmp_path, 8000).clip(said).names == ("x.wav",)


def test_a_file_is_named_whatever_the_case_of_its_ending(tmp_path: Path) -> None:
    (tmp_path / "bye.WAV").write_bytes(wav(TONE))
    library = PromptLibrary.load(tmp_path, 8000)

    assert (library.clip("bye.wav").names, library.clip("bye.Wav").names) == (("bye.wav",), ("bye.wav",))


def test_a_file_without_words_is_its_name_in_a_transcript(tmp_path: Path) -> None:
    (tmp_path / "bye.wav").write_bytes(wav(TONE))

    assert PromptLibrary.load(tmp_path, 8000).clip("bye.wav").words == "[bye.wav]"


def test_audio_is_not_shown_when_a_clip_is_printed() -> None:
    clip = Clip(parts=(Part(name="x.wav", words="x", pcm=b"\x07\x00"),), rate=8000)

    assert "\\x07" not in repr(clip)


def test_a_library_plays_the_rate_that_it_was_loaded_for(tmp_path: Path) -> None:
    (tmp_path / "bye.wav").write_bytes(wav(tone(0.1, rate=16000), rate=16000))

    assert PromptLibrary.load(tmp_path, 16000).clip("bye.wav").seconds == pytest.approx(0.1)


def test_a_folder_without_prompts_is_a_library_without_prompts(tmp_path: Path) -> None:
    library = PromptLibrary.load(tmp_path, 8000)

    assert refused_clip(library, "bye.wav") == "bye.wav: expected this file, found none; record it"


# --- languages


@pytest.mark.parametrize(
    ("prompt", "language", "found_in"),
    [
        ("12.wav", "hi", "hi"),
        ("12.wav", "", ""),
        ("20.wav", "hi", ""),
        ("20.wav", "ta", ""),
        ("twelve", "hi", "hi"),
        ("बारह", "hi", "hi"),
        ("namaste.wav", "hi", "hi"),
    ],
)
def test_a_language_comes_first_and_the_top_folder_fills_its_gaps(
    library: PromptLibrary, prompt: str, language: str, found_in: str
) -> None:
    assert [part.language for part in library.clip(prompt, language).parts] == [found_in]


def test_a_language_has_words_of_its_own(library: PromptLibrary) -> None:
    assert (library.clip("12.wav", "hi").words, library.clip("12.wav").words) == ("बारह", "twelve")


def test_a_file_of_a_language_without_words_of_its_own_has_those_of_the_top(folder: Path) -> None:
    (folder / "hi" / "prompts.toml").unlink()

    assert PromptLibrary.load(folder, 8000).clip("12.wav", "hi").words == "twelve"


def test_words_of_one_language_are_not_found_in_another(library: PromptLibrary) -> None:
    assert "found none" in refused_clip(library, "बारह", "")


def test_a_file_of_one_language_alone_is_named_as_such(library: PromptLibrary) -> None:
    assert refused_clip(library, "namaste.wav") == (
        "namaste.wav: expected this file, found none; it is only in hi/; record it for the other languages too"
    )


# --- what is not there


def test_a_misspelled_file_is_told_its_nearest(library: PromptLibrary) -> None:
    assert refused_clip(library, "welcom.wav") == (
        "welcom.wav: expected this file, found none; did you mean 'welcome.wav'? If not, record it"
    )


def test_words_that_no_file_says_need_a_recording_since_nothing_is_synthesised(library: PromptLibrary) -> None:
    assert refused_clip(library, "thirteen lakh") == (
        "the words 'thirteen lakh': expected the words of a file in prompts.toml, found none; "
        "record a WAV file and give it these words in prompts.toml: callflow has no speech synthesis"
    )


@pytest.mark.parametrize(("written", "meant"), [("twentey", "Twenty"), ("welcome", "welcome.wav")])
def test_misspelled_words_are_told_their_nearest(library: PromptLibrary, written: str, meant: str) -> None:
    assert f"did you mean '{meant}'? If not, record" in refused_clip(library, written)


def test_words_that_two_files_say_have_to_be_named_by_file(folder: Path) -> None:
    (folder / "12-last.wav").write_bytes(wav(TONE))
    (folder / "prompts.toml").write_text('[words]\n12 = "twelve"\n12-last = "Twelve."\n')
    library = PromptLibrary.load(folder, 8000)

    assert refused_clip(library, "twelve") == (
        "the words 'twelve': expected one file that says them, found 12.wav and 12-last.wav; name the file instead"
    )


@pytest.mark.parametrize("empty", [(), "", "..."])
def test_an_empty_prompt_is_refused(library: PromptLibrary, empty: prompts.Prompt) -> None:
    assert "found none" in refused_clip(library, empty)


def test_a_prompt_cannot_reach_outside_its_folder(folder: Path) -> None:
    (folder.parent / "outside.wav").write_bytes(wav(TONE))

    assert "found none" in refused_clip(PromptLibrary.load(folder, 8000), "../outside.wav")


# --- the cache


def test_a_clip_is_joined_once(library: PromptLibrary) -> None:
    assert library.clip(("welcome.wav", "twelve")) is library.clip(("welcome.wav", "twelve"))


def test_a_clip_of_another_language_is_another_clip(library: PromptLibrary) -> None:
    assert library.clip("12.wav", "hi").pcm != library.clip("12.wav").pcm


def is_kept(library: PromptLibrary, prompt: str) -> bool:
    """Say whether the clip of *prompt* is still the one that was made before two others were asked for."""
    before = library.clip(prompt)
    library.clip("12.wav")
    library.clip("20.wav")
    return library.clip(prompt) is before


def test_the_cache_is_bounded_by_clips(library: PromptLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompts, "CACHED_CLIPS", 2)

    assert not is_kept(library, "welcome.wav")


def test_the_cache_is_bounded_by_bytes(library: PromptLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompts, "CACHED_BYTES", len(tone(0.45)))

    assert not is_kept(library, "welcome.wav")


def test_the_cache_keeps_what_fits(library: PromptLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompts, "CACHED_CLIPS", 3)
    monkeypatch.setattr(prompts, "CACHED_BYTES", len(tone(0.5)))

    assert is_kept(library, "welcome.wav")


def test_the_cache_forgets_what_was_not_asked_for_longest(
    library: PromptLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompts, "CACHED_CLIPS", 2)
    kept = library.clip("welcome.wav")
    for prompt in ("12.wav", "welcome.wav", "20.wav"):
        library.clip(prompt)

    assert library.clip("welcome.wav") is kept


def test_what_was_forgotten_makes_room_for_others(library: PromptLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompts, "CACHED_BYTES", len(tone(0.45)))
    library.clip("12.wav")
    kept = library.clip("20.wav")
    library.clip("welcome.wav")

    assert library.clip("20.wav") is kept


def test_a_clip_that_alone_fills_the_cache_is_kept(library: PromptLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompts, "CACHED_BYTES", 1)

    assert library.clip("12.wav") is library.clip("12.wav")


# --- files that cannot be played


def convert(name: str) -> str:
    return f"convert it: ffmpeg -i {name} -ar 8000 -ac 1 -c:a pcm_s16le NEW.wav"


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (wav(TONE, rate=44100, channels=2), "16-bit stereo PCM at 44100 Hz"),
        (wav(TONE, rate=16000), "16-bit mono PCM at 16000 Hz"),
        (wav(TONE, sample_bytes=1), "8-bit mono PCM at 8000 Hz"),
        (wav(TONE + TONE + TONE, channels=6), "16-bit 6 channels PCM at 8000 Hz"),
        (with_tag(wav(TONE), 6), "A-law audio"),
        (with_tag(wav(TONE), 7), "mu-law audio"),
        (with_tag(wav(TONE), 3), "floating-point audio"),
        (with_tag(wav(TONE), 999), "a broken WAV file (unknown format: 999)"),
        (b"ID3\x04" + TONE, "no WAV file"),
        (b"", "an empty file"),
        (wav(TONE)[:10], "a WAV file that is cut short in its header"),
        (wav(TONE)[:30], "a WAV file that is cut short in its header"),
        (b"RIFF\x40\x00\x00\x00AVI " + TONE, "a broken WAV file (not a WAVE file)"),
    ],
)
def test_a_file_of_another_kind_is_named_with_what_it_is_and_the_cure(tmp_path: Path, data: bytes, found: str) -> None:
    (tmp_path / "bad.wav").write_bytes(data)

    assert refusal(tmp_path) == f"bad.wav: expected 16-bit mono PCM at 8000 Hz, found {found}; {convert('bad.wav')}"


def test_a_file_whose_parts_are_longer_than_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_bytes(wav(TONE)[:36] + b"LIST" + struct.pack("<I", 10**6) + TONE)

    assert "found a broken WAV file (a part of it is longer than it)" in refusal(tmp_path)


def test_a_file_without_audio_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_bytes(wav(b""))

    assert refusal(tmp_path) == "bad.wav: expected audio, found a file without any; record it again"


def test_a_file_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_bytes(wav(TONE)[:-800])

    assert refusal(tmp_path) == (
        "bad.wav: expected 0.10 s of audio, as its header says, found 0.05 s of them: it is cut short; export it again"
    )


@pytest.mark.parametrize("unknown", [0xFFFFFFFF, 0x7FFFF000])
def test_a_file_whose_length_was_not_known_when_it_was_written_is_read_to_its_end(tmp_path: Path, unknown: int) -> None:
    (tmp_path / "streamed.wav").write_bytes(with_length(wav(TONE), unknown))

    assert PromptLibrary.load(tmp_path, 8000).clip("streamed.wav").pcm == TONE


def test_half_a_sample_at_the_end_of_a_streamed_file_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "streamed.wav").write_bytes(with_length(wav(TONE), 0xFFFFFFFF) + b"\x01")

    assert PromptLibrary.load(tmp_path, 8000).clip("streamed.wav").pcm == TONE


def test_what_follows_the_audio_is_not_played(tmp_path: Path) -> None:
    (tmp_path / "tagged.wav").write_bytes(wav(TONE) + b"LIST\x04\x00\x00\x00INFO")

    assert PromptLibrary.load(tmp_path, 8000).clip("tagged.wav").pcm == TONE


def write_silence(path: Path, size: int) -> None:
    """Write a WAV file with *size* bytes of silence as a sparse file."""
    with path.open("wb") as file:
        file.write(with_length(wav(b""), size))
        file.truncate(44 + size)


@pytest.mark.parametrize(("size", "found"), [(28_800_002, "30.0 minutes"), (40_000_000, "41.7 minutes")])
def test_a_prompt_of_more_than_half_an_hour_is_refused(tmp_path: Path, size: int, found: str) -> None:
    write_silence(tmp_path / "long.wav", size)

    assert refusal(tmp_path) == (f"long.wav: expected at most 30 minutes, found {found}; cut it into several files")


def test_a_prompt_of_half_an_hour_is_not_refused(tmp_path: Path) -> None:
    write_silence(tmp_path / "long.wav", 28_800_000)

    assert PromptLibrary.load(tmp_path, 8000).clip("long.wav").seconds == 1800.0


def test_a_file_of_more_than_sixty_megabytes_is_refused(tmp_path: Path) -> None:
    write_silence(tmp_path / "big.wav", 60_000_000)

    assert refusal(tmp_path, rate=24000) == "big.wav: expected at most 60 MB, found more; cut it into several files"


def test_a_folder_with_the_name_of_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.wav").mkdir()

    assert refusal(tmp_path) == "x.wav: expected a file that can be read, found Is a directory; check what it is"


def test_a_file_below_a_language_folder_is_refused(folder: Path) -> None:
    (folder / "hi" / "old").mkdir()
    (folder / "hi" / "old" / "x.wav").write_bytes(wav(TONE))

    assert refusal(folder) == (
        "hi/old/x.wav: expected WAV files at the top or in a language's folder, found one below that; move it up"
    )


@pytest.mark.parametrize("hidden", [".trash/x.wav", "._welcome.wav", "hi/.old/x.wav"])
def test_names_that_begin_with_a_dot_are_not_looked_at(folder: Path, hidden: str) -> None:
    (folder / hidden).parent.mkdir(exist_ok=True)
    (folder / hidden).write_bytes(b"not audio")

    assert PromptLibrary.load(folder, 8000).clip("welcome.wav").pcm == TONE


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"prompts: expected a folder of WAV files, found none; make it, or tell"):
        PromptLibrary.load(tmp_path / "prompts", 8000)


def test_an_audio_error_carries_what_it_says(folder: Path) -> None:
    (folder / "welcome.wav").write_bytes(wav(TONE, rate=16000))
    with pytest.raises(AudioError) as refused:
        PromptLibrary.load(folder, 8000)

    assert (refused.value.path, refused.value.expected, refused.value.found) == (
        folder / "welcome.wav",
        "16-bit mono PCM at 8000 Hz",
        "16-bit mono PCM at 16000 Hz",
    )


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw a good file with some bytes of its header changed."""
    data = bytearray(wav(TONE))
    for at in draw(st.lists(st.integers(0, 43), min_size=1, max_size=4)):
        data[at] = draw(st.integers(0, 255))
    return bytes(data)


@given(data=st.one_of(st.binary(max_size=80), damaged()))
@example(data=b"RIFF\x08\x00\x00\x00WAVEfmt \x11")  # a chunk that is longer than the file
def test_any_file_is_either_played_in_whole_samples_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "any.wav").write_bytes(data)
    try:
        size = len(PromptLibrary.load(folder, 8000).clip("any.wav").pcm)
    except AudioError:
        size = 0

    assert size % 2 == 0


# --- prompts.toml


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[words", "prompts.toml: expected a TOML file in UTF-8, found "),
        ("words = 3", "prompts.toml: expected a table [words], found words = 3; write [words], and below it"),
        ("[word]", "prompts.toml: expected the table [words] and nothing else, found 'word'; rename or remove it"),
        (
            '[words]\nwelcom = "x"',
            "prompts.toml, [words] welcom: expected the name of a WAV file without .wav, found no such file; "
            "did you mean 'welcome'? If not, record the file, or remove the line",
        ),
        ('[words]\n"welcome.wav" = "x"', "did you mean 'welcome'?"),
        ('[words]\nqqqq = "x"', "found no such file; record the file, or remove the line"),
        ("[words]\n12 = 12", "prompts.toml, [words] 12: expected words in quotes, found 12; write 12 = '12'"),
        ('[words]\n12 = "..."', "prompts.toml, [words] 12: expected the words that are said, found '...'; write them"),
    ],
)
def test_a_wrong_prompts_toml_names_the_key_and_the_cure(folder: Path, text: str, says: str) -> None:
    (folder / "prompts.toml").write_text(text)

    assert says in refusal(folder)


def test_a_prompts_toml_that_is_no_utf8_is_refused(folder: Path) -> None:
    (folder / "prompts.toml").write_bytes(b'[words]\n12 = "\xff"\n')

    assert refusal(folder).startswith("prompts.toml: expected a TOML file in UTF-8, found 'utf-8' codec can't decode")


def test_a_prompts_toml_may_begin_with_a_byte_order_mark(folder: Path) -> None:
    (folder / "prompts.toml").write_text('\ufeff[words]\n12 = "dozen"\n', encoding="utf-8")

    assert PromptLibrary.load(folder, 8000).clip("dozen").names == ("12.wav",)


def test_the_words_of_a_language_may_be_given_at_the_top(folder: Path) -> None:
    (folder / "prompts.toml").write_text('[words]\nnamaste = "hello"\n')

    assert PromptLibrary.load(folder, 8000).clip("hello", "hi").names == ("namaste.wav",)


def test_a_wrong_prompts_toml_of_a_language_names_its_folder(folder: Path) -> None:
    (folder / "hi" / "prompts.toml").write_text("[words]\n12 = 12\n")

    assert refusal(folder).startswith("hi/prompts.toml, [words] 12: expected words in quotes")
