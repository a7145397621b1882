"""Each bug is found, under any seed, by a call of a few steps; the twin without it keeps the promise."""

from __future__ import annotations

import inspect
import time
from pathlib import Path

import pytest
from attrs import evolve

from callflow.line.steps import Ring
from callflow.testing import replay
from callflow.testing.failure import MOST_LINES
from callflow.testing.keeping import keep
from callflow.testing.replaying import Verdict
from tests.examples.broken.prey import PROPERTIES, held_to_it, hunt, own, services_of, twin_of

MOST_STEPS = 6
"""Steps of the caller in the call that is shown, the ringing not counted."""

ENOUGH = 1_000
"""Examples in which a bug has to be found; most need a tenth."""

FEW, MANY = 25, 2_000
"""Examples of a twin: every day, and in the long run."""

SEEDS = [1, pytest.param(2, marks=pytest.mark.long), pytest.param(3, marks=pytest.mark.long)]


def test_there_is_a_property_for_each_flow() -> None:
    flows = {path.stem for path in Path(inspect.getfile(twin_of("goodbye"))).parent.glob("[a-z]*.py")}

    assert set(PROPERTIES) == flows


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_property_takes_ten_lines_at_most(name: str) -> None:
    lines = inspect.getsource(PROPERTIES[name]).splitlines()

    assert len([line for line in lines if line.strip()]) <= 10


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", PROPERTIES)
def test_the_bug_is_found_by_a_short_call_that_fails_until_it_is_mended(name: str, seed: int, tmp_path: Path) -> None:
    machine = PROPERTIES[name]
    began = time.process_time()
    failure, run = hunt(own(machine), seed=seed, examples=ENOUGH)
    assert failure is not None
    assert failure.script is not None
    steps = [step for step in failure.script.steps if not isinstance(step, Ring)]
    took = time.process_time() - began
    print(f"{name} seed {seed}: {run.coverage.examples} examples, {took:.1f} s, {len(steps)} steps")

    kept = keep(evolve(failure, machine=machine), tmp_path).script
    assert kept is not None
    path, twin = Path(kept.path), twin_of(name)
    services = [make() for make in services_of(machine, twin).values()]
    broken = [replay(path).verdict for _ in range(10)]
    fixed = [replay(path, flow=twin.line, services=services).verdict for _ in range(10)]
    told = str(failure).splitlines()
    assert (0 < len(steps) <= MOST_STEPS, len(told) <= MOST_LINES) == (True, True), str(failure)
    assert (broken, fixed) == ([Verdict.FAILED] * 10, [Verdict.FIXED] * 10)


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("examples", [FEW, pytest.param(MANY, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", PROPERTIES)
def test_the_twin_keeps_its_promise_and_every_law(name: str, examples: int) -> None:
    failure, run = hunt(held_to_it(name), examples=examples)

    assert failure is None, str(failure)
    assert run.coverage.examples >= examples
