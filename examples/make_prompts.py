"""Speak the words of the examples into WAV files: the bot's prompts and the callers' phrases.

Run it by hand after a change of words; the files it makes are in the repository, so nobody else needs it:

    pip install hibari-tts==0.2.1 onnxruntime==1.32.0 soxr==1.1.0
    python examples/make_prompts.py [FOLDER ...]

A folder of the bot's has a ``prompts.toml``, one of callers' phrases a ``phrases.toml``. Without arguments: all.

Each file is what a line of 8 kHz plays: 16-bit mono, speech at one level, a breath of silence at both ends. With the
same versions on the same machine it makes the same bytes again.
"""

from __future__ import annotations

import importlib
import math
import sys
import tomllib
import wave
from array import array
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parent
INSTALL = "pip install hibari-tts==0.2.1 onnxruntime==1.32.0 soxr==1.1.0"

CALLER_PITCH = 0.82
"""The one voice in the package also plays the caller; lower by this factor, it is another person."""

PRONOUNCED = {"Asha": "ˈɑʃə", "paisa": "pˈAsɑ", "paise": "pˈAsA"}  # noqa: RUF001 - sounds, not letters
"""Names that the voice reads wrong, in its own alphabet of sounds (A is the vowel of "pay")."""

RATE = 8000
FRAME = RATE // 50
LEVEL = 10 ** (-20 / 20)
"""Root mean square of the voiced part, full scale being 1: -20 dBFS."""
PEAK = 10 ** (-1.5 / 20)
LIFT = 0.6
"""Treble up by 10 dB from 500 to 3,500 Hz, much as a telephone's microphone does: the line cuts "s" and "f" at 4 kHz,
so what is left of them has to be louder."""
MARGIN = RATE * 40 // 1000
"""Samples of silence that stay before the first sound and after the last."""
FADE = RATE * 5 // 1000
AUDIBLE = 10 ** (-45 / 20)
"""A frame is silence when it is this far below the loudest one: the "f" of "five" is 35 dB below its vowel."""
VOICED = 10 ** (-25 / 20)
"""A frame counts for the level when it is not further than this below the loudest one."""


def main() -> None:
    """Make all files; print one line for each."""
    speak = voice()
    for said in sorted(HERE.rglob("prompts.toml")) + sorted(HERE.rglob("phrases.toml")):
        if len(sys.argv) == 1 or any(Path(one).resolve() in said.parents for one in sys.argv[1:]):
            pitch = 1.0 if said.stem == "prompts" else CALLER_PITCH
            for stem, words in tomllib.loads(said.read_text(encoding="utf-8"))["words"].items():
                save(said.with_name(f"{stem}.wav"), finish(speak(words, pitch)))


def voice() -> Callable[[str, float], list[float]]:
    """Load the voice; return what speaks words at a pitch, as samples of 8 kHz from -1 to 1."""
    hibari, soxr = package("hibari"), package("soxr")
    heart = hibari.Hibari(voice="heart")

    def speak(words: str, pitch: float) -> list[float]:
        # Reading the samples as fewer a second lowers the pitch and slows; speaking faster makes up for the time.
        spoken = heart(script(words), speed=1 / pitch, seed=0)
        samples: list[float] = soxr.resample(spoken, hibari.SAMPLE_RATE * pitch, RATE, quality="VHQ").tolist()
        return samples

    return speak


def package(name: str) -> ModuleType:
    """Import what only this script needs, or end with the command that installs it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        sys.exit(f"{name} is not installed; to make the prompts again: {INSTALL}")


def script(words: str) -> str:
    """Write *words* as the voice reads them best."""
    for name, sounds in PRONOUNCED.items():
        words = words.replace(name, f"[{name}](/{sounds}/)")
    # A colon keeps the voice up: after part of a sentence more is to come.
    return words if words[-1] in ".?" else f"{words}:"


def finish(samples: list[float]) -> list[float]:
    """Lift the treble, then trim, level and fade one utterance."""
    samples = [samples[0], *(now - LIFT * before for before, now in pairwise(samples))]
    levels = [rms(samples[at : at + FRAME]) for at in range(0, len(samples), FRAME)]
    loudest = max(levels)
    audible = [n for n, one in enumerate(levels) if one > AUDIBLE * loudest]
    voiced = rms([one for one in levels if one > VOICED * loudest])
    gain = min(LEVEL / voiced, PEAK / max(map(abs, samples)))
    kept = samples[max(0, audible[0] * FRAME - MARGIN) : (audible[-1] + 1) * FRAME + MARGIN]
    return [gain * sample * min(1.0, at / FADE, (len(kept) - 1 - at) / FADE) for at, sample in enumerate(kept)]


def rms(samples: list[float]) -> float:
    """Root mean square."""
    return math.sqrt(math.fsum(sample * sample for sample in samples) / len(samples))


def save(path: Path, samples: list[float]) -> None:
    """Write 16-bit mono at 8 kHz."""
    pcm = array("h", (round(32767 * sample) for sample in samples))
    if sys.byteorder == "big":
        pcm.byteswap()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(pcm.tobytes())
    print(f"{path.relative_to(HERE)}  {len(samples) / RATE:.2f} s")


if __name__ == "__main__":
    main()
