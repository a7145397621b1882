"""What a type checker finds in a flow before anything runs: nine mistakes, each reported at its line."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

MISTAKEN = '''
from attrs import define

from callflow import Call, CollectDigits, EndedCall, Failed, Flow, Hangup, Menu, Say, Secret, State, Tap, TapCall, key


@define
class Caller:
    account: str = ""


@define
class Patient:
    name: str = ""


C = Call[Caller]


class Bye(Hangup[Caller], prompt="bye.wav"):
    def on_hangup(self, call: EndedCall[Caller]) -> None:
        call.play("late.wav")  # MISTAKE attr-defined: a call that is over has nothing that could send


class Elsewhere(Hangup[Patient]):
    """The end of another flow."""


class Welcome(Say[Caller], prompt="welcome.wav"):
    def then(self, call: C) -> "Main":
        call.data.acount = "7"  # MISTAKE attr-defined: the data has no such field
        return Main()


class Main(Menu[Caller], prompt="menu.wav", tries=2):
    @key("1")
    def balance(self, call: C) -> "AskPin":
        return Bye()  # MISTAKE return-value: a move that is not declared

    def on_failed(self, call: C, why: Failed) -> Elsewhere:  # MISTAKE override: a state of another flow's data
        return Elsewhere()


class Louder(Main, no_inptu="quiet.wav"):  # MISTAKE call-arg: an option that does not exist
    """Says something to those who press nothing."""


class Slower(Main, first_digit="5 s"):  # MISTAKE arg-type: a value of the wrong type
    """Waits longer."""


class AskPin(CollectDigits[Caller], prompt="pin.wav", length=4):
    def on_digits(self, call: C, digits: Secret) -> "CheckPin":
        return CheckPin()  # MISTAKE call-arg: a field is missing

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


class CheckPin(State[Caller], timeout=4.0):
    pin: Secret

    def run(self, call: C) -> Bye:  # MISTAKE override: a run that does not wait
        return Bye()

    def on_timeout(self, call: C) -> Bye:
        return Bye()


class Listen(Tap[Caller]):
    async def run(self, call: TapCall[Caller]) -> None:
        async for pcm in call.audio():
            call.data.account += str(len(pcm))
        await call.play("late.wav")  # MISTAKE attr-defined: a tap has nothing that could send


bank = Flow("bank", start=Welcome, data=Caller)
tap = Flow("tap", start=Listen, data=Caller)
'''


def marked(code: str) -> set[tuple[int, str]]:
    """Read which lines hold a mistake, and what mypy calls it."""
    found = (re.search(r"# MISTAKE (\S+):", line) for line in code.splitlines())
    return {(number, match.group(1)) for number, match in enumerate(found, 1) if match}


def reported(printed: str) -> set[tuple[int, str]]:
    """Read which lines mypy reports, and as what."""
    return {(int(line), kind) for line, kind in re.findall(r"^[^:]+:(\d+): error: .*\[(\S+)\]$", printed, re.M)}


def check(code: str, folder: Path) -> str:
    """Check a user's module as strictly as mypy can."""
    (folder / "ivr.py").write_text(code)
    words = ["--strict", "--config-file=", "--python-version=3.11", f"--cache-dir={folder / 'cache'}", "ivr.py"]
    run = subprocess.run(
        [sys.executable, "-m", "mypy", *words],
        cwd=folder,
        env={"MYPYPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout + run.stderr


def test_every_mistake_is_reported_at_its_line_and_nothing_else_is(tmp_path: Path) -> None:
    printed = check(MISTAKEN, tmp_path)

    assert (reported(printed), len(marked(MISTAKEN))) == (marked(MISTAKEN), 9), printed
