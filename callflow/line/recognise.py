"""Prompt recognition: which prompt is being heard, by comparing the line's samples with the files themselves.

A server plays its prompts sample by sample, so what the line hears *is* the file, in the line's coding: no likeness is
measured, bytes are compared. A prompt is found by its **needle**, the first tenth of a second in it that is not silent,
and then followed for as long as it goes on. Where several prompts begin alike, all are followed and the longest wins.

Pure and streaming: fed with what the line heard, in order; the cost grows with the length of the audio alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from attrs import define, evolve, field, frozen

from callflow.flow.prompts import PromptLibrary
from callflow.line.heard import HeardPrompt
from callflow.line.playout import SAME
from callflow.wire.audio import AudioFormat, level

NEEDLE_SECONDS = 0.1
"""How much of a prompt has to be heard until it is looked for among the others."""

SILENCE = 0.005
"""Level (of full scale) below which a prompt has not begun yet: -46 dB."""

PAUSE = 0.3
"""Seconds. A playback that goes on after a shorter gap has stuttered; after a longer one it was cut."""

CHANCE_SECONDS = 0.02
"""A longer prompt that begins like one heard to its end has to go on for more than this, which is one padding (R17)."""

SHORTEST_UNKNOWN = 0.1
"""Seconds. Less than this of unknown sound is not worth a word."""

_STEP_SECONDS = 0.01


@frozen(kw_only=True)
class Prompt:
    """What may be heard."""

    name: str
    """File name without ``.wav``; the prompts of a language are called as ``hi/welcome``."""
    words: str
    pcm: bytes = field(repr=False)
    """16-bit mono PCM of the line's rate."""


def read_prompts(folder: Path, rate: int) -> list[Prompt]:
    """Read a prompts folder as a flow does, with its languages and its ``prompts.toml``.

    Raises:
        AudioError: A file is not what the line can play.
    """
    return prompts_in(PromptLibrary.load(folder, rate))


def prompts_in(library: PromptLibrary) -> list[Prompt]:
    """Give the prompts that a flow's library holds, in the order of their names."""
    folder = library.folder
    files = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.suffix.lower() == ".wav"]
    return [_prompt(library, file) for file in files if not any(part.startswith(".") for part in file.parts)]


def _prompt(library: PromptLibrary, file: Path) -> Prompt:
    (part,) = library.clip(file.name, "".join(file.parts[:-1])).parts
    return Prompt(name=file.with_suffix("").as_posix(), words=part.words, pcm=part.pcm)


@frozen
class _Pattern:
    """A prompt in the line's coding."""

    prompt: Prompt
    audio: bytes
    lead: int
    """Bytes of silence before the needle."""
    needle: bytes


def _pattern(prompt: Prompt, form: AudioFormat) -> _Pattern | None:
    """Prepare a prompt for finding; None if all of it is silence."""
    step = 2 * round(_STEP_SECONDS * form.rate)
    begins = next((at for at in range(0, len(prompt.pcm), step) if level(prompt.pcm[at : at + step]) > SILENCE), None)
    if begins is None:
        return None
    audio, ends = form.from_pcm16(prompt.pcm), begins // 2 * form.sample_bytes + form.size(NEEDLE_SECONDS)
    # Not its very first samples: they may agree by chance with how that would go on which was cut for it.
    lead = (begins + step if begins + 2 * step < len(prompt.pcm) else begins) // 2 * form.sample_bytes
    return _Pattern(prompt, audio, lead, audio[lead:ends])


@define(eq=False)
class _Candidate:
    """A prompt that may be the one that is being heard."""

    pattern: _Pattern
    start: float
    """When it began, in seconds since the answer."""
    reached: int
    """Byte of the prompt up to which it was heard."""

    @property
    def reach(self) -> int:
        """Bytes heard since the needle began: the measure that candidates share."""
        return self.reached - self.pattern.lead

    @property
    def complete(self) -> bool:
        return self.reached == len(self.pattern.audio)

    def follow(self, run: bytes, form: AudioFormat) -> bool:
        """Compare with what came next; say whether all of it belongs to this prompt."""
        agreed = _agreement(self.pattern.audio[self.reached : self.reached + len(run)], run, form)
        self.reached += agreed
        return agreed == len(run)


