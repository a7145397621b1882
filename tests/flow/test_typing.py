"""What a type checker finds in a flow before anything runs: each mistake at its line, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

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


INSIDE = '''
from attrs import define, frozen

from callflow import Again, Call, CollectDigits, Confirm, Done, EndedCall, Failed, Flow, GaveUp, Hangup, LimitNear, Menu
from callflow import Prompt, Say, State, SubFlow, activity, key, on


@define
class Caller:
    account: str = ""


@define
class Entry:
    digits: str = ""


@frozen
class Free:
    desk: int


C = Call[Caller]


class Bye(Hangup[Caller]):
    def prompt_for(self, call: C) -> Prompt:
        return 5  # MISTAKE return-value: a prompt is a text or a tuple of texts


class InBank(State[Caller], timeout=60.0):
    @on(Free)
    def free(self, call: C, event: Free) -> "Bye | None":
        return None if event.desk else Bye()

    @on(Free)  # MISTAKE arg-type: a method that takes another event
    def late(self, call: C, event: LimitNear) -> Bye:
        return Bye()

    @key("0")
    def person(self, call: C) -> Bye:
        return Bye()

    def on_error(self, call: C, error: Exception) -> None:  # MISTAKE override: an error that leads nowhere
        return None

    def on_timer(self, call: C, name: int) -> Bye:  # MISTAKE override: the name of a timer is a text
        return Bye()

    def on_timeout(self, call: C) -> Bye:
        call.every(20.0, "place")  # MISTAKE arg-type, arg-type: the name comes first
        return Bye()


class Offers(InBank, Menu[Caller], prompt="offers.wav", keys={"1": "Bye"}, failed=Bye):  # MISTAKE dict-item: no class
    """States by name."""


class Queue(InBank, Say[Caller], prompt="wait.wav", timeout=5.0):
    @activity  # MISTAKE type-var: an activity that does not wait
    def plain(self, call: C) -> None:
        call.post(Free(desk=1))

    @activity
    async def watch(self, call: C) -> None:
        call.post(Free(desk="1"))  # MISTAKE arg-type: the event's own field

    def then(self, call: C) -> Bye:
        return Bye()


class Ask(CollectDigits[Entry], prompt="account.wav", length=4, secret=False):
    def on_digits(self, call: Call[Entry], digits: str) -> Done[str] | Again:
        return Done(7) if digits else Again("no mtach")  # MISTAKE arg-type, arg-type: result and name of other types

    def on_failed(self, call: Call[Entry], why: Failed) -> GaveUp:
        return GaveUp("why")  # MISTAKE arg-type: the reason is a Failed


class Sure(Confirm[Caller], prompt="sure.wav", yes=1):  # MISTAKE arg-type: a key is a text
    def on_yes(self, call: C) -> Bye:
        return Again()  # MISTAKE return-value: not declared

    def on_no(self, call: C) -> Bye | Again:
        return Again()


class AskAccount(SubFlow[Caller, str], start=Ask, data=Entry):
    def on_done(self, call: C, result: str) -> Bye:
        call.data.account = result
        return result  # MISTAKE return-value: a result is no state


class AskAge(SubFlow[Caller, int], start=Ask, data=Entry):
    def on_done(self, call: C, result: str) -> Bye:  # MISTAKE override: what comes out has another type
        return Bye()


class Twice(SubFlow[Caller, int], start=Ask()):  # MISTAKE arg-type: an instance
    def on_done(self, call: C, result: int) -> Bye:
        return Bye()


async def save(call: EndedCall[Caller]) -> None:
    call.post(Free(desk=1))  # MISTAKE attr-defined: a call that is over takes no events


async def forget(call: EndedCall[Entry]) -> None: ...


flow = Flow("bank", start=Offers, data=Caller, after=save, error=Bye, max_seconds=60.0)
wrong = Flow("bank", start=Offers, data=Caller, after=forget)  # MISTAKE arg-type: of other data
'''


def marked(code: str) -> set[tuple[int, str]]:
    """Read which lines hold a mistake, and what mypy calls it."""
    found = (re.search(r"# MISTAKE ([\w, -]+):", line) for line in code.splitlines())
    return {(number, kind) for number, match in enumerate(found, 1) if match for kind in match.group(1).split(", ")}


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


@pytest.mark.parametrize(("code", "mistakes"), [(MISTAKEN, 9), (INSIDE, 17)], ids=["a bank", "the whole call"])
def test_every_mistake_is_reported_at_its_line_and_nothing_else_is(tmp_path: Path, code: str, mistakes: int) -> None:
    printed = check(code, tmp_path)

    assert (reported(printed), len({line for line, _ in marked(code)})) == (marked(code), mistakes), printed
