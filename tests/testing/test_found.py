"""Calls that once broke callflow, as the machine found and shrank them, keep every law now."""

from __future__ import annotations

from pathlib import Path

import pytest

from callflow.line.script import parse
from callflow.testing.rehearsal import Rehearsal
from tests.testing.test_machine import BankLine

FOUND = sorted((Path(__file__).parent / "found").glob("*.call"))


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_a_call_that_was_found_keeps_the_laws_now(path: Path) -> None:
    script = parse(path.read_text(), path)
    rehearsal = Rehearsal(BankLine.cast, script.header)
    try:
        rehearsal.ring()
        for step in script.steps[1:]:
            rehearsal.take(step)
        broken = BankLine.bound.judge(rehearsal.finish(), {})
    finally:
        rehearsal.close()

    assert broken == []
