"""README and docs tell the truth: their snippets run, their commands print what they say, their links lead somewhere.

A fenced block is judged by the words after its fence:

* ``python``: run; the blocks of one page run in order, in one namespace.
* ``python no-run``: shown only, since it needs what a test has not got.
* ``sh run``: each line that begins with ``$`` and a space is run in an empty folder that holds the project's
  ``examples``; the lines below it must be what it prints, where ``...`` stands for anything.
* anything else: shown only.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from attrs import frozen

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])

# Types that annotations name are looked up in the module of a class, so that the namespace has to be one.
PLAY = """
import json, sys, types
page = types.ModuleType("page")
page.__file__ = "page.py"
sys.modules["page"] = page
for line, text in json.load(sys.stdin):
    exec(compile("\\n" * line + text, sys.argv[1], "exec"), vars(page))
"""


@frozen
class Block:
    """One fenced block of a page."""

    line: int
    """The line of its opening fence, from 1."""
    info: str
    """The words after that fence."""
    text: str


def blocks(page: Path) -> Iterator[Block]:
    """Find the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    for found in re.finditer(r"^```(.*)\n((?s:.*?))^```$", text, re.MULTILINE):
        yield Block(text.count("\n", 0, found.start()) + 1, found[1].strip(), found[2])


def commands(block: Block) -> Iterator[tuple[str, str]]:
    """Give each command of a block with the lines that it shall print."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        yield command, printed.rstrip().replace("...", "*").replace("[", "[[]")


def run(command: str, folder: Path) -> str:
    """Run a shell command with the ``callflow`` of these tests; give all that it prints."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        command,
        shell=True,
        env={**os.environ, "PATH": path},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout.rstrip()


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def play(page: Path, found: list[Block], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the Python blocks of a page, in a folder; tracebacks name the page and its lines."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", PLAY, page],
        input=json.dumps([(block.line, block.text) for block in found]),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


SNIPPETS = {page: [block for block in blocks(page) if block.info == "python"] for page in PAGES}
SESSIONS = [
    (command, printed)
    for page in PAGES
    for block in blocks(page)
    if block.info == "sh run"
    for command, printed in commands(block)
]


@pytest.mark.parametrize("page", [page for page, found in SNIPPETS.items() if found], ids=named)
def test_the_snippets_of_a_page_run(page: Path, tmp_path: Path) -> None:
    done = play(page, SNIPPETS[page], tmp_path)

    assert (done.returncode, done.stderr) == (0, "")


def test_commands_print_what_the_pages_say(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")

    got = {command: run(command, tmp_path) for command, _ in SESSIONS}

    assert [(got[command], printed) for command, printed in SESSIONS if not fnmatchcase(got[command], printed)] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    text = re.sub(r"(?ms)^```.*?^```$", "", page.read_text(encoding="utf-8"))
    links = re.findall(r"\]\((?![a-z]+:)([^)\s#]+)", text)

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_a_snippet_that_fails_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Words.\n\n```python\nx = 1\n```\n\n```python no-run\nx = 0\n```\n\n```python\n1 / (x - 1)\n```\n")

    done = play(page, [block for block in blocks(page) if block.info == "python"], tmp_path)

    assert f'File "{page}", line 12' in done.stderr


def test_a_page_shows_its_commands_with_what_they_print() -> None:
    block = Block(1, "sh run", "$ one\nfirst ... last\n\n$ two\n")

    assert list(commands(block)) == [("one", "first * last"), ("two", "")]


def test_a_command_that_prints_something_else_is_noticed(tmp_path: Path) -> None:
    assert not fnmatchcase(run("echo other words; echo wrong >&2", tmp_path), "other words")
