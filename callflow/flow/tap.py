"""``Tap``: listening to a call that goes on between others, and saying nothing."""

from __future__ import annotations

from typing import Any, ClassVar

from callflow.flow.call import TapCall
from callflow.flow.definition import class_line
from callflow.flow.facts import D
from callflow.flow.listening import Speech
from callflow.flow.state import INHERIT, State, StateOptions
from callflow.wire.messages import Dtmf


class Tap(State[D]):
    """Listens. A flow that starts with one is one-way: for Exotel's Stream applet, which plays nothing.

    It stays until a handler moves on or the call is over; a time limit is possible, and not needed.

    Class keywords:
        timeout: Seconds from entering the state to ``on_timeout``; None (default) for none.
    """

    options: ClassVar[Any] = StateOptions()
    kind: ClassVar[str] = "Tap"

    @class_line
    def __init_subclass__(cls, *, timeout: float | None = INHERIT) -> None:
        super(State, cls).__init_subclass__()
        cls._define(timeout=timeout)

    async def run(self, call: TapCall[D]) -> State[D] | None:
        """What the state does, as a script; see ``State.run``. Listen in it with ``async for pcm in call.audio()``."""

    def on_dtmf(self, call: TapCall[D], key: Dtmf) -> State[D] | None:
        """A key came; most one-way streams never tell of any. Called for each; None stays."""

    def on_speech(self, call: TapCall[D], speech: Speech) -> State[D] | None:
        """Somebody speaks. Called once each time, ``begin_after`` (0.3) seconds into it; None stays."""

    def on_speech_ended(self, call: TapCall[D], speech: Speech) -> State[D] | None:
        """Somebody has spoken. Called once for each ``on_speech``, ``end_after`` (0.8) seconds later; None stays."""

    def on_timeout(self, call: TapCall[D]) -> State[D] | None:
        """``timeout`` has passed since the state was entered. Called at most once; None stays."""
