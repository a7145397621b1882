"""The reference of testing: its tables have what the code has, and nothing else."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from attrs import fields
from hypothesis import settings

from callflow.line.oddities import Oddity
from callflow.testing import faults, traffic
from callflow.testing.plugin import _each_in_virtual_time
from tests.docs.tables import Table, code, tables
from tests.test_docs import ROOT, blocks
from tests.testing.test_fault_plans import drawn, named
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

    assert written == f"`traffic.{strategy.__name__}{signature(strategy)}`"  # type: ignore[attr-defined]  # a function


def signature(function: object) -> inspect.Signature:
    """Give a function's arguments without their types."""
    given = inspect.signature(function)  # type: ignore[arg-type]  # a function
    bare = [each.replace(annotation=inspect.Parameter.empty) for each in given.parameters.values()]
    return given.replace(parameters=bare, return_annotation=inspect.Signature.empty)


def test_everything_of_a_session_is_there() -> None:
    own = [name for name in vars(traffic.Session) if not name.startswith("_")]

    assert sorted(names("`Session`")) == sorted({*own, *(field.name for field in fields(traffic.Session))})


# Faults.


def test_it_lists_every_kind_of_fault_with_its_words_in_scripts() -> None:
    told = table("`FaultKind`")

    assert names("`FaultKind`") == [kind.value for kind in faults.FaultKind]
    for row in told.rows:
        words = {word for cell in code(row[2]) for word in cell.split()} - {"at", "network", "service"}
        plans = drawn(faults.plans({code(row[0])[0]}, services=["a"]))
        assert words <= {word for plan in plans for word in named(plan)}


def test_everything_of_a_plan_is_there() -> None:
    own = [name for name in vars(faults.Plan) if not name.startswith("_")]

    assert sorted(names("`Plan`")) == sorted({*own, *(field.name for field in fields(faults.Plan))})


def test_the_strategy_of_plans_is_written_with_its_arguments() -> None:
    assert f"`faults.plans{signature(faults.plans)}`" in PAGE.read_text("utf-8")


def test_its_example_runs() -> None:
    [example] = [block.text for block in blocks(PAGE) if block.info == "python"]
    names: dict[str, Any] = {}
    exec(compile(example, str(PAGE), "exec"), names)  # the page's own
    test = names["test_nobody_gets_past_the_pin"]
    test.hypothesis.inner_test = _each_in_virtual_time(test.hypothesis.inner_test)

    settings(max_examples=20)(test)()
