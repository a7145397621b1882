"""Reading a flow as somebody does who wants to break it: which keys a state has, how long entries are, what is timed.

Everything is read off the definitions; nothing runs. What a state's ``run`` waits for cannot be seen from outside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import field, frozen

from callflow.flow.definition import overrides
from callflow.flow.flow import Flow, listens
from callflow.flow.graph import Edge
from callflow.flow.state import State
from callflow.line.steps import Enter, Press
from callflow.testing.ways import Ways, ways_of
from callflow.wire.messages import KEYS

FRAME = 0.02
"""Seconds of one frame of the line: what waits and time-outs are measured in."""

FIRST = "1234567890" * 4
"""Digits of an entry that nobody has named."""

OTHER = "9876543210" * 4
"""Those of another, which means something else, if the first means anything."""

_TIMES = ("first_digit", "between_digits", "total", "timeout", "silence", "max_seconds", "least_seconds")
"""Options that are a time."""

_OF_ENTRIES = ("between_digits", "total")
"""Times that a question has as well that takes one key, where nothing ever waits for them."""

_USUAL_WAITS = (1.0, FRAME, 0.2, 2.0, 5.0, 0.5, 12.0, 3.0)
"""Seconds, for states of which nothing is known; also between the time-outs of the others."""


@frozen(kw_only=True)
class StateReading:
    """What one state tells."""

    name: str
    keys: str = ""
    """Keys that lead somewhere, each once."""
    entries: tuple[Press | Enter, ...] = ()
    """Whole entries of a right length."""
    waits: tuple[float, ...] = _USUAL_WAITS
    """Seconds. Each time-out of the state, one frame less and one more, between lengths that have no meaning."""
    listens: bool = False
    """Whether it wants to hear the caller speak."""

    @property
    def presses(self) -> tuple[str, ...]:
        """What to press, what means something more often: by place, since whoever chooses shrinks to the first."""
        others = tuple(key for key in KEYS if key not in self.keys)
        means = tuple(self.keys)
        return (*means, *means, *means, *others, *(key + more for key in means for more in (key, "#", "0")))


@frozen
class FlowReading:
    """What a flow tells, by state."""

    states: Mapping[str, StateReading]
    start: str
    """Name of the first state."""
    edges: tuple[Edge, ...]
    """Those that a call can take; the ways of a lost line are not among them."""
    ways: Ways = field(repr=False)
    """The same as a call goes, through sub-flows."""

    def of(self, name: str) -> StateReading:
        """Give what a state tells; of one that is not known, what holds for all."""
        return self.states.get(name) or StateReading(name=name)


def read_flow(flow: Flow[Any], answers: Mapping[str, str] | None = None) -> FlowReading:
    """Read a flow.

    Args:
        flow: The flow.
        answers: Named answers: typed by name where they have the length that a state asks for.
    """
    states = {state.__name__: _read_state(state, answers or {}) for state in reversed(flow.graph.all_states)}
    edges = tuple(edge for edge in flow.graph.all_edges if not edge.again)
    return FlowReading(states, flow.start.__name__, edges, ways_of(flow.graph))


def _read_state(state: type[State[Any]], answers: Mapping[str, str]) -> StateReading:
    times = tuple(sorted(set(_times_of(state))))
    around = [round(time + frames * FRAME, 3) for time in times if time <= 120.0 for frames in (0, -1, 1)]
    return StateReading(
        name=state.__name__,
        keys="".join(dict.fromkeys(_keys_of(state))),
        entries=tuple(_entries_of(state, answers)),
        waits=(_USUAL_WAITS[0], *(wait for wait in around if wait > 0), *_USUAL_WAITS[1:]),
        listens=listens(state),
    )


def _times_of(state: type[State[Any]]) -> Iterator[float]:
    is_entry = hasattr(state.options, "most")
    for name in _TIMES:
        time = getattr(state.options, name, None)
        if time is not None and (is_entry or name not in _OF_ENTRIES):
            yield float(time)


def _keys_of(state: type[State[Any]]) -> Iterator[str]:
    """Give the keys that mean something to a state, those that lead somewhere first."""
    yield from state.choices()
    options = state.options
    yield from (getattr(options, name) for name in ("yes", "no") if hasattr(options, name))
    yield from getattr(options, "finish", "")
    if overrides(state, "on_dtmf"):
        yield from "1#*"


def _entries_of(state: type[State[Any]], answers: Mapping[str, str]) -> Iterator[Press | Enter]:
    """Give entries that a ``CollectDigits`` takes: what is known by name first, and the borders of its length."""
    if not hasattr(state.options, "most"):
        return
    entry = state.options.entry()
    for name, digits in answers.items():
        if entry.least <= len(digits) <= entry.most:
            yield Enter(answer=name)
    lengths = dict.fromkeys((entry.least, min(entry.most, entry.least + 1), min(entry.most, len(FIRST))))
    for length in lengths:
        yield Enter(digits=FIRST[:length])
        yield Enter(digits=FIRST[:length], gap=FRAME)
    yield Enter(digits=OTHER[: entry.most])
    if entry.finish:
        yield Enter(digits=FIRST[: entry.least] + entry.finish[0])
    if entry.least > 1:
        yield Enter(digits=FIRST[: entry.least - 1])
