"""Line audio: its formats, its clock (bytes and seconds) and the chunks that Exotel accepts.

All arithmetic between bytes and seconds lives here. Mono only; see exotel.md §8 for the numbers.
"""

from __future__ import annotations

import enum
import math
import warnings
from collections.abc import Iterator

from attrs import frozen

with warnings.catch_warnings():
    # The standard library's audioop is deprecated on 3.11 and 3.12; from 3.13 audioop-lts takes its place.
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

RATES = (8000, 16000, 24000)
"""Sample rates that AgentStream knows, in hertz (D15)."""

BLOCK = 320
"""Every outbound payload is a multiple of this many bytes (R17)."""

SMALLEST_CHUNK = 3_200
"""Bytes. Every payload but an utterance's last is at least this long (R18)."""

LARGEST_CHUNK = 99_840
"""Bytes: 312 blocks, the largest size that is legal whether 100 k means 100,000 or 102,400 (D19)."""


QUIETEST = -20 * math.log10(32768)
"""dBFS of digital silence, about -90: the level of one step of 16 bits."""


class Coding(enum.Enum):
    """How one sample is written."""

    PCM16 = "pcm16"
    """16-bit signed little-endian: the default of every applet that was ever seen."""
    MULAW = "mulaw"
    """G.711 mu-law, 8 bits; only where the encoding or the configuration names it (D1)."""


