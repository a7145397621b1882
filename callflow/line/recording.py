"""WAV files of a line: the recording of a call, and what a caller is to say.

A recording is stereo, as heard at the line: the caller on the left, the bot on the right.
Everything stands where it was heard, in seconds since the answer; what nobody said is silence. Nothing is ever pushed
back to make room: where two pieces overlap, the later one is heard.
"""

from __future__ import annotations

import wave
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from attrs import frozen

from callflow.errors import AudioError
from callflow.line.playout import Segment
from callflow.line.tones import TONE_SECONDS, tone
from callflow.wire.audio import AudioFormat

BLOCK_SECONDS = 1.0
"""How much is mixed and written at once; bounds the memory that an hour's recording takes."""

_LOUDEST, _LOWEST = 32767, -32768


def read_wav(path: Path, rate: int) -> bytes:
    """Read what a caller is to say, as 16-bit PCM.

    Raises:
        AudioError: The file is absent, broken, or not 16-bit mono PCM at *rate* hertz.
    """
    wanted = f"16-bit mono PCM at {rate} Hz"
    cure = f"convert it: ffmpeg -i {path.name} -ar {rate} -ac 1 -c:a pcm_s16le NEW.wav"
    try:
        with wave.open(str(path), "rb") as file:
            form = file.getparams()
            pcm = file.readframes(form.nframes)
    except FileNotFoundError as absent:
        raise AudioError(path, wanted, "no such file", "give its path from the script's folder") from absent
    except (OSError, EOFError, wave.Error) as broken:
        raise AudioError(path, wanted, str(broken) or "a file that breaks off", cure) from broken
    if (form.nchannels, form.sampwidth, form.framerate) != (1, 2, rate):
        found = f"{8 * form.sampwidth} bits, {form.nchannels} channels, {form.framerate} Hz"
        raise AudioError(path, wanted, found, cure)
    return pcm


@frozen
class KeyTone:
    """A key whose tone belongs in the recording. There is none for the keys of a secret."""

    start: float
    """Seconds since the answer."""
    key: str
    seconds: float = TONE_SECONDS


@frozen
class _Piece:
    """16-bit samples at their place, counted in samples."""

    at: int
    pcm: array[int]

    @property
    def end(self) -> int:
        return self.at + len(self.pcm)


def write_stereo(
    path: Path,
    form: AudioFormat,
    *,
    caller: Sequence[Segment],
    bot: Sequence[Segment],
    tones: Sequence[KeyTone] = (),
) -> float:
    """Write the recording of a call, a block at a time.

    Args:
        path: The file; its folder has to be there.
        form: The line's format. The WAV has its rate, and always 16-bit PCM.
        caller: What the caller said.
        bot: What the line heard of the bot.
        tones: The keys that may be heard; they sound on the caller's channel, over what is said there.

    Returns:
        Its length, in seconds.
    """
    keys = [_Piece(round(key.start * form.rate), array("h", tone(key.key, form.rate, key.seconds))) for key in tones]
    length = max([0, *(_end(segment, form) for segment in (*caller, *bot)), *(key.end for key in keys)])
    left, right = _Channel(caller, form, keys), _Channel(bot, form)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(form.rate)
        for start, count in _blocks(length, form):
            both = array("h", bytes(4 * count))
            both[0::2], both[1::2] = left.block(start, count), right.block(start, count)
            file.writeframes(both.tobytes())
    return length / form.rate


def _blocks(length: int, form: AudioFormat) -> Iterator[tuple[int, int]]:
    step = round(BLOCK_SECONDS * form.rate)
    return ((start, min(step, length - start)) for start in range(0, length, step))


def _place(segment: Segment, form: AudioFormat) -> int:
    return max(0, round(segment.start * form.rate))


def _end(segment: Segment, form: AudioFormat) -> int:
    return _place(segment, form) + len(segment.audio) // form.sample_bytes


class _Channel:
    """One side, read block by block from its beginning: pieces laid over each other, then tones added."""

    def __init__(self, said: Iterable[Segment], form: AudioFormat, tones: Sequence[_Piece] = ()) -> None:
        self._form = form
        self._waiting = iter(sorted(said, key=lambda segment: segment.start))
        self._next = next(self._waiting, None)
        self._sounding: list[_Piece] = []
        self._tones = tones

    def block(self, start: int, count: int) -> array[int]:
        """Mix the next *count* samples, which begin at *start*."""
        self._take_up(start + count)
        mixed = array("h", bytes(2 * count))
        for piece in self._sounding:
            lower, upper = max(start, piece.at), min(start + count, piece.end)
            mixed[lower - start : upper - start] = piece.pcm[lower - piece.at : upper - piece.at]
        self._sounding = [piece for piece in self._sounding if piece.end > start + count]
        for key in self._tones:
            _add(mixed, start, key)
        return mixed

    def _take_up(self, end: int) -> None:
        """Take up the pieces that begin before *end*."""
        while self._next is not None and _place(self._next, self._form) < end:
            pcm = self._form.to_pcm16(self._next.audio)
            whole = pcm[: len(pcm) // 2 * 2]  # a payload may break off inside a sample
            self._sounding.append(_Piece(_place(self._next, self._form), array("h", whole)))
            self._next = next(self._waiting, None)


def _add(mixed: array[int], start: int, key: _Piece) -> None:
    """Add a tone to the block that begins at *start*, as far as it reaches into it."""
    for at in range(max(start, key.at), min(start + len(mixed), key.end)):
        both = mixed[at - start] + key.pcm[at - key.at]
        mixed[at - start] = max(_LOWEST, min(_LOUDEST, both))
