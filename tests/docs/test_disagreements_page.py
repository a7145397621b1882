"""The page of disagreements has every one of them, and the tests that it names are there."""

from __future__ import annotations

import ast

import pytest

from tests.docs.tables import code, tables
from tests.test_docs import ROOT

PAGE = ROOT / "docs" / "explanation" / "where-exotels-pages-disagree.md"
ROWS = {row[0]: dict(zip(table.columns, row, strict=True)) for table in tables(PAGE) for row in table.rows}


def test_all_forty_two_are_there() -> None:
    assert sorted(ROWS, key=lambda number: int(number[1:])) == [f"D{number}" for number in range(1, 43)]


@pytest.mark.parametrize("number", [number for number, row in ROWS.items() if row["held by"]])
def test_the_test_that_holds_a_row_is_there(number: str) -> None:
    [held] = code(ROWS[number]["held by"])
    file, _, name = held.partition("::")
    found = ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8")))

    assert name in {node.name for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_few_rows_are_held_by_none() -> None:
    assert [number for number, row in ROWS.items() if not row["held by"]] == ["D21", "D32", "D34", "D36"]
