"""Telling speech from silence and noise by its level: a detector that is pure, cheap, and needs no model.

Audio is judged in steps of 20 ms. A step is loud when it stands above a threshold and well above the noise floor, which
the detector follows: down at once, up slowly, so that the gaps between syllables hold it down while somebody speaks.
Speech begins when enough of a short stretch was loud, which a click is not, and ends after a pause that is longer than
those within a sentence.

Loudness is all that it knows. Music, a horn or another voice in the room is speech to it, and so is the echo of our own
prompt if the network returns it louder than the threshold.
"""

from __future__ import annotations

import math

from attrs import Attribute, field, frozen

from callflow.wire.audio import QUIETEST, AudioFormat, dbfs

STEP = 0.02
"""Seconds judged at once: what one message of a real call holds (D16), so that nothing is cut or joined on the way."""

_LOWEST_FLOOR = -70.0
"""dBFS. Lines that send digital silence between words would pull the floor where any hiss stands out of it."""

_LEARNS = 10
"""Steps at the very beginning whose quietest is taken for the noise. Nothing is speech before that."""

_HIGHEST_FIRST_FLOOR = -30.0
"""dBFS. Whoever speaks from the first instant on must not pass for noise altogether."""

_FALLS = 0.25
"""Part of the way that the floor goes down in one step. Gaps between syllables last a few steps."""

_RISES = 6.0 * STEP
"""dB a step that the floor goes up: a fan that is switched on is known as noise within two or three seconds."""

_RISES_IN_SPEECH = 3.0 * STEP
"""The same while speech is heard: six seconds without a breath do not make a voice the noise."""

_BRIDGE = 0.1
"""Seconds. Shorter gaps are inside a word (the closure of a "t" takes 50 to 80 ms) and do not start the count anew."""

_NONE: tuple[()] = ()


def _positive(settings: Sensitivity, attribute: Attribute[float], seconds: float) -> None:
    if not 0 < seconds < math.inf:
        raise ValueError(f"{attribute.name} is a number of seconds greater than zero, not {seconds!r}")


def _of_full_scale(settings: Sensitivity, attribute: Attribute[float], level: float) -> None:
    if not QUIETEST <= level <= 0:
        raise ValueError(f"{attribute.name} is a level from {QUIETEST:.0f} to 0 dB of full scale, not {level!r}")


def _number(settings: Sensitivity, attribute: Attribute[float], level: float) -> None:
    if not 0 <= level < math.inf:
        raise ValueError(f"{attribute.name} is a number of dB from 0 on, not {level!r}")


@frozen(kw_only=True)
class Sensitivity:
    """What counts as speech.

    Raises:
        ValueError: A value makes no sense; the message names it.
    """

    threshold: float = field(default=-45.0, validator=_of_full_scale)
    """dBFS. Nothing quieter is speech. Telephone speech is planned for -26 dBFS, quiet callers stay some 15 dB below
    it, and the network's echo of our own voice comes back 25 dB or more below: -45 lies between the last two."""
    above_noise: float = field(default=10.0, validator=_number)
    """dB that speech stands above the noise floor. Steady noise varies by 2 or 3 dB from step to step."""
    begin_after: float = field(default=0.3, validator=_positive)
    """Seconds of sound until it is speech. Clicks have under 0.1, most coughs under 0.3, a short "yes" 0.3."""
    end_after: float = field(default=0.8, validator=_positive)
    """Seconds of silence until speech is over. Pauses inside a sentence are mostly under 0.7."""


@frozen
class SpeechBegan:
    """Somebody speaks."""

    at: float
    """When it began, in seconds of audio since the detector's first: ``begin_after`` or more before it was sure."""
    level: float
    """Of its loudest step so far, in dBFS."""


@frozen
class SpeechEnded:
    """Nobody speaks any more."""

    at: float
    """When it had begun, as in ``SpeechBegan``."""
    seconds: float
    """How long it lasted; the pause that ended it is not counted."""
    level: float
    """Of its loudest step, in dBFS."""