def _agreement(one: bytes, other: bytes, form: AudioFormat) -> int:
    """Count the bytes, in whole samples, up to which both are the same; by halving."""
    lower, upper = 0, min(len(one), len(other))
    if one[:upper] == other[:upper]:
        return upper
    while upper - lower > 1:
        middle = (lower + upper) // 2
        if one[lower:middle] == other[lower:middle]:
            lower = middle
        else:
            upper = middle
    return lower - lower % form.sample_bytes


class Recogniser:
    """Tells the prompts of one line apart, while they are heard.

    Args:
        prompts: What may be heard. One that is all silence is never recognised.
        form: The line's format.
    """

    def __init__(self, prompts: Iterable[Prompt], form: AudioFormat) -> None:
        self.heard: list[HeardPrompt] = []
        """What was heard, in order. Only the last may still change, and only while it is not ``over``."""
        self._form = form
        self._patterns = [pattern for prompt in prompts if (pattern := _pattern(prompt, form))]
        self._needle_bytes = max((len(pattern.needle) for pattern in self._patterns), default=0)
        self._lead_bytes = max((pattern.lead for pattern in self._patterns), default=0)
        self._run = b""  # heard and not yet told
        self._run_ends_at = 0.0
        self._searched = 0  # bytes of the run in which no needle begins
        self._alive: list[_Candidate] = []  # agree with everything since the needle
        self._passed: list[_Candidate] = []  # agreed until they ended or the audio went another way
        self._reach = 0  # bytes since the needle that stand in the candidates and no longer in the run
        self._sound: tuple[float, float] | None = None  # begin and end of what is no prompt

    def feed(self, start: float, audio: bytes) -> None:
        """Take what the line heard next.

        Args:
            start: When it began, in seconds since the answer; never before the end of what was fed last.
            audio: In the line's coding.
        """
        self.settle(start)
        self._run += audio[: len(audio) - len(audio) % self._form.sample_bytes]
        self._run_ends_at = start + self._form.seconds(len(audio))
        self._read()

    def settle(self, now: float) -> None:
        """Take note that nothing more was heard until *now*, in seconds since the answer."""
        if now < self.settles_at - SAME:
            return
        while self._alive:
            self._decide()
            self._read()
        self._pass_over(len(self._run))
        self._close()

    @property
    def open_since(self) -> float:
        """When that began which is not told to its end yet; infinity if everything is told."""
        if self.heard and not self.heard[-1].over:
            return self.heard[-1].start
        if self._alive:
            return min(candidate.start for candidate in self._alive)
        return self._time(0) if self._run else math.inf

    @property
    def settles_at(self) -> float:
        """When silence alone decides what was heard; infinity if nothing is open."""
        return math.inf if self.open_since == math.inf else self._run_ends_at + PAUSE

    def _read(self) -> None:
        """Look for a prompt, follow what was found, and again, as far as the audio goes."""
        while self._run:
            if self._alive:
                self._follow()
            elif not self._find():
                return

    # Looking for a needle.

    def _find(self) -> bool:
        at = min((at for pattern in self._patterns if (at := self._index(pattern)) >= 0), default=-1)
        if at < 0:
            # The needle of a prompt, and the silence before it, may stand at the end of what is there.
            self._searched = max(0, len(self._run) - self._needle_bytes)
            self._pass_over(max(0, self._searched - self._lead_bytes))
            return False
        found = [pattern for pattern in self._patterns if self._run.startswith(pattern.needle, at)]
        silences = [self._silence_before(pattern, at) for pattern in found]
        self._alive = [
            _Candidate(pattern, self._time(at - silence), pattern.lead)
            for pattern, silence in zip(found, silences, strict=True)
        ]
        self._passed, self._reach = [], 0
        self._pass_over(at - max(silences))
        self._close()
        self._drop(max(silences))
        return True

    def _index(self, pattern: _Pattern) -> int:
        """Find a needle at a whole sample; -1 if it is not there."""
        at = self._run.find(pattern.needle, self._searched)
        while at >= 0 and at % self._form.sample_bytes:
            at = self._run.find(pattern.needle, at + 1)
        return at

    def _silence_before(self, pattern: _Pattern, at: int) -> int:
        """Count the bytes of a prompt's own silence that were heard before its needle."""
        before, silence = self._run[:at], pattern.audio[: pattern.lead]
        return _agreement(silence[::-1], before[::-1], self._form)

    # Following candidates.

    def _follow(self) -> None:
        before = self._alive
        self._alive = [candidate for candidate in before if candidate.follow(self._run, self._form)]
        self._passed += [candidate for candidate in before if candidate not in self._alive]
        if all(candidate.complete for candidate in self._alive):
            self._decide()
            return
        self._reach += len(self._run)
        self._drop(len(self._run))
        if len(self._alive) == 1 and self._best() is self._alive[0]:
            self._show(self._alive[0], over=False)

    def _decide(self) -> None:
        """Name the prompt that was heard; what came after it is read anew."""
        self._passed, self._alive = self._passed + self._alive, []
        best = self._best()
        if best.reach < self._reach:  # longer ones swallowed what came after it
            longest = max(self._passed, key=lambda candidate: candidate.reach).pattern
            self._run = longest.audio[longest.lead + best.reach : longest.lead + self._reach] + self._run
        else:
            self._drop(best.reach - self._reach)
        self._show(best, over=True)

    def _best(self) -> _Candidate:
        """Choose the candidate that was heard longest; one heard to its end, if the longest is ahead by chance."""
        everyone = self._passed + self._alive
        longest = max(everyone, key=lambda candidate: candidate.reach)
        whole = max((c for c in everyone if c.complete), key=lambda candidate: candidate.reach, default=longest)
        return whole if longest.reach - whole.reach <= self._form.size(CHANCE_SECONDS) else longest

    # Telling.

    def _show(self, candidate: _Candidate, *, over: bool) -> None:
        prompt = candidate.pattern.prompt
        heard = HeardPrompt(
            name=prompt.name,
            words=prompt.words,
            start=candidate.start,
            seconds=self._time(0) - candidate.start,
            of_seconds=self._form.seconds(len(candidate.pattern.audio)),
            complete=candidate.complete,
            over=over,
        )
        self._put(heard)

    def _pass_over(self, size: int) -> None:
        """Let go of audio that belongs to no prompt; if it is sound, tell it."""
        start, passed = self._time(0), self._form.to_pcm16(self._run[:size])
        self._drop(size)
        if level(passed) > SILENCE:
            self._sound = (self._sound[0] if self._sound else start, self._time(0))
            self._show_sound(*self._sound)
        elif self._sound and self._time(0) - self._sound[1] >= PAUSE:
            self._close()

    def _show_sound(self, start: float, end: float) -> None:
        seconds = end - start
        if seconds >= SHORTEST_UNKNOWN:
            unknown = HeardPrompt(
                name="", words="", start=start, seconds=seconds, of_seconds=seconds, complete=False, over=False
            )
            self._put(unknown)

    def _close(self) -> None:
        """Nothing more comes of what was heard last."""
        self._sound = None
        if self.heard:
            self._put(evolve(self.heard.pop(), over=True))

    def _put(self, heard: HeardPrompt) -> None:
        if self.heard and not self.heard[-1].over:
            self.heard.pop()
        self.heard.append(heard)

    # Places and times.

    def _drop(self, size: int) -> None:
        self._run = self._run[size:]
        self._searched = max(0, self._searched - size)

    def _time(self, at: int) -> float:
        """Say when byte *at* of the run was heard, in seconds since the answer."""
        return self._run_ends_at - self._form.seconds(len(self._run) - at)
