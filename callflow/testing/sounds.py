"""What a caller says in a test, where it does not matter what: sound that counts as a voice."""

from __future__ import annotations

from array import array
from functools import lru_cache
from random import Random

LOUDNESS = 9_000
"""Amplitude, of 32,767: about -16 dBFS while it sounds, as of somebody who speaks up."""

SAYINGS = {"word.wav": 0.6, "sentence.wav": 2.5}
"""What callers of the kit say: the name as in ``play`` lines, and how long it takes, in seconds."""

_SYLLABLE, _GAP = 0.16, 0.06
"""Seconds. Without gaps it would be a noise of the line."""


def sayings(rate: int) -> dict[str, bytes]:
    """Make all of ``SAYINGS``, by name: 16-bit PCM of a rate."""
    return {name: murmur(seconds, rate) for name, seconds in SAYINGS.items()}


@lru_cache(maxsize=32)
def murmur(seconds: float, rate: int) -> bytes:
    """Make 16-bit PCM that a speech detector takes for a voice; the same for the same length and rate."""
    chance = Random(rate)
    beat = round((_SYLLABLE + _GAP) * rate)
    loud = round(_SYLLABLE * rate)
    count = round(seconds * rate)
    return array(
        "h", (chance.randrange(-LOUDNESS, LOUDNESS) if at % beat < loud else 0 for at in range(count))
    ).tobytes()
