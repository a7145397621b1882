"""``Record``: a message of the caller, as in a voicemail."""

from __future__ import annotations

import enum
from typing import Any, ClassVar, assert_never

import attrs

from callflow.flow.call import Call
from callflow.flow.conduct import WAIT, Capture, Conduct, Deliver, Speak, Step
from callflow.flow.definition import class_line, one_of
from callflow.flow.facts import D, EndedCall
from callflow.flow.keys import Failed, FailedName
from callflow.flow.playback import BARGE_INS, BargeIn
from callflow.flow.prompts import Prompt, Tone
from callflow.flow.recording import Recorder, Recording, RecordingEnd
from callflow.flow.state import INHERIT, State, StateOptions
from callflow.wire.messages import KEYS, Dtmf

LONGEST = 3_600.0
"""Seconds: as long as a call. At 24 kHz an hour takes 170 MB, so the default is two minutes."""

BEEP = Tone(hertz=1_000.0, seconds=0.3)
"""Between the frequencies of keys, so that no listener takes it for one."""


@attrs.frozen(kw_only=True)
class RecordOptions(StateOptions):
    """Options of ``Record``."""

    prompt: Prompt | None = None
    beep: bool = True
    max_seconds: float = 120.0
    silence: float | None = 5.0
    finish: str = "#"
    least_seconds: float = 0.5
    barge_in: BargeIn = attrs.field(default="dtmf", validator=one_of(*BARGE_INS))

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if not 0 < self.max_seconds <= LONGEST:
            raise ValueError(f"max_seconds={self.max_seconds!r} is no number of seconds up to {LONGEST:.0f}")
        if self.silence is not None and not 0 < self.silence < LONGEST:
            raise ValueError(f"silence={self.silence!r} is no number of seconds above zero; None is for no such end")
        if not 0 <= self.least_seconds < self.max_seconds:
            raise ValueError(f"least_seconds={self.least_seconds!r} is no number of seconds below max_seconds")
        if not set(self.finish) <= set(KEYS):
            raise ValueError(f"finish={self.finish!r}; the keys of a telephone are 0 to 9, * and #")


class Record(State[D]):
    """Records what the caller says, until a key, silence, the limit or the end of the call ends it.

    Class keywords:
        prompt: What is said before; nothing by default.
        beep: Whether a tone says that it begins.
        max_seconds: Longest recording.
        silence: Seconds without speech that end it; None for none.
        finish: Keys that end it (``"#"``); empty for none. Their tone is taken off.
        least_seconds: What is shorter is no recording.
        barge_in: As in ``Menu``; what cuts the prompt begins the recording, behind the beep.
    """

    options: ClassVar[Any] = RecordOptions()
    kind: ClassVar[str] = "Record"

    @class_line
    def __init_subclass__(  # these keywords are the class line that users write
        cls,
        *,
        prompt: Prompt | None = INHERIT,
        beep: bool = INHERIT,
        max_seconds: float = INHERIT,
        silence: float | None = INHERIT,
        finish: str = INHERIT,
        least_seconds: float = INHERIT,
        barge_in: BargeIn = INHERIT,
    ) -> None:
        super(State, cls).__init_subclass__()
        cls._define(
            prompt=prompt,
            beep=beep,
            max_seconds=max_seconds,
            silence=silence,
            finish=finish,
            least_seconds=least_seconds,
            barge_in=barge_in,
        )

    def on_recorded(self, call: Call[D], recording: Recording) -> State[D] | None:
        """The recording is there, and the caller is, too. Called once for each; None records another."""
        raise NotImplementedError

    def on_recorded_hangup(self, call: EndedCall[D], recording: Recording) -> None:
        """The call was over during the recording, as most voicemails end. Called at most once, before ``on_hangup``."""
        raise NotImplementedError

    def on_failed(self, call: Call[D], why: Failed) -> State[D]:
        """Nothing was recorded: ``"no input"`` if nobody spoke, else ``"too short"``. Called once."""
        raise NotImplementedError

    @classmethod
    def _asked_keys(cls) -> frozenset[str]:
        return frozenset(cls.options.finish)

    def conduct(self, at: float) -> Conduct:
        return _Recording(self.options)


class _Phase(enum.Enum):
    PROMPT = enum.auto()
    BEEP = enum.auto()
    RECORDING = enum.auto()
    OVER = enum.auto()


class _Recording(Conduct):
    def __init__(self, options: RecordOptions) -> None:
        self.takes_keys = True
        self._options = options
        self._phase = _Phase.PROMPT
        self._recorder = self._make_recorder()

    def _make_recorder(self) -> Recorder:
        return Recorder(self._options.max_seconds, self._options.silence)

    @property
    def deadline(self) -> float | None:  # type: ignore[override]  # computed here, a plain attribute in the base
        return self._recorder.deadline if self._phase is _Phase.RECORDING else None

    def enter(self, at: float) -> Step:
        prompt = self._options.prompt
        return self._beep() if prompt is None else Speak(prompt, self._options.barge_in)

    def prompt_ended(self, at: float) -> Step:
        return self._beep() if self._phase is _Phase.PROMPT else self._record()

    def _beep(self) -> Step:
        if not self._options.beep:
            return self._record()
        self._phase = _Phase.BEEP
        return Speak(BEEP, None, again=True)

    def _record(self) -> Step:
        self._phase = _Phase.RECORDING
        return Capture(self._recorder)

    def fits(self, digit: str) -> bool:
        return digit in self._options.finish

    def press(self, key: Dtmf, at: float) -> Step:
        if self._phase is _Phase.RECORDING and key.digit in self._options.finish:
            return self._judge(self._recorder.finish(RecordingEnd.KEY, key.digit))
        return WAIT

    def due(self, at: float) -> Step:
        by = self._recorder.ended(at)
        return WAIT if by is None else self._judge(self._recorder.finish(by))

    def resumed(self, at: float) -> Step:
        """The line is back: a recording goes on, and what comes is appended; what stood before it is said again."""
        match self._phase:
            case _Phase.PROMPT:
                return self.enter(at)
            case _Phase.BEEP:
                return self._beep()
            case _Phase.RECORDING | _Phase.OVER:
                return WAIT
            case _:
                assert_never(self._phase)

    def stood_still(self, seconds: float) -> None:
        """There was no line for so long, which is neither silence nor part of the limit."""
        self._recorder.stood_still(seconds)

    def stayed(self, at: float) -> Step:
        self._recorder = self._make_recorder()
        return self._beep()

    def hung_up(self) -> Deliver | None:
        if self._phase is not _Phase.RECORDING:
            return None
        recording = self._recorder.finish(RecordingEnd.HANGUP)
        return None if self._lack(recording) else Deliver("on_recorded_hangup", (recording,))

    def _judge(self, recording: Recording) -> Step:
        self._phase = _Phase.OVER
        lack = self._lack(recording)
        return Deliver("on_recorded", (recording,)) if lack is None else Deliver("on_failed", (Failed(name=lack),))

    def _lack(self, recording: Recording) -> FailedName | None:
        """Say why something is no recording."""
        if self._options.silence is not None and not self._recorder.spoke:
            return "no input"
        return "too short" if recording.seconds < self._options.least_seconds else None
