"""How a state kind behaves, as a pure object: what happened goes in, the next step comes out.

The engine owns time, sound and the user's handlers; a conduct owns none of them. It says "speak this", "call that
handler" or "wait". Each entered state has its own.
"""

from __future__ import annotations

from typing import Any

from attrs import frozen

from callflow.flow.keys import FailedName, LateTerminator
from callflow.flow.listening import Speech
from callflow.flow.playback import BargeIn
from callflow.flow.prompts import Prompt, PromptPart
from callflow.flow.recording import Recorder
from callflow.wire.messages import Dtmf


@frozen
class Wait:
    """Nothing to do until something happens."""


@frozen
class Speak:
    """Play a prompt; tell ``prompt_ended`` when its fate is known."""

    prompt: Prompt | None
    """None: what the state's ``prompt_for`` says."""
    barge_in: BargeIn
    again: bool = False
    """An attempt failed: keys typed ahead were meant for it and are dropped."""
    before: tuple[PromptPart, ...] = ()
    """Said in front of what ``prompt_for`` says."""


@frozen
class Capture:
    """Let this record the caller from now on."""

    recorder: Recorder


@frozen
class Deliver:
    """Call a handler of the user's state and move where it says; tell ``stayed`` if it returns None."""

    handler: str
    args: tuple[Any, ...] = ()


@frozen
class Go:
    """Move to a state that the class line names."""

    by: str
    """The option that names it."""
    target: type[Any]
    """Made without arguments."""


@frozen
class Finish:
    """The flow is over: close."""


Step = Wait | Speak | Capture | Deliver | Go | Finish

WAIT = Wait()


class Conduct:
    """A state that only waits: the conduct of a plain ``State`` without hooks. Kinds override what they do."""

    takes_keys = False
    """Whether the conduct itself takes a key that comes now."""
    secret = False
    """Whether the keys that it takes are masked everywhere."""
    late_terminator: LateTerminator | None = None
    """What the first key of the next state has to pass."""
    deadline: float | None = None
    """When ``due`` has something to say; a moment of the engine's clock, in seconds."""

    def enter(self, at: float) -> Step:
        """The state was entered."""
        return WAIT

    def prompt_ended(self, at: float) -> Step:
        """The prompt of the last ``Speak`` has its fate: heard, assumed or cut by a key."""
        return WAIT

    def press(self, key: Dtmf, at: float) -> Step:
        """A key came, and ``takes_keys`` was true."""
        return WAIT

    def speech_began(self, speech: Speech) -> Step:
        """The caller speaks."""
        return WAIT

    def speech_ended(self, speech: Speech) -> Step:
        """The caller has spoken."""
        return WAIT

    def fits(self, digit: str) -> bool:
        """Say whether a key is one that this state asks for; those that are not may be for a state around it."""
        return True

    def due(self, at: float) -> Step:
        """``deadline`` has come, and no event came before it."""
        return WAIT

    def resumed(self, at: float) -> Step:
        """The line is back, and whatever was being played is lost. Prompts are said again; nothing costs a try."""
        return WAIT

    def stood_still(self, seconds: float) -> None:
        """There was no line for so long: what the state waits for, it waits for that much longer."""
        if self.deadline is not None:
            self.deadline += seconds

    def hung_up(self) -> Deliver | None:
        """The call is over: what else is told of it, beside ``on_hangup``, with an ``EndedCall`` in front."""
        return None

    def stayed(self, at: float) -> Step:
        """The handler of the last ``Deliver`` returned None."""
        return WAIT

    def again(self, name: FailedName, at: float) -> Step:
        """A handler returned ``Again``: the answer counts as a failed attempt. Only questions are told so."""
        raise NotImplementedError
