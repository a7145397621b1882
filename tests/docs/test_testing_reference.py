"""The reference of testing: its tables have what the code has, and nothing else."""

from __future__ import annotations

import inspect

import pytest
from attrs import fields

from callflow.line.oddities import Oddity
from callflow.testing import traffic
from tests.docs.tables import Table, code, tables
from tests.test_docs import ROOT
from tests.testing.test_traffic import COUNTED

PAGE = ROOT / "docs" / "reference" / "testing.md"


def table(column: str) -> Table:
    [found] = [table for table in tables(PAGE) if column in table.columns]
    return found


def names(column: str) -> list[str]:
    """Give the names in the first column of a table, without what stands in brackets behind a function."""
    return [name.partition("(")[0] for row in table(column).rows for name in code(row[0])]


def test_it_lists_what_is_odd_with_its_place() -> None:
    assert table("`Oddity`").by("`Oddity`", "where") == {each.value: each.place.name.lower() for each in Oddity}


def test_it_says_what_callflow_counts() -> None:
    told = table("`Oddity`").by("`Oddity`", "callflow")

    assert {name for name, does in told.items() if does == "counts"} == {each.value for each in COUNTED}


@pytest.mark.parametrize("strategy", [traffic.conformant, traffic.near])
def test_a_strategy_is_written_with_its_arguments(strategy: object) -> None:
    [written] = [row[0] for row in table("strategy").rows if f".{strategy.__name__}(" in row[0]]  # type: ignore[attr-defined]  # a function
    given = inspect.signature(strategy).replace(return_annotation=inspect.Signature.empty)  # type: ignore[arg-type]  # a function
    plain = given.replace(
        parameters=[each.replace(annotation=inspect.Parameter.empty) for each in given.parameters.values()]
    )

    assert written == f"`traffic.{strategy.__name__}{plain}`"  # type: ignore[attr-defined]  # a function


def test_everything_of_a_session_is_there() -> None:
    own = [name for name in vars(traffic.Session) if not name.startswith("_")]

    assert sorted(names("`Session`")) == sorted({*own, *(field.name for field in fields(traffic.Session))})
