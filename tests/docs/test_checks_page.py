"""The page of checks has every check that the code makes, where it is made, and the keys of the JSON output."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator

import attrs
import pytest

from callflow.cli.check import Report, check
from callflow.flow.checks.finding import Finding
from callflow.flow.deep.stuck import DEEP
from callflow.flow.graph import REQUIRED
from tests.docs.tables import code, tables
from tests.test_docs import ROOT

PAGE = list(tables(ROOT / "docs" / "reference" / "checks.md"))
FLOW = ROOT / "callflow" / "flow"


def told(heading: str) -> list[str]:
    """Give the checks of one table."""
    [table] = [table for table in PAGE if table.heading == heading and "check" in table.columns]
    return [name for cell in table.column("check") for name in code(cell)]


def texts(node: ast.AST) -> Iterator[str]:
    """Give the names of checks in an expression or an assignment."""
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and re.fullmatch(r"[a-z]+(-[a-z]+)*", str(one.value)):
            yield str(one.value)


def refused() -> set[str]:
    """Read the names that errors are raised with."""
    names = {f"no-{option}" for options, _ in REQUIRED.values() for option in options}
    for path in FLOW.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "check" and not isinstance(node.value, ast.Name):
                names |= {name for name in texts(node.value) if name not in ("no", "on_timeout")}
            if isinstance(node, ast.Assign) and "check" in ast.unparse(node.targets[0]):
                names |= {name for name in texts(node.value) if "-" in name}
    return names


def found(folder: str) -> set[str]:
    """Read the names that findings are made with."""
    return {
        str(node.args[0].value)
        for path in (FLOW / folder).glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "finding"
        if isinstance(node.args[0], ast.Constant)
    }


def test_everything_that_is_refused_is_there() -> None:
    assert sorted(told("Refused when a class or a flow is made")) == sorted(refused())


def test_everything_that_is_found_is_there() -> None:
    assert sorted(told("Found by `callflow check`")) == sorted(found("checks") | {"dead-state"})


def test_everything_that_is_found_deep_down_is_there() -> None:
    assert sorted(told("Walking every way: `--deep`")) == sorted(found("deep")) == sorted(DEEP)


def test_what_the_page_shows_of_a_deep_check_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    check(str(ROOT / "examples" / "bank_ivr" / "ivr.py"), deep=True)

    shown = (ROOT / "docs" / "reference" / "checks.md").read_text().partition("--deep examples/bank_ivr/ivr.py\n")[2]
    assert capsys.readouterr().out == shown.partition("```")[0]


def test_every_key_of_a_deep_check_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    check(str(ROOT / "examples" / "bank_ivr" / "ivr.py"), deep=True, json=True)
    [facts] = json.loads(capsys.readouterr().out)["deep"]

    [table] = [table for table in PAGE if "in `deep`" in table.columns]
    assert sorted(name for cell in table.column("in `deep`") for name in code(cell)) == sorted(facts)


def test_every_key_for_programs_is_there() -> None:
    [table] = [table for table in PAGE if "key" in table.columns]
    keys = json.loads(Report(deep=True).as_json())

    assert [name for cell in table.column("key") for name in code(cell)] == list(keys)


def test_every_key_of_a_finding_is_there() -> None:
    [row] = [row for table in PAGE if "key" in table.columns for row in table.rows if row[0] == "`findings`"]

    assert code(row[1]) == [field.name for field in attrs.fields(Finding)]
