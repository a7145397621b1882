"""The tables of the grammar are those of its page in the reference."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from callflow.line.grammar import GRAMMAR, HEADER, form
from callflow.line.oddities import BEGINNINGS, STEPS, Oddity
from callflow.line.script import parse

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "call-scripts.md").read_text("utf-8")


def block(language: str, text: str = PAGE) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_page_s_grammar_is_the_parser_s() -> None:
    (grammar,) = block("ebnf")
    lines = re.findall(r"^(?:header|step| +\|)(?: +=)? (\S.*)$", grammar, re.MULTILINE)

    assert lines == [*(f"{name} {slot.form}" for name, slot in HEADER.items()), *map(form, GRAMMAR)]


@pytest.mark.parametrize("text", block("call"))
def test_the_page_s_examples_are_scripts(text: str) -> None:
    assert parse(text).steps


@pytest.mark.parametrize("verb", [*GRAMMAR, *HEADER])
def test_the_page_has_a_line_on_each_word(verb: str) -> None:
    assert f"\n| `{verb}` | " in PAGE


@pytest.mark.parametrize(("word", "kinds"), [("ODDITY", STEPS), ("BEGINNING", BEGINNINGS)])
def test_the_page_lists_what_is_odd(word: str, kinds: dict[str, Oddity]) -> None:
    [line] = re.findall(rf"^\| `{word}` \| one of (.+) \|$", PAGE, re.MULTILINE)

    assert re.findall(r"`([\w-]+)`", line) == list(kinds)
