"""The README's flow: short, formatted, served and called from end to end."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from callflow.line.memory import MemoryNetwork
from callflow.line.placing import place_call
from callflow.server.flow_argument import load_flow
from callflow.server.settings import Settings
from tests.docs.reader import Asked, looks_like, reading, started, to_do, work_in
from tests.test_docs import ROOT, blocks

README = ROOT / "README.md"
FLOW = next(block.text for block in blocks(README) if block.info == "python")
MOST_LINES, MOST_MENU_LINES = 15, 13


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder that has the project's examples, and the flow as the README says to save it."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "night.py").write_text(FLOW)
    work_in(tmp_path, monkeypatch)
    return tmp_path


def test_the_flow_is_short() -> None:
    after_imports = FLOW[FLOW.index("class ") :]

    assert sum(bool(line.strip()) for line in after_imports.splitlines()) <= MOST_LINES


def test_a_menu_of_three_choices_is_short() -> None:
    menu = next(node for node in ast.parse(FLOW).body if isinstance(node, ast.ClassDef) and node.name == "Main")
    keys = [arg for node in ast.walk(menu) if isinstance(node, ast.Call) for arg in node.args]

    assert (len(keys), (menu.end_lineno or 0) - menu.lineno < MOST_MENU_LINES) == (3, True)


def test_the_flow_is_formatted() -> None:
    formatted = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "-"], input=FLOW, capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert formatted.stdout == FLOW


@pytest.mark.parametrize(
    ("key", "last", "branch"), [("0", "Person", "B"), ("1", "Later", "A"), ("2", "Later", "A"), ("", "Person", "B")]
)
async def test_a_key_leads_where_the_flow_says(
    key: str, last: str, branch: str, folder: Path, autojump_clock: MockClock
) -> None:
    server = started(load_flow(str(folder / "night.py")), Settings())
    async with trio.open_nursery() as nursery:
        network = MemoryNetwork()
        network.listen(server.connect, nursery)
        async with place_call(network.dial) as phone:
            await phone.wait(2.0)  # in the menu
            await phone.press(key)
            await phone.ended.wait()
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    [record] = server.records
    chosen = getattr(sys.modules["night"], record.last_state)
    assert (record.last_state, chosen.options.branch, record.cause.value) == (last, branch, "flow")


async def test_its_call_prints_what_the_readme_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], autojump_clock: MockClock
) -> None:
    differs = []
    async with reading(folder, monkeypatch, capsys) as reader:
        for step in to_do(README):
            if not isinstance(step, Asked):
                reader.save(*step)
            elif not looks_like(printed := await reader.do(step.words), step.printed or "*"):
                differs.append((printed, step.printed))

    assert differs == []
