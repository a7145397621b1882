"""How long something took, each time: counted in steps, so that an hour of calls costs no more than one. Pure."""

from __future__ import annotations

from bisect import bisect_left

from attrs import Factory, define

STEPS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds of the steps, in seconds; a last one is for all that took longer."""


@define
class Delays:
    """A histogram of seconds."""

    counts: list[int] = Factory(lambda: [0] * (len(STEPS) + 1))
    """How many took no longer than the step, and longer than the one before."""
    total: float = 0.0
    """All of them together, in seconds."""

    def note(self, seconds: float) -> None:
        """Count one. Clocks and estimates may make it a little less than nothing."""
        self.counts[bisect_left(STEPS, seconds)] += 1
        self.total += max(0.0, seconds)

    def add(self, others: Delays) -> None:
        """Count those of another histogram, too."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, others.counts, strict=True)]
        self.total += others.total
