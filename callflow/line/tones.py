"""Touch tones (DTMF): making them, and finding them in audio. Pure Python, any rate.

A telephone key is two sines, one for its row and one for its column. On an AgentStream line keys come as messages, not
as sound; the tones are for the recording, where a person listens, and for the check that a secret left none behind.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator

from callflow.wire.audio import level
from callflow.wire.tones import COLUMNS, LAYOUT, ROWS, frequencies

TONE_SECONDS = 0.1
RAMP_SECONDS = 0.005
"""Fade at both ends, so that a key does not click."""

TONE_LEVEL = 10 ** (-13 / 20)
"""Amplitude of each of the two sines, 1 being full scale: -13 dB each, -10 dB together."""

BLOCK_SECONDS = 0.0256
"""What the detector looks at at once: long enough to part the rows' 73 Hz, short enough for two in any legal tone."""

QUIETEST = 0.003
"""Blocks below this level (of full scale) hold no tone: -50 dB."""

PURITY = 0.8
"""Part of a block's energy that its two tones must hold. Speech and chords spread theirs."""

TWIST = 6.3
"""One tone of a key has at most this many times the energy of the other (8 dB)."""


def tone(key: str, rate: int, seconds: float = TONE_SECONDS) -> bytes:
    """Make the tone of one key, as 16-bit PCM.

    Raises:
        ValueError: *key* is not one of ``0-9 * #``.
    """
    row, column = frequencies(key)
    count, ramp = round(seconds * rate), max(1, round(RAMP_SECONDS * rate))
    scale = 32767 * TONE_LEVEL
    return array(
        "h",
        (
            round(scale * min(1.0, at / ramp, (count - at) / ramp) * (_sine(row, at, rate) + _sine(column, at, rate)))
            for at in range(count)
        ),
    ).tobytes()


def _sine(frequency: float, at: int, rate: int) -> float:
    return math.sin(2 * math.pi * frequency * at / rate)


def digits_in(pcm: bytes, rate: int) -> str:
    """Find the keys whose tones are in 16-bit PCM, in order.

    A key counts when two blocks in a row hold its tone and little else; the same key counts again after a pause.
    """
    found, before, counted = "", "", ""
    for key in _keys_by_block(pcm, rate):
        if key and key == before and key != counted:
            found += key
            counted = key
        elif not key and not before:
            counted = ""  # two blocks without it: the key was let go
        before = key
    return found


def _keys_by_block(pcm: bytes, rate: int) -> Iterator[str]:
    size = 2 * round(BLOCK_SECONDS * rate)
    for at in range(0, len(pcm) - size + 1, size):
        block = pcm[at : at + size]
        yield _key_of(array("h", block), rate) if level(block) > QUIETEST else ""


def _key_of(block: array[int], rate: int) -> str:
    """Name the key whose tone fills the block, or nothing."""
    total = float(sum(sample * sample for sample in block))
    rows = [_share(block, frequency, rate, total) for frequency in ROWS]
    columns = [_share(block, frequency, rate, total) for frequency in COLUMNS]
    row, column = max(rows), max(columns)
    if row + column < PURITY or max(row, column) > TWIST * min(row, column):
        return ""
    return LAYOUT[rows.index(row)][columns.index(column)]


def _share(block: array[int], frequency: float, rate: int, total: float) -> float:
    """Measure the part of a block's energy that one frequency holds (Goertzel's algorithm)."""
    turn = 2 * math.cos(2 * math.pi * frequency / rate)
    last = before = 0.0
    for sample in block:
        last, before = sample + turn * last - before, last
    power = last * last + before * before - turn * last * before
    return 2 * power / (len(block) * total)
