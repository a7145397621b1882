"""Each number on the page of limits is the one in the code, and no limit is missing."""

from __future__ import annotations

import importlib
import re

import attrs
import pytest

from callflow.server.limits import Limits
from callflow.server.settings import Settings
from callflow.session.timing import Timing
from tests.docs.tables import code, plain, tables
from tests.test_docs import ROOT

PAGE = ROOT / "docs" / "reference" / "limits.md"
UNITS = {"": 1, "s": 1, "min": 60, "bytes": 1, "KiB": 1024, "MiB": 1024 * 1024}
ROWS = [
    dict(zip(table.columns, row, strict=True))
    for table in tables(PAGE)
    for row in table.rows
    if "in the code" in table.columns
]


def said(number: str) -> float | None:
    """Read a number of the page, with its unit."""
    if number == "none":
        return None
    size, _, unit = number.partition(" ")
    return float(size.replace(",", "")) * UNITS[unit]


def meant(place: str) -> float | None:
    """Find the number that ``module`` ``Name.attribute`` of a row stands for."""
    module, name = code(place)
    owner, *rest = name.split(".")
    found = getattr(importlib.import_module(f"callflow.{module}"), owner)
    if rest:
        found = next(field.default for field in attrs.fields(found) if field.name == rest[0])
    return None if found is None else float(found)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: plain(row["in the code"]))
def test_a_number_is_the_one_in_the_code(row: dict[str, str]) -> None:
    assert said(row["number"]) == meant(row["in the code"])


@pytest.mark.parametrize("owner", [Timing, Limits])
def test_no_wait_and_no_limit_is_missing(owner: type) -> None:
    there = {code(row["in the code"])[1] for row in ROWS}

    assert [name for field in attrs.fields(owner) if (name := f"{owner.__name__}.{field.name}") not in there] == []


def test_what_can_be_set_is_a_setting_with_that_default() -> None:
    chosen = {name: row for row in ROWS for name in code(row.get("setting", "")) if name != "low_latency"}
    defaults = {name: getattr(Settings(), name, "no setting") for name in chosen}

    assert {name: said(row["number"]) for name, row in chosen.items()} == defaults


def test_every_page_of_exotel_that_is_named_has_an_address() -> None:
    listed = {table.columns[-1]: table for table in tables(PAGE)}
    named = {each for cell in listed["page"].column("page") for each in re.split(", ", cell)}

    assert named <= set(listed["address"].column("page"))
