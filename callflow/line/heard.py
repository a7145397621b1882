"""What was heard: prompts with their moments, and how they join into utterances."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

JOINT = 0.05
"""Seconds. Prompts that follow within less are parts of one utterance, such as the words of a number."""


@frozen(kw_only=True)
class HeardPrompt:
    """A stretch of what the line heard: a prompt, or sound that is none."""

    name: str
    """Empty where the sound is no prompt."""
    words: str
    start: float
    """Seconds since the answer."""
    seconds: float
    """How long it was heard; still growing while it is not *over*."""
    of_seconds: float
    """How long the whole of it is."""
    complete: bool
    """Whether it was heard to its last sample."""
    over: bool
    """Whether nothing more of it will come."""

    @property
    def end(self) -> float:
        """When its last sample so far was over, in seconds since the answer."""
        return self.start + self.seconds

    @property
    def cut(self) -> bool:
        """Whether a prompt ended before its end."""
        return bool(self.name) and self.over and not self.complete

    def __str__(self) -> str:
        return f'"{self.name}"' if self.name else f"unrecognised, {self.seconds:.1f} s"


@frozen
class Utterance:
    """What was said in one go: prompts without a pause between them."""

    parts: tuple[HeardPrompt, ...]

    @property
    def start(self) -> float:
        return self.parts[0].start

    @property
    def end(self) -> float:
        return self.parts[-1].end

    @property
    def cut(self) -> bool:
        return self.parts[-1].cut

    def goes_on_with(self, heard: HeardPrompt) -> bool:
        """Say whether *heard* belongs to it: what comes after a cut is the answer to it, however soon."""
        return not self.cut and heard.start - self.end < JOINT


def utterances(heard: Iterable[HeardPrompt]) -> list[Utterance]:
    """Join what was heard without a pause."""
    found: list[Utterance] = []
    for each in heard:
        if found and found[-1].goes_on_with(each):
            found[-1] = Utterance((*found[-1].parts, each))
        else:
            found.append(Utterance((each,)))
    return found
