"""The ten flows with a bug each: nothing that only reads them finds it, and their twins differ in little."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

import examples.broken
from callflow.cli.check import CLEAN, check

FOLDER = Path(examples.broken.__file__).parent
FLOWS = sorted(path for path in FOLDER.glob("*.py") if "line = Flow(" in path.read_text())

MOST_LINES = 16
"""Lines that a twin may differ in, those taken out and those put in together."""


def test_there_are_ten() -> None:
    assert len(FLOWS) == 10


@pytest.mark.parametrize("flow", FLOWS, ids=lambda path: path.stem)
def test_no_check_finds_the_bug(flow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (check(str(flow)), check(str(FOLDER / "fixed" / flow.name))) == (CLEAN, CLEAN), capsys.readouterr().out


@pytest.mark.parametrize("flow", FLOWS, ids=lambda path: path.stem)
def test_the_twin_differs_by_the_bug_alone(flow: Path) -> None:
    twin = FOLDER / "fixed" / flow.name
    lines = difflib.ndiff(flow.read_text().splitlines(), twin.read_text().splitlines())

    changed = [line for line in lines if line[:2] in ("- ", "+ ")]
    assert 2 <= len(changed) <= MOST_LINES


@pytest.mark.parametrize("flow", FLOWS, ids=lambda path: path.stem)
def test_a_flow_is_short(flow: Path) -> None:
    assert 20 <= len(flow.read_text().splitlines()) <= 100
