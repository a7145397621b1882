"""Prompts as values, and the library that loads them all before the first call.

A prompt names files (``"welcome.wav"``) or says words (``"twelve"``) that ``prompts.toml`` gives to some file. Every
file is read and checked when the library is loaded, so that a fault stops the server from starting and not a call.
"""

from __future__ import annotations

import difflib
import io
import math
import tomllib
import unicodedata
import wave
from array import array
from collections import OrderedDict
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TypeAlias

from attrs import field, frozen

from callflow.errors import AudioError
from callflow.flow.recording import Recording
from callflow.wire.audio import AudioFormat


@frozen(kw_only=True)
class Tone:
    """A sine, made for the line's rate."""

    hertz: float
    seconds: float
    level: float = 0.25
    """Amplitude, 1 being full scale."""

    def pcm(self, rate: int) -> bytes:
        """Make it as 16-bit PCM, faded in and out over 5 ms so that it does not click."""
        count, ramp = round(self.seconds * rate), rate // 200
        turn = 2 * math.pi * self.hertz / rate
        swell = (32767 * self.level * min(1.0, at / ramp, (count - at) / ramp) for at in range(count))
        return array("h", (round(top * math.sin(turn * at)) for at, top in enumerate(swell))).tobytes()


PromptPart: TypeAlias = str | Recording | Tone
"""One file, or the words of one; what a caller said; a tone."""

Prompt: TypeAlias = PromptPart | tuple[PromptPart, ...]
"""What is played: one part, or several of them in a row."""


def is_prompt(value: object) -> bool:
    """Say whether something can be played, as far as its type tells."""
    parts = value if isinstance(value, tuple) else (value,)
    return bool(parts) and all(isinstance(part, PromptPart) for part in parts)


LARGEST_FILE = 60_000_000
"""Bytes of one prompt file. Nothing that is said to a caller comes near it; it bounds memory and start-up."""

LONGEST_PROMPT = 30 * 60.0
"""Seconds of one prompt file: half of the longest call there is."""

CACHED_CLIPS = 256
"""Joined prompts that are kept for the next call."""

CACHED_BYTES = 32 * 1024 * 1024
"""Bytes of audio that those may take together."""

_LENGTH_UNKNOWN = 0x7FFFF000
"""Bytes. Writers that cannot seek back put this much or more in the header for "until the end of the file"."""

_HEADER = 44
"""Bytes before the audio in the plainest WAV file."""

_CODINGS = {2: "ADPCM", 3: "floating-point", 6: "A-law", 7: "mu-law", 17: "ADPCM", 85: "MP3", 0xFFFE: "extensible"}
"""Format tags of WAV files that are no plain PCM, for messages only."""


@frozen(kw_only=True)
class Part:
    """One prompt file."""

    name: str
    """As a flow names it: ``welcome.wav``, in every language."""
    language: str = ""
    """The subfolder that it was found in; empty for the top folder."""
    words: str
    """What is said in it; the name in square brackets where ``prompts.toml`` does not tell."""
    pcm: bytes = field(repr=False)
    """16-bit mono PCM."""


@frozen(kw_only=True)
class Clip:
    """A prompt, ready to be played."""

    parts: tuple[Part, ...]
    rate: int
    """Hertz."""
    pcm: bytes = field(init=False, repr=False)
    """16-bit mono PCM of all parts in a row."""

    @pcm.default
    def _joined(self) -> bytes:
        return b"".join(part.pcm for part in self.parts)

    @property
    def seconds(self) -> float:
        return AudioFormat(self.rate).seconds(len(self.pcm))

    @property
    def words(self) -> str:
        """What is said, as it stands in a transcript."""
        return " ".join(part.words for part in self.parts)

    @property
    def names(self) -> tuple[str, ...]:
        """The files, as a flow names them."""
        return tuple(part.name for part in self.parts)


