"""``Say``: an announcement, and what comes after it."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from callflow.flow.call import Call
from callflow.flow.conduct import Conduct, Deliver, Speak, Step
from callflow.flow.definition import class_line, one_of
from callflow.flow.facts import D
from callflow.flow.keys import TypeAheadPolicy
from callflow.flow.playback import BARGE_INS, BargeIn
from callflow.flow.prompts import Prompt
from callflow.flow.state import INHERIT, ResumePolicy, State, StateOptions
from callflow.wire.messages import Dtmf


@attrs.frozen(kw_only=True)
class SayOptions(StateOptions):
    """Options of ``Say``."""

    prompt: Prompt | None = None
    barge_in: BargeIn = attrs.field(default="dtmf", validator=one_of(*BARGE_INS))


class Say(State[D]):
    """Says something and goes on when it was heard or cut; a key that cut it is the next state's.

    Class keywords:
        prompt: What to say.
        barge_in: ``"dtmf"`` (default) lets any key cut it, ``"speech"`` the caller's voice, ``"any"`` both; None makes
            it heard to its end.
        timeout, typeahead, resume: As in ``State``.
    """

    options: ClassVar[Any] = SayOptions()
    kind: ClassVar[str] = "Say"

    @class_line
    def __init_subclass__(
        cls,
        *,
        prompt: Prompt = INHERIT,
        barge_in: BargeIn = INHERIT,
        timeout: float = INHERIT,
        typeahead: TypeAheadPolicy = INHERIT,
        resume: ResumePolicy = INHERIT,
    ) -> None:
        super(State, cls).__init_subclass__()
        cls._define(prompt=prompt, barge_in=barge_in, timeout=timeout, typeahead=typeahead, resume=resume)

    def then(self, call: Call[D]) -> State[D]:
        """It was said. Called once; returns the next state."""
        raise NotImplementedError

    def prompt_for(self, call: Call[D]) -> Prompt:
        """What is said, where it hangs on the call or on the state's fields. Called once."""
        raise NotImplementedError

    def on_dtmf(self, call: Call[D], key: Dtmf) -> State[D] | None:
        """A key came. Called for each; None stays. Without this hook keys are kept for the next state that asks."""

    def conduct(self, at: float) -> Conduct:
        return _Announcement(self.options)


class _Announcement(Conduct):
    def __init__(self, options: SayOptions) -> None:
        self._options = options

    def enter(self, at: float) -> Step:
        return Speak(self._options.prompt, self._options.barge_in)

    def resumed(self, at: float) -> Step:
        return self.enter(at)

    def prompt_ended(self, at: float) -> Step:
        return Deliver("then")
