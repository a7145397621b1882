"""``callflow fuzz``: what it prints, its exit codes, and flows that cannot be called."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from callflow.cli.app import run
from callflow.cli.fuzz import FOUND, INTERRUPTED, NOTHING, WRONG
from callflow.cli.fuzz_report import Teller
from callflow.testing import fuzzing
from callflow.testing.failure import MOST_LINES
from callflow.testing.fuzzing import Progress

BANK = Path(__file__).parents[2] / "examples" / "bank_ivr" / "prompts"
HEAD = """\
from __future__ import annotations
import trio
from callflow import Call, CollectDigits, Dtmf, Failed, Flow, Hangup, Secret, State
C = Call[None]
class Bye(Hangup[None]): ...
"""
SOUND = f"""{HEAD}
class Ask(State[None], timeout=4.0):
    def on_dtmf(self, call: C, pressed: Dtmf) -> Bye | None:
        if pressed.digit != "1":
            return None
        print("one is pressed")
        return Bye()
    def on_timeout(self, call: C) -> Bye:
        return Bye()
line = Flow("line", start=Ask)
"""
OTHER = """
class Wait(State[None], timeout=2.0):
    async def run(self, call: C) -> Bye:
        await trio.sleep_forever()
    def on_timeout(self, call: C) -> Bye:
        return Bye()
other = Flow("other", start=Wait, spare=[Ask])
"""
BROKEN = SOUND.replace('print("one is pressed")', 'raise KeyError("one")')
PIN = f"""{HEAD}
class AskPin(CollectDigits[None], length=4, prompt="welcome.wav"):
    def on_digits(self, call: C, pin: Secret) -> Bye:
        if pin.reveal() == "4129":
            raise ValueError(pin.reveal())
        return Bye()
    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()
line = Flow("pin", start=AskPin, prompts={str(BANK)!r})
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, where the command is run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[str], str]:
    """Run it; give its exit code, its lines, and what it says beside them."""
    budget = [] if "--budget" in words else ["--budget", "40"]
    code = run(["fuzz", "--seed", "7", *budget, *words])
    out, err = capsys.readouterr()
    return code, out.splitlines(), err


def told(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    """Run it for programs; give the object that it prints."""
    _, lines, _ = said(capsys, *words, "--json")
    (line,) = lines
    found: dict[str, Any] = json.loads(line)
    return found


# What it prints.


def test_where_nothing_is_found_it_says_what_was_done_and_what_not(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "ivr.py").write_text(SOUND)

    code, lines, _ = said(capsys, "ivr.py")

    assert (code, lines[0], lines[-1]) == (NOTHING, "line: seed 7, 40 calls", "nothing found")
    assert lines[2].startswith("states 2/2, edges 2/2, session cells ")
    assert lines[4:6] == ["thin spots:", f"  laws that no call could have broken: {lines[5].split(': ')[1]}"]


def test_a_call_that_breaks_the_flow_is_told_in_few_lines_saved_and_plays_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "ivr.py").write_text(BROKEN)

    code, lines, _ = said(capsys, "ivr.py")

    found = lines[lines.index("") + 1 :]
    assert (code, len(found) <= MOST_LINES) == (FOUND, True)
    assert found[0].startswith("no-errors: No handler and no run of the flow raises")
    assert "  Ask.on_dtmf: KeyError: 'one' (ivr.py:11), at 0.10 s" in found
    assert found[-1] == "play it again: callflow replay callflow-failures/line-no-errors.call"
    assert run(["replay", "callflow-failures/line-no-errors.call"]) == 1


def test_an_answer_is_told_by_its_name_and_never_by_its_digits(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "ivr.py").write_text(PIN)
    (folder / "answers.toml").write_text('pin = "4129"\n')

    code, lines, err = said(capsys, "ivr.py")

    assert code == FOUND
    assert "  type $pin" in lines
    assert run(["replay", "callflow-failures/pin-no-errors.call"]) == 1
    assert "4129" not in "\n".join([*lines, err, (folder / "callflow-failures/pin-no-errors.call").read_text()])


def test_an_answer_of_the_command_line_is_typed_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ivr.py").write_text(PIN)

    assert said(capsys, "ivr.py", "--answer", "pin=4129")[0] == FOUND


def test_what_a_flow_prints_and_logs_is_not_told_hundreds_of_times(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "ivr.py").write_text(SOUND)
    before = logging.lastResort, logging.root.handlers

    _, lines, err = said(capsys, "ivr.py", "--laws-off", "no-errors")

    assert "one is pressed" not in "\n".join([*lines, err])
    assert "message ignored" not in err
    assert (logging.lastResort, logging.root.handlers) == before


def test_what_is_required_and_not_reached_is_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ivr.py").write_text(SOUND + OTHER)

    code, lines, _ = said(capsys, "ivr.py:other", "--require-edges", "0.9")

    assert (code, lines[-1]) == (
        FOUND,
        "50% of the edges were taken and 90% are required; not: Wait.run -> Bye",
    )


