"""Hunting: a whole run of a ``CallMachine``. First every edge on purpose, then by chance; then what was required of it.

What it finds is told as one call: the law, the steps, what happened, and how to play it again.
"""

from __future__ import annotations

import inspect
import unittest
from itertools import islice
from pathlib import Path

from attrs import evolve
from hypothesis import HealthCheck, Phase
from hypothesis import settings as make_settings
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test

from callflow.line.steps import Header, Script
from callflow.testing.example import Example
from callflow.testing.failure import CallFailed, Failure, RunFailed
from callflow.testing.keeping import keep
from callflow.testing.lawbook import LawBroken
from callflow.testing.outside import TURN
from callflow.testing.pilot import Flight, before_takeoff, flights_to, fly, untaken, variations
from callflow.testing.rehearsal import long_run
from callflow.testing.shrinking import shrink
from callflow.testing.stepper import NeverSettles

__unittest = True  # unittest shows no frame of such modules: what a run found is told whole by its text

STEPS = 30
"""Steps of one example."""

MOST_FLIGHTS = 80
"""Examples of a run that are flown on purpose, at most."""

MOST_VARIATIONS = 80
"""Examples of a run that go such a way again, twice or with a line that is lost, at most."""

BREAKS = (LawBroken, NeverSettles)
"""What comes out of an example that broke something."""


def usual_settings() -> make_settings:
    """Give Hypothesis's settings for runs of machines: those of the profile that is loaded now, but for a few.

    How long an example takes is the computer's affair. What is found is shrunk as a script: to shrink what was drawn
    takes ten times as many calls, and to explain it every line of them would be traced.
    """
    return make_settings(
        deadline=None,
        stateful_step_count=STEPS,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        phases=(Phase.explicit, Phase.reuse, Phase.generate),
    )


def hunt(machine: type[Example], settings: make_settings | None = None) -> None:
    """Run a machine.

    Args:
        machine: Which.
        settings: Hypothesis's: how many examples, of how many steps. The usual ones if None.

    Raises:
        CallFailed: A call broke a law, or a property of one's own. Its text is all that there is to tell.
        NeverTrue: A ``sometimes`` method was true in no example.
        ThinCoverage: Too few of the flow's edges were taken.
    """
    machine.begin_run()
    with long_run():
        _search(machine, settings or usual_settings())
    machine.check_run()


def _search(machine: type[Example], settings: make_settings) -> None:
    try:
        explore(machine)
        run_state_machine_as_test(machine, settings=settings)
    except BREAKS as broken:
        raise CallFailed(shorten(machine, broken)) from None
    except Flaky:
        if machine.so_far.failure is None:
            raise
        raise CallFailed(unsteady(machine.so_far.failure)) from None


def make_test_case(machine: type[Example]) -> type[unittest.TestCase]:
    """Make the test of a machine, for pytest or unittest to find; its ``settings`` may be replaced."""

    class TestCase(unittest.TestCase):
        settings = usual_settings()
        hunts = machine

        def runTest(self) -> None:
            try:
                hunt(machine, self.settings)
            except CallFailed as found:
                raise CallFailed(_kept(machine, found.failure)) from None
            except RunFailed as short:
                raise short.with_traceback(None) from None

    TestCase.__name__ = TestCase.__qualname__ = f"{machine.__name__}.TestCase"
    TestCase.__module__ = machine.__module__
    return TestCase


def _kept(machine: type[Example], failure: Failure) -> Failure:
    return evolve(keep(failure, Path(inspect.getfile(machine)).parent), found=False)


# On purpose.


def explore(machine: type[Example]) -> None:
    """Try each edge of the flow on purpose; then the ways that led to one again, with variations.

    Raises:
        LawBroken: A call broke a law.
    """
    flown, ways = 0, list[Script]()
    for edge in machine.reading.edges:
        for flight in flights_to(edge, machine.callers, tuple(machine.cast.services)):
            missing = untaken(machine.so_far.coverage, machine.reading)
            if flown >= MOST_FLIGHTS or edge not in missing:
                break
            flown += 1
            script = _fly(machine, flight)
            if untaken(machine.so_far.coverage, machine.reading) != missing:
                ways.append(script)
    for script in islice(variations(ways), MOST_VARIATIONS):
        machine.play(script)


def _fly(machine: type[Example], flight: Flight) -> Script:
    player = machine()
    with player.playing(Header(caller=flight.caller, seed=0, order=0), before=before_takeoff(flight, machine.reading)):
        fly(player, machine.reading, flight)
    return player.script()


# What was found.


def shorten(machine: type[Example], broken: BaseException) -> Failure:
    """Shrink the call that a machine has just found; the machine keeps the failure of the last one that it plays.

    Args:
        machine: Which.
        broken: How the call broke what it broke; one of ``BREAKS``.
    """
    found = machine.so_far.failure
    assert found is not None
    assert found.script is not None
    if found.law == TURN:  # each try would take as long as this one, which is what is wrong with it
        return found
    shortest = shrink(found.script, lambda script: _breaks(machine, script, type(broken)))
    if not _breaks(machine, shortest, type(broken)):
        return unsteady(found)
    return machine.so_far.failure or found


def unsteady(failure: Failure) -> Failure:
    """Say of a call that it did not break the same when it was played again."""
    cause = "the flow goes by chance, real time or what an earlier call left: see call.random and call.now()"
    return evolve(failure, came=f"{failure.came}; but not when it is played again, so {cause}")


def _breaks(machine: type[Example], script: Script, broken: type[BaseException]) -> bool:
    try:
        machine.play(script)
    except BREAKS as again:
        return type(again) is broken
    return False
