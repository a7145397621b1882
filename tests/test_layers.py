"""Who may import whom, read from the source: what is imported for types only, or inside a function, counts as well."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "callflow"

# A part is a folder or a single module of callflow; itself is always allowed. The line above is the floor above.
MAY_IMPORT = {
    "errors": "",
    "wire": "errors",
    "session": "errors wire",
    "flow": "errors wire session",
    "call": "errors wire session flow",
    "store": "errors wire session flow call",
    "server": "errors wire session flow call store",
    "line": "errors wire session flow call store server",
    "console": "errors wire session flow call store server line",
    "testing": "errors wire session flow call store server line",
    "cli": "errors wire session flow call store server line console testing",
    "__main__": "cli",
    "__init__": "errors wire session flow call store server",  # the public names; hypothesis must not come with them
}

# Time, chance and the outside world are passed in to these, so that one test plays an hour in a millisecond.
PURE = ("wire", "session", "flow")
NOT_IN_PURE = {"trio", "trio_websocket", "anyio", "asyncio", "time", "random", "secrets", "logging", "structlog"}

# What a pure module imports all the same, with the reason.
NAMED_ONLY = {
    "callflow.flow.call": {"random"},  # the type of `call.random`, which whoever makes the call seeds and passes in
}

ONLY_IN_TESTING = {"hypothesis", "pytest", "pytest_trio"}

HOMELESS = {"util", "utils", "helper", "helpers", "common", "base", "misc", "manager", "managers"}

# Named like a module of the standard library, each with the reason. All are imported by their full names only.
ALIKE = {
    "callflow.call.mailbox",  # what the engine takes its events from is called so everywhere
    "callflow.line.profile",  # "profile" is what a call script's header calls it
    "callflow.server.http",  # beside door and passthru it can only be named after what it speaks
}


def name_of(path: Path) -> str:
    """Say the dotted name under which a file is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def part_of(module: str) -> str:
    """Say the part of callflow that a module belongs to, as the table spells it."""
    return [*module.split("."), "__init__"][1]


def imports_of(module: str) -> Iterator[str]:
    """Give the dotted name of everything that a module imports, wherever in it; of ours, the module that holds it."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_bytes(), path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*above, *(node.module or "").split(".")]).strip(".")
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                yield inner if inner in MODULES else source


def ours(module: str) -> set[str]:
    """Give the modules of callflow that a module imports."""
    return {name for name in imports_of(module) if name.partition(".")[0] == "callflow"}


def theirs(module: str) -> set[str]:
    """Give the top names of what a module imports from elsewhere."""
    return {name.partition(".")[0] for name in imports_of(module)} - {"callflow"}


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_downwards_only(module: str) -> None:
    part = part_of(module)
    allowed = {part, *MAY_IMPORT[part].split()}

    assert {name for name in ours(module) if part_of(name) not in allowed} == set()


@pytest.mark.parametrize("module", [name for name in MODULES if part_of(name) in PURE])
def test_pure_floors_know_no_trio_clock_chance_or_log(module: str) -> None:
    assert theirs(module) & NOT_IN_PURE == NAMED_ONLY.get(module, set())


@pytest.mark.parametrize("module", [name for name in MODULES if part_of(name) != "testing"])
def test_test_tools_are_imported_in_testing_alone(module: str) -> None:
    assert theirs(module) & ONLY_IN_TESTING == set()


def test_no_module_imports_itself_by_a_detour() -> None:
    graph = {module: ours(module) - {module} for module in MODULES}

    graphlib.TopologicalSorter(graph).prepare()  # CycleError shows the way round


@pytest.mark.parametrize("module", MODULES)
def test_modules_have_names_that_say_what_they_hold(module: str) -> None:
    assert set(module.split(".")) & HOMELESS == set()


def test_no_module_is_named_like_one_of_the_standard_library() -> None:
    assert {name for name in MODULES if name.rpartition(".")[2] in sys.stdlib_module_names} == ALIKE


def test_callflow_and_its_command_work_without_the_test_tools() -> None:
    absent = "; ".join(f"sys.modules[{name!r}] = None" for name in sorted(ONLY_IN_TESTING))
    program = f"import sys; {absent}; import callflow, callflow.cli.app"

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import trio.testing", {"trio.testing"}),
        ("from callflow.wire import audio", {"callflow.wire.audio"}),
        ("from callflow.wire.audio import BLOCK", {"callflow.wire.audio"}),
        ("from . import audio", {"callflow.wire.audio"}),
        ("from .audio import BLOCK", {"callflow.wire.audio"}),
        ("from ..errors import CallEnded", {"callflow.errors"}),
        ("if TYPE_CHECKING:\n    import random", {"random"}),
        ("def late():\n    import time", {"time"}),
    ],
)
def test_every_way_to_import_is_seen(
    source: str, found: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "probe.py"
    path.write_text(source)
    monkeypatch.setitem(MODULES, "callflow.wire.probe", path)

    assert set(imports_of("callflow.wire.probe")) == found
