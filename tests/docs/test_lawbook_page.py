"""The page of the lawbook is the one that is written from the laws and their mutants."""

from __future__ import annotations

from callflow.testing.lawbook import LAWBOOK
from tests.mutants.page import PROMISES, write_page
from tests.test_docs import ROOT


def test_the_page_says_what_the_lawbook_and_the_mutants_say() -> None:
    assert (ROOT / "docs" / "reference" / "laws.md").read_text("utf-8") == write_page()


def test_every_promise_is_kept_by_laws_that_are_there() -> None:
    assert {name for names in PROMISES.values() for name in names.split()} <= LAWBOOK.keys()
