"""The whole matrix: every mutant, in calls that a machine has drawn, judged by every law. Only in the long run."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from callflow.line.steps import Script
from callflow.testing.hunting import usual_settings
from callflow.testing.lawbook import LAWBOOK
from callflow.testing.machine import CallMachine
from callflow.testing.rehearsal import Cast
from callflow.testing.stepper import NeverSettles
from tests.mutants.mutant import Mutant, planted
from tests.mutants.scenes import judge
from tests.mutants.table import ALL

FLOWS = ("guards", "bank", "errands", "echo", "listens")
EXAMPLES = 6
"""Calls of each flow."""

pytestmark = [pytest.mark.long, pytest.mark.timeout(3_000)]


def drawn_calls(cast: Cast) -> list[Script]:
    """Draw calls of a flow as a machine does, the same each time."""
    calls = list[Script]()

    unjudged = dict.fromkeys(LAWBOOK, False)

    class Drawn(CallMachine, flow=cast.flow, services=cast.services, answers=cast.answers, laws=unjudged):
        def teardown(self) -> None:
            if self.rehearsal is not None:
                calls.append(self.script())
                self.rehearsal.close()

    some = settings(usual_settings(), max_examples=EXAMPLES, derandomize=True, database=None)
    run_state_machine_as_test(Drawn, settings=some)
    return calls


@pytest.fixture(scope="module")
def calls(casts: dict[str, Cast]) -> list[tuple[Cast, Script]]:
    return [(casts[name], script) for name in FLOWS for script in drawn_calls(casts[name])]


def broken_in(calls: list[tuple[Cast, Script]]) -> Counter[str]:
    """Count the calls in which each law is broken, and those that never come to rest."""
    found = Counter[str]()
    for cast, script in calls:
        try:
            found.update({breach.law.name for breach in judge(cast, script)})
        except NeverSettles:
            found["never settles"] += 1
    return found


def test_every_mutant_is_judged_by_every_law_in_generated_calls(calls: list[tuple[Cast, Script]]) -> None:
    right = broken_in(calls)
    found = [(mutant, _under(mutant, calls)) for mutant in ALL]
    for mutant, laws in found:
        print(f"{mutant}: {', '.join(f'{law} {count}' for law, count in laws.most_common()) or 'nothing'}")

    assert set(right) <= {"no-errors"}
    seen = [(mutant, set(laws) - {"no-errors"}) for mutant, laws in found]
    assert [str(mutant) for mutant, laws in seen if laws and not laws & _own(mutant)] == []


def _under(mutant: Mutant, calls: list[tuple[Cast, Script]]) -> Counter[str]:
    with planted(mutant):
        return broken_in(calls)


def _own(mutant: Mutant) -> set[str]:
    return {mutant.law, *mutant.also}