class SpeechDetector:
    """Tells when speech begins and ends in one stream of audio.

    Args:
        form: Rate and coding of what is fed.
        sensitivity: What counts as speech.
        floor: The noise of the line in dBFS, if it is known; else the first 0.2 seconds tell, and hold no speech.
    """

    def __init__(self, form: AudioFormat, sensitivity: Sensitivity | None = None, floor: float | None = None) -> None:
        self.sensitivity = sensitivity or Sensitivity()
        self.speaking = False
        self.level = QUIETEST
        """Of the last step, in dBFS."""
        self.floor = _HIGHEST_FIRST_FLOOR if floor is None else floor
        """What is taken for the noise, in dBFS."""
        self._form = form
        self._size = form.size(STEP)
        self._rest = b""
        self._begin = math.ceil(self.sensitivity.begin_after / STEP - 1e-6)
        self._end = math.ceil(self.sensitivity.end_after / STEP - 1e-6)
        self._bridge = round(_BRIDGE / STEP)
        self._learns = _LEARNS if floor is None else 0
        self._steps = 0
        self._loud = 0  # steps of the stretch that is or may become speech
        self._quiet = 0  # steps since the last of them
        self._began = 0
        self._peak = QUIETEST
        self._spoke_until = 0

    @property
    def seconds(self) -> float:
        """Audio that was judged so far."""
        return self._steps * STEP

    @property
    def silent_for(self) -> float:
        """Seconds since somebody spoke, or since the first audio. A sound that may yet become speech counts as such."""
        since = self._quiet if self._loud else self._steps - self._spoke_until
        return since * STEP

    def feed(self, audio: bytes) -> tuple[SpeechBegan | SpeechEnded, ...]:
        """Take the next audio, in pieces of any size; return what it showed, which mostly is nothing."""
        if not self._rest and len(audio) == self._size:
            told = self._judge(audio)
            return _NONE if told is None else (told,)
        joined, size = self._rest + audio, self._size
        whole = len(joined) - len(joined) % size
        self._rest = joined[whole:]
        found = (self._judge(joined[at : at + size]) for at in range(0, whole, size))
        return tuple(told for told in found if told is not None)

    def _judge(self, audio: bytes) -> SpeechBegan | SpeechEnded | None:
        """Judge one step. This may run for every frame of every call."""
        self.level = level = dbfs(self._form.to_pcm16(audio))
        self._steps += 1
        chosen = self.sensitivity
        is_loud = level > chosen.threshold and level > self.floor + chosen.above_noise and self._steps > self._learns
        self._follow_noise(level)
        if is_loud:
            return self._take_sound(level)
        return self._take_silence() if self._loud else None

    def _follow_noise(self, level: float) -> None:
        if level < self.floor:
            falls = _FALLS if self._steps > self._learns else 1.0
            self.floor = max(_LOWEST_FLOOR, self.floor + (level - self.floor) * falls)
        else:
            self.floor = min(level, self.floor + (_RISES_IN_SPEECH if self.speaking else _RISES))

    def _take_sound(self, level: float) -> SpeechBegan | None:
        if not self._loud:
            self._began, self._peak = self._steps - 1, level
        self._loud += 1
        self._quiet = 0
        self._peak = max(self._peak, level)
        if self.speaking or self._loud < self._begin:
            return None
        self.speaking = True
        return SpeechBegan(self._began * STEP, self._peak)

    def _take_silence(self) -> SpeechEnded | None:
        self._quiet += 1
        if self._quiet < (self._end if self.speaking else self._bridge):
            return None
        self._loud = 0
        if not self.speaking:
            return None
        self.speaking = False
        self._spoke_until = self._steps - self._quiet
        return SpeechEnded(self._began * STEP, (self._spoke_until - self._began) * STEP, self._peak)
