"""The tutorial, done as a reader does it: every file is saved, every command prints what the page says."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from trio.testing import MockClock

from callflow.cli.app import run
from tests.docs.reader import Asked, looks_like, reading, to_do, work_in

PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "your-first-flow.md"
STEPS = list(to_do(PAGE))
MISTAKES = [step for step in STEPS if isinstance(step, Asked) and step.printed.startswith("callflow:")]
UNTIL_THE_MISTAKES = STEPS[: STEPS.index(MISTAKES[0])]


async def test_every_command_prints_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], autojump_clock: MockClock
) -> None:
    differs = []
    async with reading(tmp_path, monkeypatch, capsys) as reader:
        for step in UNTIL_THE_MISTAKES:
            if not isinstance(step, Asked):
                reader.save(*step)
            elif not looks_like(printed := await reader.do(step.words), step.printed):
                differs.append((step.words, printed, step.printed))

    assert (differs, reader.server_says) == ([], ["Patient 4711 comes tomorrow."])


async def test_the_mended_script_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], autojump_clock: MockClock
) -> None:
    async with reading(tmp_path, monkeypatch, capsys) as reader:
        save_all(tmp_path)
        await reader.do("../run serve clinic.py")
        script = tmp_path / "silent.call"
        script.write_text(script.read_text().replace("hear booked", "hear reception"))

        assert "3 of 3 expectations hold." in await reader.do("../run call silent")


def test_the_mistakes_are_found_before_a_caller_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    work_in(tmp_path, monkeypatch)
    save_all(tmp_path)
    flow = tmp_path / "clinic.py"
    right = flow.read_text()

    flow.write_text(right.replace("digits: str) -> Booked", "digits: str) -> Boked"))
    misspelt = output_of(MISTAKES[0], capsys)
    flow.write_text(right)
    (tmp_path / "prompts" / "booked.wav").unlink()
    missing = output_of(MISTAKES[1], capsys)

    said = zip((misspelt, missing), MISTAKES, strict=True)
    assert [told for told, step in said if not looks_like(told, step.printed)] == []


def save_all(folder: Path) -> None:
    """Save every file of the page, the last one where a name comes again, and make the prompts."""
    for step in STEPS:
        if not isinstance(step, Asked):
            (folder / step[0]).parent.mkdir(exist_ok=True)
            (folder / step[0]).write_text(step[1], encoding="utf-8")
    runpy.run_path("make_prompts.py")


def output_of(step: Asked, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that fails; give what it says."""
    assert run(step.words.split()[1:]) == 1
    return "".join(capsys.readouterr())
