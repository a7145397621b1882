"""The reference of testing: its tables have what the code has, and nothing else."""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from attrs import fields
from hypothesis import settings

from callflow.line.oddities import Oddity
from callflow.line.script import parse
from callflow.testing import CallMachine, Seen, faults, traffic
from callflow.testing.from_journal import call_script
from callflow.testing.plugin import _each_in_virtual_time
from pytest_callflow import pytest_addoption
from tests.docs.tables import Table, code, tables
from tests.test_docs import ROOT, blocks
from tests.testing.test_fault_plans import drawn, named
from tests.testing.test_from_journal import ask_for_the_balance, journal_of
from tests.testing.test_traffic import COUNTED
from tests.testing.test_traffic import drawn as drawn_sessions

PAGE = ROOT / "docs" / "reference" / "testing.md"


def table(column: str) -> Table:
    [found] = [table for table in tables(PAGE) if column in table.columns]
    return found


def names(column: str) -> list[str]:
    """Give the names in the first column of a table, without what stands in brackets behind a function."""
    return [name.partition("(")[0] for row in table(column).rows for name in code(row[0])]


def test_it_lists_what_is_odd_with_its_place() -> None:
    assert table("`Oddity`").by("`Oddity`", "where") == {each.value: each.place.name.lower() for each in Oddity}


def test_it_says_what_callflow_counts() -> None:
    told = table("`Oddity`").by("`Oddity`", "callflow")

    assert {name for name, does in told.items() if does == "counts"} == {each.value for each in COUNTED}


@pytest.mark.parametrize("strategy", [traffic.conformant, traffic.near])
def test_a_strategy_is_written_with_its_arguments(strategy: object) -> None:
    [written] = [row[0] for row in table("strategy").rows if f".{strategy.__name__}(" in row[0]]  # type: ignore[attr-defined]  # a function

    assert written == f"`traffic.{strategy.__name__}{signature(strategy)}`"  # type: ignore[attr-defined]  # a function


def signature(function: object) -> inspect.Signature:
    """Give a function's arguments without their types."""
    given = inspect.signature(function)  # type: ignore[arg-type]  # a function
    bare = [each.replace(annotation=inspect.Parameter.empty) for each in given.parameters.values()]
    return given.replace(parameters=bare, return_annotation=inspect.Signature.empty)


def test_everything_of_a_session_is_there() -> None:
    own = [name for name in vars(traffic.Session) if not name.startswith("_")]

    assert sorted(names("`Session`")) == sorted({*own, *(field.name for field in fields(traffic.Session))})


# Faults.


def test_it_lists_every_kind_of_fault_with_its_words_in_scripts() -> None:
    told = table("`FaultKind`")

    assert names("`FaultKind`") == [kind.value for kind in faults.FaultKind]
    for row in told.rows:
        words = {word for cell in code(row[2]) for word in cell.split()} - {"at", "network", "service"}
        plans = drawn(faults.plans({code(row[0])[0]}, services=["a"]))
        assert words <= {word for plan in plans for word in named(plan)}


def test_everything_of_a_plan_is_there() -> None:
    own = [name for name in vars(faults.Plan) if not name.startswith("_")]

    assert sorted(names("`Plan`")) == sorted({*own, *(field.name for field in fields(faults.Plan))})


def test_the_strategy_of_plans_is_written_with_its_arguments() -> None:
    assert f"`faults.plans{signature(faults.plans)}`" in PAGE.read_text("utf-8")


def examples_of(page: Path) -> dict[str, Any]:
    """Run the Python of a page; give what it defines."""
    defined = ModuleType(f"page_{page.stem.replace('-', '_')}")
    sys.modules[defined.__name__] = defined
    for block in blocks(page):
        if block.info == "python":
            exec(compile(block.text, str(page), "exec"), vars(defined))  # the page's own
    return vars(defined)


