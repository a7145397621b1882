"""``Confirm``: a question that is answered by yes or no."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from callflow.flow.call import Call
from callflow.flow.conduct import Conduct, Deliver, Step
from callflow.flow.definition import check_target, class_line
from callflow.flow.facts import D
from callflow.flow.keys import Again, Entry, Failed, TypeAheadPolicy
from callflow.flow.marks import is_key
from callflow.flow.playback import BargeIn
from callflow.flow.prompts import Prompt
from callflow.flow.question import Question, QuestionOptions
from callflow.flow.state import INHERIT, ResumePolicy, State


@attrs.frozen(kw_only=True)
class ConfirmOptions(QuestionOptions):
    """Options of ``Confirm``."""

    yes: str = "1"
    no: str = "2"

    def entry(self) -> Entry:
        for name, one in (("yes", self.yes), ("no", self.no)):
            if not is_key(one):
                raise ValueError(f"{name}={one!r} is no key of a telephone; write one of 0 to 9, * and #")
        if self.yes == self.no:
            raise ValueError(f"yes={self.yes!r} and no={self.no!r} are one key; give each its own")
        return attrs.evolve(super().entry(), allowed=frozenset((self.yes, self.no)))


class Confirm(State[D]):
    """Asks for yes or no, by one key for each. The key answers at once, also during the prompt.

    Class keywords:
        prompt: The question.
        yes, no: The keys: ``"1"`` and ``"2"``.
        reprompts, no_input, no_match, tries, failed, first_digit, barge_in: As in ``Menu``.
        timeout, typeahead, resume: As in ``State``.
    """

    options: ClassVar[Any] = ConfirmOptions()
    kind: ClassVar[str] = "Confirm"

    @class_line
    def __init_subclass__(  # noqa: PLR0913  # these keywords are the class line that users write
        cls,
        *,
        prompt: Prompt = INHERIT,
        yes: str = INHERIT,
        no: str = INHERIT,
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
        if failed is not INHERIT:
            check_target(cls, "failed", failed)
        cls._define(
            prompt=prompt,
            yes=yes,
            no=no,
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

    def on_yes(self, call: Call[D]) -> State[D] | Again | None:
        """The answer is yes. Called for each such key; ``Again`` asks again, None waits for another key."""
        raise NotImplementedError

    def on_no(self, call: Call[D]) -> State[D] | Again | None:
        """The answer is no. Called for each such key; ``Again`` asks again, None waits for another key."""
        raise NotImplementedError

    def on_failed(self, call: Call[D], why: Failed) -> State[D]:
        """The tries are used up. Called once; ``why`` says how the last one failed and how many there were."""
        raise NotImplementedError

    def prompt_for(self, call: Call[D]) -> Prompt:
        """The question, where it hangs on the call or on the state's fields. Called each time it is asked."""
        raise NotImplementedError

    @classmethod
    def _asked_keys(cls) -> frozenset[str]:
        entry: Entry = cls.options.entry()
        return entry.digits

    def conduct(self, at: float) -> Conduct:
        options: ConfirmOptions = self.options
        return Question(options, options.entry(), self._answered, at)

    def _answered(self, digit: str) -> Step:
        return Deliver("on_yes" if digit == self.options.yes else "on_no")
