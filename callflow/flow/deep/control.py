"""The finite control graph of a flow: every moment that a call can be in, and every outcome of each.

Sub-flows are opened up: a state inside two of them is two moments, since what follows ``Done`` is not the same. What a
sub-flow handles for the states inside it is an outcome of each of them.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterator, Mapping, Sequence

from attrs import define, field, frozen

from callflow.flow.deep.silence import Length, Silence, silence_of
from callflow.flow.definition import is_of_key
from callflow.flow.flow import Flow
from callflow.flow.graph import Edge, Graph, handlers_of, may_stay, starts_of
from callflow.flow.marks import EVENT_ATTRIBUTE, is_marked
from callflow.flow.soundness import AnyState
from callflow.flow.subflow import Done, GaveUp


class By(enum.Enum):
    """What brings an outcome about."""

    CALLER = "caller"
    """A key, an entry, speech, a failure that takes a wrong key."""
    SILENCE = "silence"
    """Nothing came: a prompt was over, the tries were used up, time ran out."""
    FLOW = "flow"
    """The flow's own work: ``run`` ended, a sub-flow was done."""
    EVENT = "event"
    """``@on`` and ``on_timer``; the end of what a ``Tap`` listens to."""
    TROUBLE = "trouble"
    """An error, or a line that was lost."""


WITHOUT_CALLER = (By.SILENCE, By.FLOW, By.EVENT)
"""What may happen while the caller does nothing, and nothing is wrong."""

_CALLERS = ("on_dtmf", "on_digits", "on_yes", "on_no", "on_speech", "on_speech_ended")
_TROUBLES = ("on_error", "on_resumed")
_OF_AROUND = ("on_done", "on_failed")
"""Handlers of a sub-flow for its ends; all others are for the states inside as well."""


@frozen
class Moment:
    """A state of a call, and the sub-flow that it is inside."""

    state: AnyState
    around: Moment | None = None

    @property
    def name(self) -> str:
        """Its class, behind those of the sub-flows around it: ``AskPin.Enter``."""
        return self.state.__name__ if self.around is None else f"{self.around.name}.{self.state.__name__}"


@frozen
class Outcome:
    """One way on from a moment."""

    source: Moment
    handler: str
    """Method, or option of the class line; ``start`` where a sub-flow begins, ``hung up`` where a call ends."""
    by: By
    target: Moment | None
    """None: the call is over."""
    keys: tuple[str, ...] = ()


@define
class Control:
    """The graph of one flow."""

    start: Moment
    silences: Mapping[AnyState, Silence]
    outcomes: list[Outcome] = field(factory=list)
    moments: dict[Moment, None] = field(factory=dict)
    """In the order of the flow's graph, what is inside a sub-flow behind it."""

    def following(self, by: Collection[By]) -> dict[Moment, list[Moment]]:
        """Say which moments come after each by these causes."""
        found: dict[Moment, dict[Moment, None]] = {moment: {} for moment in self.moments}
        for outcome in self.outcomes:
            if outcome.by in by and outcome.target is not None:
                found[outcome.source][outcome.target] = None
        return {moment: list(targets) for moment, targets in found.items()}

    def ends(self, by: Collection[By]) -> set[Moment]:
        """Give the moments in which the call may end by these causes."""
        return {outcome.source for outcome in self.outcomes if outcome.target is None and outcome.by in by}

    def stay(self, moment: Moment) -> float:
        """Seconds that a silent caller is in a moment, at most; 0 for a sub-flow, whose states count."""
        silence, limit = self.silences[moment.state], moment.state.options.timeout
        seconds = silence.seconds if limit is None else min(silence.seconds, limit)
        return 0.0 if seconds == float("inf") else seconds

    def least(self, moment: Moment, by: By) -> float:
        """Seconds that a silent caller is in a moment at least if it is left by this."""
        return self.stay(moment) if by is By.SILENCE else 0.0


def control_of(flow: Flow[object], length: Length) -> Control:
    """Read the control graph of a flow from its annotations and class lines.

    Args:
        flow: What is read; nothing of it is run.
        length: Seconds of a prompt, None where that is not known.
    """
    silences = {state: silence_of(state, length) for state in flow.graph.all_states}
    control = Control(Moment(flow.graph.states[0]), silences)
    _Reader(flow, control).read(flow.graph, None, ())
    return control


