"""``CollectDigits``: an entry of several keys, such as a PIN."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from callflow.errors import FlowDefinitionError
from callflow.flow.call import Call
from callflow.flow.conduct import Conduct, Deliver, Step
from callflow.flow.definition import check_target, class_line
from callflow.flow.facts import D
from callflow.flow.keys import Again, Entry, Failed, TypeAheadPolicy
from callflow.flow.playback import BargeIn
from callflow.flow.prompts import Prompt
from callflow.flow.question import Question, QuestionOptions
from callflow.flow.secret import Secret
from callflow.flow.state import INHERIT, ResumePolicy, State

NO_LENGTH: Any = None
"""As many digits as ``least`` and ``most`` say."""

_DIGITS = frozenset("0123456789")
"""What an entry is made of; ``*`` and ``#`` end one, or fit nothing."""


@attrs.frozen(kw_only=True)
class CollectOptions(QuestionOptions):
    """Options of ``CollectDigits``."""

    length: int | None = None
    least: int = 1
    most: int = 32
    finish: str = "#"
    secret: bool = True

    def entry(self) -> Entry:
        if self.length is not None and self.length < 1:
            raise ValueError(f"length={self.length!r} leaves nothing to enter; make it 1 or more")
        return Entry(
            least=self.least if self.length is None else self.length,
            most=self.most if self.length is None else self.length,
            finish=self.finish,
            allowed=_DIGITS - set(self.finish),
            first_digit=self.first_digit,
            between_digits=self.between_digits,
            total=self.total,
        )


class CollectDigits(State[D]):
    """Asks for several keys. The entry is complete the instant its last digit or its terminator comes.

    Class keywords:
        prompt, reprompts, no_input, no_match, tries, failed, barge_in, timeout, typeahead, resume: As in ``Menu``.
        too_short: Said before asking again when the entry ended too soon; ``no_match`` if not given.
        length: Exactly this many digits; or ``least`` and ``most``.
        finish: Keys that end an entry early (``"#"``); empty for none.
        first_digit, between_digits, total: Seconds to the first key from the prompt's end, between keys, and in all.
        secret: True (default): ``on_digits`` gets a ``Secret``, and the keys are masked in journal, logs and recording.
    """

    options: ClassVar[Any] = CollectOptions()
    kind: ClassVar[str] = "CollectDigits"

    @class_line
    def __init_subclass__(  # noqa: PLR0913  # these keywords are the class line that users write
        cls,
        *,
        prompt: Prompt = INHERIT,
        failed: type[State[Any]] = INHERIT,
        reprompts: tuple[Prompt, ...] = INHERIT,
        no_input: Prompt = INHERIT,
        no_match: Prompt = INHERIT,
        too_short: Prompt = INHERIT,
        length: int = INHERIT,
        least: int = INHERIT,
        most: int = INHERIT,
        finish: str = INHERIT,
        tries: int = INHERIT,
        first_digit: float = INHERIT,
        between_digits: float = INHERIT,
        total: float = INHERIT,
        barge_in: BargeIn = INHERIT,
        timeout: float = INHERIT,
        typeahead: TypeAheadPolicy = INHERIT,
        resume: ResumePolicy = INHERIT,
        secret: bool = INHERIT,
    ) -> None:
        super(State, cls).__init_subclass__()
        if least is not INHERIT or most is not INHERIT:
            if length is not INHERIT:
                raise FlowDefinitionError(
                    f"{cls.__qualname__}: length={length!r} stands beside least or most; write the one or the others",
                    check="option-value",
                    at=cls,
                )
            length = NO_LENGTH  # that of a base is no longer meant
        if failed is not INHERIT:
            check_target(cls, "failed", failed)
        cls._define(
            prompt=prompt,
            failed=failed,
            reprompts=reprompts,
            no_input=no_input,
            no_match=no_match,
            too_short=too_short,
            length=length,
            least=least,
            most=most,
            finish=finish,
            tries=tries,
            first_digit=first_digit,
            between_digits=between_digits,
            total=total,
            barge_in=barge_in,
            timeout=timeout,
            typeahead=typeahead,
            resume=resume,
            secret=secret,
        )

    def on_digits(self, call: Call[D], digits: Any) -> State[D] | Again | None:
        """The entry is complete. Called for each; *digits* is a ``Secret``, or a ``str`` where ``secret=False``.

        ``Again`` counts the entry as a failed attempt and asks again; None waits for another one.
        """
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
        return entry.digits | set(entry.finish)

    def conduct(self, at: float) -> Conduct:
        options: CollectOptions = self.options
        return Question(options, options.entry(), self._entered, at)

    def _entered(self, digits: str) -> Step:
        return Deliver("on_digits", (Secret(digits) if self.options.secret else digits,))
