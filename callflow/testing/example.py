"""An example of a run: its stage, the steps taken on it, and how it is judged. ``CallMachine`` adds the rules."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from attrs import define, evolve, field
from hypothesis import note
from hypothesis.stateful import RuleBasedStateMachine

from callflow.line.script import render
from callflow.line.steps import CALLER, Header, Script, Service, Step
from callflow.testing.chronicle import chronicle
from callflow.testing.coverage import Coverage
from callflow.testing.failure import Failure, RunFailed
from callflow.testing.judging import place_of, place_of_check
from callflow.testing.lawbook import Bound, Evidence, LawBroken, Lawful, breach
from callflow.testing.reading import FlowReading
from callflow.testing.rehearsal import Cast, Rehearsal
from callflow.testing.seen import Seen, checks_of


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


class NeverTrue(RunFailed):
    """A ``sometimes`` method was true in no example."""


class Example(RuleBasedStateMachine):
    """Begins, takes steps and ends. The laws judge it when it is over, properties of one's own after each step."""

    cast: ClassVar[Cast]
    reading: ClassVar[FlowReading]
    bound: ClassVar[Bound]
    require_edges: ClassVar[float] = 0.0
    callers: ClassVar[tuple[str, ...]] = (CALLER,)
    so_far: ClassVar[RunSoFar]

    def __init__(self) -> None:
        super().__init__()
        self.rehearsal: Rehearsal | None = None
        self._is_broken = False
        self._told = 0

    @classmethod
    def begin_run(cls) -> None:
        """Forget what was reached and found so far."""
        if os.environ.get("HYPOTHESIS_NO_PLUGINS"):
            raise RuntimeError("HYPOTHESIS_NO_PLUGINS keeps Trio from being repeatable; unset it")
        cls.so_far = RunSoFar(Coverage(cls.cast.flow))

    def start(self, header: Header, *, asks: bool = True, before: Sequence[Service] = ()) -> None:
        """Begin an example under chosen circumstances.

        Args:
            header: The circumstances.
            asks: Whether Exotel asks the Passthru before the stream.
            before: How services behave from before the call.
        """
        self.rehearsal = rehearsal = Rehearsal(self.cast, header)
        self._guarded(lambda: rehearsal.ring(asks=asks, before=before))

    def teardown(self) -> None:
        """End the calls and judge them; close the stage whatever happened."""
        if self.rehearsal is not None:
            note(render(self.script()))
            self._finish()

    def _finish(self) -> None:
        try:
            if not self._is_broken:
                self._guarded(self._judge)
        finally:
            self.played.close()

    @contextmanager
    def playing(self, header: Header, *, asks: bool = True, before: Sequence[Service] = ()) -> Iterator[None]:
        """Play an example by hand: begin before the block, judge after it; see ``start``.

        Raises:
            LawBroken: As in a run.
        """
        self.start(header, asks=asks, before=before)
        try:
            yield
        finally:
            self._finish()

    @classmethod
    def play(cls, script: Script) -> None:
        """Play a script on this machine's stage, and judge it as an example of a run.

        Raises:
            LawBroken: It breaks a law or a property.
            ScriptError: A step names what is not there, or expects something.
        """
        cls().perform(script)

    def perform(self, script: Script) -> None:
        """Play a script as this example; see ``play``."""
        with self.playing(script.header, asks=script.asks, before=script.before):
            for step in script.rest:
                self.take(step)

    def script(self, law: Lawful | None = None) -> Script:
        """Give what was done so far as a script."""
        return self.played.script(law)

    @property
    def played(self) -> Rehearsal:
        """The example's rehearsal, once it has begun."""
        assert self.rehearsal is not None
        return self.rehearsal

    def take(self, step: Step) -> None:
        """Take one step, and look at the call."""
        self._guarded(lambda: self.played.take(step))
        self._guarded(self._look)

    def _look(self) -> None:
        """Judge the calls that have just ended, so that a broken example ends soon; then look at the last one."""
        over = len(self.played.witness.stories)
        if over > self._told:
            evidence, self._told = self.played.over_since(self._told), over
            _raise_first(self.bound.judge_stories(evidence, self.so_far.premises))
        self._check("always", self.seen())

    def seen(self) -> Seen[Any] | None:
        """What can be seen of the last call; None before it has begun."""
        return self.played.seen()

    # Judging.

    def _judge(self) -> None:
        evidence = self.played.finish()
        self._count(evidence)
        rest = evolve(evidence, stories=evidence.stories[self._told :])  # the others were judged when they were over
        _raise_first(self.bound.judge(rest, self.so_far.premises))
        for seen in self.played.all_seen():
            self._check("in the end", seen)

    def _count(self, evidence: Evidence) -> None:
        coverage = self.so_far.coverage
        coverage.examples += 1
        coverage.steps += len(self.script().rest)
        coverage.seconds += self.played.seconds
        coverage.read(evidence.stories, self.played.witness.cells)
        for seen in self.played.all_seen():
            self._note_sometimes(seen)

    def _check(self, when: str, seen: Seen[Any] | None) -> None:
        for name in checks_of(type(self), when) if seen is not None else ():
            try:
                held = getattr(self, name)(seen)
            except AssertionError as wrong:
                raise self._property_broken(name, str(wrong).partition("\n")[0] or _line_of(wrong)) from wrong
            if held is False:
                raise self._property_broken(name, "it is False")

    def _property_broken(self, name: str, words: str) -> LawBroken:
        check = getattr(type(self), name)
        sentence = (check.__doc__ or name.replace("_", " ")).strip().splitlines()[0]
        law = Lawful(
            name=name.replace("_", "-"),
            sentence=sentence,
            rule="own",
            judge=lambda evidence: iter(()),
            where=place_of_check(check),
        )
        call = self.played.call
        return breach(law, 0.0 if call is None else call.driver.seconds, words)

    def _note_sometimes(self, seen: Seen[Any]) -> None:
        for name in checks_of(type(self), "sometimes"):
            if name not in self.so_far.came_true and getattr(self, name)(seen):
                self.so_far.came_true.add(name)

    def _guarded(self, job: Callable[[], object]) -> None:
        """Do something that may break the example; note how it was broken."""
        try:
            job()
        except Exception as broken:
            self._is_broken = True
            type(self).so_far.failure = self._failure(broken)
            raise

    def _failure(self, broken: Exception) -> Failure:
        law = broken.law if isinstance(broken, LawBroken) else None
        call = self.played.call
        return Failure(
            sentence=f"{law.name}: {law.sentence}" if law else "every step of a call comes to rest",
            came=f"{broken.words}, at {broken.at:.2f} s" if isinstance(broken, LawBroken) else str(broken),
            law=law.name if law else "",
            flow=self.cast.flow,
            machine=type(self),
            found=True,
            where=[place for place in (law.where if law else "", place_of(call)) if place],
            script=self.script(law),
            timeline=list(chronicle(call.driver.journal.entries)) if call else [],
        )

    # What a run is held to.

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


def _line_of(wrong: AssertionError) -> str:
    """Give the line that did not hold, as it is written."""
    lines = traceback.extract_tb(wrong.__traceback__)
    return (lines[-1].line if lines else None) or "it does not hold"


def _raise_first(broken: list[LawBroken]) -> None:
    """Raise one breach of several: an error of the flow, which may be why of the others, or else the earliest."""
    if broken:
        raise min(broken, key=lambda each: (each.law.rule != "K1", each.at))
