"""How a caller who does nothing passes through one state: told by the state's own conduct, which is pure."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import assert_never

from attrs import frozen

from callflow.flow.conduct import Capture, Deliver, Finish, Go, Speak, Step, Wait
from callflow.flow.prompts import Prompt
from callflow.flow.soundness import AnyState
from callflow.wire.audio import AudioFormat
from callflow.wire.speech import Sensitivity

Length = Callable[[Prompt], float | None]
"""Seconds of a prompt; None where that is not known."""


@frozen(kw_only=True)
class Silence:
    """One passage of a silent caller through a state, from entering it."""

    seconds: float
    """Until the state is over by itself; endless if nothing but its time-out, ``run`` or an event ends it."""
    handler: str | None = None
    """What is called then, or the option of the class line that says where to go."""
    known: bool = True
    """False where code chooses what is said: then ``seconds`` are without it."""


def silence_of(state: AnyState, length: Length) -> Silence:
    """Drive the conduct of a state as the engine does, without any key and any sound of the caller's."""
    conduct = object.__new__(state).conduct(0.0)  # what a conduct does hangs on the class line, and on no field
    at, known = 0.0, True
    step: Step = conduct.enter(at)
    while True:
        match step:
            case Speak():
                seconds = _spoken(step, length)
                at, known = at + (seconds or 0.0), known and seconds is not None
                step = conduct.prompt_ended(at)
            case Capture(recorder):
                recorder.begin(AudioFormat(), Sensitivity(), None, at)
                if state.options.silence is None:  # then silence is as good as speech, if there is enough of it
                    recorder.feed(bytes(AudioFormat().size(state.options.least_seconds)), at)
                step = Wait()
            case Wait():
                if conduct.deadline is None:
                    return Silence(seconds=inf, known=known)
                at = conduct.deadline
                step = conduct.due(at)
            case Deliver(handler):
                return Silence(seconds=at, handler=handler, known=known)
            case Go(by):
                return Silence(seconds=at, handler=by, known=known)
            case Finish():
                return Silence(seconds=at, known=known)
            case _:
                assert_never(step)


def _spoken(step: Speak, length: Length) -> float | None:
    if step.prompt is None:
        return None
    parts = step.prompt if isinstance(step.prompt, tuple) else (step.prompt,)
    return length((*step.before, *parts))
