"""The page of the command line has every flag of every command, with its default, and every path that is answered."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any

import pytest

from callflow.cli.app import MISTYPED, run
from callflow.cli.call import FAILED, HOLDS, INTERRUPTED, WRONG, call
from callflow.cli.check import CLEAN, FOUND, NOT_IMPORTED, check
from callflow.cli.diagram import DRAWN, STALE, diagram
from callflow.cli.fuzz import FOUND as BROKEN
from callflow.cli.fuzz import INTERRUPTED as STOPPED
from callflow.cli.fuzz import NOTHING, fuzz
from callflow.cli.fuzz import WRONG as NO_ORDER
from callflow.cli.replay import FAILED as NOT_HELD
from callflow.cli.replay import HOLD, replay
from callflow.cli.replay import WRONG as UNREADABLE
from callflow.cli.serve import NO_PORT, serve
from callflow.server.http import make_app
from callflow.server.settings import Settings
from tests.docs.tables import code, plain, tables
from tests.test_docs import ROOT

PAGE = list(tables(ROOT / "docs" / "reference" / "command-line.md"))
FLAGS = {table.heading: table.by("flag", "default") for table in PAGE if "flag" in table.columns}

COMMANDS: dict[str, Callable[..., Any]] = {
    "`callflow serve FLOW`": serve,
    "`callflow call SCRIPT`": call,
    "`callflow check FLOW …`": check,
    "`callflow diagram FLOW`": diagram,
    "`callflow fuzz FLOW`": fuzz,
    "`callflow replay FILE …`": replay,
}


def default_of(command: Callable[..., Any], name: str) -> object:
    """Give what a flag is without being given: the command's default, or the setting's."""
    own = inspect.signature(command).parameters[name].default
    return getattr(Settings(), name, own) if own is None else own


@pytest.mark.parametrize(("heading", "command"), COMMANDS.items())
def test_every_flag_of_a_command_is_there(heading: str, command: Callable[..., Any]) -> None:
    flags = [name for name, each in inspect.signature(command).parameters.items() if each.kind is each.KEYWORD_ONLY]

    assert list(FLAGS[heading]) == [f"--{name.replace('_', '-')}" for name in flags]


@pytest.mark.parametrize(("heading", "command"), COMMANDS.items())
def test_a_plain_default_is_the_one_of_the_code(heading: str, command: Callable[..., Any]) -> None:
    said = {name.lstrip("-").replace("-", "_"): text for name, text in FLAGS[heading].items()}
    defaults = {name: default_of(command, name) for name in said}

    assert {name: said[name] for name, value in defaults.items() if value is not None} == {
        name: "off" if value is False else str(value) for name, value in defaults.items() if value is not None
    }


def test_every_path_is_there() -> None:
    class NoDesk:
        """Is never asked."""

    routes = {route.path.rstrip("/") for route in make_app(NoDesk()).routes}  # type: ignore[arg-type, attr-defined]
    named = {path for table in PAGE if "path" in table.columns for cell in table.column("path") for path in code(cell)}
    patterns = {path.replace("{name}", "NAME").replace("{call_sid}", "CALL_SID") for path in routes}

    assert named == patterns | {"/stream", "/stream/NAME"}


@pytest.mark.parametrize(
    ("heading", "codes"),
    [
        ("`callflow call SCRIPT`", [HOLDS, FAILED, WRONG, INTERRUPTED]),
        ("`callflow serve FLOW`", [0, 1, MISTYPED, NO_PORT]),
        ("`callflow check FLOW …`", [CLEAN, FOUND, NOT_IMPORTED]),
        ("`callflow diagram FLOW`", [DRAWN, STALE, MISTYPED]),
        ("`callflow fuzz FLOW`", [NOTHING, BROKEN, NO_ORDER, STOPPED]),
        ("`callflow replay FILE …`", [HOLD, NOT_HELD, UNREADABLE]),
    ],
)
def test_the_exit_codes_of_a_command_are_there(heading: str, codes: list[int]) -> None:
    [table] = [table for table in PAGE if "exit code" in table.columns and table.heading == heading]

    assert [int(plain(cell)) for cell in table.column("exit code")] == codes


def test_every_key_of_what_fuzz_prints_for_programs_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    run(["fuzz", str(ROOT / "examples" / "echo.py"), "--budget", "1", "--json"])
    [table] = [table for table in PAGE if "key" in table.columns and table.heading == "`callflow fuzz FLOW`"]

    assert [plain(cell).strip("`") for cell in table.column("key")] == list(json.loads(capsys.readouterr().out))
