"""The page of log, journal and record names what is really written, all of it and no more."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock

from callflow import Call, CollectDigits, Failed, Flow, Hangup, Menu, Secret, State, key
from callflow.call.journal import Entry, Kind
from callflow.call.record import CallRecord
from callflow.line.memory import MemoryNetwork
from callflow.line.placing import place_call
from callflow.server.settings import Settings
from callflow.session.table import In
from tests.docs.reader import started
from tests.docs.tables import code, plain, tables
from tests.test_docs import ROOT

LOG, JOURNAL, RECORD, _ = tables(ROOT / "docs" / "reference" / "log-and-journal.md")
LEVELS = {"info": "INFO", "warning": "WARNING", "error": "ERROR", "exception": "ERROR", "log": "WARNING"}


def logged() -> Iterator[tuple[str, str]]:
    """Find the events that the library logs, with their levels; a computed level counts as the higher, WARNING."""
    for file in (ROOT / "callflow").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="log" | "logger"), attr=level), args=args):
                    words = [arg.value for arg in args if isinstance(arg, ast.Constant)]
                    if level in LEVELS and words:
                        yield str(words[0]), LEVELS[level]


def test_every_logged_event_is_there_with_its_level() -> None:
    assert LOG.by("event", "level") == dict(logged())


def test_every_kind_of_journal_entry_is_there() -> None:
    assert {plain(kind) for kind in JOURNAL.column("kind")} == {kind.value for kind in Kind}


def test_every_field_of_the_record_is_there() -> None:
    named = [name for cell in RECORD.column("field") for name in code(cell)]

    assert named == [field.name for field in attrs.fields(CallRecord)]


C = Call[None]


class Choose(Menu[None], prompt="menu_again.wav"):
    @key("1")
    def pin(self, call: C) -> AskPin:
        return AskPin()

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


class AskPin(CollectDigits[None], prompt="pin.wav", length=2):
    def on_digits(self, call: C, digits: Secret) -> Silent:
        return Silent()

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


class Silent(State[None], timeout=7.0):
    def on_timeout(self, call: C) -> Bye:
        raise RuntimeError("a mistake in the flow")


class Bye(Hangup[None]):
    """An end."""


async def journal_of(settings: Settings, keys: str) -> list[Entry]:
    """Make a call to the flow above, press keys, and give its journal."""
    flow = Flow("log-page", start=Choose, prompts=ROOT / "examples" / "bank_ivr" / "prompts")
    server = started(flow, settings)
    async with trio.open_nursery() as nursery:
        network = MemoryNetwork()
        network.listen(server.connect, nursery)
        async with place_call(network.dial) as phone:
            await phone.wait(1.0)
            await phone.press(keys)
            task = server.registry.live[0]
            with trio.move_on_after(40.0):
                await phone.ended.wait()
        nursery.cancel_scope.cancel()
    return list(task.driver.journal.entries)


def is_described(entry: Entry) -> bool:
    """Say whether some row of the page describes an entry."""
    for kind, what, fields in zip(
        JOURNAL.column("kind"), JOURNAL.column("what"), JOURNAL.column("fields"), strict=True
    ):
        named = code(what) or [each.value for each in In] + ["RuntimeError"]
        if plain(kind) == entry.kind.value and entry.what in named and set(entry.details) <= set(code(fields)):
            return True
    return False


@pytest.mark.parametrize("keys", ["", "1", "12#", "123#4"])
async def test_every_entry_of_a_call_is_described(keys: str, autojump_clock: MockClock) -> None:
    entries = await journal_of(Settings(), keys)

    assert [entry.line() for entry in entries if not is_described(entry)] == []


async def test_no_digit_of_a_secret_is_in_the_journal(autojump_clock: MockClock) -> None:
    entries = await journal_of(Settings(), "177")

    shown = [entry.details["key"] for entry in entries if entry.what == "taken"]
    assert shown == ["1", "•", "•"]


def test_the_page_is_read(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One\n\n| a | b |\n|---|---|\n| `x` | 1 |\n| `y\\|z` | 2 |\n")

    assert [table.by("a", "b") for table in tables(page)] == [{"x": "1", "y|z": "2"}]
