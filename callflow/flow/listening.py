"""What a flow hears of the caller beside keys: ``Speech``, and the sound itself."""

from __future__ import annotations

import abc

from attrs import frozen


@frozen(kw_only=True)
class Speech:
    """The caller's voice, as the detector hears it."""

    at: float
    """When it began: seconds since the stream began, as ``call.now()``."""
    seconds: float
    """How long it has lasted; at its end without the silence that ended it."""
    level: float
    """Of its loudest 20 ms so far, in dB of full scale (dBFS): -20 is loud, -45 is hardly heard."""


class CallerAudio(abc.ABC):
    """The caller's audio, piece by piece: 16-bit PCM, mono, at the line's rate (``call.form.rate``).

    What was not taken is kept for 5 seconds; then the oldest goes.
    """

    @property
    @abc.abstractmethod
    def dropped(self) -> float:
        """Seconds that were lost because they were not taken in time."""

    def __aiter__(self) -> CallerAudio:
        return self

    @abc.abstractmethod
    async def __anext__(self) -> bytes:
        """Wait for the next piece, mostly 20 milliseconds.

        Raises:
            StopAsyncIteration: The state was left, or the call is over, and all was taken.

        Cancellation:
            Nothing is lost.
        """
