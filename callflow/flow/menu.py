"""``Menu``: one key out of several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from callflow.flow.call import Call
from callflow.flow.conduct import Conduct, Go, Step
from callflow.flow.definition import check_key_targets, check_target, class_line
from callflow.flow.facts import D
from callflow.flow.keys import Failed, TypeAheadPolicy
from callflow.flow.marks import keys_of, line_of
from callflow.flow.playback import BargeIn
from callflow.flow.prompts import Prompt
from callflow.flow.question import Question, QuestionOptions
from callflow.flow.state import INHERIT, ResumePolicy, State, choose


@attrs.frozen(kw_only=True)
class MenuOptions(QuestionOptions):
    """Options of ``Menu``."""

    keys: Mapping[str, type[State[Any]]] = attrs.field(factory=dict)


class Menu(State[D]):
    """Asks for one key. A choice is a method with ``@key``, or a state that ``keys`` names; it is taken at once.

    Class keywords:
        prompt: The question.
        reprompts: What to say from the second attempt on, one prompt an attempt; the question itself if empty.
        no_input, no_match: Said before asking again, by what went wrong.
        keys: States that keys lead to, made without arguments: ``{"1": Sales}``. Beside methods, and those of its base.
        failed: The state to go to when the tries are used up, in the place of ``on_failed``.
        tries: Attempts in all; then ``on_failed``.
        first_digit: Seconds from the prompt's end to "no input".
        barge_in: ``"dtmf"`` (default): a key cuts the prompt; ``"speech"``: the caller's voice does; ``"any"``: both.
            Where a key does not cut it, keys wait until it was heard.
        timeout, typeahead, resume: As in ``State``.
    """

    options: ClassVar[Any] = MenuOptions()
    kind: ClassVar[str] = "Menu"

    @class_line
    def __init_subclass__(  # noqa: PLR0913  # these keywords are the class line that users write
        cls,
        *,
        prompt: Prompt = INHERIT,
        keys: Mapping[str, type[State[Any]]] = INHERIT,
        failed: type[State[Any]] = INHERIT,
        reprompts: tuple[Prompt, ...] = INHERIT,
        no_input: Prompt = INHERIT,
        no_match: Prompt = INHERIT,
        tries: int = INHERIT,
        first_digit: float = INHERIT,
        barge_in: BargeIn = INHERIT,
        timeout: float = INHERIT,
        typeahead: TypeAheadPolicy = INHERIT,
        resume: ResumePolicy = INHERIT,
    ) -> None:
        super(State, cls).__init_subclass__()
        if keys is not INHERIT:
            check_key_targets(cls, keys)
        if failed is not INHERIT:
            check_target(cls, "failed", failed)
        cls._define(
            prompt=prompt,
            keys=keys,
            failed=failed,
            reprompts=reprompts,
            no_input=no_input,
            no_match=no_match,
            tries=tries,
            first_digit=first_digit,
            barge_in=barge_in,
            timeout=timeout,
            typeahead=typeahead,
            resume=resume,
        )

    def on_failed(self, call: Call[D], why: Failed) -> State[D]:
        """The tries are used up. Called once; ``why`` says how the last one failed and how many there were."""
        raise NotImplementedError

    def prompt_for(self, call: Call[D]) -> Prompt:
        """The question, where it hangs on the call or on the state's fields. Called each time it is asked."""
        raise NotImplementedError

    @classmethod
    def choices(cls) -> Mapping[str, str]:
        """Which key calls which method, or ``keys`` where the class line says where it leads."""
        found: dict[str, str] = {}
        for base in reversed(cls.__mro__):
            line = line_of(base).get("keys", {})
            found = keys_of(base, found) | dict.fromkeys(line, "keys")
        return found

    def conduct(self, at: float) -> Conduct:
        options: QuestionOptions = self.options
        entry = attrs.evolve(options.entry(), allowed=frozenset(self.choices()))
        return Question(options, entry, self._chosen, at)

    def _chosen(self, digit: str) -> Step:
        target = targets_of(type(self)).get(digit)
        return choose(self, digit) if target is None else Go("keys", target)


def targets_of(state: type[State[Any]]) -> Mapping[str, type[State[Any]]]:
    """Say which key of a menu leads to which state, by ``keys=`` of the class lines; other states have none."""
    lines = [line_of(base).get("keys", {}) for base in reversed(state.__mro__)]
    named = {one: target for line in lines for one, target in line.items()}
    return {one: named[one] for one, name in state.choices().items() if one in named and name == "keys"}
