"""Asking the caller for keys: what ``Menu``, ``Confirm`` and ``CollectDigits`` have in common, as one pure conduct.

An attempt is a prompt and a ``Collector``. A failed attempt says what went wrong and asks again, until the tries are
used up; the last failure goes to ``on_failed``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, assert_never

import attrs

from callflow.flow.conduct import WAIT, Conduct, Deliver, Go, Speak, Step
from callflow.flow.definition import one_of
from callflow.flow.keys import Collector, Complete, Entry, Failed, FailedName, GiveUp, Outcome, Tries
from callflow.flow.playback import BARGE_INS, BargeIn
from callflow.flow.prompts import Prompt, PromptPart
from callflow.flow.state import StateOptions
from callflow.wire.messages import Dtmf


@attrs.frozen(kw_only=True)
class QuestionOptions(StateOptions):
    """Options of every state that asks for keys."""

    prompt: Prompt | None = None
    """None where ``prompt_for`` says it."""
    reprompts: tuple[Prompt, ...] = ()
    no_input: Prompt | None = None
    no_match: Prompt | None = None
    too_short: Prompt | None = None
    tries: int = 3
    barge_in: BargeIn = attrs.field(default="dtmf", validator=one_of(*BARGE_INS))
    first_digit: float = 5.0
    between_digits: float = 3.0
    total: float = 60.0
    secret: bool = False
    failed: type[Any] | None = None
    """The state to go to when the tries are used up, in the place of ``on_failed``."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self.new_tries()
        self.entry()

    def entry(self) -> Entry:
        """What an attempt takes. Menus have one time limit, so that their ``total`` never is the shorter one."""
        return Entry(first_digit=self.first_digit, total=max(self.total, self.first_digit))

    def new_tries(self) -> Tries:
        return Tries(allowed=self.tries, reprompts=self.reprompts)

    def sorry(self, failed: Failed) -> tuple[PromptPart, ...]:
        """What is said of a failure before asking again."""
        said = {"no input": self.no_input, "no match": self.no_match, "too short": self.too_short or self.no_match}
        return _parts(said.get(failed.name))


def _parts(prompt: Prompt | None) -> tuple[PromptPart, ...]:
    if prompt is None:
        return ()
    return prompt if isinstance(prompt, tuple) else (prompt,)


class Question(Conduct):
    """Asks, collects, asks again.

    Args:
        options: What the class line said.
        entry: What is asked for.
        answered: Turns a whole entry into the step that it means.
        at: Now.
    """

    def __init__(self, options: QuestionOptions, entry: Entry, answered: Callable[[str], Step], at: float) -> None:
        self.secret = options.secret
        self.takes_keys = True
        self._options = options
        self._prompt = options.prompt
        self._asked: Prompt | None = options.prompt
        """What was asked last, without what was said of a failure before."""
        self._entry = entry
        self._answered = answered
        self._tries = options.new_tries()
        self._collector = Collector(entry, at=at, prompt_playing=True)

    @property
    def deadline(self) -> float | None:  # type: ignore[override]  # computed here, a plain attribute in the base
        return self._collector.deadline

    def enter(self, at: float) -> Step:
        return Speak(self._prompt, self._options.barge_in)

    def prompt_ended(self, at: float) -> Step:
        self._collector.prompt_ended(at)
        return WAIT

    def press(self, key: Dtmf, at: float) -> Step:
        return self._judge(self._collector.press(key.digit, at), at)

    def fits(self, digit: str) -> bool:
        return digit in self._entry.digits or digit in set(self._entry.finish)

    def due(self, at: float) -> Step:
        return self._judge(self._collector.due(at), at)

    def resumed(self, at: float) -> Step:
        self.takes_keys = True
        self._collector = Collector(self._entry, at=at, prompt_playing=True)
        return Speak(self._asked, self._options.barge_in)

    def stood_still(self, seconds: float) -> None:
        self._collector.stood_still(seconds)

    def stayed(self, at: float) -> Step:
        self.takes_keys = True
        self._collector = Collector(self._entry, at=at, prompt_playing=False)
        return WAIT

    def again(self, name: FailedName, at: float) -> Step:
        return self._ask_again(Failed(name=name, digits_seen=self._collector.digits_so_far), at)

    def _judge(self, outcome: Outcome | None, at: float) -> Step:
        match outcome:
            case None:
                return WAIT
            case Complete():
                self.late_terminator = self._collector.late_terminator
                self.takes_keys = False
                return self._answered(outcome.digits)
            case Failed():
                return self._ask_again(outcome, at)
            case _:
                assert_never(outcome)

    def _ask_again(self, failed: Failed, at: float) -> Step:
        match self._tries.failed(failed):
            case GiveUp(last):
                self.takes_keys = False
                if self._options.failed is not None:
                    return Go("failed", self._options.failed)
                return Deliver("on_failed", (last,))
            case again:
                self.takes_keys = True
                self._collector = Collector(self._entry, at=at, prompt_playing=True)
                self._asked = again.prompt or self._prompt
                return self._speak_again(self._options.sorry(failed), self._asked)

    def _speak_again(self, sorry: tuple[PromptPart, ...], asked: Prompt | None) -> Step:
        if asked is None:
            return Speak(None, self._options.barge_in, again=True, before=sorry)
        return Speak((*sorry, *_parts(asked)), self._options.barge_in, again=True)
