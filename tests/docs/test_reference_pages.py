"""The pages of states and of the call have every option, hook, attribute and word that the code has."""

from __future__ import annotations

import enum
import inspect
import re
from typing import Any

import attrs
import pytest

from callflow import (
    Call,
    CallerAudio,
    CollectDigits,
    Confirm,
    EndCause,
    EndedCall,
    Fate,
    Flow,
    Hangup,
    Heard,
    Menu,
    PassthruReport,
    Playback,
    Previous,
    Record,
    Recording,
    RecordingEnd,
    Resumed,
    Say,
    Sensitivity,
    Speaker,
    Speech,
    Started,
    State,
    SubFlow,
    Tap,
    TapCall,
)
from callflow.flow.graph import REQUIRED
from tests.docs.tables import Table, code, plain, tables
from tests.test_docs import ROOT

STATES = list(tables(ROOT / "docs" / "reference" / "states.md"))
CALL = list(tables(ROOT / "docs" / "reference" / "call.md"))
KINDS: list[type[State[Any]]] = [State, Say, Menu, CollectDigits, Confirm, Record, SubFlow, Tap, Hangup]


def table_of(page: list[Table], column: str, heading: str = "") -> Table:
    """Find the table that has a column, below a heading if one is given."""
    return next(table for table in page if column in table.columns and heading in ("", table.heading))


def first_names(table: Table) -> list[str]:
    """Give the names in the first column, without what stands in brackets behind a method."""
    return [name.partition("(")[0] for row in table.rows for name in code(row[0])]


def public(cls: type) -> list[str]:
    """Give the public attributes of a class, those that are only annotated included."""
    names = [*inspect.get_annotations(cls), *vars(cls)]
    return [name for name in dict.fromkeys(names) if not name.startswith("_")]


def options_of(kind: type[State[Any]]) -> dict[str, str]:
    """Give the class keywords of a kind, with their defaults as the page writes them."""
    names = [name for name, each in inspect.signature(kind.__init_subclass__).parameters.items()]
    required = REQUIRED.get(kind.kind, ((), ()))[0]
    shown = {name: f"{getattr(kind.options, name)!r}".replace("'", '"') for name in names}
    return {name: "required" if name in required else default for name, default in shown.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_every_option_of_a_kind_is_there_with_its_default(kind: type[State[Any]]) -> None:
    assert table_of(STATES, "keyword", kind.__name__).by("keyword", "default") == options_of(kind)


def test_every_hook_is_there() -> None:
    told = [plain(row[0]) for table in STATES if "hook" in table.columns for row in table.rows]
    hooks = {name for kind in KINDS for name in public(kind) if name.startswith("on_") or name in ("run", "then")}

    assert {name for name in hooks if not any(f"{name}(" in cell for cell in told)} == set()


def test_what_a_kind_cannot_do_without_is_marked() -> None:
    marked = {
        (table.heading, name)
        for table in STATES
        if "hook" in table.columns
        for row in table.rows
        if "Required" in row[1]
        for name in [plain(row[0]).removeprefix("def ").partition("(")[0]]
    }

    assert marked == {(kind, hook) for kind, (_, hooks) in REQUIRED.items() for hook in hooks}


@pytest.mark.parametrize("cls", [Playback, Speaker, CallerAudio])
def test_every_attribute_of_a_class_is_there(cls: type) -> None:
    assert sorted(first_names(table_of(CALL, f"`{cls.__name__}`"))) == sorted(public(cls))


def test_every_attribute_of_a_call_is_there() -> None:
    assert sorted(first_names(table_of(CALL, "`Call`"))) == sorted([*public(TapCall), *public(Call)])


def test_what_a_tap_cannot_do_is_there() -> None:
    [told] = re.findall(
        r"a `Call` without (.+?)\. Type", (ROOT / "docs/reference/call.md").read_text().replace("\n", " ")
    )

    assert sorted(code(told)) == sorted(public(Call))


@pytest.mark.parametrize(
    "cls", [Started, Previous, Resumed, Heard, PassthruReport, EndedCall, Speech, Sensitivity, Recording]
)
def test_every_field_of_a_value_is_there(cls: type) -> None:
    fields = [field.name for field in attrs.fields(cls)]
    methods = [name for name in vars(cls) if not name.startswith("_") and name not in fields]
    table = table_of(CALL, f"`{cls.__name__}`")

    assert sorted({plain(name).partition("(")[0] for row in table.rows for name in row[0].split(", ")}) == sorted(
        [*fields, *methods]
    )


@pytest.mark.parametrize("cls", [Fate, EndCause, RecordingEnd])
def test_every_member_of_a_closed_set_is_there(cls: type[enum.Enum]) -> None:
    assert sorted(first_names(table_of(CALL, f"`{cls.__name__}`"))) == sorted(cls.__members__)


def test_the_words_of_the_causes_are_those_of_the_code() -> None:
    assert table_of(CALL, "`EndCause`").by("`EndCause`", "word") == {cause.name: cause.value for cause in EndCause}


def test_every_argument_of_a_flow_is_there() -> None:
    assert first_names(table_of(CALL, "argument")) == list(inspect.signature(Flow).parameters)


def test_the_defaults_of_the_sensitivity_are_those_of_the_code() -> None:
    told = table_of(CALL, "`Sensitivity`").by("`Sensitivity`", "default")

    assert told == {field.name: str(field.default) for field in attrs.fields(Sensitivity)}
