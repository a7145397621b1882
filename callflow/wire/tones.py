"""Touch tones (DTMF, ITU-T Q.23): the two frequencies of each key, and how to take the tone off the end of audio."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

from callflow.wire.audio import AudioFormat, dbfs, likeness

ROWS = (697.0, 770.0, 852.0, 941.0)
"""Hertz."""

COLUMNS = (1209.0, 1336.0, 1477.0)
"""Hertz; the fourth column (1633, keys A to D) is on no telephone."""

LAYOUT = ("123", "456", "789", "*0#")

_STEP = 0.02
"""Seconds looked at at once. Shorter ones do not part the rows' 73 Hz, longer ones leave more of the tone behind."""

_LATE = 0.6
"""Seconds of audio that may follow a tone before its key is told."""

_LONGEST = 5.0
"""Seconds that a key is held at most; what is longer is no key."""

_PURITY = 0.7
"""Part of the energy that the two frequencies hold. Speech spreads its own."""

_QUIETEST = -45.0
"""dBFS of a tone, at least."""


def frequencies(key: str) -> tuple[float, float]:
    """Give the hertz of a key's row and of its column.

    Raises:
        ValueError: *key* is not one of ``0-9 * #``.
    """
    for row, keys in zip(ROWS, LAYOUT, strict=True):
        if len(key) == 1 and key in keys:
            return row, COLUMNS[keys.index(key)]
    raise ValueError(f"{key!r} is no telephone key; write one of 0-9 * #")


def before_tone(pcm: bytes, rate: int, key: str) -> bytes:
    """Take the tone of *key*, and what follows it, off the end of 16-bit PCM; all of it comes back if there is none."""
    size = AudioFormat(rate).size(_STEP)
    waves = [_wave(hertz, rate, shift) for hertz in frequencies(key) for shift in (0.0, math.pi / 2)]
    begins, end = len(pcm), len(pcm)
    late, longest = AudioFormat(rate).size(_LATE), AudioFormat(rate).size(_LONGEST)
    for at in range(len(pcm) - size, -1, -size):
        if _is_tone(pcm[at : at + size], waves):
            begins = at
        elif begins < end or end - at > late:
            break  # before the tone, or too far from the end for one
    if begins == end or end - begins > longest:
        return pcm
    return pcm[: max(0, begins - size)]  # the tone may begin anywhere in the step before


def _wave(hertz: float, rate: int, shift: float) -> bytes:
    count = round(_STEP * rate)
    return array(
        "h", (round(8_000 * math.sin(2 * math.pi * hertz * at / rate + shift)) for at in range(count))
    ).tobytes()


def _is_tone(block: bytes, waves: Sequence[bytes]) -> bool:
    return dbfs(block) > _QUIETEST and sum(likeness(block, wave) for wave in waves) > _PURITY
