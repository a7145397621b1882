"""Plays a ``.call`` file that brings its flow along, as often as wanted with the identical trace.

The script's header says all that chance decides, and the steps are jobs of a ``Stepper``: the world stands still
between them, as it did when the call was found. A call that a machine found is played as that machine played it; with
one that expects something, somebody listens.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio
from attrs import define, evolve, field, frozen

from callflow.errors import CallflowError, NotAnswered
from callflow.flow.flow import Flow
from callflow.line.player import check_answers, read_sounds
from callflow.line.script_files import read_answers, read_script
from callflow.line.steps import Branch, Ended, Hear, Quiet, Reach, Reconnect, Script, Service
from callflow.line.transcript import Outcome, expected
from callflow.server.flow_argument import load_flow_from
from callflow.testing.doubles import Doubles, by_name, doubles_of, steer
from callflow.testing.failure import Failure
from callflow.testing.judging import shown
from callflow.testing.performance import Performance
from callflow.testing.seeding import task_order
from callflow.testing.stage import Circumstances, Stage
from callflow.testing.stepper import NeverSettles, Stepper

if TYPE_CHECKING:
    from callflow.testing.reenacting import Reenactment

_EXPECTING = Hear | Reach | Quiet | Ended | Branch


class Verdict(enum.Enum):
    """What a replay says of a call."""

    FIXED = "FIXED"
    """It once broke a law, and no longer does."""
    PASSED = "PASSED"
    """Every step holds, and no law is broken; it was never said to break one."""
    FAILED = "FAILED"
    """A step does not hold, or a rule or law is broken."""


@frozen(kw_only=True)
class Replay:
    """What became of a call that was played again."""

    script: Script
    failure: Failure | None
    timeline: Sequence[str]
    """What happened, one line each."""
    trace: Sequence[tuple[float, str, str | bytes]] = field(repr=False)
    """Every message both ways, in order: seconds since the answer, ``in`` or ``out``, and its text."""

    @property
    def verdict(self) -> Verdict:
        if self.failure is not None:
            return Verdict.FAILED
        return Verdict.PASSED if self.script.header.law is None else Verdict.FIXED


def replay(
    script: Script | Path,
    *,
    flow: Flow[Any] | None = None,
    answers: Mapping[str, str] | None = None,
    services: Sequence[object] = (),
) -> Replay:
    """Play a script against the flow that it names, in virtual time.

    Args:
        script: A script, or its file; then answers are also looked for in ``answers.toml`` beside it and its flow.
        flow: What is called; by default what the script's header names.
        answers: What ``type $name`` types.
        services: Doubles, which stand before the flow's own. To be told to fail or to hang by ``service`` lines they
            go by the names of their classes in small letters.

    Raises:
        SettingsError: A file cannot be read.
        ScriptError: A line of the script cannot be read, or an answer is missing.
        AudioError: A prompt, or what the caller is to say, cannot be played.
        CallflowError: The script names no flow, or that is not there.
    """
    if isinstance(script, Path):
        script = read_script(script)
        answers = {**known_answers(script, []), **(answers or {})}
    answers = dict(answers or {})
    played = _reenact(script, flow, answers, services) if is_found(script) else _listen(script, flow, answers, services)
    failure, again = played.failure, f"callflow replay {shown(Path(script.path))}"
    return Replay(
        script=script,
        failure=None if failure is None else evolve(failure, command=again, script=script, found=False),
        timeline=played.timeline,
        trace=played.trace,
    )


def known_answers(script: Script, given: Sequence[str]) -> dict[str, str]:
    """Read what ``type $name`` types: in ``answers.toml`` beside the flow, beside the script, and *given*; later wins.

    Raises:
        SettingsError: A file or an answer is not as it has to be. The message holds no answer.
    """
    path = Path(script.path)
    beside_flow = {} if script.header.flow is None else read_answers(path.parent / script.header.flow, [])
    return {**beside_flow, **read_answers(path, given)}


def is_found(script: Script) -> bool:
    """Say whether a script is of a call that a machine found: it names the machine, or the law and the task order."""
    header = script.header
    if header.machine is None and (header.law is None or header.order is None):
        return False
    return not any(isinstance(step, _EXPECTING) for step in script.steps)


def _reenact(
    script: Script, flow: Flow[Any] | None, answers: Mapping[str, str], services: Sequence[object]
) -> Reenactment:
    from callflow.testing.reenacting import reenact  # needs Hypothesis, and most scripts do not  # noqa: PLC0415

    if script.header.machine is None:
        flow = flow or _flow_of(script)
    return reenact(script, flow=flow, services=by_name(services) if services else None, answers=answers)


def _listen(
    script: Script, flow: Flow[Any] | None, answers: Mapping[str, str], services: Sequence[object]
) -> _Replaying:
    check_answers(script, answers)
    flow = flow or _flow_of(script)
    assert flow.library is not None  # loaded here, where what is wrong with it is told as it is
    steers = any(isinstance(step, Service) for step in script.steps)
    doubles = {**(doubles_of(flow) if steers else {}), **by_name(services)}
    played = _Replaying(script, flow, answers, read_sounds(script), doubles)
    with task_order(script.header.order or 0):
        played.failure = played.play()
    return played


def _flow_of(script: Script) -> Flow[Any]:
    if script.header.flow is None:
        cure = "write flow FILE:NAME above its first step, or play it by callflow call"
        raise CallflowError(f"{script.path}: it does not say which flow is called; {cure}")
    return load_flow_from(Path(script.path).parent, script.header.flow)


@define
class _Replaying:
    """One replay while it runs."""

    script: Script
    flow: Flow[Any]
    answers: Mapping[str, str] = field(repr=False)
    sounds: dict[str, bytes] = field(repr=False)
    services: Doubles
    failure: Failure | None = None
    timeline: Sequence[str] = ()
    trace: Sequence[tuple[float, str, str | bytes]] = ()
    _performance: Performance | None = None

    def play(self) -> Failure | None:
        """Play it to its end; say what is wrong."""
        stepper = Stepper(self._open)
        try:
            return self._take_steps(stepper)
        except NeverSettles as stuck:
            return Failure(sentence="every call comes to an end", came=str(stuck))
        finally:
            stepper.close()

    async def _open(self, nursery: trio.Nursery) -> None:
        doubles = steer(self.services)
        stage = Stage(self.flow, Circumstances.of(self.script.header, self.flow), tuple(doubles.values()))
        await stage.open(nursery)
        self._performance = Performance(
            stage=stage,
            nursery=nursery,
            header=self.script.header,
            answers=self.answers,
            sounds=self.sounds,
            services=doubles,
        )

    def _take_steps(self, stepper: Stepper) -> Failure | None:
        performance = self._performance
        assert performance is not None, "the stage is open"
        for service in self.script.before:
            performance.steer(service)
        try:
            stepper.do(partial(performance.ring, asks=self.script.asks))
        except NotAnswered as refused:
            return Failure(sentence="the call is answered", came=str(refused))
        failure = None
        steps = self.script.rest
        for place, step in enumerate(steps):
            comes_back = any(isinstance(later, Reconnect) for later in steps[place:])
            outcome = stepper.do(partial(performance.take, step, comes_back=comes_back))
            if not outcome.held:
                failure = self._not_held(performance, outcome)
                break
        wrong = stepper.do(performance.close)
        self.timeline = performance.timeline()
        self.trace = performance.trace()
        return failure or wrong

    def _not_held(self, performance: Performance, outcome: Outcome) -> Failure:
        line = f"{Path(self.script.path).name}:{outcome.step.line}"
        return performance.failure(f"{line}: expected {expected(outcome.step)}", outcome.came)
