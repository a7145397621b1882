"""The public names: those that the reference lists, no more and no fewer, each of them documented."""

from __future__ import annotations

import importlib
import inspect
import re
import types
from pathlib import Path

import pytest

import callflow

NAMES = Path(__file__).parents[1] / "docs" / "reference" / "names.md"
MOST = 60


def documented() -> dict[str, set[str]]:
    """Read which names the reference lists for each module.

    A heading with a module in backquotes opens its list; each row of a table, or item of a list, that begins with a
    name in backquotes stands for that name.
    """
    lists: dict[str, set[str]] = {}
    module = ""
    for line in NAMES.read_text(encoding="utf-8").splitlines() if NAMES.exists() else []:
        if heading := re.match(r"#+ .*`(callflow[\w.]*)`", line):
            module = heading[1]
            lists[module] = set()
        elif (entry := re.match(r"[|*-]\s+`(\w+)", line)) and module:
            lists[module].add(entry[1])
    return lists


def test_the_reference_lists_exactly_what_is_exported() -> None:
    exported = {module: set(importlib.import_module(module).__all__) for module in documented()}

    assert exported == documented()


def test_the_list_of_names_fits_on_a_page() -> None:
    assert len(callflow.__all__) == len(set(callflow.__all__)) <= MOST


@pytest.mark.parametrize("name", callflow.__all__)
def test_every_exported_name_is_there_and_documented(name: str) -> None:
    exported = getattr(callflow, name)
    described = exported if inspect.isclass(exported) or inspect.isroutine(exported) else type(exported)

    assert inspect.cleandoc(described.__doc__ or "") != ""


@pytest.mark.parametrize("name", callflow.__all__)
def test_every_exported_name_says_that_it_is_of_callflow(name: str) -> None:
    exported = getattr(callflow, name)
    module = "callflow" if isinstance(exported, types.UnionType) else getattr(exported, "__module__", "callflow")

    assert re.fullmatch(r"callflow(\.[a-z]\w*)*", module)
