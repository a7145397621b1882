"""Which of the prompts that were heard a ``hear`` line is about. Pure.

It looks at the prompts after the one that the last ``hear`` line was about, without those that were over before the
caller last did something. ``complete`` and ``cut`` may be about the same prompt again.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator
from typing import assert_never

from attrs import define, field

from callflow.line.heard import HeardPrompt
from callflow.line.playout import SAME
from callflow.line.steps import Ending, Hear
from callflow.line.transcript import Conversation


@define
class Matcher:
    """Follows what was heard from one ``hear`` line to the next."""

    conversation: Conversation
    _at: int = field(init=False, default=-1)
    """Where in what was heard the last line stands."""
    _settled: bool = field(init=False, default=False)
    """Whether its ending was asked for; then another line about it would be about the next time."""

    def find(self, step: Hear) -> bool:
        """Look for what *step* expects. If it was heard, the next line looks from there on."""
        heard = self.conversation.heard
        place = next((at for at in self._places(step) if _is_as_expected(step, heard[at])), None)
        if place is None:
            return False
        self._at, self._settled = place, step.ending is not None
        return True

    def instead(self, step: Hear) -> list[HeardPrompt]:
        """Give what was heard instead, from the place on at which *step* could look."""
        return [self.conversation.heard[at] for at in self._open_places(step)]

    def _places(self, step: Hear) -> Iterator[int]:
        """Give the places, among what was heard, at which *step* may have come true; endings are not looked at."""
        said = _Said()
        for at in self._open_places(step):
            heard = self.conversation.heard[at]
            names = {heard.name, heard.name.rpartition("/")[2]}
            if said.ends_with_new(step.prompt, heard.words) if step.spoken else step.prompt in names:
                yield at

    def _open_places(self, step: Hear) -> Iterator[int]:
        """Give the places at which *step* may look: after the last one, and not over before the last deed."""
        first = self._at + (step.ending is None or self._settled)
        acted = self.conversation.deeds[-1].start if self.conversation.deeds else -math.inf
        for at, heard in enumerate(self.conversation.heard):
            if at >= first and not (heard.over and heard.end <= acted):
                yield at


def _is_as_expected(step: Hear, heard: HeardPrompt) -> bool:
    if step.at_least is not None and heard.seconds < step.at_least - SAME:
        return False
    match step.ending:
        case None:
            return True
        case Ending.COMPLETE:
            return heard.complete
        case Ending.CUT:
            return heard.cut
        case _:
            assert_never(step.ending)


@define
class _Said:
    """Words heard so far, for finding an expression that goes over several prompts."""

    _words: str = ""

    def ends_with_new(self, text: str, words: str) -> bool:
        """Add a prompt's words; say whether *text* is now there and was not before."""
        before = self._words
        self._words = f"{before} {_sound(words) or '|'}"
        return f" {_sound(text)} " in f"{self._words} " and f" {_sound(text)} " not in f"{before} "


def _sound(text: str) -> str:
    """Reduce text to what is said: no case, no punctuation, single blanks."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(" " if unicodedata.category(sign)[0] == "P" else sign for sign in folded).split())
