"""The page on breaking lines, done as a reader does it: three are broken, mended, and play the same call again."""

from __future__ import annotations

import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from examples.broken import properties
from tests.docs.reader import Asked, looks_like, to_do
from tests.test_docs import ROOT, blocks

PAGE = ROOT / "docs" / "tutorial" / "break-it.md"
STEPS = [step for step in to_do(PAGE) if isinstance(step, Asked)]
EXAMPLES = ["__init__.py", "broken", "bank_ivr/prompts", "prompts/queue"]

PROGRAMS = {"./test": ["-m", "pytest", "-p", "callflow.testing.plugin"], "./run": ["-m", "callflow"]}
"""What ``./test`` and ``./run`` start, in the environment that is there."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project's folder with the examples that the page is about."""
    for name in EXAMPLES:
        source, target = ROOT / "examples" / name, tmp_path / "examples" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "callflow-failures"))
        else:
            shutil.copy(source, target)
    return tmp_path


def printed(words: str, project: Path) -> str:
    """Carry a command out in the project's folder."""
    program, *rest = words.split()
    started = [sys.executable, *PROGRAMS[program]] if program in PROGRAMS else [program]
    where = {**os.environ, "PYTHONPATH": f"{project}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([*started, *rest], cwd=project, env=where, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.timeout(600)
def test_every_command_prints_what_the_page_says(project: Path) -> None:
    told = [(step, printed(step.words, project)) for step in STEPS]

    assert [(step, text) for step, text in told if not looks_like(text, step.printed)] == []


def test_the_properties_that_it_shows_are_those_that_are_run() -> None:
    shown = [block.text for block in blocks(PAGE) if block.info == "python no-run" and block.text.startswith("class")]
    source = inspect.getsource(properties)

    assert (len(shown), [text for text in shown if text not in source]) == (3, [])
