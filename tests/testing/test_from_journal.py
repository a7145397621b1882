"""A call script out of a journal: it does what the caller did, and says what it cannot know."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from callflow.call.journal import Kind
from callflow.cli.app import run as command
from callflow.errors import SettingsError
from callflow.line.script import parse
from callflow.testing import Caller, caller, replay, run
from callflow.testing.from_journal import call_script, read_journal
from callflow.testing.replaying import Verdict
from examples.bank_ivr.bank import FakeBank
from examples.bank_ivr.ivr import Caller as Customer
from examples.bank_ivr.ivr import bank_ivr

Doing = Callable[[Caller[Customer]], Awaitable[object]]
PIN = {"pin": "4129"}


def journal_of(doing: Doing) -> list[str]:
    """Have a call, and give its journal as a server would."""

    async def have() -> list[str]:
        async with caller(bank_ivr, services=[FakeBank()], answers=PIN) as c:
            await doing(c)
        return [entry.line() for entry in c._performance.task.driver.journal.entries]

    return run(have)


def script_of(doing: Doing) -> list[str]:
    """The lines that do something."""
    text = call_script([json.loads(line) for line in journal_of(doing)])
    return [line for line in text.splitlines() if not line.startswith("#")]


async def ask_for_the_balance(c: Caller[Customer]) -> None:
    await c.reaches("MainMenu")
    await c.silent(1.2)
    await c.press("1")
    await c.silent(0.5)
    await c.type("$pin", gap=0.4)
    await c.hears("twelve thousand three hundred and forty", complete=True)
    await c.hangs_up()


def test_keys_waits_states_and_the_end_are_written() -> None:
    assert script_of(ask_for_the_balance) == [
        "state Welcome within 5s",
        "state FindAccount within 8s",
        "state MainMenu within 6s",
        "wait 1.2s",
        "keys 1",
        "state AskPin within 5s",
        "wait 0.5s",
        "type $ask_pin gap 0.4s",
        "state CheckPin within 5s",
        "state LookUp within 6s",
        "state Answer within 6s",
        "wait 4.4s",
        "hangup",
    ]


def test_the_script_plays_as_the_call_went(tmp_path: Path) -> None:
    journal = journal_of(ask_for_the_balance)
    script = parse(call_script([json.loads(line) for line in journal]))

    played = replay(script, flow=bank_ivr, answers={"ask_pin": "4129"}, services=[FakeBank()])

    assert played.verdict is Verdict.PASSED


async def lose_the_line(c: Caller[Customer]) -> None:
    await c.reaches("MainMenu")
    await c.drops(for_=2.0)
    await c.silent(1.0)
    await c.takes_over()
    await c.press("0")
    await c.ended(by="flow")


def test_what_became_of_the_line_is_written() -> None:
    assert [line for line in script_of(lose_the_line) if not line.startswith(("state", "wait"))] == [
        "drop",
        "reconnect",
        "takeover",
        "keys 0",
        "ended by flow within 12s",
    ]


def entries(*what: tuple[float, Kind, str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"n": n, "t": at, "kind": kind.value, "what": word, **details}
        for n, (at, kind, word, details) in enumerate(what, start=1)
    ]


def test_what_a_journal_does_not_know_is_said() -> None:
    text = call_script(
        entries(
            (0.0, Kind.MESSAGE, "start", {}),
            (1.0, Kind.KEY, "pressed", {}),
            (1.0, Kind.KEY, "dropped", {}),
            (2.0, Kind.SPEECH, "ended", {"seconds": 1.2}),
            (3.0, Kind.END, "hang up", {"cause": "app_error"}),
        ),
        "ivr.py:line",
    )

    assert text.splitlines()[3:] == [
        "flow ivr.py:line",
        "# 1.0 s after the start a key came that no state took",
        "# here the caller spoke for 1.2 s: play FILE.wav",
        "# the server ended the call here: app_error",
    ]


# The command.


def test_the_command_prints_the_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "call.jsonl"
    file.write_text("".join(journal_of(ask_for_the_balance)), "utf-8")

    code = command(["replay", "--call", str(file), "--flow", "ivr.py:bank_ivr"])
    printed = capsys.readouterr().out

    assert (code, "flow ivr.py:bank_ivr\n" in printed, printed.endswith("hangup\n")) == (0, True, True)
    assert parse(printed).answers == {"ask_pin"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no json", "this is no journal"),
        ("", "this is no journal"),
        ('{"event": "x"}', "each line of one has n, t, kind and what"),
        ('{"n": 7, "t": 0, "kind": "link", "what": "quiet"}', "the beginning of the call is missing"),
    ],
)
def test_what_is_no_journal_is_refused(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "call.jsonl"
    file.write_text(text, "utf-8")

    with pytest.raises(SettingsError, match=words):
        read_journal(file)
