"""``Menu``: one key out of several."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from callflow.flow.call import BargeIn, Call, D
from callflow.flow.conduct import Conduct, Deliver, Step
from callflow.flow.definition import KEYS_ATTRIBUTE, class_line
from callflow.flow.keys import Failed, TypeAheadPolicy
from callflow.flow.prompts import Prompt
from callflow.flow.question import Question, QuestionOptions
from callflow.flow.state import INHERIT, ResumePolicy, State


class Menu(State[D]):
    """Asks for one key. Each choice is a method with ``@key``; a key answers at once, also during the prompt.

    Class keywords:
        prompt: The question.
        reprompts: What to say from the second attempt on, one prompt an attempt; the question itself if empty.
        no_input, no_match: Said before asking again, by what went wrong.
        tries: Attempts in all; then ``on_failed``.
        first_digit: Seconds from the prompt's end to "no input".
        barge_in: ``"dtmf"`` (default): a key cuts the prompt; ``"speech"``: the caller's voice does; ``"any"``: both.
            Where a key does not cut it, keys wait until it was heard.
        typeahead, resume: As in ``State``.
    """

    options: ClassVar[Any] = QuestionOptions()
    kind: ClassVar[str] = "Menu"

    @class_line
    def __init_subclass__(  # noqa: PLR0913  # these keywords are the class line that users write
        cls,
        *,
        prompt: Prompt = INHERIT,
        reprompts: tuple[Prompt, ...] = INHERIT,
        no_input: Prompt = INHERIT,
        no_match: Prompt = INHERIT,
        tries: int = INHERIT,
        first_digit: float = INHERIT,
        barge_in: BargeIn = INHERIT,
        typeahead: TypeAheadPolicy = INHERIT,
        resume: ResumePolicy = INHERIT,
    ) -> None:
        super(State, cls).__init_subclass__()
        cls._define(
            prompt=prompt,
            reprompts=reprompts,
            no_input=no_input,
            no_match=no_match,
            tries=tries,
            first_digit=first_digit,
            barge_in=barge_in,
            typeahead=typeahead,
            resume=resume,
        )

    def on_failed(self, call: Call[D], why: Failed) -> State[D]:
        """The tries are used up. Called once; ``why`` says how the last one failed and how many there were."""
        raise NotImplementedError

    @classmethod
    def choices(cls) -> Mapping[str, str]:
        """Which key calls which method, in the order of the class body; a subclass's own keys win."""
        found: dict[str, str] = {}
        for base in reversed(cls.__mro__):
            for name, member in vars(base).items():
                if keys := getattr(member, KEYS_ATTRIBUTE, ()):  # a method made anew has the keys it names now
                    found = {key: other for key, other in found.items() if other != name} | dict.fromkeys(keys, name)
        return found

    def conduct(self, at: float) -> Conduct:
        options: QuestionOptions = self.options
        entry = attrs.evolve(options.entry(), allowed=frozenset(self.choices()))
        return Question(options, entry, self._chosen, at)

    def _chosen(self, digit: str) -> Step:
        name = self.choices()[digit]
        return Deliver(name, (digit,) if _takes_key(getattr(self, name)) else ())


def _takes_key(handler: Any) -> bool:
    """Whether a bound handler has a parameter beside the call."""
    return len(inspect.signature(handler).parameters) > 1
