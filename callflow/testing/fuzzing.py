"""Fuzzing: a hunt without a test file. A flow is called until a budget is spent, and what came of it is told whole.

It is the hunt of a ``CallMachine``: every edge on purpose first, then chance. What a test would say is read off the
flow: copies of its services stand in for them, and every law that binds it is checked.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from attrs import define, field, frozen
from hypothesis import Phase, Verbosity, settings
from hypothesis import seed as with_seed
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test

from callflow.errors import SettingsError
from callflow.flow.flow import Flow
from callflow.line.steps import CALLER, ServiceWay
from callflow.testing.coverage import ALL_CELLS, Coverage, named
from callflow.testing.doubles import doubles_of, shared_services
from callflow.testing.example import RunSoFar
from callflow.testing.failure import Failure, RunFailed
from callflow.testing.hunting import BREAKS, STEPS, explore, shorten, unsteady, usual_settings
from callflow.testing.machine import CallMachine

CALLS = 200
"""What is called unless a budget says otherwise."""

CALLERS = (CALLER, "+910000000199")
"""Who calls, unless somebody says otherwise: one may be known to the flow, the other is not."""

_ROUND = 1_000
"""Examples of one run of Hypothesis: it remembers all of them, and a night has many."""

_UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0}


@frozen
class Budget:
    """How long to go on: for a number of calls, or for seconds of real time."""

    calls: int | None = CALLS
    seconds: float | None = None

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read one, as it is written on the command line: ``500``, ``30s``, ``5m``, ``2h``.

        Raises:
            SettingsError: It is none.
        """
        found = re.fullmatch(r"(\d{1,9})([smh]?)", text.strip())
        if found is None or not int(found[1]):
            problem = f"{text!r} is no budget; write a number of calls, like 500, or a time, like 30s, 5m or 2h"
            raise SettingsError("--budget", problem)
        number, unit = int(found[1]), found[2]
        return cls(None, number * _UNITS[unit]) if unit else cls(number)

    def __str__(self) -> str:
        return f"{self.calls} calls" if self.calls is not None else f"{self.seconds:g} s"


@frozen(kw_only=True)
class Plan:
    """What a run of fuzzing is to do."""

    seed: int
    """The same seed does the same things to the same flow, in a process that was begun the same way."""
    budget: Budget = Budget()
    steps: int = STEPS
    """Of one example, at most."""
    require_edges: float = 0.0
    """The share of the flow's edges that has to be taken, from 0 to 1."""


@frozen(kw_only=True)
class Progress:
    """How far a run is."""

    calls: int
    talk: float
    """Virtual seconds that callers spent."""
    edges: int
    """Those that were taken."""
    all_edges: int
    seconds: float
    """Of real time."""
    share: float
    """Of the budget that is spent, from 0 to 1."""
    shortening: bool = False
    """Whether a call was found, and is being shortened."""


@frozen(kw_only=True)
class Fuzzed:
    """What came of a run."""

    machine: type[CallMachine] = field(repr=False)
    plan: Plan
    seconds: float
    """Of real time."""
    failure: Failure | None = None
    """The call that broke something."""
    shortfall: str = ""
    """What all calls together did not come to that was required."""
    interrupted: bool = False

    @property
    def so_far(self) -> RunSoFar:
        return self.machine.so_far

    @property
    def coverage(self) -> Coverage:
        return self.so_far.coverage

    @property
    def states(self) -> tuple[int, int]:
        """How many states were entered, and how many there are."""
        every = len(self.coverage.flow.graph.all_states)
        return every - len(self.coverage.missing_states), every

    @property
    def edges(self) -> tuple[int, int]:
        """How many edges were taken, and how many there are."""
        every = len(self.coverage.all_edges)
        return every - len(self.coverage.missing_edges), every

    @property
    def cells(self) -> tuple[int, int]:
        """How many cells of the session's table were reached, and how many there are."""
        return len(self.coverage.cells.keys() & set(ALL_CELLS)), len(ALL_CELLS)

    @property
    def untried_laws(self) -> list[str]:
        """Names of laws that no call gave an occasion to break."""
        return [law.name for law in self.machine.bound.laws if not self.so_far.premises.get(law.name)]

    @property
    def thin_spots(self) -> list[str]:
        """What the run tells nothing about, one line each."""
        return [
            *(f"state never entered: {state}" for state in self.coverage.missing_states),
            *(f"edge never taken: {named(edge)}" for edge in self.coverage.missing_edges),
            *(line for name in self.machine.cast.services for line in self._thin_service(name)),
            *(f"service that keeps what earlier calls left: {name}" for name in self.shared),
        ]

    @property
    def shared(self) -> list[str]:
        """Names of services that are the same object in every call, because it cannot be copied."""
        return shared_services(self.machine.cast.flow) if self.plays_own_services else []

    @property
    def plays_own_services(self) -> bool:
        """Whether the services are those of the flow itself, since no test brought doubles."""
        return self.machine.__module__ == __name__

    def _thin_service(self, name: str) -> Sequence[str]:
        met = self.so_far.met.get(name, set())
        if not met:
            return [f"service never asked: {name}"]
        return [f"service never failed: {name}"] if ServiceWay.FAILS not in met else []