def run_property(test: Any, examples: int = 20) -> None:
    """Run a property of a page as pytest would."""
    if inspect.iscoroutinefunction(test.hypothesis.inner_test):
        test.hypothesis.inner_test = _each_in_virtual_time(test.hypothesis.inner_test)
    settings(max_examples=examples, database=None, deadline=None)(test)()


def test_its_property_of_faults_holds() -> None:
    run_property(examples_of(PAGE)["test_nobody_gets_past_the_pin"])


def test_its_machine_finds_nothing_wrong_with_the_bank() -> None:
    machine = examples_of(PAGE)["BankLine"]

    machine.play(parse("ring\nwait 5s\nkeys 1\ntype $pin\nwait 10s\n"))
    assert machine.so_far.came_true == {"somebody_hears_the_balance"}


# CallMachine.


def test_every_class_keyword_is_there() -> None:
    given = inspect.signature(CallMachine.__init_subclass__).parameters.values()

    assert names("class keyword") == [each.name for each in given if each.kind is each.KEYWORD_ONLY]


def test_every_rule_is_there() -> None:
    rules = [name for name, each in vars(CallMachine).items() if hasattr(each, "hypothesis_stateful_rule")]

    assert sorted(names("rule")) == sorted([*rules, "begin"])


def test_every_decorator_of_a_property_is_there() -> None:
    assert names("decorator") == ["always", "sometimes", "in_the_end"]


def test_everything_of_what_is_seen_is_there() -> None:
    own = [name for name in vars(Seen) if not name.startswith("_")]

    assert sorted(names("`Seen`")) == sorted({*own, *(field.name for field in fields(Seen))})


def test_every_option_of_the_plugin_is_there() -> None:
    parser = pytest.Parser(_ispytest=True)
    pytest_addoption(parser)
    options = [name for option in parser.getgroup("callflow").options for name in option.names()]

    assert [name.split()[0] for name in names("option")] == options


# The page on properties of one's own.

HOW_TO = ROOT / "docs" / "how-to" / "write-a-property.md"
PROPERTIES = [
    "test_a_stranger_is_told_nothing",
    "test_every_key_is_read",
    "test_what_peers_get_wrong_is_survived",
    "test_no_line_opens_an_account",
]


@pytest.mark.parametrize("name", PROPERTIES[:2] + PROPERTIES[3:])
def test_a_property_of_the_page_holds(name: str) -> None:
    run_property(examples_of(HOW_TO)[name])


def test_every_property_of_the_page_is_tried() -> None:
    assert [name for name in examples_of(HOW_TO) if name.startswith("test_")] == PROPERTIES


@pytest.mark.parametrize(
    ("mistake", "breaks"),
    [(each.value, each.value in ("no-object", "no-json", "binary", "flat-key")) for each in traffic.MISTAKES],
)
def test_the_decoder_of_the_page_breaks_at_what_it_says(mistake: str, breaks: bool) -> None:
    keys_of = examples_of(HOW_TO)["keys_of"]
    [session] = drawn_sessions(traffic.near(mistakes={mistake}, most=1), 1)

    assert _raises(keys_of, session.texts) == breaks


def _raises(reads: Callable[[str | bytes], str], texts: list[str | bytes]) -> bool:
    try:
        for text in texts:
            reads(text)
    except Exception:  # noqa: BLE001  # a decoder that is nearly right
        return True
    return False


def test_properties_of_the_page_are_short() -> None:
    source = HOW_TO.read_text("utf-8")
    found = re.findall(r"^(@given(?s:.*?))^(?:```|\n)", source, re.MULTILINE)
    lengths = [len(text.rstrip().splitlines()) for text in found]

    assert max(lengths) <= 10


# The page on real calls.


def test_the_script_of_the_page_on_real_calls_is_what_the_command_writes() -> None:
    [text] = [block.text for block in blocks(ROOT / "docs" / "how-to" / "save-a-real-call.md") if block.info == "call"]
    journal = [json.loads(line) for line in journal_of(ask_for_the_balance)]

    assert call_script(journal, "../ivr.py:bank_ivr") == text
