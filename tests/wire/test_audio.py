"""Formats, chunks and whole samples (exotel.md §8; R17, R18, R19)."""

from __future__ import annotations

import itertools
from array import array

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callflow.wire.audio import (
    BLOCK,
    LARGEST_CHUNK,
    SMALLEST_CHUNK,
    AudioFormat,
    Coding,
    WholeSamples,
    chunks,
    known_encoding,
    level,
    line_format,
    looped,
    names_mulaw,
    pad,
)
from tests.strategies import chunk_sizes, formats

audio_of_any_length = st.binary(max_size=64) | st.integers(0, 30_000).map(lambda n: bytes(range(251)) * (n // 251 + 1))
pcm = st.binary(max_size=400).map(lambda raw: raw[: len(raw) // 2 * 2])


@pytest.mark.parametrize(
    ("form", "per_second", "chunk", "frame"),
    [
        (AudioFormat(8000), 16_000, 3_200, 320),
        (AudioFormat(16000), 32_000, 3_200, 640),
        (AudioFormat(24000), 48_000, 4_800, 960),
        (AudioFormat(8000, Coding.MULAW), 8_000, 3_200, 160),
        (AudioFormat(16000, Coding.MULAW), 16_000, 3_200, 320),
        (AudioFormat(24000, Coding.MULAW), 24_000, 3_200, 480),
    ],
)
def test_each_format_has_its_sizes(form: AudioFormat, per_second: int, chunk: int, frame: int) -> None:
    sizes = (form.bytes_per_second, form.chunk_bytes, form.frame_bytes)

    assert sizes == (per_second, chunk, frame)


def test_the_default_line_is_pcm_at_eight_kilohertz() -> None:
    form = AudioFormat()

    assert (form.rate, form.coding, form.sample_bytes) == (8000, Coding.PCM16, 2)


@given(formats, st.integers(0, 10_000_000))
def test_a_length_in_seconds_gives_its_bytes_back(form: AudioFormat, samples: int) -> None:
    size = samples * form.sample_bytes

    assert form.size(form.seconds(size)) == size


@given(formats, st.floats(0, 3600))
def test_any_time_takes_whole_samples(form: AudioFormat, seconds: float) -> None:
    size = form.size(seconds)

    assert (size % form.sample_bytes, abs(form.seconds(size) - seconds) <= 0.5 / form.rate + 1e-9) == (0, True)


@given(formats, audio_of_any_length)
def test_chunks_are_legal_payloads(form: AudioFormat, audio: bytes) -> None:
    sizes = [len(payload) for payload in chunks(audio, form)]

    assert all(0 < size <= LARGEST_CHUNK and size % BLOCK == 0 for size in sizes)


@given(formats, audio_of_any_length)
def test_every_chunk_but_the_last_has_the_ordinary_size(form: AudioFormat, audio: bytes) -> None:
    sizes = [len(payload) for payload in chunks(audio, form)]

    assert set(sizes[:-1]) <= {form.chunk_bytes}
    assert form.chunk_bytes >= SMALLEST_CHUNK


@given(formats, audio_of_any_length, st.none() | chunk_sizes)
@example(AudioFormat(), b"\x01", None)
def test_chunks_joined_are_the_audio_and_less_than_a_block_of_silence(
    form: AudioFormat, audio: bytes, size: int | None
) -> None:
    joined = b"".join(chunks(audio, form, size))

    padding = len(joined) - len(audio)
    assert 0 <= padding < BLOCK
    assert joined == audio + form.silence(padding)


@given(formats, st.binary(min_size=1, max_size=9_000), chunk_sizes)
def test_audio_that_goes_round_is_cut_across_its_seam(form: AudioFormat, audio: bytes, size: int) -> None:
    payloads = list(itertools.islice(looped(audio, form, size), 5))
    joined = b"".join(payloads)

    assert ({len(payload) for payload in payloads}, joined) == (
        {size},
        (audio * (1 + len(joined) // len(audio)))[: len(joined)],
    )


@given(formats, st.binary(max_size=2000), chunk_sizes)
def test_chunks_have_the_size_that_was_asked_for(form: AudioFormat, audio: bytes, size: int) -> None:
    sizes = [len(payload) for payload in chunks(audio, form, size)]

    whole, rest = divmod(len(audio), size)
    last = [-(-rest // BLOCK) * BLOCK] if rest else []
    assert sizes == [size] * whole + last


def test_no_audio_takes_no_chunk() -> None:
    payloads = chunks(b"", AudioFormat())

    assert payloads == []


@pytest.mark.parametrize("size", [0, -320, 100, 321, 99_841, LARGEST_CHUNK + BLOCK])
def test_a_chunk_size_that_exotel_refuses_is_refused_here(size: int) -> None:
    with pytest.raises(ValueError, match="multiple of 320 bytes up to 99840"):
        chunks(b"\x00" * 10, AudioFormat(), size)


def test_low_latency_frames_are_legal_chunks() -> None:
    sizes = [len(payload) for payload in chunks(b"\x01" * 800, AudioFormat(), AudioFormat().frame_bytes)]

    assert sizes == [320, 320, 320]


@pytest.mark.parametrize(("coding", "silence"), [(Coding.PCM16, b"\x00"), (Coding.MULAW, b"\xff")])
def test_padding_is_silence_in_the_lines_own_coding(coding: Coding, silence: bytes) -> None:
    padded = pad(b"\x01" * 318, AudioFormat(8000, coding))

    assert padded == b"\x01" * 318 + silence * 2


def test_whole_blocks_are_not_padded() -> None:
    audio = b"\x01" * BLOCK

    assert pad(audio, AudioFormat()) is audio


@given(st.lists(st.binary(max_size=7), max_size=12))
def test_samples_never_shift_however_the_payloads_are_cut(payloads: list[bytes]) -> None:
    whole = WholeSamples(AudioFormat())
    fed = [whole.feed(payload) for payload in payloads]

    everything = b"".join(payloads)
    assert b"".join(fed) == everything[: len(everything) // 2 * 2]
    assert [len(piece) % 2 for piece in fed] == [0] * len(fed)


@given(st.lists(st.integers(1, 9), min_size=1))
def test_an_odd_byte_is_kept_and_never_doubled(cuts: list[int]) -> None:
    whole = WholeSamples(AudioFormat())
    ends = list(itertools.accumulate(cuts))
    source = bytes(n % 256 for n in range(ends[-1]))

    heard = b"".join(whole.feed(source[end - cut : end]) for cut, end in zip(cuts, ends, strict=True))

    assert heard == source[: len(source) // 2 * 2]


def test_a_mulaw_payload_of_any_length_holds_whole_samples() -> None:
    whole = WholeSamples(AudioFormat(8000, Coding.MULAW))

    assert whole.feed(b"\x01\x02\x03") == b"\x01\x02\x03"


@pytest.mark.parametrize(
    ("encoding", "mulaw", "known"),
    [
        ("base64", False, True),
        ("", False, True),
        ("raw/slin", False, True),
        ("audio/x-raw", False, True),
        ("linear16", False, True),
        ("audio/x-l16", False, True),
        ("AUDIO/X-L16;rate=16000", False, True),
        ("audio/x-mulaw", True, True),
        ("audio/x-mulaw;rate=8000", True, True),
        (" PCMU ", True, True),
        ("ulaw", True, True),
        ("MuLaw", True, True),
        ("opus", False, False),
        ("alaw", False, False),
        ("x-mulaw-like", False, False),
    ],
)
def test_an_encoding_is_mulaw_only_where_it_names_it(encoding: str, mulaw: bool, known: bool) -> None:
    read = (names_mulaw(encoding), known_encoding(encoding))

    assert read == (mulaw, known)


@pytest.mark.parametrize(
    ("codec", "encoding", "rate", "url_rate", "form"),
    [
        ("auto", "base64", 8000, None, AudioFormat(8000)),
        ("auto", "raw", 16000, 8000, AudioFormat(16000)),  # start wins over the URL
        ("auto", "raw", None, 24000, AudioFormat(24000)),
        ("auto", "raw", 44100, 16000, AudioFormat(16000)),  # no rate of Exotel's
        ("auto", "raw", 44100, None, AudioFormat(8000)),
        ("auto", "", None, 11025, AudioFormat(8000)),
        ("auto", "", None, None, AudioFormat(8000)),
        ("auto", "audio/x-mulaw;rate=8000", 8000, None, AudioFormat(8000, Coding.MULAW)),
        ("pcm16", "audio/x-mulaw", 8000, None, AudioFormat(8000)),  # configuration decides
        ("mulaw", "base64", 8000, None, AudioFormat(8000, Coding.MULAW)),
        ("auto", "opus", 24000, None, AudioFormat(24000)),  # unknown names are PCM16
    ],
)
def test_the_lines_format_comes_from_setting_start_and_url(
    codec: str, encoding: str, rate: int | None, url_rate: int | None, form: AudioFormat
) -> None:
    chosen = line_format(codec, encoding, rate, url_rate)

    assert chosen == form


@given(pcm)
def test_pcm_passes_a_pcm_line_unchanged(audio: bytes) -> None:
    form = AudioFormat()

    assert form.to_pcm16(form.from_pcm16(audio)) is audio


def test_mulaw_is_right_to_a_tenth_of_every_sample() -> None:
    form = AudioFormat(8000, Coding.MULAW)
    samples = array("h", range(-32768, 32768))
    back = array("h", form.to_pcm16(form.from_pcm16(samples.tobytes())))

    wrong = [(one, other) for one, other in zip(samples, back, strict=True) if abs(one - other) > max(8, abs(one) / 10)]
    assert wrong == []


def test_every_mulaw_byte_survives_pcm_but_the_negative_zero() -> None:
    form = AudioFormat(8000, Coding.MULAW)
    every_byte = bytes(range(256))

    assert form.from_pcm16(form.to_pcm16(every_byte)) == every_byte.replace(b"\x7f", b"\xff")


@given(formats)
def test_silence_is_silent(form: AudioFormat) -> None:
    assert level(form.to_pcm16(form.silence(BLOCK))) == 0.0


@pytest.mark.parametrize(("pcm16", "measured"), [(b"", 0.0), (b"\x00\x80" * 4, 1.0), (b"\x00\x40\x00\xc0", 0.5)])
def test_level_goes_from_silence_to_full_scale(pcm16: bytes, measured: float) -> None:
    assert level(pcm16) == measured
