"""Calls that once broke callflow, as the machine found and shrank them, keep every law now."""

from __future__ import annotations

from pathlib import Path

import pytest

from callflow.line.script import parse
from tests.testing.test_machine import BankLine

FOUND = [
    path for path in sorted((Path(__file__).parent / "found").glob("*.call")) if "machine " not in path.read_text()
]
"""Those of the bank's line; the plugin plays the others, which name their machine."""


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_a_call_that_was_found_keeps_the_laws_now(path: Path) -> None:
    BankLine.play(parse(path.read_text(), path))
