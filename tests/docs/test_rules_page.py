"""The page of rules has every rule of the code, in the code's words, and no other."""

from __future__ import annotations

from callflow.testing.rules import ALL, Rule
from callflow.testing.wirelog import Side
from tests.docs.tables import plain, tables
from tests.test_docs import ROOT

RULES = next(table for table in tables(ROOT / "docs" / "reference" / "rules.md") if table.columns[0] == "rule")


def row_of(rule: Rule) -> tuple[str, ...]:
    side = "Exotel" if rule.side is Side.IN else "server"
    return rule.id, side, rule.kind.value, rule.sentence, rule.reads


def test_every_rule_is_there_with_its_side_kind_sentence_and_premise() -> None:
    assert [tuple(map(plain, row)) for row in RULES.rows] == [row_of(rule) for rule in ALL]
