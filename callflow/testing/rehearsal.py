"""A rehearsal: one example, from the first ring to the last check, driven by a machine's rules or a script's lines.

Its steps are those of call scripts, so whatever was done is a script, and playing that again with the same
circumstances is the same thing done twice.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import trio
from attrs import define, evolve, field, frozen

from callflow.call.call import CallTask
from callflow.flow.flow import Flow
from callflow.line.script import render
from callflow.line.steps import Enter, Header, Network, Ring, Script, Service, Step
from callflow.line.telephone import Telephone
from callflow.server.settings import Settings
from callflow.session.timing import Timing
from callflow.testing.chronicle import chronicle
from callflow.testing.compared import Compared, Happened
from callflow.testing.deeds import CallerFacts, Deeds
from callflow.testing.doubles import Doubles, failures_of, steer
from callflow.testing.evidence import Evidence, Papers
from callflow.testing.failure import leaves
from callflow.testing.judging import IN_VIRTUAL_TIME, breaks_rules, has_trouble, is_trouble, longest_way
from callflow.testing.lawbook import Lawful, breach
from callflow.testing.laws.law import Patience
from callflow.testing.logged import logged, logged_by_callflow
from callflow.testing.neighbour import Neighbour, OwnServices
from callflow.testing.outside import Watch, unsettled, watched
from callflow.testing.recorded import recorded
from callflow.testing.rules.rule import Limits
from callflow.testing.seeding import task_order
from callflow.testing.seen import Seen
from callflow.testing.stage import Circumstances, Stage
from callflow.testing.stepper import Stepper
from callflow.testing.witness import Witness, standing_round, witnessed

T = TypeVar("T")


@contextmanager
def no_collection() -> Iterator[None]:
    """Leave cyclic garbage for later: looking for it takes a quarter of an example's time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


ORDERS_TRIED = 8
"""Task orders in which a call has to be the same by itself, before it may be said that another call changed it."""

COLLECT_EVERY = 10
"""Examples of a run."""


@contextmanager
def rare_collection() -> Iterator[None]:
    """Look for cyclic garbage between examples alone, and not in what was there before: for a run of many of them."""
    was_on = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_on:
            gc.enable()


@contextmanager
def long_run() -> Iterator[None]:
    """Do once what many examples of one run need alike: they are watched, and their garbage is left for later."""
    with rare_collection(), standing_round():
        yield


def collect_now_and_then(examples: int) -> None:
    """Collect garbage after every few examples of a run; elsewhere Python does it by itself."""
    if not gc.isenabled() and examples % COLLECT_EVERY == 0:
        gc.collect()


@frozen(kw_only=True)
class Cast:
    """What is on the stage: the flow, and what stands in for the world behind it."""

    flow: Flow[Any]
    services: Doubles = field(factory=dict)
    answers: Mapping[str, str] = field(factory=dict, repr=False)
    """What ``type $name`` types."""
    sounds: Mapping[str, bytes] = field(factory=dict, repr=False)
    """What ``play FILE`` says."""
    settings: Settings = field(factory=Settings)
    timing: Timing = Timing()


