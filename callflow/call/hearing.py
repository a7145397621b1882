"""Hearing: the detector of one call, from the first moment that anybody asks for speech to the call's end.

It runs inside the reader's step, so that speech cuts a prompt as fast as a key does. A call that never asks has none.
"""

from __future__ import annotations

from collections.abc import Callable

import trio
from attrs import define, field

from callflow.call.driver import Driver
from callflow.call.journal import Kind
from callflow.call.mailbox import SpeechCame
from callflow.flow.listening import Speech
from callflow.flow.recording import Recorder
from callflow.wire.speech import Sensitivity, SpeechBegan, SpeechDetector


@define(eq=False)
class Hearing:
    """Listens for the caller's voice.

    Args:
        driver: The call's.
        sensitivity: What counts as speech.
        cut: Called when speech begins, before anybody is told: cuts what speech may cut.
    """

    driver: Driver
    sensitivity: Sensitivity
    cut: Callable[[], None]
    detector: SpeechDetector | None = field(default=None, init=False)

    def begin(self) -> None:
        """Listen from now on; without effect when that is so already."""
        if self.detector is None:
            self.detector = SpeechDetector(self.driver.form, self.sensitivity)
            self.driver.taps.listen(self._hear)

    def record(self, recorder: Recorder) -> None:
        """Have a recorder take the caller's audio from now on, until the state is left."""
        driver, floor = self.driver, None if self.detector is None else self.detector.floor
        recorder.begin(driver.form, self.sensitivity, floor, trio.current_time())
        driver.taps.add_late(lambda audio: recorder.feed(audio, trio.current_time()))
        driver.note(Kind.RECORDING, "began")

    def _hear(self, audio: bytes) -> None:
        assert self.detector is not None
        for told in self.detector.feed(audio):
            began = isinstance(told, SpeechBegan)
            before = self.detector.seconds - told.at
            lasted = before if isinstance(told, SpeechBegan) else told.seconds
            speech = Speech(at=max(0.0, self.driver.seconds - before), seconds=lasted, level=told.level)
            what, level = "began" if began else "ended", round(told.level, 1)
            self.driver.note(Kind.SPEECH, what, seconds=round(speech.seconds, 3), level=level)
            if began:
                self.cut()
            self.driver.mailbox.put(SpeechCame(speech, ended=not began))
