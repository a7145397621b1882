"""``Hangup``: an end of the flow, with last words that are heard."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from callflow.flow.branch import ELSE, check_branch
from callflow.flow.call import Call
from callflow.flow.conduct import Conduct, Finish, Speak, Step
from callflow.flow.definition import class_line, overrides
from callflow.flow.facts import D
from callflow.flow.prompts import Prompt
from callflow.flow.state import INHERIT, State, StateOptions


@attrs.frozen(kw_only=True)
class HangupOptions(StateOptions):
    """Options of ``Hangup``."""

    prompt: Prompt | None = None
    branch: str = ELSE

    def __attrs_post_init__(self) -> None:
        check_branch(self.branch)


class Hangup(State[D]):
    """An end of the flow: closes the stream, so that Exotel goes on with the next applet.

    Its prompt, if any, is heard to its end (or to its deadline) before anything is closed; keys cannot cut it.

    Class keywords:
        prompt: Said before closing.
        branch: What the next Passthru of this call is answered: ``"A"`` (200) or ``"B"`` (302). In Exotel's flow
            builder a Passthru after the Voicebot applet sends the caller to one applet or the other. Another name is
            answered 302 to a Passthru whose URL asks for it, ``/passthru?branch=NAME``, and 200 to all others.
    """

    options: ClassVar[Any] = HangupOptions()
    final: ClassVar[bool] = True
    kind: ClassVar[str] = "Hangup"

    @class_line
    def __init_subclass__(cls, *, prompt: Prompt | None = INHERIT, branch: str = INHERIT) -> None:
        super(State, cls).__init_subclass__()
        cls._define(prompt=prompt, branch=branch)

    def prompt_for(self, call: Call[D]) -> Prompt:
        """The last words, where they hang on the call or on the state's fields. Called once."""
        raise NotImplementedError

    def conduct(self, at: float) -> Conduct:
        prompt = self.options.prompt
        return _LastWords(prompt, silent=prompt is None and not overrides(type(self), "prompt_for"))


class _LastWords(Conduct):
    def __init__(self, prompt: Prompt | None, *, silent: bool) -> None:
        self._prompt = prompt
        self._silent = silent

    def enter(self, at: float) -> Step:
        return Finish() if self._silent else Speak(self._prompt, barge_in=None)

    def resumed(self, at: float) -> Step:
        return self.enter(at)

    def prompt_ended(self, at: float) -> Step:
        return Finish()
