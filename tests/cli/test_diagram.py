"""``callflow diagram``: where the picture goes, in which form, and whether a stored one is still true."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from callflow.cli.app import run
from callflow.cli.diagram import DRAWN, STALE

BYE = "from callflow import *\nclass Bye(Hangup[None]): ...\nbank = Flow('bank', start=Bye)\n"

TEXT = "bank: 1 state, 0 moves\n\n▶ Bye  (Hangup)\n"
MERMAID = "stateDiagram-v2\n    Bye\n    [*] --> Bye\n    Bye --> [*]\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a flow, where the command is run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "ivr.py").write_text(BYE)
    yield tmp_path
    sys.modules.pop("ivr", None)


def test_a_flow_is_drawn_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert (run(["diagram", "ivr.py"]), *capsys.readouterr()) == (DRAWN, TEXT, "")


@pytest.mark.parametrize(("form", "begins"), [("text", "bank:"), ("mermaid", "stateDiagram-v2"), ("dot", "digraph")])
def test_a_form_can_be_asked_for(form: str, begins: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(["diagram", "ivr.py", "--format", form])

    assert capsys.readouterr().out.startswith(begins)


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("flow.txt", TEXT),
        ("flow.mmd", MERMAID),
        ("flow.md", f"```mermaid\n{MERMAID}```\n"),
    ],
)
def test_a_file_gets_the_form_of_its_ending(
    name: str, picture: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["diagram", "ivr.py", "-o", name])

    assert (code, (folder / name).read_text(), capsys.readouterr().out) == (DRAWN, picture, "")


@pytest.mark.parametrize("name", ["flow.txt", "flow.mmd", "flow.dot", "flow.md"])
def test_a_picture_that_was_drawn_is_true_until_the_flow_changes(name: str, folder: Path) -> None:
    run(["diagram", "ivr.py", "--output", name])
    before = run(["diagram", "ivr.py", "--check", name])
    (folder / "ivr.py").write_text(BYE.replace("Bye", "Goodbye"))

    assert (before, run(["diagram", "ivr.py", "--check", name])) == (DRAWN, STALE)


def test_a_page_may_hold_other_things_beside_a_picture(folder: Path) -> None:
    (folder / "README.md").write_text(f"# The bank\n\n```mermaid\n{MERMAID}```\n\nMore.\n")

    assert run(["diagram", "ivr.py", "--check", "README.md"]) == DRAWN


def test_a_stale_picture_says_how_to_draw_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "flow.mmd").write_text("stateDiagram-v2\n")
    run(["diagram", "ivr.py", "--check", "flow.mmd"])

    assert capsys.readouterr().err == (
        "callflow: flow.mmd is no longer what ivr.py does; draw it anew: callflow diagram ivr.py --output flow.mmd\n"
    )


def test_a_picture_that_is_not_there_is_stale(capsys: pytest.CaptureFixture[str]) -> None:
    assert (run(["diagram", "ivr.py", "--check", "flow.mmd"]), capsys.readouterr().err) == (
        STALE,
        "callflow: flow.mmd: cannot be read ([Errno 2] No such file or directory: 'flow.mmd'); "
        "draw it: callflow diagram ivr.py --output flow.mmd\n",
    )


def test_a_file_that_cannot_be_written_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert (run(["diagram", "ivr.py", "-o", "no/flow.mmd"]), capsys.readouterr().err) == (
        STALE,
        "callflow: no/flow.mmd: cannot be written (No such file or directory); name another --output\n",
    )
