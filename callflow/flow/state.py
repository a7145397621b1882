"""States: the classes that users write. One class is one moment of a call.

Options stand in the class line, data in fields, behaviour in handlers. What a handler may return is its annotation:
that is the list of the state's transitions, and the engine holds it to it. Handlers are plain functions that decide;
``run`` is the one place that waits, and it ends when its state is left.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, Literal, dataclass_transform

import attrs

from callflow.errors import FlowDefinitionError
from callflow.flow.call import Call
from callflow.flow.conduct import Conduct, Deliver
from callflow.flow.definition import check_class, class_line, is_kind, kind_of, one_of, said_in_line
from callflow.flow.facts import D, EndedCall, Resumed
from callflow.flow.keys import TypeAheadPolicy
from callflow.flow.listening import Speech
from callflow.flow.marks import LINE, keys_of, line_of
from callflow.wire.messages import Dtmf

ResumePolicy = Literal["again", "stay"]
"""What a state does when a lost line is back: say what it said again, or go on without it."""

INHERIT: Any = object()
"""Default of every option: what the base class says."""


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
    """Whether the flow that the state is in ends with it: the call's, or a sub-flow's."""
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
        setattr(cls, LINE, {name: value for name, value in given.items() if value is not INHERIT})
        if not is_kind(cls):
            cls.options = cls._settle()
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
    def _settle(cls) -> object:
        """Put what the class lines say in the place of the kind's defaults; the options check themselves.

        The bases may be of other kinds: what a superstate says that this kind has no use for is left out.
        """
        kind: Any = kind_of(cls)
        known = {field.name for field in attrs.fields(type(kind.options))}
        chosen = {name: value for name, value in said_in_line(cls).items() if name in known}
        try:
            return attrs.evolve(kind.options, **chosen)
        except ValueError as wrong:
            raise FlowDefinitionError(f"{cls.__qualname__}: {wrong}", check="option-value", at=cls) from wrong
        except TypeError as wrong:
            raise FlowDefinitionError(
                f"{cls.__qualname__}: the value of an option has the wrong type ({wrong}); "
                f"look at {', '.join(line_of(cls))} in its class line",
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
        """``timeout`` has passed since the state was entered. Called at most once for each entering; None stays."""

    def on_timer(self, call: Call[D], name: str) -> State[D] | None:
        """A timer that ``call.every`` or ``call.after`` set is due. Called for each beat; None stays."""

    def on_error(self, call: Call[D], error: Exception) -> State[D]:
        """A handler, ``run`` or an activity of the state raised. Called at most once a call; names the next state.

        It stands in for ``Flow(error=…)``. The second error of a call ends it.
        """
        raise NotImplementedError

    def on_detached(self, call: Call[D]) -> None:
        """The line is gone, and may come back. Called once for each time; what is played now waits for the line."""

    def on_resumed(self, call: Call[D], gap: Resumed) -> State[D] | None:
        """The line is back, on another stream. Called once for each time, after ``on_detached``.

        None leaves it to the class keyword ``resume``; a state is where the call goes instead.
        """

    def on_hangup(self, call: EndedCall[D]) -> None:
        """The call is over. Called once, for the state it ended in; nothing can be sent any more."""

    # For kinds of states and for whoever looks at a flow; users do not call what follows.

    @classmethod
    def choices(cls) -> Mapping[str, str]:
        """Which key calls which method, in the order of the class body; a subclass's own keys win."""
        found: dict[str, str] = {}
        for base in reversed(cls.__mro__):
            found = keys_of(base, found)
        return found

    @classmethod
    def _asked_keys(cls) -> frozenset[str]:
        """Keys that the state's own question takes as a part of its answer."""
        return frozenset()

    def conduct(self, at: float) -> Conduct:
        """Make the object that drives this state."""
        return Conduct()


def choose(state: State[Any], digit: str) -> Deliver:
    """Say what a key of a state's ``choices`` calls, and with what."""
    name = state.choices()[digit]
    takes_key = len(inspect.signature(getattr(state, name)).parameters) > 1
    return Deliver(name, (digit,) if takes_key else ())