def test_programs_get_one_object(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ivr.py").write_text(SOUND)
    found = told(capsys, "ivr.py", "--laws-off", "no-errors")

    assert (found["version"], found["flow"], found["seed"], found["verdict"]) == (1, "line", 7, "nothing found")
    assert found["edges"] == {"reached": 2, "of": 2, "missing": []}
    assert (found["laws"]["off"], found["finding"], found["services"]) == (["no-errors"], None, {})


def test_programs_get_the_call_that_was_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ivr.py").write_text(BROKEN)
    found = told(capsys, "ivr.py")["finding"]

    assert found["law"] == "no-errors"
    assert found["script"].endswith("ring\nkeys 1\n")
    assert found["saved"] == "callflow-failures/line-no-errors.call"


def test_the_same_seed_gives_the_same_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ivr.py").write_text(SOUND)
    first, again = ({**told(capsys, "ivr.py"), "real_seconds": 0} for _ in range(2))

    assert first == again


def test_a_seed_is_drawn_and_printed_where_none_is_given(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ivr.py").write_text(SOUND)
    run(["fuzz", "ivr.py", "--budget", "1"])
    run(["fuzz", "ivr.py", "--budget", "1"])

    first, again = (line for line in capsys.readouterr().out.splitlines() if line.startswith("line: seed "))
    assert first != again


# A machine in place of a flow.


def test_a_machine_of_a_test_file_brings_its_doubles_and_properties(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "ivr.py").write_text(SOUND)
    (folder / "test_ivr.py").write_text(
        "from ivr import line\nfrom callflow.testing.machine import CallMachine\n"
        "from callflow.testing.seen import always\n"
        "class Line(CallMachine, flow=line):\n"
        "    @always\n    def nobody_presses_one(self, seen):\n        assert '1' not in seen.keys, 'somebody did'\n"
    )

    code, lines, _ = said(capsys, "test_ivr.py:Line")

    assert (code, lines[5]) == (FOUND, "nobody-presses-one: nobody presses one")
    assert "machine ../test_ivr.py:Line" in (folder / "callflow-failures/line-nobody-presses-one.call").read_text()


# What is no order.


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.py"], "none.py: there is no such file; FLOW is "),
        (["empty.py"], "empty.py has no flow; make one: answer = Flow(…)"),
        (["ivr.py:lime"], "ivr.py has no flow named lime; did you mean line?"),
        (["slip.py"], "slip.py:1: SyntaxError: "),
        (["raises.py"], "raises.py:1: ZeroDivisionError: division by zero; python raises.py shows"),
        (["wrong.py"], "Lost: nothing leads to it from Ask; "),
        (["ivr.py", "--budget", "soon"], "--budget: 'soon' is no budget; write a number of calls, like 500"),
        (["ivr.py", "--steps", "0"], "--steps: 0 is too few; a caller does at least 1"),
        (["ivr.py", "--require-edges", "90"], "--require-edges: 90 is no share; write a number from 0 to 1, like 0.9"),
        (["ivr.py", "--laws-off", "no-error"], "--laws-off: there is no law 'no-error'; the laws are connected-first"),
        (["ivr.py", "--answer", "4129"], "--answer: an answer is written name=digits"),
        (["silent.py"], "no folder"),
    ],
)
def test_what_is_wrong_is_one_line_and_two(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    (folder / "ivr.py").write_text(SOUND)
    (folder / "empty.py").write_text("")
    (folder / "slip.py").write_text("def :")
    (folder / "raises.py").write_text("1 / 0")
    (folder / "wrong.py").write_text(SOUND + "class Lost(Hangup[None]): ...\nother = Flow('other', start=Ask)\n")
    (folder / "silent.py").write_text(SOUND.replace("Hangup[None])", "Hangup[None], prompt='bye.wav')"))

    code, lines, err = said(capsys, *words)

    assert (code, lines, err.count("\n")) == (WRONG, [], 1)
    assert err.startswith("callflow fuzz: ")
    assert message in err


def test_a_machine_takes_no_options_that_it_sets_itself(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ivr.py").write_text(SOUND)
    (folder / "test_ivr.py").write_text(
        "from ivr import line\nfrom callflow.testing.machine import CallMachine\n"
        "class Line(CallMachine, flow=line): ...\n"
    )

    code, _, err = said(capsys, "test_ivr.py:Line", "--answer", "pin=1")

    assert (code, "a machine says itself who calls" in err) == (WRONG, True)


# Meanwhile.


def test_ctrl_c_ends_it_with_what_was_done_so_far(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "ivr.py").write_text(SOUND)

    def press(machine: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(fuzzing, "explore", press)
    before = signal.getsignal(signal.SIGINT)
    code, lines, _ = said(capsys, "ivr.py")

    assert (code, lines[-1]) == (INTERRUPTED, "interrupted; nothing found so far")
    assert signal.getsignal(signal.SIGINT) is before


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def progress(share: float, *, seconds: float = 0.0) -> Progress:
    return Progress(calls=3, talk=75.0, edges=1, all_edges=2, seconds=seconds, share=share)


def test_on_a_terminal_one_line_changes() -> None:
    out = Terminal()
    teller = Teller(out)
    for seconds in (0.5, 0.55, 0.7):
        teller.tell(progress(0.1, seconds=seconds))
    teller.close()

    line = "\r\x1b[K  3 calls, 1 min 15 s of talk, edges 1/2"
    assert out.getvalue() == f"{line}{line}\r\x1b[K"


def test_elsewhere_each_quarter_of_the_budget_is_a_line() -> None:
    out = io.StringIO()
    teller = Teller(out)
    for share in (0.0, 0.2, 0.26, 0.4, 0.5, 1.0):
        teller.tell(progress(share))

    assert out.getvalue() == "  3 calls, 1 min 15 s of talk, edges 1/2\n" * 3
