"""``CallMachine``: a flow's callers, as a rule-based state machine of Hypothesis that drives the real server.

Its rules are ordinary functions: each makes one step of a call script out of what was drawn, and has the rehearsal take
it. So what was done is a script, and a failing example one that can be replayed. Whoever draws chooses by number from
what the current state offers, what means most first: shrinking leads there.

The laws are judged when an example is over; properties of one's own after every step.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from attrs import define, field, frozen
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from callflow.flow.flow import Flow
from callflow.line.oddities import Oddity
from callflow.line.profile import EchoesClearedMarks
from callflow.line.script import render
from callflow.line.steps import (
    CALLER,
    Deafen,
    Drop,
    HangUp,
    Header,
    Network,
    Press,
    Reconnect,
    RingAgain,
    Script,
    SendOdd,
    Service,
    ServiceWay,
    Step,
    TakeOver,
    Wait,
)
from callflow.testing.coverage import Coverage
from callflow.testing.doubles import Doubles
from callflow.testing.lawbook import Bound, Evidence, LawBroken, Lawful, breach, laws_for
from callflow.testing.reading import FRAME, FlowReading, StateReading, read_flow
from callflow.testing.rehearsal import Cast, Rehearsal
from callflow.testing.seen import Seen, checks_of

STEPS = 30
"""Steps of one example."""

LAGS = (0.0, 0.05, 0.4)
ECHOES: tuple[EchoesClearedMarks, ...] = ("at once", "late", "never")
NETWORKS = (Network.SMOOTH, Network.SPLIT, Network.SMOOTH, Network.PARTIAL, Network.SMOOTH, Network.ROUGH)
"""Half of the examples have a good line: a rough one costs several times as much, and changes little."""

NEAR = (0, -1, 1, -5, -6, -4)
"""Frames beside a moment at which something is due; a key is let go five frames after it is pressed."""

picks = st.integers(0, 1023)
"""A choice by number."""

T = TypeVar("T")
M = TypeVar("M", bound=Callable[..., Any])


@define
class RunSoFar:
    """What the examples of one run have come to."""

    coverage: Coverage
    premises: dict[str, int] = field(factory=dict)
    """By law, how many times it could have been broken."""
    came_true: set[str] = field(factory=set)
    """The ``sometimes`` methods that some example made true."""
    failure: Failure | None = None
    """The last one that was found; when the run is over, the smallest."""


@frozen
class Failure:
    """An example that broke something."""

    script: Script
    error: BaseException


class NeverTrue(AssertionError):
    """A ``sometimes`` method was true in no example."""


def _chosen(options: tuple[T, ...], pick: int) -> T:
    return options[pick % len(options)]


def _live(machine: CallMachine) -> bool:
    return machine.is_live


class CallMachine(RuleBasedStateMachine):
    """Hunts for the call that breaks a flow. Subclass it, and let pytest find its ``TestCase``.

    Class keywords:
        flow: What is called.
        services: Doubles of the services behind it, by name: a class or function that makes one, or a ``Double``.
        answers: Entries that mean something to the flow, by name; scripts tell the name and never the digits.
        laws: By name, False for a law that is not to be checked.
        require_edges: The share of the flow's edges that a run has to take, from 0 to 1.
        callers: Numbers that ring; the first one most.
    """

    cast: ClassVar[Cast]
    reading: ClassVar[FlowReading]
    bound: ClassVar[Bound]
    require_edges: ClassVar[float] = 0.0
    callers: ClassVar[tuple[str, ...]] = (CALLER,)
    so_far: ClassVar[RunSoFar]
    settings: ClassVar[settings] = settings(
        deadline=None,
        stateful_step_count=STEPS,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),  # to explain traces every line
    )

    def __init_subclass__(
        cls,
        *,
        flow: Flow[Any] | None = None,
        services: Doubles | None = None,
        answers: Mapping[str, str] | None = None,
        laws: Mapping[str, bool] | None = None,
        require_edges: float | None = None,
        callers: tuple[str, ...] | None = None,
        **others: Any,
    ) -> None:
        super().__init_subclass__(**others)
        if flow is not None:
            flow.library  # noqa: B018  # loaded once, and not for each example
            cls.cast = Cast(flow=flow, services=services or {}, answers=answers or {})
            cls.reading = read_flow(flow, answers)
            cls.bound = laws_for(flow, laws)
            cls.begin_run()
        if require_edges is not None:
            cls.require_edges = require_edges
        if callers is not None:
            cls.callers = callers

    def __init__(self) -> None:
        super().__init__()
        self.rehearsal: Rehearsal | None = None
        self._broken: BaseException | None = None
        self._told = 0

    @classmethod
    def begin_run(cls) -> None:
        """Forget what was reached and found so far."""
        if os.environ.get("HYPOTHESIS_NO_PLUGINS"):
            raise RuntimeError("HYPOTHESIS_NO_PLUGINS keeps Trio from being repeatable; unset it")
        cls.so_far = RunSoFar(Coverage(cls.cast.flow))

    # The beginning and the end.

    @initialize(order=st.integers(0, 2**16 - 1), line=picks, caller=st.integers(0, 7))
    def begin(self, order: int, line: int, caller: int) -> None:
        """Open the stage, and ring. Few draws: each has to be shrunk."""
        number, lag = divmod(line, len(LAGS))
        number, echoes = divmod(number, len(ECHOES))
        header = Header(
            caller=_chosen(self.callers, max(0, caller - 4)),
            seed=order,
            order=order,
            lag=LAGS[lag],
            echoes=ECHOES[echoes],
            network=_chosen(NETWORKS, number),
        )
        self.start(header)

    def start(self, header: Header) -> None:
        """Begin an example under chosen circumstances."""
        self.rehearsal = Rehearsal(self.cast, header)
        self._guarded(self.rehearsal.ring)

    def teardown(self) -> None:
        """End the calls and judge them; close the stage whatever happened."""
        if self.rehearsal is None:
            return
        try:
            if self._broken is None:
                self._guarded(self._judge)
        finally:
            note(render(self.script()))
            self.rehearsal.close()

    def script(self, law: Lawful | None = None) -> Script:
        """Give what was done so far as a script."""
        return self.played.script(law)

    @property
    def played(self) -> Rehearsal:
        """The example's rehearsal, once it has begun."""
        assert self.rehearsal is not None
        return self.rehearsal

    # Rules: what callers do.

    @precondition(_live)
    @rule(pick=picks)
    def answer(self, pick: int) -> None:
        """Do what the state asks for: an entry, a key that leads somewhere, or patience."""
        state = self.here
        if state.entries:
            self.take(_chosen(state.entries, pick))
        elif state.keys:
            self.take(Press(digits=_chosen(tuple(state.keys), pick)))
        else:
            self.be_silent(pick)

    @precondition(_live)
    @rule(pick=picks)
    def press(self, pick: int) -> None:
        """Press a key or two, those that mean something more often."""
        self.take(Press(digits=_chosen(self.here.presses, pick)))

    @precondition(_live)
    @rule(keys=st.text("1234567890*#", min_size=1, max_size=6), gap=st.sampled_from([None, FRAME, 0.5]))
    def type(self, keys: str, gap: float | None) -> None:
        """Type whatever comes to mind."""
        self.take(Press(digits=keys, gap=gap))

    @rule(pick=picks)
    def wait(self, pick: int) -> None:
        """Do nothing for a number of frames, or for a time-out of the state, give or take a frame."""
        exact, number = pick % 2, pick // 2
        self.take(Wait(seconds=_chosen(self.here.waits, number) if exact else _frames(number + 1)))

    @precondition(_live)
    @rule(pick=picks)
    def be_silent(self, pick: int) -> None:
        """Do nothing until something is due, give or take a frame."""
        due = self.played.seconds_to_next
        self.take(Wait(seconds=_frames(max(1, round(due / FRAME) + _chosen(NEAR, pick)))))

    @precondition(_live)
    @rule()
    def hang_up(self) -> None:
        """Hang up."""
        self.take(HangUp())

    @precondition(_live)
    @rule()
    def drop(self) -> None:
        """Lose the line; it may come back."""
        self.take(Drop())

    @precondition(lambda machine: machine.is_lost)
    @rule()
    def reconnect(self) -> None:
        """Come back on another connection."""
        self.take(Reconnect())

    @precondition(_live)
    @rule()
    def go_deaf(self) -> None:
        """Let the connection go half-open."""
        self.take(Deafen())

    @precondition(lambda machine: machine.is_live or machine.is_deaf)
    @rule()
    def take_over(self) -> None:
        """Come on another connection while the first one is there."""
        self.take(TakeOver())

    @precondition(lambda machine: machine.is_over)
    @rule()
    def again(self) -> None:
        """Call once more."""
        self.take(RingAgain())

    @precondition(_live)
    @rule(oddity=st.sampled_from(Oddity))
    def send_odd(self, oddity: Oddity) -> None:
        """Send what Exotel should not send."""
        self.take(SendOdd(oddity=oddity))

    @precondition(lambda machine: bool(machine.cast.services))
    @rule(pick=picks, way=st.sampled_from(ServiceWay))
    def serve(self, pick: int, way: ServiceWay) -> None:
        """Have a service answer, fail or hang from now on."""
        self.take(Service(name=_chosen(tuple(self.cast.services), pick), way=way))

    def take(self, step: Step) -> None:
        """Take one step, and look at the call."""
        self._guarded(lambda: self.played.take(step))
        self._guarded(self._look)

    def _look(self) -> None:
        """Judge the calls that have just ended, so that a broken example ends soon; then look at the last one."""
        over = len(self.played.witness.stories)
        if over > self._told:
            _raise_first(self.bound.judge_stories(self.played.over_since(self._told)))
            self._told = over
        self._check("always", self.seen())

    # What preconditions read. Between two steps nothing moves, so it is the same whenever it is asked.

    @property
    def is_over(self) -> bool:
        return self.played.phone.ended.is_set()

    @property
    def is_lost(self) -> bool:
        return self.played.phone.is_lost and not self.is_over

    @property
    def is_deaf(self) -> bool:
        return self.played.phone.is_deaf and not self.is_lost and not self.is_over

    @property
    def is_live(self) -> bool:
        phone = self.played.phone
        return not (phone.is_lost or phone.is_deaf or self.is_over)

    @property
    def here(self) -> StateReading:
        """What the current state tells."""
        return self.reading.of(self.played.state)

    def seen(self) -> Seen[Any] | None:
        """What can be seen of the last call; None before it has begun."""
        return self.played.seen()

    # Judging.

    def _judge(self) -> None:
        evidence = self.played.finish()
        self._count(evidence)
        _raise_first(self.bound.judge(evidence, self.so_far.premises))
        for seen in self.played.all_seen():
            self._check("in the end", seen)

    def _count(self, evidence: Evidence) -> None:
        coverage = self.so_far.coverage
        coverage.examples += 1
        coverage.steps += len(self.played.steps) - 1
        coverage.seconds += self.played.seconds
        coverage.read(evidence.stories)
        for seen in self.played.all_seen():
            self._note_sometimes(seen)

    def _check(self, when: str, seen: Seen[Any] | None) -> None:
        for name in checks_of(type(self), when) if seen is not None else ():
            try:
                held = getattr(self, name)(seen)
            except AssertionError as wrong:
                raise self._property_broken(name, str(wrong).partition("\n")[0]) from wrong
            if held is False:
                raise self._property_broken(name, "it is False")

    def _property_broken(self, name: str, words: str) -> LawBroken:
        check = getattr(type(self), name)
        sentence = (check.__doc__ or name.replace("_", " ")).strip().splitlines()[0]
        law = Lawful(name=name.replace("_", "-"), sentence=sentence, rule="own", judge=lambda evidence: iter(()))
        call = self.played.call
        return breach(law, 0.0 if call is None else call.driver.seconds, words or "it does not hold")

    def _note_sometimes(self, seen: Seen[Any]) -> None:
        for name in checks_of(type(self), "sometimes"):
            if name not in self.so_far.came_true and getattr(self, name)(seen):
                self.so_far.came_true.add(name)

    def _guarded(self, job: Callable[[], object]) -> None:
        """Do something that may break the example; note how it was broken."""
        try:
            job()
        except Exception as broken:
            self._broken = broken
            law = broken.law if isinstance(broken, LawBroken) else None
            type(self).so_far.failure = Failure(self.script(law), broken)
            raise

    # The run.

    @classmethod
    def check_run(cls) -> None:
        """Hold the whole run to what was required of it.

        Raises:
            NeverTrue: A ``sometimes`` method was true in no example.
            ThinCoverage: Too few of the flow's edges were taken.
        """
        never = [name for name in checks_of(cls, "sometimes") if name not in cls.so_far.came_true]
        if never:
            raise NeverTrue(f"{cls.__name__}.{never[0]} was true in none of {cls.so_far.coverage.examples} examples")
        cls.so_far.coverage.require(cls.require_edges)


def _raise_first(broken: list[LawBroken]) -> None:
    """Raise one breach of several: an error of the flow, which may be why of the others, or else the earliest."""
    if broken:
        raise min(broken, key=lambda each: (each.law.rule != "K1", each.at))


def _frames(count: int) -> float:
    return round(count * FRAME, 2)
