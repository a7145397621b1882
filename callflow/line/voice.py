"""The caller's voice: what is to be said, cut into the frames that Exotel sends, and the silence round it.

Nothing here waits or sends: ``Telephone`` takes a frame when it is due, and whoever says something waits for its end.
"""

from __future__ import annotations

from collections import deque

import trio
from attrs import Factory, define

from callflow.line.playout import Segment
from callflow.line.profile import Profile


@define(eq=False)
class Utterance:
    """Audio that the caller is about to say."""

    audio: bytes
    """In the line's own coding."""
    said_bytes: int = 0
    over: trio.Event = Factory(trio.Event)
    """Set when all of it was said, or no more of it will be."""

    def take(self, size: int) -> bytes:
        """Say the next *size* bytes, or as many as there are."""
        piece = self.audio[self.said_bytes : self.said_bytes + size]
        self.said_bytes += len(piece)
        return piece

    @property
    def all_said(self) -> bool:
        return self.said_bytes >= len(self.audio)


class Voice:
    """Says one utterance after another, frame by frame. Moments are seconds since the call was answered."""

    def __init__(self, profile: Profile) -> None:
        self.spoken: list[Segment] = []
        """What was said, one segment a frame; silence is not in it."""
        self._pause = profile.frame_seconds if profile.keeps_sending_silence else profile.silence_every
        self.frame_at = self._pause
        """When the next frame is due, which is when its audio ends; infinity while there is nothing to send."""
        self._profile = profile
        self._form = profile.form
        self._silence = self._form.silence(self._form.size(profile.frame_seconds))
        self._utterances: deque[Utterance] = deque()

    def say(self, pcm16: bytes, now: float) -> Utterance:
        """Say 16-bit audio of the line's rate, from the next frame on, after what is being said already."""
        utterance = Utterance(self._form.from_pcm16(pcm16))
        if not self._utterances:
            self.frame_at = min(self.frame_at, now + self._profile.frame_seconds)
        self._utterances.append(utterance)
        return utterance

    def next_frame(self) -> bytes:
        """Take the frame that is due: the next piece of what is being said, or silence."""
        at, frame = self.frame_at, self._silence
        if self._utterances:
            frame = self._say_on(self._utterances[0], at - self._profile.frame_seconds)
        self.frame_at = at + (self._profile.frame_seconds if self._utterances else self._pause)
        return frame

    def _say_on(self, utterance: Utterance, start: float) -> bytes:
        size = len(self._silence)
        said = utterance.take(size)
        if utterance.all_said:
            self._utterances.popleft().over.set()
        if said:
            self.spoken.append(Segment(start, said, self._form.seconds(len(said))))
        return said + self._form.silence(size - len(said))

    def hold_its_tongue(self, now: float) -> None:
        """Go on with the next frame from now: while there was no line nothing was said."""
        if self.frame_at < now:
            self.frame_at = now + self._profile.frame_seconds

    def stop(self) -> None:
        """Break off: whoever waits for the end of an utterance need not wait any more."""
        for utterance in self._utterances:
            utterance.over.set()
