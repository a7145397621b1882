"""States: the classes that users write. One class is one moment of a call.

Options stand in the class line, data in fields, behaviour in handlers. What a handler may return is its annotation:
that is the list of the state's transitions, and the engine holds it to it. Handlers are plain functions that decide;
``run`` is the one place that waits, and it ends when its state is left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, Literal, TypeVar, dataclass_transform

import attrs

from callflow.errors import FlowDefinitionError
from callflow.flow.call import Call, D, EndedCall, Resumed, Speech
from callflow.flow.conduct import WAIT, Conduct, Deliver, Step
from callflow.flow.definition import KEYS_ATTRIBUTE, check_class, class_line, is_kind, one_of, overrides
from callflow.flow.keys import TypeAheadPolicy
from callflow.wire.messages import KEYS, Dtmf

F = TypeVar("F", bound=Callable[..., Any])

ResumePolicy = Literal["again", "stay"]
"""What a state does when a lost line is back: say what it said again, or go on without it."""

INHERIT: Any = object()
"""Default of every option: what the base class says."""


def key(*keys: str) -> Callable[[F], F]:
    """Make a method of a ``Menu`` the handler of one key, or of several.

    The method takes the call and may take the key as one more argument; it returns the next state, or None to wait for
    another key.

    Raises:
        FlowDefinitionError: There is no key, or one that is on no telephone.
    """
    strange = [one for one in keys if len(one) != 1 or one not in KEYS]
    if strange or not keys:
        shown = ", ".join(map(repr, strange)) or "nothing"
        said = f"@key({shown}) is no key; the keys of a telephone are 0 to 9, * and #, one string each"
        raise FlowDefinitionError(said, check="key")

    def mark(handler: F) -> F:
        setattr(handler, KEYS_ATTRIBUTE, keys)
        return handler

    return mark


@attrs.frozen(kw_only=True)
class StateOptions:
    """What every state can be told in its class line."""

    timeout: float | None = None
    """Seconds from entering the state to ``on_timeout``."""
    typeahead: TypeAheadPolicy = attrs.field(default="keep", validator=one_of("keep", "drop"))
    """What becomes of keys that came before this state asked: kept for it, or dropped and counted."""

    resume: ResumePolicy = attrs.field(default="again", validator=one_of("again", "stay"))
    """What becomes of what a lost line took with it: it is said again from its beginning, or not at all."""

    def __attrs_post_init__(self) -> None:
        if self.timeout is not None and not 0 < self.timeout < float("inf"):
            raise ValueError(f"timeout={self.timeout!r} is no number of seconds above zero")


@dataclass_transform(field_specifiers=(attrs.field,))
class State(Generic[D]):
    """A moment of a call. Subclass it with the flow's data type: ``class Balance(State[Caller], timeout=60.0)``.

    Annotated names in the body are the state's data and become its constructor's parameters. A state that waits needs
    ``timeout=`` (seconds from entering it) and ``on_timeout``.

    Class keywords:
        timeout: Seconds from entering the state to ``on_timeout``.
        typeahead: ``"keep"`` or ``"drop"`` keys pressed before this state asked for them.
        resume: ``"again"`` (default): when a lost line is back, what was being said is said again from its beginning,
            and a question is asked again. ``"stay"``: not so; a ``play`` that waits returns with the fate ``LOST``.
    """

    options: ClassVar[Any] = StateOptions()
    """What the class line said; of the kind's own options class."""
    final: ClassVar[bool] = False
    """Whether the call ends in this state."""
    kind: ClassVar[str] = "State"
    """Name of the ready-made kind that the class is or descends from."""

    @class_line
    def __init_subclass__(
        cls,
        *,
        timeout: float | None = INHERIT,
        typeahead: TypeAheadPolicy = INHERIT,
        resume: ResumePolicy = INHERIT,
    ) -> None:
        super().__init_subclass__()
        cls._define(timeout=timeout, typeahead=typeahead, resume=resume)

    @classmethod
    def _define(cls, **given: Any) -> None:
        """Settle the options and make the annotated names fields."""
        cls.options = cls._settle({name: value for name, value in given.items() if value is not INHERIT})
        try:
            attrs.define(slots=False)(cls)
        except ValueError as wrong:
            raise FlowDefinitionError(
                f"{cls.__qualname__}: a field without a default stands behind one that has a default; "
                "give it a default too, or put it first",
                check="field",
                at=cls,
            ) from wrong
        if not is_kind(cls):
            check_class(cls)

    @classmethod
    def _settle(cls, chosen: Mapping[str, object]) -> object:
        """Put what was chosen in place of what the base class says; the options check themselves."""
        try:
            return attrs.evolve(cls.options, **chosen)
        except ValueError as wrong:
            raise FlowDefinitionError(f"{cls.__qualname__}: {wrong}", check="option-value", at=cls) from wrong
        except TypeError as wrong:
            raise FlowDefinitionError(
                f"{cls.__qualname__}: the value of an option has the wrong type ({wrong}); "
                f"look at {', '.join(chosen)} in its class line",
                check="option-value",
                at=cls,
            ) from wrong

    # Hooks. The ones here do nothing; a subclass overrides those it wants.

    async def run(self, call: Call[D]) -> State[D] | None:
        """What the state does, as a script: the only place of a state that may wait.

        Called once when the state is entered. The state that it returns is where the call goes; None leaves the state
        waiting for its other handlers. Never called twice for one entering.

        Cancellation:
            It is cancelled when the state is left and when the call ends; what it did until then is not undone.
        """

    def on_dtmf(self, call: Call[D], key: Dtmf) -> State[D] | None:
        """A key came. Called for each; None stays. A state without this hook keeps keys for the next that asks."""

    def on_speech(self, call: Call[D], speech: Speech) -> State[D] | None:
        """The caller speaks. Called once each time, ``begin_after`` (0.3) seconds into it; None stays."""

    def on_speech_ended(self, call: Call[D], speech: Speech) -> State[D] | None:
        """The caller has spoken. Called once for each ``on_speech``, ``end_after`` (0.8) seconds later; None stays."""

    def on_timeout(self, call: Call[D]) -> State[D] | None:
        """``timeout`` has passed since the state was entered. Called at most once; None stays."""

    def on_detached(self, call: Call[D]) -> None:
        """The line is gone, and may come back. Called once for each time; what is played now waits for the line."""

    def on_resumed(self, call: Call[D], gap: Resumed) -> State[D] | None:
        """The line is back, on another stream. Called once for each time, after ``on_detached``.

        None leaves it to the class keyword ``resume``; a state is where the call goes instead.
        """

    def on_hangup(self, call: EndedCall[D]) -> None:
        """The call is over. Called once, for the state it ended in; nothing can be sent any more."""

    def conduct(self, at: float) -> Conduct:
        """Make the object that drives this state. For kinds of states; users do not call it."""
        return WaitingConduct(self, at)


class WaitingConduct(Conduct):
    """Conduct of a plain ``State``: keys go to ``on_dtmf``, the time-out to ``on_timeout``."""

    def __init__(self, state: State[Any], at: float) -> None:
        timeout = state.options.timeout
        self.deadline = None if timeout is None else at + timeout
        self.takes_keys = overrides(type(state), "on_dtmf")
        self._state = type(state)

    def press(self, key: Dtmf, at: float) -> Step:
        return Deliver("on_dtmf", (key,))

    def speech_began(self, speech: Speech) -> Step:
        return Deliver("on_speech", (speech,)) if overrides(self._state, "on_speech") else WAIT

    def speech_ended(self, speech: Speech) -> Step:
        return Deliver("on_speech_ended", (speech,)) if overrides(self._state, "on_speech_ended") else WAIT

    def due(self, at: float) -> Step:
        self.deadline = None
        return Deliver("on_timeout")