class PromptLibrary:
    """Every prompt of a flow, in memory. Make it with ``load``."""

    def __init__(self, folder: Path, rate: int, parts: Mapping[tuple[str, str], Part], words: _Words) -> None:
        self.folder = folder
        self.rate = rate
        """Hertz, the same for every file."""
        self._parts = parts
        self._stems = _stems_by_sound(words)
        self._sayable = {text for table in words.values() for text in table.values()} | {p.name for p in parts.values()}
        self._clips: OrderedDict[tuple[tuple[PromptPart, ...], str], Clip] = OrderedDict()
        self._cached_bytes = 0

    @classmethod
    def load(cls, folder: Path, rate: int, faults: list[AudioError] | None = None) -> PromptLibrary:
        """Read every WAV file of *folder* and of its language subfolders, with their ``prompts.toml``.

        Args:
            folder: The flow's prompts. A folder in it (``hi/``) holds one language; names that begin with a dot are
                not looked at.
            rate: The line's sample rate in hertz. Files of any other rate are refused.
            faults: Gets what is wrong with files, which are then left out; without it the first one is raised.

        Raises:
            AudioError: A file cannot be played on this line, or a ``prompts.toml`` is wrong. Names file and cure.
        """
        files = _wav_files(folder)
        stems = {stem for _, stem in files}
        languages = {"", *(language for language, _ in files)}
        words = {language: _read_words(folder / language / "prompts.toml", stems) for language in languages}
        parts = {}
        for (language, stem), path in files.items():
            try:
                pcm = _read_pcm(path, rate)
            except AudioError as fault:
                if faults is None:
                    raise
                faults.append(fault)
                continue
            said = words[language].get(stem) or words[""].get(stem) or f"[{stem}.wav]"
            parts[language, stem] = Part(name=f"{stem}.wav", language=language, words=said, pcm=pcm)
        return cls(folder, rate, parts, words)

    @property
    def languages(self) -> list[str]:
        """The languages that there are files in, "" for the top folder among them."""
        return sorted({language for language, _ in self._parts})

    def clip(self, prompt: Prompt, language: str = "") -> Clip:
        """Find the files of *prompt* and join them.

        Args:
            prompt: Files and words, recordings and tones.
            language: Subfolder to look in first; what it lacks comes from the top folder.

        Raises:
            AudioError: A file or the words of one are not there. Names the nearest that is.
        """
        parts = prompt if isinstance(prompt, tuple) else (prompt,)
        if any(isinstance(part, Recording) for part in parts):
            return self._join(parts, language)  # what a caller said is nobody else's, and is not kept here
        clip = self._clips.get((parts, language))
        if clip is None:
            clip = self._join(parts, language)
            self._remember((parts, language), clip)
        self._clips.move_to_end((parts, language))
        return clip

    def _join(self, parts: tuple[PromptPart, ...], language: str) -> Clip:
        if not parts:
            raise AudioError("an empty prompt", "at least one file or its words", "none", "name one, or play nothing")
        return Clip(parts=tuple(self._take(part, language) for part in parts), rate=self.rate)

    def _take(self, part: PromptPart, language: str) -> Part:
        match part:
            case str():
                return self._part(part, language)
            case Tone():
                return Part(name="beep", words="[beep]", pcm=part.pcm(self.rate))
            case Recording() if part.rate == self.rate:
                return Part(name="recording", words="[recording]", pcm=part.pcm)
            case _:
                raise AudioError(
                    "a recording", f"{self.rate} Hz", f"{part.rate} Hz", "play it in a flow of its own rate"
                )

    def _remember(self, key: tuple[tuple[PromptPart, ...], str], clip: Clip) -> None:
        self._clips[key] = clip
        self._cached_bytes += len(clip.pcm)
        while len(self._clips) > 1 and (len(self._clips) > CACHED_CLIPS or self._cached_bytes > CACHED_BYTES):
            _, oldest = self._clips.popitem(last=False)
            self._cached_bytes -= len(oldest.pcm)

    def _part(self, text: str, language: str) -> Part:
        stem = text[:-4] if text.lower().endswith(".wav") else self._stem_of_words(text, language)
        part = self._parts.get((language, stem)) or self._parts.get(("", stem))
        if part is None:
            raise AudioError(self.folder / f"{stem}.wav", "this file", "none", self._nearest_file(stem))
        return part

    def _stem_of_words(self, text: str, language: str) -> str:
        stems = self._stems.get((language, _sound(text))) or self._stems.get(("", _sound(text)), [])
        if not stems:
            raise AudioError(f"the words {text!r}", "the words of a file in prompts.toml", "none", self._cure(text))
        if len(stems) > 1:
            files = " and ".join(f"{stem}.wav" for stem in stems)
            raise AudioError(f"the words {text!r}", "one file that says them", files, "name the file instead")
        return stems[0]

    def _nearest_file(self, stem: str) -> str:
        languages = sorted(f"{language}/" for language, known in self._parts if known == stem)
        if languages:
            return f"it is only in {', '.join(languages)}; record it for the other languages too"
        return _did_you_mean(stem, {known for _, known in self._parts}, ".wav") + "record it"

    def _cure(self, text: str) -> str:
        record = "record a WAV file and give it these words in prompts.toml: callflow has no speech synthesis"
        return _did_you_mean(text, self._sayable) + record


_Words: TypeAlias = Mapping[str, Mapping[str, str]]
"""Language, then stem of a file, then what is said in it."""


def _stems_by_sound(words: _Words) -> dict[tuple[str, str], list[str]]:
    stems: dict[tuple[str, str], list[str]] = {}
    for language, table in words.items():
        for stem, text in table.items():
            stems.setdefault((language, _sound(text)), []).append(stem)
    return stems


def _did_you_mean(wrong: str, known: Collection[str], ending: str = "") -> str:
    nearest = difflib.get_close_matches(wrong, sorted(known), n=1)
    return f"did you mean {nearest[0] + ending!r}? If not, " if nearest else ""


def _sound(text: str) -> str:
    """Reduce *text* to what is said: no case, no punctuation, single blanks. "Twenty-one." is "twenty one"."""
    spelled = unicodedata.normalize("NFKC", text).casefold().replace("'", "").replace("’", "")
    return " ".join("".join(" " if unicodedata.category(sign)[0] == "P" else sign for sign in spelled).split())


