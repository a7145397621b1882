"""The pytest plugin: saved calls are tests, tests of calls have the right clock, and failures are short."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from callflow.testing.clock import VirtualClock
from callflow.testing.plugin import run_in_virtual_time
from tests.testing.saved import BROKEN, write_call, write_line

TEST = """\
from callflow.testing import caller
from line import line


async def test_key_one() -> None:
    async with caller(line) as c:
        await c.press("1")
        await c.hears("bye.wav", complete=True)
        await c.ended()
"""


@pytest.fixture
def here(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of a project that has a line."""
    monkeypatch.syspath_prepend(str(pytester.path))
    write_line(pytester.path)
    return pytester.path


def run(pytester: pytest.Pytester, *words: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("-p", "callflow.testing.plugin", "-p", "no:cacheprovider", *words)


# Saved calls.


def test_a_call_that_once_broke_a_law_is_said_to_be_fixed(pytester: pytest.Pytester, here: Path) -> None:
    write_call(here)

    result = run(pytester, "-v")

    result.stdout.fnmatch_lines(["calls/one.call::one FIXED*", "FIXED  calls/one.call (it once broke L10)"])
    result.assert_outcomes(passed=1)


def test_a_call_that_breaks_the_flow_fails_in_few_lines(pytester: pytest.Pytester, here: Path) -> None:
    write_line(here, BROKEN)
    write_call(here)

    result = run(pytester, "-v", "--show-capture=no")

    result.stdout.fnmatch_lines(
        [
            "calls/one.call::one FAILED*",
            "no-errors: No handler and no run of the flow raises.",
            "  Choice.one: LookupError: oops (line.py:7), at 0.20 s",
            "  in state Choice, *line.py:4",
            "the call:",
            "  lag 0.05s",
            "what happened:",
            "play it again: callflow replay *calls/one.call",
            "FAILED  calls/one.call (it once broke L10)",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    result.assert_outcomes(failed=1)


def test_a_script_without_a_flow_is_left_alone(pytester: pytest.Pytester, here: Path) -> None:
    write_call(here, "hear menu\n")

    assert run(pytester).ret is pytest.ExitCode.NO_TESTS_COLLECTED


def test_a_mistake_in_a_saved_call_is_told_in_a_line(pytester: pytest.Pytester, here: Path) -> None:
    write_call(here, "flow ../line.py\nhaer menu\n")

    result = run(pytester)

    result.stdout.fnmatch_lines(["*one.call:2: no verb 'haer'; did you mean 'hear'?"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_flow_that_is_gone_is_told_in_a_line(pytester: pytest.Pytester, here: Path) -> None:
    write_call(here, "flow ../line.py:other\nhangup\n")

    run(pytester).stdout.fnmatch_lines(["*line.py has no flow named other; *"])


# The clock.


@pytest.mark.parametrize("mode", ["trio_mode = true", ""])
def test_tests_of_a_module_that_holds_caller_run_in_virtual_time(
    pytester: pytest.Pytester, here: Path, mode: str
) -> None:
    pytester.makeini(f"[pytest]\n{mode}\n")
    (here / "test_line.py").write_text(TEST)

    run(pytester).assert_outcomes(passed=1)


def test_tests_of_other_modules_keep_their_clock(pytester: pytest.Pytester, here: Path) -> None:
    pytester.makeini("[pytest]\ntrio_mode = true\n")
    (here / "test_line.py").write_text(
        "import callflow.testing\n"
        + TEST.replace("from callflow.testing import caller\n", "").replace(
            "with caller", "with callflow.testing.caller"
        )
    )

    result = run(pytester)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*NeedsVirtualTime*elsewhere take the fixture autojump_clock*"])


def test_a_test_that_names_its_runner_keeps_it(pytester: pytest.Pytester, here: Path) -> None:
    (here / "test_line.py").write_text(
        "import pytest, trio\n" + TEST.replace("async def", "@pytest.mark.trio(run=trio.run)\nasync def")
    )

    run(pytester).stdout.fnmatch_lines(["*NeedsVirtualTime*"])


def test_examples_of_hypothesis_run_in_virtual_time(pytester: pytest.Pytester, here: Path) -> None:
    given = "from hypothesis import given, settings, strategies as st\n" + TEST.replace(
        "async def test_key_one() -> None:",
        '@settings(max_examples=5, deadline=None, database=None)\n@given(st.sampled_from("19"))\n'
        "async def test_key_one(key) -> None:",
    ).replace('press("1")', "press(key)").replace('hears("bye.wav"', 'hears("bye.wav" if key == "1" else "menu.wav"')
    (here / "test_line.py").write_text(given.replace("c.ended()", "c.hangs_up()"))

    run(pytester).assert_outcomes(passed=1)


def test_a_clock_of_the_test_s_own_is_kept() -> None:
    async def clock() -> object:
        return trio.lowlevel.current_clock()

    own = MockClock(autojump_threshold=0)

    assert (run_in_virtual_time(clock, clock=own) is own, type(run_in_virtual_time(clock))) == (True, VirtualClock)


# Failures.


def test_a_failed_call_of_a_test_is_told_without_a_traceback(pytester: pytest.Pytester, here: Path) -> None:
    (here / "test_line.py").write_text(TEST.replace('"bye.wav"', '"menu.wav", within=0.5'))

    result = run(pytester)

    result.stdout.fnmatch_lines(
        [
            "* test_key_one *",
            'expected to hear "menu" to its end within 0.5 s',
            "  heard *",
            "  test_line.py:8",
            "  in state Bye, *line.py:*",
            "the call:",
            "  hear menu within 0.5s complete",
            "what happened:",
            "    0.0  = Choice",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*ExceptionGroup*")


def test_other_failures_are_as_they_were(pytester: pytest.Pytester, here: Path) -> None:
    (here / "test_line.py").write_text(TEST.replace("await c.ended()", "await c.hangs_up()\n        assert 1 == 2"))

    run(pytester).stdout.fnmatch_lines(["*assert 1 == 2*"])


def test_a_group_with_something_else_in_it_is_left_alone(pytester: pytest.Pytester, here: Path) -> None:
    (here / "test_line.py").write_text(
        "import pytest\nfrom callflow.testing import CallFailed\nfrom callflow.testing.failure import Failure\n"
        "def test_two():\n"
        '    one = CallFailed(Failure(sentence="one", came="was not"))\n'
        '    raise ExceptionGroup("both", [one, KeyError("other")])\n'
    )

    run(pytester).stdout.fnmatch_lines(["*KeyError: 'other'*"])


# Schedules.

RACE = """\
import pytest
import trio


@pytest.mark.trio
async def test_who_is_last() -> None:
    said = []

    async def say(number: int) -> None:
        said.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(4):
            nursery.start_soon(say, number)
    assert said[-1] != 0


def test_plain() -> None:
    pass
"""


def test_a_test_runs_under_as_many_orders_as_are_asked_for(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(RACE)

    result = run(pytester, "--callflow-schedules", "30")

    told = result.parseoutcomes()
    assert (told["passed"] + told["failed"], 1 <= told["failed"] <= 29) == (31, True)


def test_an_order_that_fails_is_told_by_its_seed_and_fails_again(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(RACE)

    first = [run(pytester, "--callflow-schedules", "30", "-q", "-rf", "--tb=no").outlines for _ in range(2)]

    failed = [[line for line in lines if line.startswith("FAILED")] for lines in first]
    assert failed[0] == failed[1] != []
    assert "[order " in failed[0][0]


def test_without_the_option_a_test_is_one(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(RACE.replace("said[-1] != 0", "len(said) == 4"))

    run(pytester).assert_outcomes(passed=2)


def test_what_a_hunt_found_is_kept_and_the_output_says_how_to_play_it(pytester: pytest.Pytester, here: Path) -> None:
    (here / "test_line.py").write_text(
        "from line import line\n"
        "from callflow.line.script import parse\n"
        "from callflow.testing.failure import Failure\n"
        "class Broken(AssertionError):\n    failure = None\n"
        "def test_hunt():\n"
        "    broken = Broken()\n"
        '    broken.failure = Failure(sentence="a law", came="broken", law="own", flow=line, found=True,\n'
        '        script=parse("keys 1\\nhangup\\n"))\n'
        "    raise broken\n"
    )

    run(pytester).stdout.fnmatch_lines(["a law", "play it again: callflow replay *callflow-failures/line-own.call"])
    run(pytester, "callflow-failures").stdout.fnmatch_lines(
        ["FIXED  callflow-failures/line-own.call (it once broke own)"]
    )
