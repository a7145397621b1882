"""Compute the music of the queue: eight bars of plucked chords, as a WAV file that joins to itself without a seam.

Run it by hand after a change; the file it makes is in the repository: ``python examples/make_music.py``. There is no
recording and no composer in it, so nobody is owed anything for it.
"""

from __future__ import annotations

import math
import sys
import wave
from array import array
from pathlib import Path

RATE = 8000
BEAT = RATE * 3 // 10
"""Samples from one note to the next: 0.3 s."""
CHORDS = ("A3 C4 E4 A4", "F3 A3 C4 F4", "C4 E4 G4 C5", "G3 B3 D4 G4")
"""One a bar, each played upwards and down again."""
SEMITONES = {"C": -9, "D": -7, "E": -5, "F": -4, "G": -2, "A": 0, "B": 2}
"""From the A of the same octave."""
DECAY = 0.35
"""Seconds in which a note falls to 37 %."""
LEVEL = 10 ** (-24 / 20)
"""Root mean square, full scale being 1: quieter than speech, which is at -20 dBFS."""


def main() -> None:
    """Make the file."""
    samples = level(melody([note for chord in CHORDS * 2 for note in up_and_down(chord)]))
    pcm = array("h", (round(32767 * sample) for sample in samples))
    if sys.byteorder == "big":
        pcm.byteswap()
    with wave.open(str(Path(__file__).parent / "prompts" / "queue" / "music.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(pcm.tobytes())
    print(f"music.wav  {len(samples) / RATE:.2f} s")


def up_and_down(chord: str) -> list[float]:
    """Give the pitches of one bar, in hertz: four up, two down."""
    notes = [pitch(name) for name in chord.split()]
    return [*notes, notes[2], notes[1]]


def pitch(name: str) -> float:
    """Say how many hertz a note such as ``A4`` has: 440."""
    return float(440 * 2 ** (SEMITONES[name[0]] / 12 + int(name[1]) - 4))


def melody(notes: list[float]) -> list[float]:
    """Pluck one note a beat. What rings on at the end is laid over the beginning: there the music goes on."""
    samples = [0.0] * (len(notes) * BEAT)
    for n, hertz in enumerate(notes):
        for at in range(BEAT * 8):
            samples[(n * BEAT + at) % len(samples)] += pluck(hertz, at / RATE)
    return samples


def pluck(hertz: float, seconds: float) -> float:
    """Give one sample of a plucked string: a sharp beginning, and overtones that fade before the tone does."""
    attack = min(1.0, seconds / 0.004)
    tones = (math.sin(2 * math.pi * hertz * n * seconds) * math.exp(-seconds * n / DECAY) / n for n in (1, 2, 3))
    return attack * math.fsum(tones)


def level(samples: list[float]) -> list[float]:
    """Bring the samples to ``LEVEL``."""
    loudness = math.sqrt(math.fsum(sample * sample for sample in samples) / len(samples))
    return [sample * LEVEL / loudness for sample in samples]


if __name__ == "__main__":
    main()