def _wav_files(folder: Path) -> dict[tuple[str, str], Path]:
    """Find the WAV files below *folder*: language and stem of each, and where it is."""
    if not folder.is_dir():
        raise AudioError(folder, "a folder of WAV files", "none", "make it, or tell the flow where its prompts are")
    files = {}
    for path in sorted(folder.rglob("*")):
        *folders, name = path.relative_to(folder).parts
        if path.suffix.lower() != ".wav" or any(part.startswith(".") for part in (*folders, name)):
            continue
        if len(folders) > 1:
            raise AudioError(path, "WAV files at the top or in a language's folder", "one below that", "move it up")
        files["".join(folders), path.stem] = path
    return files


def _read_words(path: Path, stems: Collection[str]) -> Mapping[str, str]:
    """Read the ``[words]`` of a ``prompts.toml``; nothing where there is no such file."""
    if not path.is_file():
        return {}
    try:
        tables = tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:  # ValueError: no TOML, or no UTF-8
        raise AudioError(path, "a TOML file in UTF-8", str(error), "mend it there") from error
    words = tables.pop("words", {})
    if tables:
        raise AudioError(path, "the table [words] and nothing else", repr(next(iter(tables))), "rename or remove it")
    if not isinstance(words, dict):
        raise AudioError(path, "a table [words]", f"words = {words!r}", "write [words], and below it file = 'words'")
    for stem, text in words.items():
        _check_words(f"{path}, [words] {stem}", stem, text, stems)
    return words


def _check_words(place: str, stem: str, text: object, stems: Collection[str]) -> None:
    if stem not in stems:
        cure = _did_you_mean(stem, stems) + "record the file, or remove the line"
        raise AudioError(place, "the name of a WAV file without .wav", "no such file", cure)
    if not isinstance(text, str):
        raise AudioError(place, "words in quotes", repr(text), f"write {stem} = {str(text)!r}")
    if not _sound(text):
        raise AudioError(place, "the words that are said", repr(text), "write them, or remove the line")


def _read_pcm(path: Path, rate: int) -> bytes:
    """Read one WAV file that the line can play as it is."""
    expected = f"16-bit mono PCM at {rate} Hz"
    convert = f"convert it: ffmpeg -i {path.name} -ar {rate} -ac 1 -c:a pcm_s16le NEW.wav"
    data = _read_file(path)
    try:
        with wave.open(io.BytesIO(data), "rb") as recording:
            form = recording.getparams()
            pcm = recording.readframes(form.nframes)
    except (wave.Error, EOFError, RuntimeError) as error:  # RuntimeError: a chunk that is longer than the file
        raise AudioError(path, expected, _fault(data, error), convert) from error
    if (form.sampwidth, form.nchannels, form.framerate) != (2, 1, rate):
        channels = {1: "mono", 2: "stereo"}.get(form.nchannels, f"{form.nchannels} channels")
        raise AudioError(path, expected, f"{8 * form.sampwidth}-bit {channels} PCM at {form.framerate} Hz", convert)
    _check_length(path, AudioFormat(rate), pcm, said=2 * form.nframes)
    return pcm[: len(pcm) // 2 * 2]  # a file of unknown length may end within a sample


def _check_length(path: Path, form: AudioFormat, pcm: bytes, *, said: int) -> None:
    """Refuse a file that is cut short, silent by accident or endless. *said*: bytes of audio, as its header has it."""
    # Half a prompt must not reach a caller; but a header that was written before the length was known is no fault.
    if len(pcm) < said < _LENGTH_UNKNOWN:
        found = f"{form.seconds(len(pcm)):.2f} s of them: it is cut short"
        raise AudioError(path, f"{form.seconds(said):.2f} s of audio, as its header says", found, "export it again")
    if not pcm:
        raise AudioError(path, "audio", "a file without any", "record it again")
    if form.seconds(len(pcm)) > LONGEST_PROMPT:
        found = f"{form.seconds(len(pcm)) / 60:.1f} minutes"
        raise AudioError(path, f"at most {LONGEST_PROMPT / 60:.0f} minutes", found, "cut it into several files")


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise AudioError(path, "a file that can be read", error.strerror or str(error), "check what it is") from error
    if len(data) > LARGEST_FILE:
        raise AudioError(path, f"at most {LARGEST_FILE // 10**6} MB", "more", "cut it into several files")
    return data


def _fault(data: bytes, error: Exception) -> str:
    """Say in words why the wave module refused *data*."""
    if data[:4] != b"RIFF":
        return "no WAV file" if data else "an empty file"
    if len(data) < _HEADER:
        return "a WAV file that is cut short in its header"
    tag = int.from_bytes(data[20:22], "little") if data[12:16] == b"fmt " else 0
    if tag in _CODINGS:
        return f"{_CODINGS[tag]} audio"
    return f"a broken WAV file ({str(error) or 'a part of it is longer than it'})"
