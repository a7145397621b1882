"""What the documents say of the session is drawn from the table, and drawn anew when it changes."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest

from callflow.session.diagram import draw, mermaid, weave
from callflow.session.table import TABLE, Effect, In, S, keep, to

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "session.md"
COMMAND = "python -m callflow.session.diagram docs/reference/session.md"


def test_the_page_is_not_stale() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert page == weave(page, draw()), f"the table has changed; draw it again: {COMMAND}"


def test_the_page_says_how_it_is_drawn() -> None:
    assert COMMAND in PAGE.read_text(encoding="utf-8")


def test_a_changed_row_is_drawn() -> None:
    changed = {**TABLE, (S.DETACHED, In.SEND_MEDIA): (keep(Effect.SEND),)}

    assert draw(changed) != draw()


def test_the_matrix_has_a_line_for_each_input_and_a_column_for_each_state() -> None:
    lines = draw().partition("## What is done")[0].splitlines()
    cells = [line.count(" | ") for line in lines if line.startswith("|")]

    assert cells == [len(S)] * (len(In) + 2)


def test_a_cell_with_several_rows_leads_to_their_conditions() -> None:
    drawn = draw()
    number = re.search(r"^\| mark timer \|.*⇒streaming / = ([⁰¹²³⁴-⁹]+) \|", drawn, re.MULTILINE)
    assert number is not None
    plain = number[1].translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789"))

    assert f"\n{plain}. one mark sent since the last clear: ⇒streaming; otherwise: =\n" in drawn


def test_a_move_that_tells_nothing_has_a_thin_arrow() -> None:
    assert "| connected | ? | ? | →connected |" in draw()


def test_ends_show_their_cause_and_their_code() -> None:
    assert "| open timer | `policy` | 1008 |" in draw()


def test_the_diagram_draws_what_a_group_has_in_common_once() -> None:
    arrows = [line.strip() for line in mermaid().splitlines() if "--> detached" in line]

    assert arrows == ["live --> detached: socket closed, idle timer"]


def test_the_diagram_draws_what_one_state_of_a_group_does_beside_it() -> None:
    changed = {**TABLE, (S.MARKED, In.UNKNOWN): (to(S.DETACHED, Effect.DETACH),)}

    assert "    marked --> detached: unknown event" in mermaid(changed).splitlines()


def test_the_diagram_names_every_state() -> None:
    names = {state.name.lower() for state in S}

    assert names <= set(re.findall(r"\w+", mermaid()))


def test_the_command_draws_into_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "session.md"
    page.write_text("Before.\n<!-- drawn from the table: begin -->\nold\n<!-- drawn from the table: end -->\nAfter.\n")
    monkeypatch.setattr(sys, "argv", ["diagram", str(page)])
    monkeypatch.delitem(sys.modules, "callflow.session.diagram")
    runpy.run_module("callflow.session.diagram", run_name="__main__")

    assert page.read_text(encoding="utf-8") == weave(page.read_text(encoding="utf-8"), draw())
    assert page.read_text(encoding="utf-8").startswith("Before.\n<!-- drawn")


def test_the_command_prints_without_a_page(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["diagram"])
    monkeypatch.delitem(sys.modules, "callflow.session.diagram")
    runpy.run_module("callflow.session.diagram", run_name="__main__")

    assert capsys.readouterr().out == draw() + "\n"