@define(eq=False)
class Rehearsal:
    """Rings, takes steps one by one, and ends the calls. ``close`` it whatever happened.

    Nothing here waits: each method runs the world until it is quiet again.

    Args:
        cast: Who is there.
        header: Everything that nobody in it decides, and who calls.

    Raises:
        NeverSettles: The server does not come to rest.
        LawBroken: The flow went outside, or kept real time waiting; see ``outside``.
        BaseException: Whatever a task of the server raised.
    """

    cast: Cast
    header: Header = field(factory=Header)
    steps: list[Step] = field(factory=list, init=False)
    """What was done so far, the ringing included."""
    deeds: Deeds = field(init=False)
    stage: Stage = field(init=False)
    witness: Witness = field(init=False)
    seconds: float = field(default=0.0, init=False)
    """Virtual seconds that the steps took."""
    log: list[str] = field(init=False)
    """What the code behind the flow has logged."""
    _own_log: list[str] = field(factory=list, init=False)
    """What callflow itself has logged, where there is a secret that could stand in it."""
    _typed: set[str] = field(factory=set, init=False)
    """Names of the answers that were typed where a state asked for a secret."""
    _neighbour: Neighbour | None = field(default=None, init=False)
    """Who is beside."""
    _now: float = field(default=0.0, init=False)
    _stepper: Stepper = field(init=False)
    _watch: Watch = field(init=False)
    _open: ExitStack = field(factory=ExitStack, init=False)

    def __attrs_post_init__(self) -> None:
        self._watch = Watch(lambda: self.state)
        with ExitStack() as opening:
            opening.enter_context(no_collection())
            opening.enter_context(task_order(self.header.order or 0))
            self.witness = opening.enter_context(witnessed())
            self.log = opening.enter_context(logged())
            if self.cast.answers:
                self._own_log = opening.enter_context(logged_by_callflow())
            self.stage, self.deeds = self._set()
            self._stepper = Stepper(self.stage.open, too_long=lambda: self._watch.busy)
            opening.callback(self._stepper.close)
            self._open = opening.pop_all()

    def _set(self) -> tuple[Stage, Deeds]:
        cast, header = self.cast, self.header
        doubles = steer(cast.services)
        others = OwnServices.beside(cast.flow, cast.services, doubles) if header.beside else None
        stage = Stage(
            cast.flow,
            Circumstances.of(header, cast.flow),
            services=tuple(doubles.values()),
            settings=cast.settings,
            timing=cast.timing,
            beside=None if others is None else others.all,
        )
        self._neighbour = None if others is None else Neighbour(stage, header, others)
        facts = CallerFacts(
            caller=header.caller,
            called=header.called,
            parameters=header.parameters,
            answers=cast.answers,
            sounds=cast.sounds,
        )
        return stage, Deeds(stage, facts, doubles)

    def ring(self, *, asks: bool = True, before: Sequence[Service] = ()) -> None:
        """Place the call.

        Args:
            asks: Whether Exotel asks the Passthru before the stream: what a script's ``ring`` line says.
            before: How services behave from before it.
        """
        self._ring_beside()
        for step in before:
            self.deeds.steer(step)
            self._see(step)
        self.steps += [*before, *([Ring()] if asks else [])]
        self.do(lambda: self.deeds.ring(asks=asks))

    def _ring_beside(self) -> None:
        """Have the call beside there before anything is drawn for the example's own, or happens to it."""
        if self._neighbour is not None:
            self.do(self._neighbour.ring)
            if has_trouble(self.header):
                self._neighbour.see_trouble()

    def _see(self, step: Step) -> None:
        if self._neighbour is not None and (is_trouble(step) or self.witness.errors):
            self._neighbour.see_trouble()

    def take(self, step: Step) -> None:
        """Take one step. It is in the script even if it breaks something."""
        self.steps.append(step)
        self._see(step)
        if isinstance(step, Enter) and step.answer and self._asks_for_secret:
            self._typed.add(step.answer)
        self.do(lambda: self.deeds.take(step))

    @property
    def _asks_for_secret(self) -> bool:
        engine = None if self.call is None else self.call.engine
        return engine is not None and getattr(engine.state.options, "secret", False)

    def do(self, job: Callable[[], Awaitable[T]]) -> T:
        """Run any job of the stage's world to its end."""

        async def timed() -> T:
            began = trio.current_time()
            try:
                return await job()
            finally:
                self._now = trio.current_time()
                self.seconds += self._now - began

        try:
            with watched(self._watch):
                result = self._stepper.do(timed)
        except BaseException:
            self._raise_refused()
            raise
        self._raise_refused()
        return result

    def _raise_refused(self) -> None:
        """Raise what the flow was refused: that it got an exception for it is not what is wrong."""
        watch = self._watch
        if watch.words:
            at = 0.0 if self.call is None else self.call.driver.seconds
            raise breach(unsettled(watch.law), at, watch.words) from None

    def finish(self) -> Evidence:
        """End every call as its caller, wait until nothing may be left, and give what is known."""
        lived = self.seconds
        self._finish()
        self.seconds = lived
        return self._evidence()

    def _finish(self) -> None:
        if self._neighbour is not None:
            self.do(self._neighbour.over)
        self.do(self.deeds.finish)

    def stay_alone(self) -> list[Happened]:
        """Have nobody but who is beside call, and give what happened in that call; nothing if there was none."""
        self._ring_beside()
        self._finish()
        return (self._neighbour and self._neighbour.trace) or []

    def compare(self) -> Evidence | None:
        """Give what became of a call beside trouble, and what becomes of it alone, once ``finish`` is done.

        The stage is closed: there is one at a time.

        Returns:
            That and nothing else; None where there was no such call or no trouble, or where the call goes one way or
            another by itself.
        """
        neighbour = self._neighbour
        there = neighbour.trace if neighbour is not None and neighbour.has_seen_trouble else None
        if there is None:
            return None
        self.close()
        compared = Compared(there, _alone(self.cast, self.header))
        if compared.difference and self._goes_by_order(compared.alone):
            return None
        return evolve(self._known, beside=compared)

    def _goes_by_order(self, alone: Sequence[Happened]) -> bool:
        """Say whether what is different may be so by the order of tasks: more tasks are shuffled in another way."""
        headers = (evolve(self.header, order=order) for order in range(ORDERS_TRIED))
        return any(Compared(alone, _alone(self.cast, header)).difference for header in headers)

    def close(self) -> None:
        """Take the stage down; without effect when it is.

        Raises:
            BaseException: Whatever a task of the server raised while it was cancelled.
        """
        with watched(self._watch):
            self._open.close()

    def script(self, law: Lawful | None = None) -> Script:
        """Write what was done as a script."""
        header = self.header if law is None else evolve(self.header, law=law.name)
        return Script(header=header, steps=tuple(self.steps))

    # What can be seen between two steps.

    @property
    def phone(self) -> Telephone:
        """The telephone of the last call, if there was one."""
        return self.deeds.phone

    @property
    def is_over(self) -> bool:
        """Whether the last call is, or none came to be."""
        return self.deeds.is_over

    @property
    def is_lost(self) -> bool:
        """Whether the last call has lost its line, and the caller knows."""
        return not self.is_over and self.phone.is_lost

    @property
    def is_deaf(self) -> bool:
        """Whether the line of the last call is half-open."""
        return not self.is_over and not self.is_lost and self.phone.is_deaf

    @property
    def call(self) -> CallTask | None:
        """The last call that the server took; None if none reached ``start`` yet."""
        return self.stage.calls[-1] if self.stage.calls else None

    @property
    def state(self) -> str:
        """Name of the state that the last call is in, or ended in; empty before its first."""
        engine = None if self.call is None else self.call.engine
        return "" if engine is None else type(engine.state).__name__

    @property
    def seconds_to_next(self) -> float:
        """Seconds until something of the last call is due; 1 if nothing is."""
        at = math.inf if self.call is None else self.call.driver.deadlines.earliest
        return 1.0 if at == math.inf else max(0.0, at - self._now)

    def seen(self) -> Seen[Any] | None:
        """What can be seen of the last call; None before its flow has begun."""
        seen = self.all_seen()
        return seen[-1] if seen else None

    def all_seen(self) -> list[Seen[Any]]:
        """The same of every call, oldest first."""
        begun = ((call, call.start) for call in self.stage.calls if call.engine is not None)
        return [Seen(call, self.deeds.phone_of(start.stream_sid), self.log) for call, start in begun if start]

    def over_since(self, told: int) -> Evidence:
        """Give what is known of the calls that are over, but for the first *told* of them: their stories alone."""
        return evolve(self._known, stories=self.witness.stories[told:])

    @property
    def _known(self) -> Evidence:
        timing, resume = self.cast.timing, self.cast.flow.resume
        return Evidence(
            flow=self.cast.flow,
            patience=Patience(
                late=IN_VIRTUAL_TIME,
                end=timing.leave + timing.close,
                limit=timing.call + timing.leave,
                resume=timing.resume if resume is None else resume,
            ),
            limits=Limits(lead=timing.lead, chunk_seconds=None, notice=0.0, grace=timing.close),
            failures=self._staged(),
        )

    def _staged(self) -> set[str]:
        """Name what services raise that were told to fail, and the groups of nothing else that nurseries make of it."""
        told = set(failures_of(self.cast.services))
        groups = (error for error in self.witness.errors if isinstance(error, BaseExceptionGroup))
        return told | {
            type(group).__name__ for group in groups if all(type(one).__name__ in told for one in leaves(group))
        }

    def _evidence(self) -> Evidence:
        phones = () if breaks_rules(self.script()) else self.deeds.phones
        crossing, one_way = longest_way(self.script()), self.cast.flow.one_way
        return evolve(
            self._known,
            wire=self.witness.log,
            recordings=[recorded(phone, crossing=crossing, one_way=one_way) for phone in phones],
            stories=self.witness.stories,
            leftovers=self.stage.leftovers(),
            strangers=self.deeds.strangers,
            failed=self.stage.server.door.failed,
            fullest=self.witness.fullest,
            papers=self._papers() if self._typed else Papers(),
        )

    def _papers(self) -> Papers:
        journals = [entry for story in self.witness.stories for entry in story.entries]
        return Papers(
            entries={name: self.cast.answers[name] for name in self._typed},
            texts={
                "journal": [entry.line() for entry in journals],
                "chronicle": list(chronicle(journals)),
                "log": [*self.log, *self._own_log],
                "records": list(map(repr, self.stage.records)),
                "script": [render(self.script())],
            },
        )


def _alone(cast: Cast, header: Header) -> list[Happened]:
    """Play the call beside without the one that it was beside; give what happened to it."""
    header = evolve(header, lag=0.0, network=Network.SMOOTH, breaks=frozenset(), begins=None, faults=())
    rehearsal = Rehearsal(cast, header)
    try:
        return rehearsal.stay_alone()
    finally:
        rehearsal.close()
