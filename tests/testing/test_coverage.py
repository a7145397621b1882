"""Coverage: what a run has reached is counted, required, and listed under pytest where that is asked for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from callflow.session.table import TABLE, In, S
from callflow.testing.coverage import ALL_CELLS, Coverage
from tests.testing.saved import WHOLE, write_line
from tests.testing.test_machine import Forgiving, by_chance, choosing

NEVER = (
    WHOLE.replace(
        '-> "Bye":\n        return Bye()\n\n    def on_failed',
        '-> "Think":\n        return Think()\n\n    def on_failed',
    )
    + '''

class Think(State[None], timeout=3.0):
    """Always faster than its time-out."""

    async def run(self, call: Call[None]) -> Bye:
        return Bye()

    def on_timeout(self, call: Call[None]) -> "Never":
        return Never()


class Never(Hangup[None]): ...
'''
)
"""A line with a state that no call gets to."""

MACHINES = """\
from hypothesis import settings
from callflow.testing.machine import CallMachine
from line import line


class Line(CallMachine, flow=line): ...


class Strict(CallMachine, flow=line, require_edges=1.0): ...


TestLine, TestStrict = Line.TestCase, Strict.TestCase
few = settings(TestLine.settings, max_examples=2, derandomize=True, database=None)
TestLine.settings = TestStrict.settings = few
"""


def run(pytester: pytest.Pytester, *words: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("-p", "callflow.testing.plugin", "-p", "no:cacheprovider", *words)


@pytest.fixture
def machines(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of a project that has a line and two machines that call it."""
    monkeypatch.syspath_prepend(str(pytester.path))
    head, _, rest = NEVER.partition("\n")
    body, line, more = rest.partition('line = Flow("line", start=Choice)\n')
    write_line(pytester.path, f"{head}, State\n{body}{more}\n\n{line}")
    (pytester.path / "test_line.py").write_text(MACHINES)
    return pytester.path


# What is counted.


def test_the_cells_are_those_of_the_table_that_a_call_may_come_to() -> None:
    assert set(ALL_CELLS) < set(TABLE)
    assert (S.STREAMING, In.DTMF) in ALL_CELLS
    assert (S.STREAMING, In.SEND_MEDIA) in ALL_CELLS
    assert (S.DETACHED, In.SEND_MEDIA) not in ALL_CELLS


def test_a_run_counts_the_cells_in_the_state_in_which_something_came() -> None:
    by_chance(Forgiving)
    cells = Forgiving.so_far.coverage.cells

    assert cells[S.CONNECTED, In.START] >= Forgiving.so_far.coverage.examples
    assert cells[S.STREAMING, In.DTMF] > cells[S.CONNECTED, In.DTMF] == 0
    assert cells[S.DETACHED, In.REATTACH] > 0


def test_what_was_reached_is_told_in_a_line_and_what_was_not_by_name() -> None:
    coverage = Coverage(choosing, examples=2, steps=40, seconds=90.0)
    coverage.states.update(["Choose", "Bye"])
    coverage.edges.update([("Choose", "on_dtmf", "Bye")])
    coverage.read([], Counter({(S.CONNECTED, In.START): 2}))

    assert coverage.lines("Choosing") == [
        f"Choosing: 2 examples, 40 steps, 1.5 min of calls; states 2/4, edges 1/5, cells 1/{len(ALL_CELLS)}",
        "  never entered: Think",
        "  never entered: Never",
        "  never taken: Choose.on_dtmf -> Think",
        "  never taken: Choose.on_timeout -> Bye",
        "  never taken: Think.run -> Choose",
        "  never taken: Think.on_timeout -> Never",
    ]


# What pytest lists.

LISTED = [
    "*= callflow coverage =*",
    "Line: * examples, * steps, * of calls; states 3/4, edges 3/4, cells */*",
    "  never entered: Never",
    "  never taken: Think.on_timeout -> Never",
    "Strict: *",
]


def test_pytest_lists_what_runs_have_reached_when_it_is_asked(pytester: pytest.Pytester, machines: Path) -> None:
    result = run(pytester, "--callflow-coverage")

    result.stdout.fnmatch_lines(LISTED)
    result.assert_outcomes(passed=1, failed=1)


def test_a_run_that_was_too_thin_is_told_without_a_traceback(pytester: pytest.Pytester, machines: Path) -> None:
    result = run(pytester, "-k", "Strict")

    result.stdout.fnmatch_lines(["75% of the edges were taken and 100% are required; not: Think.on_timeout -> Never"])
    result.stdout.no_fnmatch_line("*hunting.py*")


def test_pytest_lists_it_from_the_workers_of_xdist(pytester: pytest.Pytester, machines: Path) -> None:
    result = pytester.runpytest_subprocess("-p", "callflow.testing.plugin", "-n", "2", "--callflow-coverage")

    result.stdout.fnmatch_lines(LISTED)


def test_pytest_lists_nothing_unasked(pytester: pytest.Pytester, machines: Path) -> None:
    run(pytester).stdout.no_fnmatch_line("*callflow coverage*")
