"""The budget of one link: how many frames a second it may have read, whatever is in them. Pure.

A telephone sends 50 messages a second. What sends thousands costs its neighbours the time that reading them takes
(faults T5), so reading stops until the budget has recovered: TCP then holds the sender back. Who cannot be held back is
cut off.
"""

from __future__ import annotations

from attrs import define, field

RATE = 500
"""Frames a second that a link is read at; ten times what a telephone sends."""

BURST_SECONDS = 4.0
"""How many seconds' worth may come at once: 2,000 frames are 40 seconds of a line that was held up."""

PATIENCE = 5.0
"""Seconds over the budget until the link is cut: what is left of such a burst is long read by then."""


@define
class Budget:
    """Frames that may be read, on a clock that the caller reads.

    Args:
        rate: Frames a second.
    """

    rate: float = RATE
    _left: float = field(init=False)
    _at: float = field(init=False, default=0.0)
    _over_since: float | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._left = self._most

    @property
    def _most(self) -> float:
        return self.rate * BURST_SECONDS

    def spend(self, frames: int, now: float) -> float:
        """Note that frames were read; return the seconds to wait before any more are."""
        self._left = min(self._most, self._left + (now - self._at) * self.rate) - frames
        self._at = now
        if self._left < 0 and self._over_since is None:
            self._over_since = now
        elif self._left > self._most / 2:
            self._over_since = None
        return max(0.0, -self._left / self.rate)

    def is_overdrawn(self, now: float) -> bool:
        """Say whether the sender was over the budget for too long."""
        return self._over_since is not None and now - self._over_since > PATIENCE