@frozen
class AudioFormat:
    """Coding and rate of a line, and the arithmetic that follows from them."""

    rate: int = 8000
    """Hertz."""
    coding: Coding = Coding.PCM16

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample."""
        return 2 if self.coding is Coding.PCM16 else 1

    @property
    def bytes_per_second(self) -> int:
        return self.rate * self.sample_bytes

    @property
    def chunk_bytes(self) -> int:
        """Bytes of an ordinary outbound chunk: at least 3,200 and, where that is shorter than 100 ms, 100 ms."""
        return max(SMALLEST_CHUNK, self.bytes_per_second // 10)

    @property
    def frame_bytes(self) -> int:
        """Bytes of 20 ms, the size of an inbound message on real calls (D16)."""
        return self.bytes_per_second // 50

    def seconds(self, size: int) -> float:
        """Say how long *size* bytes last, in seconds."""
        return size / self.bytes_per_second

    def size(self, seconds: float) -> int:
        """Say how many bytes *seconds* take: whole samples, rounded to the nearest."""
        return round(seconds * self.rate) * self.sample_bytes

    def silence(self, size: int) -> bytes:
        """Make *size* bytes of digital silence."""
        return (b"\x00" if self.coding is Coding.PCM16 else b"\xff") * size

    def from_pcm16(self, pcm: bytes) -> bytes:
        """Write 16-bit PCM of the same rate in this format."""
        return pcm if self.coding is Coding.PCM16 else audioop.lin2ulaw(pcm, 2)

    def to_pcm16(self, audio: bytes) -> bytes:
        """Read this format as 16-bit PCM of the same rate."""
        return audio if self.coding is Coding.PCM16 else audioop.ulaw2lin(audio, 2)


def pad(audio: bytes, form: AudioFormat) -> bytes:
    """Fill *audio* with silence to a whole number of blocks (R17)."""
    short = -len(audio) % BLOCK
    return audio + form.silence(short) if short else audio


def chunks(audio: bytes, form: AudioFormat, size: int | None = None) -> list[bytes]:
    """Cut one utterance into the payloads that carry it (R17, R18, R19).

    Args:
        audio: The whole utterance, in *form*.
        form: The line's format; decides the chunk's size and what silence is.
        size: Bytes of a chunk, a multiple of 320; the format's own ``chunk_bytes`` if None.

    Returns:
        Payloads in order. All but the last have *size* bytes; the last is what remains, padded with silence to a
        multiple of 320. Joined, they equal *audio* and at most 319 bytes of padding. Empty for no audio.
    """
    step = form.chunk_bytes if size is None else size
    if step % BLOCK or not 0 < step <= LARGEST_CHUNK:
        raise ValueError(f"a chunk has a multiple of {BLOCK} bytes up to {LARGEST_CHUNK}, not {step!r}")
    return [pad(audio[at : at + step], form) for at in range(0, len(audio), step)]


def looped(audio: bytes, form: AudioFormat, size: int | None = None) -> Iterator[bytes]:
    """Cut audio that goes round without end into payloads, all of one size; they go across the seam.

    Args:
        audio: One turn, in *form*; at least one sample.
        form: The line's format.
        size: Bytes of a chunk, as in ``chunks``.
    """
    step = form.chunk_bytes if size is None else size
    turns = audio * (1 + step // len(audio))  # so long that a chunk crosses its end once at most
    at = 0
    while True:
        yield turns[at : at + step] + turns[: max(0, at + step - len(turns))]
        at = (at + step) % len(turns)


def level(pcm: bytes) -> float:
    """Measure 16-bit PCM: root mean square from 0 (silence) to 1 (full scale)."""
    return audioop.rms(pcm, 2) / 32768 if pcm else 0.0


def dbfs(pcm: bytes) -> float:
    """Measure the level of 16-bit PCM in dB of full scale, without the constant part that some lines add.

    A sine of full scale has -3; digital silence is ``QUIETEST``.
    """
    mean = audioop.avg(pcm, 2)
    power = audioop.rms(pcm, 2) ** 2 - mean * mean
    return 10 * math.log10(power) + QUIETEST if power > 1 else QUIETEST


def likeness(pcm: bytes, wave: bytes) -> float:
    """Measure the part of the energy of 16-bit PCM that a wave of the same length holds, from 0 to 1."""
    energy = audioop.rms(pcm, 2) ** 2
    factor = audioop.findfactor(pcm, wave)
    return factor * factor * audioop.rms(wave, 2) ** 2 / energy if energy else 0.0


class WholeSamples:
    """Carries the odd byte of a payload over to the next one, so that samples never shift (exotel.md §6.3)."""

    def __init__(self, form: AudioFormat) -> None:
        self._width = form.sample_bytes
        self._over = b""

    def feed(self, payload: bytes) -> bytes:
        """Take a payload; return whole samples only. Plain and fast where payloads are even."""
        if not self._over and len(payload) % self._width == 0:
            return payload
        joined = self._over + payload
        keep = len(joined) % self._width
        self._over = joined[len(joined) - keep :] if keep else b""
        return joined[: len(joined) - keep] if keep else joined


_MULAW_NAMES = frozenset({"audio/x-mulaw", "audio/mulaw", "mulaw", "ulaw", "pcmu", "audio/pcmu"})


def names_mulaw(encoding: str) -> bool:
    """Say whether ``media_format.encoding`` names mu-law; case and what follows ``;`` do not count (D1, D9)."""
    return encoding.partition(";")[0].strip().lower() in _MULAW_NAMES


_KNOWN_PCM_NAMES = frozenset(
    {"", "base64", "raw", "raw/slin", "slin", "audio/x-raw", "linear16", "pcm", "pcm16", "audio/x-l16", "audio/l16"}
)


def known_encoding(encoding: str) -> bool:
    """Say whether the encoding is one that was seen; others are taken as PCM16 with a warning (ruling on codecs)."""
    return encoding.partition(";")[0].strip().lower() in _KNOWN_PCM_NAMES or names_mulaw(encoding)


def line_format(codec: str, encoding: str, rate: int | None, url_rate: int | None) -> AudioFormat:
    """Choose the format of a line (exotel.md §6.2, "Which rate wins").

    Args:
        codec: The setting: ``auto``, ``pcm16`` or ``mulaw``.
        encoding: ``start.media_format.encoding``.
        rate: ``start.media_format.sample_rate`` in hertz, if it was a number.
        url_rate: ``sample-rate`` of the stream URL in hertz, if it was there.
    """
    chosen = next((r for r in (rate, url_rate) if r in RATES), None) or RATES[0]
    mulaw = codec == "mulaw" or (codec == "auto" and names_mulaw(encoding))
    return AudioFormat(chosen, Coding.MULAW if mulaw else Coding.PCM16)