@frozen
class _Reader:
    flow: Flow[object]
    control: Control

    def read(self, graph: Graph, around: Moment | None, outer: Sequence[tuple[Moment | None, Edge]]) -> None:
        """Read one level. *outer*: what the sub-flows around handle, each with the level that it leads to."""
        for state in graph.states:
            moment = Moment(state, around)
            self.control.moments[moment] = None
            own = [edge for edge in graph.edges if edge.source is state]
            if state in graph.inside:
                for start in starts_of(state, self.flow.scope):
                    self._add(moment, "start", By.FLOW, Moment(start, moment))
                handed = [(around, edge) for edge in own]
                self.read(graph.inside[state], moment, (*outer, *handed))
            elif issubclass(state, (Done, GaveUp)):
                self._end_of_sub_flow(moment, outer)
            else:
                self._plain(moment, own, outer)

    def _plain(self, moment: Moment, own: list[Edge], outer: Sequence[tuple[Moment | None, Edge]]) -> None:
        for edge in own:
            self._add(moment, edge.handler, self._cause(edge), Moment(edge.target, moment.around), edge.keys)
        for _ in self._asked_again(moment.state):
            self._add(moment, self.control.silences[moment.state].handler or "", By.SILENCE, moment)
        if moment.state.kind == "Tap":
            self._add(moment, "stream ended", By.EVENT, None)
        if moment.state.final:
            self._add(moment, "hung up", By.FLOW, None)
            return
        for level, edge in outer:
            if edge.handler not in _OF_AROUND:
                self._add(moment, edge.handler, self._cause(edge), Moment(edge.target, level), edge.keys)
        if self.flow.error is not None:
            self._add(moment, "error", By.TROUBLE, Moment(self.flow.error))

    def _end_of_sub_flow(self, moment: Moment, outer: Sequence[tuple[Moment | None, Edge]]) -> None:
        assert moment.around is not None, "an end of a sub-flow outside of one is refused"
        handler = "on_done" if issubclass(moment.state, Done) else "on_failed"
        for level, edge in outer:
            if edge.source is moment.around.state and edge.handler == handler and level == moment.around.around:
                self._add(moment, handler, By.FLOW, Moment(edge.target, level))

    def _asked_again(self, state: AnyState) -> Iterator[str]:
        """A handler that silence calls may return None: then the state waits, or asks, once more."""
        name = self.control.silences[state].handler
        handler = handlers_of(state).get(name or "")
        if handler is not None and may_stay(state, handler, self.flow.scope):
            yield handler.__name__

    def _cause(self, edge: Edge) -> By:
        if edge.handler in _TROUBLES:
            return By.TROUBLE
        if edge.keys or edge.again or edge.handler in _CALLERS or is_of_key(edge.source, edge.handler):
            return By.CALLER
        if edge.handler == "on_timer" or is_marked(edge.source, edge.handler, EVENT_ATTRIBUTE):
            return By.EVENT
        if edge.handler == "run":
            return By.FLOW
        return By.SILENCE if self._by_silence(edge) else By.CALLER

    def _by_silence(self, edge: Edge) -> bool:
        """Say whether silence can call this: of the state's own end and its time-out the earlier one comes."""
        silence, limit = self.control.silences[edge.source], edge.source.options.timeout
        if edge.handler == "on_timeout":
            return not silence.known or limit is None or limit <= silence.seconds
        in_time = limit is None or silence.seconds < limit
        late = handlers_of(edge.source).get("on_timeout")
        goes_on = late is not None and may_stay(edge.source, late, self.flow.scope)
        return edge.handler == silence.handler and (in_time or goes_on)

    def _add(self, source: Moment, handler: str, by: By, target: Moment | None, keys: tuple[str, ...] = ()) -> None:
        outcome = Outcome(source, handler, by, target, keys)
        if outcome not in self.control.outcomes:
            self.control.outcomes.append(outcome)
