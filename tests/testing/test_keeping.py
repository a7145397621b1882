"""What a hunt found is kept beside the tests, as a script that can be played."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import settings

import callflow
from callflow import Flow
from callflow.line.script import parse
from callflow.server.flow_argument import load_flow
from callflow.testing import replay
from callflow.testing.failure import CallFailed, Failure
from callflow.testing.hunting import hunt, usual_settings
from callflow.testing.keeping import keep
from callflow.testing.machine_argument import NoSuchMachine, load_machine_from
from callflow.testing.replaying import Verdict
from tests.testing.lines import make_line
from tests.testing.saved import BROKEN, WHOLE, write_line


def found(flow: Flow[None]) -> Failure:
    return Failure(
        sentence="No handler raises.",
        came="Choice.one: LookupError",
        law="no-errors",
        script=parse("seed 7\norder 3\nlag 0.05s\nkeys 1\nwait 1s\nhangup\n"),
        flow=flow,
        found=True,
    )


def test_it_is_a_script_with_its_flow_its_law_and_its_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    kept = keep(found(load_flow(str(write_line(tmp_path, BROKEN)))), tmp_path / "tests")

    [path] = tmp_path.rglob("*.call")
    assert path.read_text().splitlines()[:5] == [
        "seed 7",
        "lag 0.05s",
        "flow ../../line.py:line",
        "law no-errors",
        "order 3",
    ]
    assert kept.command == "callflow replay tests/callflow-failures/line-no-errors.call"


def test_it_fails_until_the_flow_is_mended(tmp_path: Path) -> None:
    keep(found(load_flow(str(write_line(tmp_path, BROKEN)))), tmp_path)
    [path] = tmp_path.rglob("*.call")

    before = replay(path).verdict
    write_line(tmp_path, WHOLE)

    assert (before, replay(path).verdict) == (Verdict.FAILED, Verdict.FIXED)


def test_the_newest_of_a_law_takes_the_place_of_the_last(tmp_path: Path) -> None:
    failure = found(load_flow(str(write_line(tmp_path))))
    for law in ("no-errors", "no-errors", "no-orphans"):
        keep(evolve(failure, law=law), tmp_path)

    assert [path.name for path in sorted(tmp_path.rglob("*.call"))] == ["line-no-errors.call", "line-no-orphans.call"]


def test_a_flow_without_a_name_is_told_and_not_kept(tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()
    failure = evolve(found(load_flow(str(write_line(tmp_path)))), flow=make_line(tmp_path / "prompts"))

    assert (keep(failure, tmp_path), list(tmp_path.rglob("*.call"))) == (failure, [])


def test_a_failure_without_a_call_is_told_and_not_kept(tmp_path: Path) -> None:
    failure = Failure(sentence="every call comes to an end", came="it did not", found=True)

    assert (keep(failure, tmp_path), list(tmp_path.rglob("*"))) == (failure, [])


MACHINE = """\
from callflow.testing.machine import CallMachine
from callflow.testing.seen import always
from line import line


class Whole(CallMachine, flow=line, laws={"no-errors": False}):
    @always
    def nobody_says_goodbye(self, seen):
        return not seen.entered("Bye")


TestWhole = Whole.TestCase
"""


@pytest.fixture
def hunted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Failure:
    """What the hunt of a test file finds."""
    write_line(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "line", raising=False)
    (tmp_path / "test_whole.py").write_text(MACHINE)
    machine = load_machine_from(tmp_path, "test_whole.py:Whole")
    with pytest.raises(CallFailed) as raised:
        hunt(machine, settings(usual_settings(), max_examples=50, derandomize=True, database=None))
    return raised.value.failure


def test_a_call_names_the_machine_that_found_it(tmp_path: Path, hunted: Failure) -> None:
    keep(hunted, tmp_path)

    [path] = tmp_path.rglob("*.call")
    assert path.read_text().splitlines() == [
        "seed 0",
        "flow ../line.py:line",
        "machine ../test_whole.py:Whole",
        "law nobody-says-goodbye",
        "order 0",
        "ring",
        "keys 1",
    ]


def test_a_property_of_a_test_file_judges_a_replay(tmp_path: Path, hunted: Failure) -> None:
    keep(hunted, tmp_path)
    [path] = tmp_path.rglob("*.call")

    verdicts = [replay(path).verdict for _ in range(3)]
    del sys.modules["line"]  # as in another process
    write_line(tmp_path, WHOLE.replace("return Bye()", "return None", 1).replace('-> "Bye"', "-> None", 1))

    assert (verdicts, replay(path).verdict) == ([Verdict.FAILED] * 3, Verdict.FIXED)


def test_two_replays_of_a_found_call_are_the_same_to_the_byte(tmp_path: Path, hunted: Failure) -> None:
    keep(hunted, tmp_path)
    [path] = tmp_path.rglob("*.call")
    path.write_text(path.read_text().replace("order 0", "order 5\nnetwork rough"))

    one, other = replay(path), replay(path)

    assert (len(one.trace) > 5, one.trace, one.timeline) == (True, other.trace, other.timeline)


def test_a_machine_that_is_not_there_is_told(tmp_path: Path, hunted: Failure) -> None:
    keep(hunted, tmp_path)
    [path] = tmp_path.rglob("*.call")
    path.write_text(path.read_text().replace(":Whole", ":Half"))

    with pytest.raises(NoSuchMachine, match=r"has no CallMachine named 'Half'; mend the script's line: "):
        replay(path)


def test_a_found_call_is_played_where_the_tests_have_a_folder_of_their_own(tmp_path: Path) -> None:
    write_line(tmp_path)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_whole.py").write_text(MACHINE)
    call = "flow ../line.py:line\nmachine test_whole.py:Whole\nlaw nobody-says-goodbye\norder 0\nring\nkeys 1\n"
    (tmp_path / "tests" / "one.call").write_text(call)

    command = [sys.executable, "-m", "callflow", "replay", "tests/one.call"]
    path = str(Path(callflow.__file__).parents[1])  # and not where the flow is, as for an installed command
    said = subprocess.run(
        command,
        cwd=tmp_path,
        env={"PYTHONPATH": path, "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (said.returncode, "nobody-says-goodbye" in said.stdout) == (1, True), said.stderr
