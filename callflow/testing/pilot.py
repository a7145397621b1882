"""The pilot: before anything is left to chance, each edge of a flow is tried on purpose, by the shortest way to it.

A graph does not tell what a state decides by, so an edge is tried in several ways: with the services behind the flow
answering, failing or hanging, by every caller, with one entry or another. What it does are steps of a call script.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from attrs import evolve, frozen

from callflow.flow.graph import Edge
from callflow.line.steps import (
    Drop,
    HangUp,
    Play,
    Press,
    Reconnect,
    RingAgain,
    Script,
    Service,
    ServiceWay,
    Step,
    TakeOver,
    Wait,
)
from callflow.testing.coverage import Coverage
from callflow.testing.reading import FRAME, FlowReading
from callflow.testing.rehearsal import Rehearsal
from callflow.testing.sounds import SAYINGS
from callflow.testing.ways import shortest

MOST_STEPS = 24
"""Steps of one flight: who has not arrived by then will not."""

LONGEST_WAIT = 90.0
"""Seconds of one step, where nothing says how long it takes."""

AWAY = 3.0
"""Seconds that a line is away."""

WORD, SENTENCE = SAYINGS


LONGEST_WAY = 100.0
"""Seconds that the steps of a way may wait which is gone again: minutes of music cost as much as a hundred calls."""


@frozen(kw_only=True)
class Flight:
    """One way to try an edge."""

    edge: Edge
    caller: str
    entry: int = 0
    """Which of the entries that a state takes."""
    service: str = ""
    """The one that does not answer; none if empty."""
    way: ServiceWay = ServiceWay.ANSWERS
    early: bool = False
    """Whether it stops answering when the state before the edge is entered: there may be no time between."""


def flights_to(edge: Edge, callers: Sequence[str], services: Sequence[str]) -> Iterator[Flight]:
    """Give the ways to try an edge, the plainest first."""
    yield Flight(edge=edge, caller=callers[0])
    if edge.handler in ("run", "on_timeout", "on_error"):
        for way in (ServiceWay.FAILS, ServiceWay.HANGS):
            for name in services:
                yield Flight(edge=edge, caller=callers[0], service=name, way=way)
                yield Flight(edge=edge, caller=callers[0], service=name, way=way, early=True)
    for caller in callers[1:]:
        yield Flight(edge=edge, caller=caller)
    yield from (Flight(edge=edge, caller=callers[0], entry=entry) for entry in (1, 3))


class Pilot(Protocol):
    """Who takes the steps."""

    def take(self, step: Step) -> None: ...

    @property
    def played(self) -> Rehearsal: ...


def before_takeoff(flight: Flight, reading: FlowReading) -> tuple[Service, ...]:
    """Give what has to be so when the call begins: a first state is entered before anybody can do anything."""
    if not (flight.early and flight.service and flight.edge.source.__name__ == reading.start):
        return ()
    return (Service(name=flight.service, way=flight.way),)


def fly(pilot: Pilot, reading: FlowReading, flight: Flight) -> None:
    """Take the steps of one flight, until it has arrived, the call is over, or it is lost."""
    broken, rehearsal = not flight.service, pilot.played
    tried: dict[Edge, int] = {}
    for _ in range(MOST_STEPS):
        here = rehearsal.state
        way = shortest(reading.ways, here, flight.edge)
        if rehearsal.is_over or _arrived(rehearsal, flight.edge):
            return
        if not broken and way and len(way) <= 1 + flight.early:
            pilot.take(Service(name=flight.service, way=flight.way))
            broken = True
        if not way:  # not begun, or in a state that leads nowhere near
            pilot.take(Wait(seconds=1.0))
            continue
        edge = way[0].edge
        pilot.take(_step_along(edge, rehearsal, reading, flight.entry + tried.get(edge, 0)))
        tried[edge] = tried.get(edge, 0) + 1


def variations(flown: Sequence[Script]) -> Iterator[Script]:
    """Give calls that go a way again which was flown: twice, and with a line that is lost at each place of it.

    What a flow keeps of one call must not be there in the next, and what it counts has to outlive a lost line. Of the
    places on the ways the last ones come first: most has happened before.
    """
    flown = [script for script in flown if _seconds(script) <= LONGEST_WAY]
    for script in flown:
        yield evolve(script, steps=(*script.steps, HangUp(), RingAgain(), *script.rest))
    for back in range(1, max((len(script.rest) for script in flown), default=0) + 1):
        for script in flown:
            place = len(script.steps) - back
            if back <= len(script.rest):
                yield evolve(script, steps=(*script.steps[:place], TakeOver(), *script.steps[place:]))


def _seconds(script: Script) -> float:
    return sum(step.seconds for step in script.steps if isinstance(step, Wait))


def _arrived(rehearsal: Rehearsal, edge: Edge) -> bool:
    seen = rehearsal.seen()
    return seen is not None and seen.took(edge.source.__name__, edge.handler, edge.target.__name__)


def _step_along(edge: Edge, rehearsal: Rehearsal, reading: FlowReading, number: int) -> Step:
    """Give the step that may take a call along an edge."""
    here, options = reading.of(edge.source.__name__), edge.source.options
    if edge.keys:
        return Press(digits=edge.keys[number % len(edge.keys)])
    match edge.handler:
        case "on_digits" if here.entries:
            return here.entries[number % len(here.entries)]
        case "on_yes" | "on_no":
            return Press(digits=options.yes if edge.handler == "on_yes" else options.no)
        case "on_dtmf":
            return Press(digits=here.presses[number % len(here.presses)])
        case "on_speech" | "on_speech_ended" | "on_recorded":
            return _speak(edge, rehearsal, number)
        case "on_resumed":
            return Drop() if not rehearsal.phone.is_lost else Reconnect() if number % 3 else Wait(seconds=AWAY)
        case "on_timeout" if options.timeout is not None:
            longest = rehearsal.cast.timing.call  # no call is there to see more
            return Wait(seconds=round(min(options.timeout, longest) + FRAME, 2))
        case _:
            return _patience(rehearsal)


def _speak(edge: Edge, rehearsal: Rehearsal, number: int) -> Step:
    """Say something, and then what ends it."""
    ways: list[Step] = [Play(file=WORD), _patience(rehearsal)]
    if edge.handler == "on_recorded":
        ways = [Play(file=SENTENCE), *(Press(digits=key) for key in edge.source.options.finish[:1]), ways[-1]]
    return ways[number % len(ways)]


def _patience(rehearsal: Rehearsal) -> Wait:
    """Wait until the next thing is due, and a moment longer."""
    frames = min(LONGEST_WAIT, max(0.5, rehearsal.seconds_to_next)) // FRAME
    return Wait(seconds=round((frames + 2) * FRAME, 2))


def untaken(coverage: Coverage, reading: FlowReading) -> list[Edge]:
    """List the edges that no example has taken yet."""
    return [
        edge for edge in reading.edges if not coverage.edges[edge.source.__name__, edge.handler, edge.target.__name__]
    ]
