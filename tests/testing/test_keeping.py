"""What a hunt found is kept beside the tests, as a script that can be played."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve

from callflow import Flow
from callflow.line.script import parse
from callflow.server.flow_argument import load_flow
from callflow.testing import replay
from callflow.testing.failure import Failure
from callflow.testing.keeping import keep
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
