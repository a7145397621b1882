"""``events_for``: a Hypothesis strategy of everything that one state can get, for testing its handlers alone.

Read off the class: its keys and those that are none of its, the entries that its question takes, its ways to fail, its
time-outs, the events of its ``@on`` methods, and the ends of a call.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import field, frozen
from hypothesis import strategies as st

from callflow.errors import FlowError
from callflow.flow.collect import CollectDigits
from callflow.flow.confirm import Confirm
from callflow.flow.definition import overrides
from callflow.flow.facts import LimitNear, Resumed
from callflow.flow.keys import Failed, FailedName
from callflow.flow.listening import Speech
from callflow.flow.marks import EVENT_ATTRIBUTE, marked
from callflow.flow.menu import Menu, targets_of
from callflow.flow.record import Record
from callflow.flow.recording import Recording, RecordingEnd
from callflow.flow.say import Say
from callflow.flow.secret import Secret
from callflow.flow.state import State
from callflow.flow.subflow import SubFlow, argument_of
from callflow.session.inputs import EndCause
from callflow.testing.stand_in import CallDouble
from callflow.wire.messages import KEYS, Dtmf

_AFTER_THE_END = frozenset({"on_hangup", "on_recorded_hangup"})
"""Handlers that get an ``EndedCall``."""

_ERRORS = (KeyError("account"), ValueError("no number"), OSError("connection refused"), TimeoutError())
"""What a handler may have raised before ``on_error``."""


@frozen
class Given:
    """One thing that can happen to a state: which of its methods is called, and with what."""

    handler: str
    args: tuple[Any, ...] = ()
    cause: EndCause = field(default=EndCause.STOP, kw_only=True)
    """Why the call is over, where the handler gets an ``EndedCall``."""

    def to(self, state: State[Any], call: CallDouble[Any]) -> Any:
        """Call the handler; give what it returns: a state, ``Again``, or None."""
        of = call.over(self.cause) if self.handler in _AFTER_THE_END else call
        return getattr(state, self.handler)(of, *self.args)


def events_for(
    state: type[State[Any]],
    *,
    posted: Mapping[type, st.SearchStrategy[Any]] | None = None,
    timers: Sequence[str] = ("timer",),
    results: st.SearchStrategy[Any] | None = None,
) -> st.SearchStrategy[Given]:
    """Give a strategy of what can happen to a state of this class.

    Args:
        state: The class.
        posted: Strategies for events of ``@on`` methods, by their class; others are made from their annotations.
        timers: Names for ``on_timer``.
        results: What a sub-flow's ``Done`` carries; made from its annotation if not given.

    Raises:
        FlowError: Nothing can happen to it that a handler of its own takes.
    """
    found = [*_of_keys(state), *_of_its_kind(state, results), *_of_every_state(state, timers)]
    found += [
        st.builds(Given, st.just(name), st.tuples((posted or {}).get(event, _made(event))))
        for name, event in marked(state, EVENT_ATTRIBUTE)
    ]
    if not found:
        raise FlowError(
            f"{state.__qualname__} has no handler that anything could happen to; test its run with caller()"
        )
    return st.one_of(found)


def _made(event: type) -> st.SearchStrategy[Any]:
    if event is LimitNear:
        return st.builds(LimitNear, st.floats(0.0, 60.0))
    return st.from_type(event)


# Keys.


def _of_keys(state: type[State[Any]]) -> Iterator[st.SearchStrategy[Given]]:
    choices = state.choices()
    own = [digit for digit in choices if digit not in targets_of(state)]
    if own:
        yield st.sampled_from(own).map(lambda digit: _chosen(state, digit))
    if overrides(state, "on_dtmf"):
        others = [digit for digit in KEYS if digit not in choices]
        yield st.sampled_from(others).map(lambda digit: Given("on_dtmf", (Dtmf(digit=digit, duration=0.1),)))


def _chosen(state: type[State[Any]], digit: str) -> Given:
    name = state.choices()[digit]
    takes_key = len(inspect.signature(getattr(state, name)).parameters) > 2  # self, the call, the key
    return Given(name, (digit,) if takes_key else ())


# What the kinds of states ask for.

_NAMES: Mapping[type[State[Any]], tuple[FailedName, ...]] = {
    Menu: ("no input", "no match"),
    CollectDigits: ("no input", "no match", "too short", "too long"),
    Confirm: ("no input", "no match"),
    Record: ("no input", "too short"),
    SubFlow: ("gave up", "no input", "no match", "too short"),
}
"""How each kind of question fails."""


def _of_its_kind(state: type[Any], results: st.SearchStrategy[Any] | None) -> Iterator[st.SearchStrategy[Given]]:
    if issubclass(state, Say):
        yield st.just(Given("then"))
    if issubclass(state, CollectDigits):
        yield _entries(state).map(lambda digits: Given("on_digits", (digits,)))
    if issubclass(state, Confirm):
        yield st.sampled_from([Given("on_yes"), Given("on_no")])
    if issubclass(state, Record):
        yield _recordings(state).map(_recorded)
    if issubclass(state, SubFlow):
        made = results if results is not None else st.from_type(argument_of(state, SubFlow, 1))
        yield made.map(lambda result: Given("on_done", (result,)))
    for kind, names in _NAMES.items():
        if issubclass(state, kind) and overrides(state, "on_failed"):
            yield _failures(names, getattr(state.options, "tries", 3)).map(lambda why: Given("on_failed", (why,)))


def _entries(state: type[CollectDigits[Any]]) -> st.SearchStrategy[str | Secret]:
    entry = state.options.entry()
    digits = st.text(sorted(entry.digits), min_size=entry.least, max_size=entry.most)
    return digits.map(Secret) if state.options.secret else digits


def _failures(names: Sequence[FailedName], most: int) -> st.SearchStrategy[Failed]:
    return st.builds(Failed, name=st.sampled_from(names), digits_seen=st.integers(0, 32), tries=st.integers(1, most))


def _recordings(state: type[Record[Any]]) -> st.SearchStrategy[Recording]:
    """Recordings of silence: what was said is not told from their length by a handler."""
    least, most = state.options.least_seconds, min(state.options.max_seconds, state.options.least_seconds + 3.0)
    seconds = st.integers(round(least * 50), round(most * 50)).map(lambda frames: frames / 50)
    ends = [RecordingEnd.LIMIT, RecordingEnd.HANGUP]
    ends += [RecordingEnd.KEY] if state.options.finish else []
    ends += [RecordingEnd.SILENCE] if state.options.silence is not None else []
    return st.builds(
        lambda length, end: Recording(pcm=bytes(2 * round(length * 8000)), rate=8000, ended_by=end),
        seconds,
        st.sampled_from(ends),
    )


def _recorded(recording: Recording) -> Given:
    if recording.ended_by is RecordingEnd.HANGUP:
        return Given("on_recorded_hangup", (recording,))
    return Given("on_recorded", (recording,))


# What can happen to every state.


def _of_every_state(state: type[Any], timers: Sequence[str]) -> Iterator[st.SearchStrategy[Given]]:
    possible: Mapping[str, st.SearchStrategy[tuple[Any, ...]]] = {
        "on_timeout": st.just(()),
        "on_timer": st.tuples(st.sampled_from(list(timers))),
        "on_speech": st.tuples(_SPEECH),
        "on_speech_ended": st.tuples(_SPEECH),
        "on_detached": st.just(()),
        "on_resumed": st.tuples(_RESUMED),
        "on_error": st.tuples(st.sampled_from(_ERRORS)),
    }
    for name, args in possible.items():
        if overrides(state, name) and not (name == "on_timeout" and state.options.timeout is None):
            yield st.builds(Given, st.just(name), args)
    if overrides(state, "on_hangup"):
        yield st.sampled_from(EndCause).map(lambda cause: Given("on_hangup", cause=cause))


_SPEECH = st.builds(Speech, at=st.floats(0.0, 60.0), seconds=st.floats(0.3, 30.0), level=st.floats(-45.0, 0.0))

_RESUMED = st.builds(
    Resumed,
    seconds=st.floats(0.0, 10.0),
    silent=st.floats(0.0, 10.0),
    stream_sid=st.just("stream00stream00stream00stream01"),
    links=st.integers(2, 5),
)
