"""The page of rules has every rule and law of the code, in the code's words, and no other."""

from __future__ import annotations

from callflow.testing.laws import ALL as ALL_LAWS
from callflow.testing.rules import ALL, Rule
from callflow.testing.wirelog import Side
from tests.docs.tables import plain, tables
from tests.test_docs import ROOT

RULES, LAWS = tables(ROOT / "docs" / "reference" / "rules.md")


def row_of(rule: Rule) -> tuple[str, ...]:
    side = "Exotel" if rule.side is Side.IN else "server"
    return rule.id, side, rule.kind.value, rule.sentence, rule.reads


def test_every_rule_is_there_with_its_side_kind_sentence_and_premise() -> None:
    assert [tuple(map(plain, row)) for row in RULES.rows] == [row_of(rule) for rule in ALL]


def test_every_law_is_there_with_its_name_sentence_and_premise() -> None:
    laws = [(law.id, law.name, law.sentence, law.reads) for law in ALL_LAWS]

    assert [tuple(map(plain, row)) for row in LAWS.rows] == laws
