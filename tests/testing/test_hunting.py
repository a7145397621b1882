"""What a run that fails prints, whoever runs it: the call, and nothing of Hypothesis's or of a traceback."""

from __future__ import annotations

import io
import sys
import unittest
from importlib import import_module
from pathlib import Path

import pytest

from callflow import Call, Dtmf, Flow, Hangup, State
from callflow.testing.doubles import NoDouble
from callflow.testing.failure import MOST_LINES, CallFailed
from callflow.testing.hunting import hunt
from callflow.testing.machine import CallMachine
from callflow.testing.seen import Seen, always, sometimes

LINE = """\
from callflow import Call, Dtmf, Flow, Hangup, State
from callflow.testing.machine import CallMachine
from callflow.testing.seen import always, sometimes

class Bye(Hangup[None]): ...

class Ask(State[None], timeout=4.0):
    def on_dtmf(self, call: Call[None], key: Dtmf) -> Bye | None:
        return Bye() if key.digit == "1" else None
    def on_timeout(self, call: Call[None]) -> Bye:
        return Bye()

line = Flow("line", start=Ask)

class Late(CallMachine, flow=line):
    @always
    def never_nine_and_eight(self, seen):
        assert "9" not in seen.keys or "8" not in seen.keys, "both"

class Hopeful(CallMachine, flow=line):
    @sometimes
    def it_snows(self, seen):
        return False
"""


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Run a machine of the line by plain unittest; give what that prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "test_hunted_line.py").write_text(LINE)
    sys.modules.pop("test_hunted_line", None)

    def run(name: str) -> str:
        case = getattr(import_module("test_hunted_line"), name).TestCase
        out = io.StringIO()
        unittest.TextTestRunner(stream=out, verbosity=0).run(case())
        return out.getvalue()

    return run


def test_by_unittest_a_call_that_was_found_is_all_that_is_printed(
    told: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(told)
    lines = told("Late").splitlines()

    found = lines[3 : lines.index("", 3)]
    assert found[0] == "callflow.testing.failure.CallFailed: never-nine-and-eight: never nine and eight"
    assert found[1].startswith("  both, at ")  # and when, which is drawn
    assert found[-1] == "play it again: callflow replay callflow-failures/line-never-nine-and-eight.call"
    assert len(found) <= MOST_LINES
    assert "Traceback" not in "\n".join(lines)
    assert capsys.readouterr() == ("", "")


def test_by_unittest_what_never_came_true_is_one_line(told: object) -> None:
    assert callable(told)
    lines = told("Hopeful").splitlines()

    assert lines[3].startswith("callflow.testing.example.NeverTrue: Hopeful.it_snows was true in none of ")
    assert lines[4] == ""


# Odd exceptions.

C = Call[None]


class Bye(Hangup[None]): ...


class Ask(State[None], timeout=4.0):
    def on_dtmf(self, call: C, key: Dtmf) -> Bye | None:
        return Bye() if key.digit == "1" else None

    def on_timeout(self, call: C) -> Bye:
        return Bye()


line = Flow("line", start=Ask)


class Odd(CallMachine, flow=line):
    @always
    def it_is_known(self, seen: Seen[None]) -> bool:
        return {"Ask": True}[seen.state.__name__]


class OddHope(CallMachine, flow=line):
    @sometimes
    def it_is_known(self, seen: Seen[None]) -> bool:
        return {"Ask": True}[seen.state.__name__]


@pytest.mark.parametrize("machine", [Odd, OddHope])
def test_a_property_that_raises_is_told_as_one_that_breaks(machine: type[CallMachine]) -> None:
    with pytest.raises(CallFailed, match=r"^it-is-known: .*\n  it raises KeyError: 'Bye' \(tests/.*:\d+\), at "):
        hunt(machine)


class Nothing(CallMachine, flow=line, services={"bank": lambda: 1 // 0}): ...


def test_a_double_that_cannot_be_made_is_told_with_its_line() -> None:
    with pytest.raises(NoDouble, match=r"services=\{'bank': …\} cannot be made: ZeroDivisionError: .* \(tests/"):
        hunt(Nothing)


class Dice(State[None], timeout=4.0):
    async def run(self, call: C) -> Bye:
        if next(THROWS) == 1:
            raise RuntimeError("a one")
        return Bye()

    def on_timeout(self, call: C) -> Bye:
        return Bye()


THROWS = iter([0, 1, *[0] * 10_000])
dice = Flow("dice", start=Dice)


class ByChance(CallMachine, flow=dice): ...


def test_a_call_that_does_not_do_the_same_again_is_told_as_such() -> None:
    with pytest.raises(CallFailed, match=r"but not when it is played\s+again, so the flow goes by chance"):
        hunt(ByChance)
