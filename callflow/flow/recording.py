"""``Recording``: what a caller said, as a value; and the recorder that makes it. Pure: moments are passed in."""

from __future__ import annotations

import enum
import wave
from math import inf
from pathlib import Path

from attrs import field, frozen

from callflow.wire.audio import AudioFormat
from callflow.wire.speech import Sensitivity, SpeechDetector
from callflow.wire.tones import before_tone


class RecordingEnd(enum.Enum):
    """What ended a recording."""

    KEY = "key"
    """The caller pressed a finish key."""
    SILENCE = "silence"
    """The caller said nothing more."""
    LIMIT = "limit"
    """It became as long as it may be."""
    HANGUP = "hangup"
    """The call was over, whoever ended it."""


@frozen(kw_only=True)
class Recording:
    """What a caller said."""

    pcm: bytes = field(repr=False)
    """16-bit mono PCM, sample for sample as it came; without the tone of the key that ended it."""
    rate: int
    """Hertz."""
    ended_by: RecordingEnd

    @property
    def seconds(self) -> float:
        """How long it is."""
        return AudioFormat(self.rate).seconds(len(self.pcm))

    def save(self, path: str | Path) -> Path:
        """Write it as a WAV file. The file is whole or not there: it gets its name when all of it was written.

        Args:
            path: Where. Folders that are not there are made; a file that is there is replaced.

        Raises:
            OSError: It cannot be written there.
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        with wave.open(str(part), "wb") as file:
            file.setparams((1, 2, self.rate, 0, "NONE", ""))
            file.writeframes(self.pcm)
        return part.replace(path)


class Recorder:
    """Takes the caller's audio until it is told to finish. Moments are seconds of any one clock.

    Args:
        most: Seconds that it takes; more is not kept.
        silence: Seconds without speech that end it; None for none.
    """

    def __init__(self, most: float, silence: float | None) -> None:
        self._most = most
        self._silence = silence
        self._form = AudioFormat()
        self._audio = bytearray()
        self._detector: SpeechDetector | None = None
        self._began = self._fed = 0.0
        self._is_open = False
        self.spoke = False
        """Whether speech was heard; known only where silence ends it."""

    def begin(self, form: AudioFormat, sensitivity: Sensitivity, floor: float | None, at: float) -> None:
        """Record from now on.

        Args:
            form: Of the audio that will be fed.
            sensitivity: What counts as speech.
            floor: The noise of the line in dBFS, if it is known.
            at: Now.
        """
        self._form, self._began, self._fed, self._is_open = form, at, at, True
        if self._silence is not None:
            self._detector = SpeechDetector(form, sensitivity, floor)

    def feed(self, audio: bytes, at: float) -> None:
        """Take the next audio. What comes after the end, or is too much, is not kept."""
        if not self._is_open:
            return
        self._audio += audio[: self._form.size(self._most) - len(self._audio)]
        self._fed = at
        if self._detector is not None:
            self._detector.feed(audio)
            self.spoke = self.spoke or self._detector.speaking

    def stood_still(self, seconds: float) -> None:
        """Leave a time out of account in which there was no line."""
        self._began += seconds
        self._fed += seconds

    def ended(self, at: float) -> RecordingEnd | None:
        """Say whether silence or the limit ends it now."""
        if at >= self._began + self._most - _INSTANT:
            return RecordingEnd.LIMIT
        return RecordingEnd.SILENCE if at >= self._silent_at - _INSTANT else None

    @property
    def deadline(self) -> float:
        """When ``ended`` has something to say if nothing is heard until then."""
        return min(self._began + self._most, self._silent_at)

    @property
    def _silent_at(self) -> float:
        """When silence has lasted long enough. A line that sends nothing at all is silent, too."""
        if self._detector is None or self._silence is None:
            return inf
        return self._fed - self._detector.silent_for + self._silence

    def finish(self, by: RecordingEnd, key: str = "") -> Recording:
        """End it, and give what there is. *key*: the one that ended it, whose tone is taken off the end."""
        self._is_open = False
        pcm = self._form.to_pcm16(bytes(self._audio))
        self._audio.clear()
        return Recording(pcm=before_tone(pcm, self._form.rate, key) if key else pcm, rate=self._form.rate, ended_by=by)


_INSTANT = 1e-6
"""Seconds. Sums of floats miss each other by less."""
