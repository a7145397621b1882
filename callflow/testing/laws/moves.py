"""Moves: only along declared edges, whoever declared them, and by the handler that the state's class has."""

from __future__ import annotations

from collections.abc import Iterator

from callflow.call.journal import Entry, Kind
from callflow.flow.definition import overrides
from callflow.flow.secret import DOT
from callflow.testing.laws.law import Patience, Story, case, is_fate, is_key, is_state, law, text
from callflow.testing.laws.levels import READ, RESULTS, Levels
from callflow.testing.rules.rule import Case

ALWAYS = frozenset({"on_detached", "on_resumed"})
"""Hooks that every state has, by callflow's own if not by one of its class."""

TAKES = {"Done": "on_done", "GaveUp": "on_failed"}
"""Which handler takes the end of a sub-flow."""

DEEPEST = 9
"""A flow and 8 sub-flows."""


def _declared(story: Story, entry: Entry) -> bool:
    """Whether the flow's graph has an edge for a move."""
    return (text(entry, "state"), text(entry, "by"), text(entry, "to")) in story.edges


def _moves(story: Story, *, written: bool) -> Iterator[Entry]:
    """Give the moves by handlers that the flow's author wrote, or those that callflow makes by itself."""
    for entry in story.about(Kind.STATE):
        if entry.what == "left" and text(entry, "to") not in RESULTS:
            state, handler = story.states.get(text(entry, "state")), text(entry, "by")
            if state is not None and written == (handler == "run" or overrides(state, handler)):
                yield entry


@law("L11", reads="left; the flow's graph")
def declared_moves(story: Story, patience: Patience) -> Iterator[Case]:
    """A call moves only where the annotation of the handler says."""
    for entry in _moves(story, written=True):
        where = f"{text(entry, 'state')}.{text(entry, 'by')}"
        yield case(entry, "" if _declared(story, entry) else f"{where} does not declare {text(entry, 'to')}")


@law("L12", reads="asked, keys taken; the flow's states")
def superstates(story: Story, patience: Patience) -> Iterator[Case]:
    """A state answers by its own handler, or else by that of the nearest base that has one."""
    digit = ""
    for entry in story.about(Kind.KEY, Kind.STATE):
        if is_key(entry, "taken"):
            digit = text(entry, "key")
        elif is_state(entry, "asked"):
            state, handler = story.states.get(text(entry, "state")), text(entry, "handler")
            if state is not None:
                choices = {} if digit in ("", DOT) else state.choices()
                of_key = handler in choices.values()
                fits = choices[digit] == handler if of_key else handler in ALWAYS or overrides(state, handler)
                yield case(entry, "" if fits else f"{text(entry, 'state')} has no {handler} for this")
            digit = ""


@law("L13", reads="left by no handler, resumed and what is queued then, errors; the flow's graph and states")
def defaults_are_edges(story: Story, patience: Patience) -> Iterator[Case]:
    """A move that a library default makes is an edge of the graph like any other."""
    for entry in _moves(story, written=False):
        words = f"{text(entry, 'state')} moves by default to {text(entry, 'to')}, and no edge says so"
        yield case(entry, "" if _declared(story, entry) else words)
    yield from _begun_anew(story)
    yield from _led_by_errors(story)


def _begun_anew(story: Story) -> Iterator[Case]:
    """Judge what states say when their line is back. A ``run`` may have begun something meanwhile: that is its own."""
    if not any(is_state(entry, "resumed") for entry in story.entries):
        return
    anew = {edge.source.__name__ for edge in ([] if story.flow is None else story.flow.graph.reentries)}
    resumed = ""
    for entry in story.entries:
        if is_state(entry, "resumed"):
            resumed = text(entry, "state")
        elif resumed and entry.kind is Kind.PLAYBACK and entry.what == "queued":
            state = story.states.get(resumed)
            if state is not None and not any(overrides(state, hook) for hook in ("run", "on_detached")):
                yield case(entry, "" if resumed in anew else f"{resumed} begins anew, and no edge says so")
            resumed = ""
        elif not is_fate(entry):
            resumed = ""


def _led_by_errors(story: Story) -> Iterator[Case]:
    """Judge where errors lead that no state took."""
    error = None if story.flow is None else story.flow.graph.error
    taken = False
    for entry in story.about(Kind.ERROR, Kind.STATE) if story.flow is not None else []:
        if entry.kind is Kind.ERROR and (to := text(entry, "next")) and not taken:
            fits = error is not None and error.__name__ == to
            yield case(entry, "" if fits else f"an error leads to {to} by default, and no edge says so")
        taken = is_state(entry, "left") and text(entry, "by") == "on_error"


@law("L14", reads="entered within a sub-flow, left with a result, asked")
def subflows(story: Story, patience: Patience) -> Iterator[Case]:
    """A sub-flow is inside one state, at most 8 deep, and what it ends with goes to that state's handler at once."""
    if not any("within" in entry.details or text(entry, "to") in RESULTS for entry in story.about(Kind.STATE)):
        return
    levels = Levels()
    for entry in story.about(*READ):
        result = levels.result
        levels.read(entry)
        if result and is_state(entry, "asked", "entered", "left"):
            told = text(entry, "handler") == TAKES[result] and text(entry, "state") in levels.names[-1:]
            yield case(entry, "" if told else f"{entry.what} in place of what takes the result of a sub-flow")
            levels.result = ""
        elif is_state(entry, "entered") and text(entry, "within"):
            yield case(entry, f"{len(levels.stack)} levels" if len(levels.stack) > DEEPEST else "")
