"""One line of a call script as words, taken from left to right; and times, as words are written."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

from attrs import frozen

from callflow.errors import ScriptError

LONGEST_WAIT = 3600.0
"""Seconds. Exotel ends a stream after 60 minutes (exotel.md §10), so nothing later can come."""


_TOKEN = re.compile(r'"([^"]*)"|([^\s"]\S*)')
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s)?\Z")


@frozen
class Word:
    """What stands between blanks, or between quotation marks."""

    text: str
    quoted: bool = False


class Words:
    """The words of one line, taken from left to right."""

    def __init__(self, path: Path | str, number: int, line: str) -> None:
        self._path = path
        self.number = number
        self.form = ""
        """How the whole line has to look; told where something is missing or too much."""
        self._words = self._split(line)

    def _split(self, line: str) -> list[Word]:
        rest, words = line.strip(), list[Word]()
        while rest:
            # "#" is also a key: a comment has the line to itself, or a blank on both sides of its "#".
            if rest[0] == "#" and (not words or rest[1:2].isspace()):
                break
            found = _TOKEN.match(rest)
            if found is None:
                raise self.error('a quotation mark is left open; end the words with "')
            words.append(Word(found[2]) if found[2] else Word(found[1], quoted=True))
            rest = rest[found.end() :].lstrip()
        return words

    def error(self, problem: str) -> ScriptError:
        return ScriptError(self._path, self.number, problem)

    @property
    def more(self) -> bool:
        return bool(self._words)

    def take_word(self, what: str) -> Word:
        """Take the next word, which has to be *what*."""
        if not self._words:
            raise self.error(f"{what} is missing; write: {self.form}")
        return self._words.pop(0)

    def take(self, what: str) -> str:
        return self.take_word(what).text

    def accept(self, text: str) -> bool:
        """Take the next word if it is this one."""
        found = self._words[:1] == [Word(text)]
        del self._words[: int(found)]
        return found

    def take_all(self, what: str) -> list[str]:
        """Take every word that is left; at least one."""
        texts = [self.take(what)]
        while self._words:
            texts.append(self.take(what))
        return texts

    def next_begins(self, start: str) -> bool:
        return bool(self._words) and self._words[0].text.startswith(start)

    def end(self) -> None:
        if self._words:
            raise self.error(f"{self._words[0].text!r} is too much; write: {self.form}  # and a comment like this")

    def duration(self) -> float:
        text = self.take("a time")
        found = _DURATION.match(text)
        unit = found and (found[2] or next((u for u in ("s", "ms") if self.accept(u)), None))
        if not found or not unit:
            raise self.error(f"{text!r} is no time; write it like 2s, 0.3s or 300ms")
        seconds = float(Decimal(found[1]) / (1000 if unit == "ms" else 1))
        if seconds > LONGEST_WAIT:
            raise self.error(f"{text} is longer than a call can be; write at most {LONGEST_WAIT:g}s")
        return seconds


def duration(seconds: float) -> str:
    """Write a time as scripts and messages do: ``2s``, ``0.35s``."""
    return f"{Decimal(repr(float(seconds))):f}".removesuffix(".0") + "s"
