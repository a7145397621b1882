"""The page of HTTP requests has every field of what flows are given and give, and every place of a token."""

from __future__ import annotations

import typing

import attrs
import pytest

from callflow import StatusReport, StreamTo
from callflow.server.reports import CallReport
from callflow.server.stream_urls import TokenPlace
from tests.docs.tables import code, plain, tables
from tests.test_docs import ROOT

PAGE = list(tables(ROOT / "docs" / "reference" / "http.md"))


def names_of(column: str) -> list[str]:
    """Give the names in the first column of the table that begins so."""
    [table] = [table for table in PAGE if plain(table.columns[0]) == column]
    return [name for row in table.rows for name in code(row[0])]


@pytest.mark.parametrize(("cls", "more"), [(StreamTo, []), (StatusReport, ["is_final"])])
def test_every_field_is_there(cls: type, more: list[str]) -> None:
    assert names_of(cls.__name__) == [field.name for field in attrs.fields(cls)] + more


def test_every_place_of_a_token_is_there() -> None:
    assert names_of("token_in") == list(typing.get_args(TokenPlace))


def test_every_field_of_a_report_is_there() -> None:
    *_, table = tables(ROOT / "docs" / "reference" / "log-and-journal.md")

    assert [name for row in table.rows for name in code(row[0])] == [field.name for field in attrs.fields(CallReport)]