def machine_for(
    flow: Flow[Any],
    *,
    callers: Sequence[str] = CALLERS,
    answers: Mapping[str, str] | None = None,
    laws: Mapping[str, bool] | None = None,
) -> type[CallMachine]:
    """Make a machine for a flow that nobody wrote a test for.

    Args:
        flow: What is called. Copies of its own services stand in for them.
        callers: Numbers that ring, the first one most.
        answers: Entries that mean something to it, by name.
        laws: By name, False for a law that is not to be checked.

    Raises:
        AudioError: A prompt is absent or cannot be played.
        ValueError: There is no law of such a name.
    """
    options: dict[str, Any] = {
        "flow": flow,
        "services": doubles_of(flow),
        "callers": tuple(callers),
        "answers": answers,
        "laws": laws,
    }
    machine: type[CallMachine] = type("Fuzz", (CallMachine,), {"__module__": __name__}, **options)
    return machine


class _Spent(BaseException):
    """The budget is. Not for anybody to catch but who made it: Hypothesis takes every ``Exception`` for a finding."""


class _Stopped(BaseException):
    """Somebody wants the run to end."""


def fuzz(
    machine: type[CallMachine],
    plan: Plan,
    *,
    tell: Callable[[Progress], None] = lambda progress: None,
    stop: Callable[[], bool] = lambda: False,
) -> Fuzzed:
    """Call a flow until the budget is spent, or a call breaks something.

    Args:
        machine: Who calls; see ``machine_for``.
        plan: How often, and by which seed.
        tell: Told before each call how far the run is.
        stop: Asked as often; whether to end it now.
    """
    return _Run(machine, plan, tell, stop).carry_out()


@define
class _Run:
    machine: type[CallMachine]
    plan: Plan
    tell: Callable[[Progress], None]
    stop: Callable[[], bool]
    began: float = field(factory=time.monotonic)
    examples: int = 0
    failure: Failure | None = None
    interrupted: bool = False
    end: _Spent | _Stopped | None = None
    """Why it ends."""

    def carry_out(self) -> Fuzzed:
        self.machine.begin_run()
        self.machine.so_far.begins = self._before_example
        try:
            with suppress(_Spent):
                self._hunt()
        except _Stopped:
            self.interrupted = True
        except BREAKS as broken:
            self._shorten(broken)
        finally:
            self.machine.so_far.begins = lambda: None
        return Fuzzed(
            machine=self.machine,
            plan=self.plan,
            seconds=self._seconds,
            failure=self.failure,
            shortfall="" if self.failure or self.interrupted else self._shortfall(),
            interrupted=self.interrupted,
        )

    def _hunt(self) -> None:
        explore(self.machine)
        chance = random.Random(self.plan.seed)
        options = settings(
            usual_settings(),
            max_examples=_ROUND,
            stateful_step_count=self.plan.steps,
            database=None,
            derandomize=False,
            phases=[Phase.generate],
            verbosity=Verbosity.quiet,
        )
        before = -1
        while before < self.examples:  # a flow may have fewer different calls than a budget
            before = self.examples
            try:
                run_state_machine_as_test(with_seed(chance.getrandbits(64))(self.machine), settings=options)
            except Flaky:
                if self.end is not None:
                    raise self.end from None  # Hypothesis did not expect an example to draw nothing
                if self.machine.so_far.failure is None:
                    raise
                self.failure = unsteady(self.machine.so_far.failure)
                return

    def _before_example(self) -> None:
        if self.failure is None and self._share >= 1.0:
            self.end = _Spent()
        elif self.stop():
            self.end = _Stopped()
        if self.end is not None:
            raise self.end
        self.examples += 1
        self.tell(self._progress())

    def _shorten(self, broken: BaseException) -> None:
        self.failure = self.machine.so_far.failure
        try:
            self.failure = shorten(self.machine, broken)
        except _Stopped:
            self.interrupted = True

    def _shortfall(self) -> str:
        try:
            self.machine.check_run()
            self.machine.so_far.coverage.require(self.plan.require_edges)
        except RunFailed as short:
            return str(short)
        return ""

    # How far it is.

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self.began

    @property
    def _share(self) -> float:
        budget, coverage = self.plan.budget, self.machine.so_far.coverage
        if budget.calls is None:
            return self._seconds / (budget.seconds or 1.0)
        return max(self.examples, coverage.calls) / budget.calls

    def _progress(self) -> Progress:
        coverage = self.machine.so_far.coverage
        return Progress(
            calls=coverage.calls,
            talk=coverage.seconds,
            edges=len(coverage.all_edges) - len(coverage.missing_edges),
            all_edges=len(coverage.all_edges),
            seconds=self._seconds,
            share=min(1.0, self._share),
            shortening=self.failure is not None,
        )
