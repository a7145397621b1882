"""The transcript: a call as a person would tell it, from what was heard at the line and what the caller did.

``Conversation`` holds the facts and ``Result`` what became of the script; ``Teller`` turns the facts into lines while
the call goes on. The last functions measure what the caller felt: how long the bot took to answer, and how long it
went on talking after a key.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import assert_never

import msgspec
from attrs import Factory, define, frozen

from callflow.flow.secret import DOT
from callflow.line.grammar import render_step
from callflow.line.heard import JOINT, HeardPrompt, Utterance, utterances
from callflow.line.recording import KeyTone
from callflow.line.steps import (
    Branch,
    Deafen,
    Drop,
    Ended,
    Ending,
    Enter,
    Expectation,
    Freeze,
    HalfClose,
    HangUp,
    Hear,
    Play,
    Press,
    Quiet,
    Reach,
    Reconnect,
    Script,
    SendOdd,
    Step,
    TakeOver,
)
from callflow.line.words import duration

CUT_COLUMN = 58
"""Where ``cut off`` stands behind what was said."""

HEAR_WITHIN = 10.0
"""Seconds that a ``hear`` or ``ended`` line without ``within`` waits."""

STATE_WITHIN = 5.0
"""Seconds that a ``state`` line without ``within`` waits."""

_SENTENCE_ENDS = (".", "?", "!", "।")


@frozen
class Entered:
    """The flow entered a state."""

    at: float
    """Seconds since the answer."""
    name: str


@define
class Deed:
    """Something that the caller did."""

    step: Press | Enter | Play | HangUp | Drop | Reconnect | TakeOver | Deafen | Freeze | HalfClose | SendOdd
    start: float
    """Seconds since the answer."""
    end: float = math.inf
    """When it was done; infinity while it is being done."""
    keys: int = 0
    """How many keys were to be pressed."""


@define
class Conversation:
    """A call as far as it has come."""

    heard: Sequence[HeardPrompt] = ()
    """What the bot was heard saying."""
    deeds: list[Deed] = Factory(list)
    """What the caller did."""
    entered: Sequence[Entered] = ()
    """The states that the flow entered, as far as they are known."""
    tones: list[KeyTone] = Factory(list)
    """The keys that a recording may let hear: none of a secret entry."""
    ended_at: float = math.inf
    """When the call ended, in seconds since the answer."""
    ended: str = ""
    """By whom and how, in words."""
    settled: float = 0.0
    """Seconds since the answer. Everything that was heard or done before is told."""


@define
class Teller:
    """Turns a conversation into lines while it grows: each line once, in the order of time as far as that is known."""

    _waiting: list[tuple[float, int, str]] = Factory(list)
    _count: int = 0
    # How many of each are written already; what is written is never looked at again, however long the call.
    _heard: int = 0
    _deeds: int = 0
    _entered: int = 0
    _ended: bool = False

    def lines(self, talk: Conversation) -> Iterator[str]:
        """Give the lines that can be told now and were not told before."""
        sentences, rest_from = _said(talk.heard[self._heard :], talk.settled)
        for sentence in sentences:
            self._write(sentence.start, _sentence(sentence))
            self._heard += len(sentence.parts)
        for deed in talk.deeds[self._deeds :]:
            self._write(deed.start, _deed(deed))
        for entered in talk.entered[self._entered :]:
            self._write(entered.at, f"= {entered.name}")
        self._deeds, self._entered = len(talk.deeds), len(talk.entered)
        self._end(talk)
        while self._waiting and self._waiting[0][0] < min(rest_from, talk.settled):
            at, _, text = heapq.heappop(self._waiting)
            yield f"{at:5.1f}  {text}"

    def _end(self, talk: Conversation) -> None:
        line = [deed.step for deed in talk.deeds if isinstance(deed.step, HangUp | Drop | Reconnect)]
        gone = bool(line) and not isinstance(line[-1], Reconnect)
        if talk.ended and not gone and not self._ended:
            self._write(talk.ended_at, f"  {talk.ended}")
            self._ended = True

    def _write(self, at: float, text: str) -> None:
        self._count += 1
        heapq.heappush(self._waiting, (at, self._count, text))


# What became of the script.


@frozen(kw_only=True)
class Outcome:
    """What became of one step."""

    step: Step
    start: float
    end: float
    came: str = ""
    """What came instead of what was expected; empty if the step holds."""

    @property
    def held(self) -> bool:
        return not self.came


@frozen(kw_only=True)
class Result:
    """What became of a script."""

    script: Script
    outcomes: tuple[Outcome, ...]
    """Of the steps up to the first that does not hold."""
    conversation: Conversation

    @property
    def failure(self) -> str:
        """Line, expectation and what came, of the step that does not hold; empty if all hold."""
        failed = next((outcome for outcome in self.outcomes if not outcome.held), None)
        if failed is None:
            return ""
        return f"{self.script.path}:{failed.step.line}: expected {expected(failed.step)}; {failed.came}"

    @property
    def expectations(self) -> int:
        """How many steps expect something."""
        return sum(isinstance(step, Expectation) for step in self.script.steps)

    @property
    def holding(self) -> int:
        """How many of those hold."""
        return sum(isinstance(outcome.step, Expectation) and outcome.held for outcome in self.outcomes)


_ENDINGS = {None: "", Ending.COMPLETE: " to its end", Ending.CUT: " cut off"}


def expected(step: Step) -> str:
    """Say what a step expects, as it stands behind the word "expected"."""
    match step:
        case Hear():
            words = "the words " if step.spoken else ""
            long = "" if step.at_least is None else f" for {step.at_least:g} s"
            what = f'{words}"{step.prompt}"{long}{_ENDINGS[step.ending]}'
            return f"to hear {what} within {_within(step.within, HEAR_WITHIN)}"
        case Reach():
            return f"state {step.name} within {_within(step.within, STATE_WITHIN)}"
        case Quiet():
            return f"silence within {step.within:g} s"
        case Ended():
            by = f" by the {step.by.value}" if step.by else ""
            return f"the end of the call{by} within {_within(step.within, HEAR_WITHIN)}"
        case Branch():
            return f"branch {step.name}"
        case _:
            return f"that this can be done: {render_step(step)}"


def _within(seconds: float | None, usual: float) -> str:
    return f"{usual if seconds is None else seconds:g} s"


def summary(result: Result, wav: Path) -> list[str]:
    """Write what stands below a call: what the caller felt, where it is saved, and what became of the script."""
    felt = (("Waited", waits(result.conversation)), ("Barge-in to silence", barge_ins(result.conversation)))
    figures = [f"{name} {', '.join(f'{each:.2f}' for each in seconds)} s." for name, seconds in felt if seconds]
    lines = [" ".join(figures), f"Saved {wav} (caller left, bot right)", result.failure]
    count = [f"{result.holding} of {result.expectations} expectations hold."] if result.expectations else []
    return [*filter(None, lines), *count]


def as_json(result: Result, call_sid: str, wav: Path) -> list[str]:
    """Write a call for programs: one JSON object a step, and a last one for the whole."""
    talk = result.conversation
    whole = {
        "call_sid": call_sid,
        "script": str(result.script.path),
        "holds": not result.failure,
        "failure": result.failure,
        "holding": result.holding,
        "expectations": result.expectations,
        "heard": list(map(_heard_fields, talk.heard)),
        "states": [{"state": entered.name, "at": _rounded(entered.at)} for entered in talk.entered],
        "waited": list(map(_rounded, waits(talk))),
        "barge_in": list(map(_rounded, barge_ins(talk))),
        "ended": talk.ended,
        "wav": str(wav),
    }
    return [msgspec.json.encode(each).decode() for each in [*map(_step_fields, result.outcomes), whole]]


def _step_fields(outcome: Outcome) -> dict[str, object]:
    return {
        "line": outcome.step.line,
        "step": render_step(outcome.step),
        "from": _rounded(outcome.start),
        "to": _rounded(outcome.end),
        "holds": outcome.held,
        "came": outcome.came,
    }


def _heard_fields(heard: HeardPrompt) -> dict[str, object]:
    return {
        "prompt": heard.name,
        "words": heard.words,
        "from": _rounded(heard.start),
        "seconds": _rounded(heard.seconds),
        "of_seconds": _rounded(heard.of_seconds),
        "complete": heard.complete,
    }


def _rounded(seconds: float) -> float:
    return round(seconds, 3)


# What was said.


def _said(heard: Sequence[HeardPrompt], settled: float) -> tuple[list[Utterance], float]:
    """Give what was said, sentence by sentence, and when one begins to which more may come (infinity if none does)."""
    sentences = [sentence for utterance in utterances(heard) for sentence in _sentences(utterance)]
    if sentences and sentences[-1].end + JOINT >= settled:
        return sentences[:-1], sentences[-1].start
    return sentences, math.inf


def _sentences(utterance: Utterance) -> Iterator[Utterance]:
    """Part an utterance where one sentence ends or another begins; the words of a number stay together."""
    parts: list[HeardPrompt] = []
    for part in utterance.parts:
        if parts and (parts[-1].words.endswith(_SENTENCE_ENDS) or part.words[:1].isupper()):
            yield Utterance(tuple(parts))
            parts.clear()
        parts.append(part)
    yield Utterance(tuple(parts))


def _sentence(sentence: Utterance) -> str:
    text = "◀ " + " ".join(map(_words, sentence.parts))
    return f"{text:<{CUT_COLUMN}}  cut off" if sentence.cut else text


def _words(heard: HeardPrompt) -> str:
    if not heard.name:
        return f"({heard})"
    if not heard.cut:
        return heard.words
    share = min(1.0, heard.seconds / heard.of_seconds)
    return heard.words[: round(share * len(heard.words))].rstrip() + "…"


def _deed(deed: Deed) -> str:  # noqa: PLR0911 - one row a verb
    match deed.step:
        case Press():
            return f"▶ keys {deed.step.digits}"
        case Enter():
            return f"▶ keys {deed.step.digits or DOT * deed.keys}"
        case Play():
            return f"▶ says “{Path(deed.step.file).stem.replace('_', ' ')}”"
        case HangUp():
            return "▶ hangs up"
        case Drop():
            return "▶ loses the line"
        case Reconnect():
            return "▶ is back, on another line"
        case TakeOver():
            return "▶ loses the line without a sign, and is back on another"
        case Deafen():
            return "▶ loses the line without a sign"
        case Freeze():
            return f"▶ is on a line that stands still for {duration(deed.step.seconds)}"
        case HalfClose():
            return "▶ loses the line by half: it hears no more"
        case SendOdd():
            return f"▶ does what is odd: {deed.step.oddity.value}"
        case _:
            assert_never(deed.step)


# What the caller felt, in seconds; measured on what the line heard.


def waits(conversation: Conversation) -> list[float]:
    """Measure from the end of each entry or saying to the begin of the answer; none where the bot talked all along."""
    said = utterances(conversation.heard)
    found = []
    for deed, until in _spoken_deeds(conversation):
        answer = next((each.start for each in said if deed.start <= each.start < until), math.inf)
        talking = any(each.start <= deed.end < each.end and not each.cut for each in said)
        if deed.end <= answer < math.inf and not talking:
            found.append(answer - deed.end)
    return found


def barge_ins(conversation: Conversation) -> list[float]:
    """Measure from the begin of each entry or saying that cut the bot short to the end of the bot's voice."""
    said = utterances(conversation.heard)
    return [
        utterance.end - deed.start
        for deed, until in _spoken_deeds(conversation)
        for utterance in said
        if utterance.cut and utterance.start <= deed.start < utterance.end <= until
    ]


def _spoken_deeds(conversation: Conversation) -> Iterator[tuple[Deed, float]]:
    """Give what the caller keyed or said, each with the begin of what the caller did next."""
    nexts = [deed.start for deed in conversation.deeds[1:]] + [math.inf]
    for deed, until in zip(conversation.deeds, nexts, strict=False):
        if isinstance(deed.step, Press | Enter | Play):
            yield deed, until
