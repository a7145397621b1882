"""An example of a run: its stage, the steps taken on it, and how it is judged. ``CallMachine`` adds the rules."""

from __future__ import annotations

import os
import traceback
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from attrs import define, evolve, field, frozen
from hypothesis import note
from hypothesis.errors import HypothesisException
from hypothesis.stateful import RULE_MARKER, RuleBasedStateMachine

from callflow.line.script import render
from callflow.line.steps import CALLER, Header, Script, Service, ServiceWay, Step
from callflow.testing.chronicle import chronicle
from callflow.testing.coverage import Coverage
from callflow.testing.evidence import Evidence
from callflow.testing.failure import Failure, RunFailed
from callflow.testing.judging import place_of, place_of_check
from callflow.testing.lawbook import NEIGHBOURS, Bound, LawBroken, Lawful, breach
from callflow.testing.outside import TURN, VIRTUAL, unsettled
from callflow.testing.raised import told
from callflow.testing.reading import FlowReading
from callflow.testing.rehearsal import Cast, Rehearsal, collect_now_and_then
from callflow.testing.seen import Seen, checks_of
from callflow.testing.stepper import NeverSettles, WorksInThread


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
    met: dict[str, set[ServiceWay]] = field(factory=dict)
    """By service, how it behaved when the flow asked it; without those that were never asked."""
    begins: Callable[[], None] = lambda: None
    """Called before each example; what it raises ends the run."""
    varies: bool = True
    """Whether examples that begin alike may differ. Not where a precondition decides by them what can be drawn."""
    _begun: Counter[tuple[int, ...]] = field(factory=Counter)
    """By what was drawn for their beginning, how many examples there were."""

    def order_of(self, drawn: tuple[int, ...]) -> int:
        """Give the task order of an example by what was drawn for its beginning; 0 for the simplest.

        Hypothesis makes most examples by altering the middle of others. Those that begin alike have different orders
        all the same, until something was found: what is played again then is what was played before.
        """
        if self.varies and self.failure is None:
            if not any(drawn):
                self._begun.clear()  # every run begins with the simplest example
            self._begun[drawn] += 1
        mixed = zlib.crc32(repr((drawn, self._begun[drawn])).encode())
        return mixed % ORDERS if any(drawn) else 0


ORDERS = 2**20
"""So many task orders are told apart."""


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
        rules = (getattr(member, RULE_MARKER, None) for base in cls.__mro__ for member in vars(base).values())
        varies = not any(rule.preconditions for rule in rules if rule is not None)
        cls.so_far = RunSoFar(Coverage(cls.cast.flow), varies=varies)

    def start(self, header: Header, *, asks: bool = True, before: Sequence[Service] = ()) -> None:
        """Begin an example under chosen circumstances.

        Args:
            header: The circumstances.
            asks: Whether Exotel asks the Passthru before the stream.
            before: How services behave from before the call.
        """
        self.so_far.begins()
        self.rehearsal = rehearsal = Rehearsal(self.cast, header)
        self._guarded(lambda: rehearsal.ring(asks=asks, before=before))

    def teardown(self) -> None:
        """End the calls and judge them; close the stage whatever happened."""
        if self.rehearsal is not None:
            note(_Told(self))
            self._finish()

    def _finish(self) -> None:
        try:
            if not self._is_broken:
                self._guarded(self._judge)
        finally:
            self.played.close()
            collect_now_and_then(self.so_far.coverage.examples)

    @contextmanager
    def playing(self, header: Header, *, asks: bool = True, before: Sequence[Service] = ()) -> Iterator[None]:
        """Play an example by hand: begin before the block, judge after it; see ``start``.

        Raises:
            LawBroken: As in a run.
        """
        try:
            self.start(header, asks=asks, before=before)
            yield
        finally:
            if self.rehearsal is not None:
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
        if checks_of(type(self), "always"):
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
        for seen in self.played.all_seen() if checks_of(type(self), "in the end") else ():
            self._check("in the end", seen)
        compared = self.played.compare() if NEIGHBOURS in self.bound.laws else None
        if compared is not None:
            _raise_first(self.bound.judge_neighbours(compared, self.so_far.premises))

    def _count(self, evidence: Evidence) -> None:
        coverage = self.so_far.coverage
        coverage.examples += 1
        coverage.steps += len(self.script().rest)
        coverage.seconds += self.played.seconds
        coverage.read(evidence.stories, self.played.witness.cells)
        for name, service in self.played.deeds.services.items():
            self.so_far.met.setdefault(name, set()).update(service.met)
        for seen in self.played.all_seen() if checks_of(type(self), "sometimes") else ():
            self._note_sometimes(seen)

    def _check(self, when: str, seen: Seen[Any] | None) -> None:
        for name in checks_of(type(self), when) if seen is not None else ():
            if self._ask(name, seen) is False:
                raise self._property_broken(name, "it is False")

    def _ask(self, name: str, seen: Seen[Any] | None) -> object:
        """Call a property of one's own; whatever it raises breaks it."""
        try:
            return getattr(self, name)(seen)
        except AssertionError as wrong:
            raise self._property_broken(name, _words_of(wrong)) from wrong
        except HypothesisException:  # the property itself has something to say to it
            raise
        except Exception as wrong:  # whatever a user's property raises; it is what we report
            raise self._property_broken(name, f"it raises {told(wrong, self.cast.answers)}") from wrong

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
            if name not in self.so_far.came_true and self._ask(name, seen):
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
        law, call = _law_of(broken), self.played.call
        return Failure(
            sentence=f"{law.name}: {law.sentence}" if law else "every call is answered, and comes to rest",
            came=self._how(broken),
            law=law.name if law else "",
            flow=self.cast.flow,
            machine=type(self),
            found=True,
            where=[place for place in (law.where if law else "", place_of(call)) if place],
            script=self.script(law),
            timeline=list(chronicle(call.driver.journal.entries)) if call else [],
        )

    def _how(self, broken: Exception) -> str:
        if not isinstance(broken, LawBroken):
            return str(broken)
        raised = (error for error in self.played.witness.errors if type(error).__name__ in broken.words)
        error = next(raised, None) if broken.law.rule == "K1" else None
        words = broken.words
        if error is not None:
            words = f"{words.removesuffix(type(error).__name__)}{told(error, self.cast.answers)}"
        return f"{words}, at {broken.at:.2f} s"

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


def _words_of(wrong: AssertionError) -> str:
    """Give the words of an assertion; without any the line as it is written, and what pytest makes of it."""
    words = str(wrong).partition("\n")[0]
    if words and not words.startswith("assert "):
        return words
    lines = traceback.extract_tb(wrong.__traceback__)
    line = (lines[-1].line if lines else None) or "it does not hold"
    made = words.removeprefix("assert ")
    return line if made in ("", "False", "None") or made in line else f"{line} ({made})"


def _law_of(broken: Exception) -> Lawful | None:
    if isinstance(broken, LawBroken):
        return broken.law
    if isinstance(broken, NeverSettles):
        return unsettled(VIRTUAL if isinstance(broken, WorksInThread) else TURN)
    return None


@frozen
class _Told:
    """A script that is written when somebody wants to read it, which is of the last example alone."""

    example: Example

    def __repr__(self) -> str:
        return render(self.example.script())


def _raise_first(broken: list[LawBroken]) -> None:
    """Raise one breach of several: an error of the flow, which may be why of the others, or else the earliest."""
    if broken:
        raise min(broken, key=lambda each: (each.law.rule != "K1", each.at))
