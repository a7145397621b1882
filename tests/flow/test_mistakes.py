"""Mistakes that people make in a flow, one in each file of ``mistakes``: who catches each, and at which line.

A line says by ``# caught by:`` who catches it there: the import of the flow, mypy or pyright, both as strict as they
can be. Nobody may complain of any other line.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeAlias

import pytest

from callflow.cli.check import Report

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).parent / "mistakes"
EXAMPLES = ROOT / "examples"

CAUGHT_BY = {
    "target_mistyped": "import mypy pyright",
    "data_of_the_wrong_type": "mypy pyright",
    "data_missing": "mypy pyright",
    "handler_mistyped": "import",
    "unreachable_state": "import",
    "no_time_out": "import",
    "undeclared_move": "mypy pyright",
    "audio_after_hangup": "mypy pyright",
    "branch_falls_off": "mypy pyright",
    "result_of_the_wrong_type": "mypy pyright",
    "ends_disagree": "import",
    "same_key_twice": "import",
    "no_telephone_key": "import",
    "waiting_handler": "import mypy pyright",
}

Place: TypeAlias = tuple[str, int]

needs_pyright = pytest.mark.skipif(
    importlib.util.find_spec("pyright") is None and os.environ.get("CI") != "true",
    reason="pyright is not installed: it comes with the tests' own requirements",
)


def marked(checker: str) -> set[Place]:
    """Read where a checker is to complain."""
    return {
        (path.stem, number)
        for path in FOLDER.glob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if checker in line.partition("# caught by: ")[2].split(", ")
    }


def refused_by_import() -> Iterator[Place]:
    """Import each file, as ``callflow check`` does, and tell where it is refused."""
    for path in FOLDER.glob("*.py"):
        report = Report()
        report.look_at(str(path))
        refused = [one for one in report.findings if one.check != "missing-prompt"]
        yield from ((one.path.stem, one.line) for one in refused)


@cache
def by_mypy() -> str:
    """Check all files in one run."""
    words = ["--strict", "--config-file=", "--python-version=3.11", f"--cache-dir={os.devnull}", str(FOLDER)]
    run = subprocess.run(
        [sys.executable, "-m", "mypy", *words],
        cwd=FOLDER,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout + run.stderr


@cache
def by_pyright(folder: Path) -> list[Place]:
    """Check all files, and the examples, in one run as strictly as pyright can."""
    for checked in (FOLDER, EXAMPLES):  # pyright takes paths below its own folder only
        shutil.copytree(checked, folder / checked.name, ignore=shutil.ignore_patterns("*.wav", "__pycache__"))
    wanted = {
        "extraPaths": [str(ROOT)],
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(wanted))
    run = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", f"--pythonpath={sys.executable}", f"--project={folder}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(run.stdout)
    assert report["summary"]["filesAnalyzed"] > len(CAUGHT_BY), run.stdout
    return [(one["file"], one["range"]["start"]["line"] + 1) for one in report["generalDiagnostics"]]


@pytest.fixture(scope="session")
def pyright_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pyright")


def test_each_mistake_is_caught_by_those_who_can() -> None:
    caught = {who: {stem for stem, _ in marked(who)} for who in ("import", "mypy", "pyright")}

    assert {
        path.stem: " ".join(who for who, stems in caught.items() if path.stem in stems) for path in FOLDER.glob("*.py")
    } == CAUGHT_BY


@pytest.mark.usefixtures("forgetful")
def test_the_import_refuses_what_it_can_see_and_nothing_else() -> None:
    assert set(refused_by_import()) == marked("import")


def test_mypy_finds_what_it_can_see_and_nothing_else() -> None:
    found = re.findall(r"^(?:.*/)?(\w+)\.py:(\d+): error:", by_mypy(), re.MULTILINE)

    assert {(stem, int(line)) for stem, line in found} == marked("mypy"), by_mypy()


@needs_pyright
def test_pyright_finds_what_it_can_see_and_nothing_else(pyright_folder: Path) -> None:
    found = {
        (Path(file).stem, line) for file, line in by_pyright(pyright_folder) if Path(file).parent.name == FOLDER.name
    }

    assert found == marked("pyright")


@needs_pyright
def test_pyright_has_nothing_to_say_of_the_examples(pyright_folder: Path) -> None:
    assert [place for place in by_pyright(pyright_folder) if Path(place[0]).parent.name != FOLDER.name] == []
