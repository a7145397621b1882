"""What a flow has in hand while something plays: ``Playback``, ``Speaker``, and what may cut them."""

from __future__ import annotations

import abc
from typing import Literal

from callflow.session.playout import Heard

BargeIn = Literal["dtmf", "speech", "any"] | None
"""What cuts a prompt: a key, the caller's voice, either of them, or nothing."""

BARGE_INS: tuple[BargeIn, ...] = ("dtmf", "speech", "any", None)
CUT_BY_KEY: tuple[BargeIn, ...] = ("dtmf", "any")
CUT_BY_SPEECH: tuple[BargeIn, ...] = ("speech", "any")


class Playback(abc.ABC):
    """A prompt that was started and may still be playing.

    When the line is lost, it has no result yet: if the call's line comes back it is played again, from its beginning
    (not in a state with ``resume="stay"``: its fate is ``LOST`` there), and ``heard`` goes on waiting.
    """

    @property
    @abc.abstractmethod
    def result(self) -> Heard | None:
        """What became of it, or None while it plays."""

    @abc.abstractmethod
    async def heard(self) -> Heard:
        """Wait until its fate is known.

        Returns:
            ``Heard``: its fate and the seconds heard. Returns within the audio's length and a margin, whatever Exotel
            echoes; at once if the call is over.

        Cancellation:
            The playback goes on; ``stop`` ends it.
        """

    @abc.abstractmethod
    def stop(self) -> None:
        """Cut it: what Exotel has not picked up is thrown away. Without effect once its fate is known."""

    @abc.abstractmethod
    def pause(self) -> None:
        """Send nothing more of it until ``resume``; meanwhile something else may be played.

        What was sent is still heard, 0.6 seconds at most, so that nothing is lost and what comes next follows without a
        gap. While it pauses neither the caller nor a cut of anything else ends it. Without effect when all was sent.
        """

    @abc.abstractmethod
    def resume(self) -> None:
        """Go on where it was paused. Without effect when it does not pause, or its fate is known.

        Raises:
            FlowError: Something else plays now.
        """


class Speaker(Playback):
    """Audio that is made while it is played, such as that of a speech synthesis. Use it in ``async with``.

    The block's end waits until all was heard, or cut; an exception or a cancellation in the block cuts it.
    """

    @property
    @abc.abstractmethod
    def gaps(self) -> int:
        """How often the line fell silent because nothing was written in time."""

    @abc.abstractmethod
    async def write(self, pcm: bytes) -> bool:
        """Say more. Waits while more than the lead (0.4 seconds) is not sent yet.

        Args:
            pcm: 16-bit PCM, mono, at the line's rate (``call.form.rate``), in pieces of any size: an odd byte is kept
                for the next.

        Returns:
            Whether it is still wanted: False once the caller has cut it, or the call is over. Then stop making more.

        Raises:
            FlowError: ``finish`` was called.

        Cancellation:
            All of *pcm* is said nevertheless, unless the block is left by that.
        """

    @abc.abstractmethod
    def flush(self) -> None:
        """Send what is kept because it does not fill a chunk, padded with silence: at the end of a sentence."""

    @abc.abstractmethod
    def finish(self) -> None:
        """Say that no more comes; ``heard`` then returns when all of it was played. The block's end does it as well."""

    @abc.abstractmethod
    async def __aenter__(self) -> Speaker:
        """Give the speaker itself."""

    @abc.abstractmethod
    async def __aexit__(self, *raised: object) -> None:
        """Finish and wait until it was heard; cut it if the block raised."""
