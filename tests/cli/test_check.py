"""``callflow check``: what it prints, its exit codes, and imports that go wrong."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from callflow.cli.app import run
from callflow.cli.check import CLEAN, FOUND, NOT_IMPORTED

HEAD = "from __future__ import annotations\nfrom callflow import *\n"
BYE = "class Bye(Hangup[None]): ...\n"
GOOD = HEAD + BYE + "bank = Flow('bank', start=Bye)\n"
BAD = GOOD + "class Lost(Hangup[None]): ...\n"

LOST = (
    "ivr.py:5: Lost: nothing leads to it from Bye; name it in the return annotation of a handler, take it out, or say "
    "that it is meant: Flow(…, spare=[Lost])  [dead-state]\n"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder, where the command is run; what it imports is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if "callflow" not in name:
            del sys.modules[name]


def test_nothing_found_is_said_and_is_zero(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ivr.py").write_text(GOOD)

    assert (run(["check", "ivr.py"]), *capsys.readouterr()) == (CLEAN, "1 flow: nothing found\n", "")


def test_a_finding_is_one_line_and_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ivr.py").write_text(BAD)

    assert (run(["check", "ivr.py"]), *capsys.readouterr()) == (FOUND, f"{LOST}1 finding\n", "")


def test_several_flows_are_judged_together(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ivr.py").write_text(BAD)
    (folder / "night.py").write_text(GOOD + "other = Flow('other', start=Bye)\nsame = bank\n")
    (folder / "day.py").write_text(GOOD)

    code = run(["check", "--json", "ivr.py", "night.py", "day.py:bank", "ivr.py"])

    report = json.loads(capsys.readouterr().out)
    assert (code, report["flows"], len(report["findings"])) == (FOUND, ["bank", "bank", "other", "bank", "bank"], 1)


def test_a_flow_by_its_name_is_judged_by_its_whole_module(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ivr.py").write_text(GOOD + "class Other(Hangup[None]): ...\nother = Flow('other', start=Other)\n")

    assert (run(["check", "ivr:bank"]), capsys.readouterr().out) == (CLEAN, "1 flow: nothing found\n")


def test_a_finding_for_programs_has_all_keys(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ivr.py").write_text(BAD)
    run(["check", "ivr.py", "--json"])

    assert json.loads(capsys.readouterr().out) == {
        "version": 1,
        "flows": ["bank"],
        "findings": [
            {
                "path": "ivr.py",
                "line": 5,
                "check": "dead-state",
                "where": "Lost",
                "mistake": "nothing leads to it from Bye",
                "cure": "name it in the return annotation of a handler, take it out, or say that it is meant: "
                "Flow(…, spare=[Lost])",
            }
        ],
        "failures": [],
    }


def test_a_flow_that_is_refused_is_findings_and_not_a_failure(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ivr.py").write_text(
        HEAD + "class Hi(Say[None]):\n    def then(self, call) -> Byee: ...\n" + BYE + "bank = Flow('bank', start=Hi)\n"
    )

    assert (run(["check", "ivr.py"]), *capsys.readouterr()) == (
        FOUND,
        "ivr.py:3: Hi: has no prompt; add prompt=… to its class line  [no-prompt]\n"
        "ivr.py:4: Hi.then: its annotation names Byee, which does not exist when the flow is made; did you mean Bye?"
        "  [unknown-target]\n2 findings\n",
        "",
    )


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("class A(Say[None], promt='a'): ...", "A: a Say has no option promt; did you mean prompt?  [unknown-option]"),
        ("class A(State[None], timeout=0): ...", "A: timeout=0 is no number of seconds above zero; write"),
        ("bank = Flow('b nk', start=Bye)", "Flow('b nk'): has no such name; use letters, digits, - and _  [flow]"),
        ("@key('A')\ndef a(): ...", "@key('A'): is no key; the keys of a telephone are 0 to 9, * and #"),
    ],
)
def test_a_class_that_is_refused_is_found_at_its_line(
    line: str, told: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "ivr.py").write_text(HEAD + BYE + line)

    assert (run(["check", "ivr.py"]), capsys.readouterr().out.startswith(f"ivr.py:4: {told}")) == (FOUND, True)


def test_a_mistake_in_another_module_is_found_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "parts.py").write_text(HEAD + BYE + "class Hi(Say[None], prompt='a.wav'): ...\n")
    (folder / "ivr.py").write_text(HEAD + "from parts import Hi\nbank = Flow('bank', start=Hi)\n")

    run(["check", "ivr.py"])

    assert capsys.readouterr().out.startswith("parts.py:4: Hi: has no then; ")


# What cannot be imported.

FAILURES = {
    "a module that is not there": (
        "import nobody_wrote_this\n",
        "ivr.py:1: ModuleNotFoundError: No module named 'nobody_wrote_this'; install nobody_wrote_this, or mend the "
        "import",
    ),
    "no Python": ("class\n", "ivr.py:1: SyntaxError: invalid syntax; mend it there"),
    "an error of its own": (
        "import json\ndef load():\n    return json.loads('{')\nDATA = load()\n",
        "ivr.py:3: JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1); "
        "python ivr.py shows the whole traceback",
    ),
    "a program": (
        "raise SystemExit('bye')\n",
        "ivr.py:1: SystemExit: bye; put what runs the program below: if __name__ == '__main__'",
    ),
    "no flow": ("x = 1\n", "ivr.py has no flow; make one: answer = Flow(…)"),
}


@pytest.mark.parametrize(("code", "told"), FAILURES.values(), ids=FAILURES)
def test_what_cannot_be_imported_is_one_line_and_two(
    code: str, told: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "ivr.py").write_text(code)

    exit_code = run(["check", "ivr.py"])

    printed = capsys.readouterr()
    assert (exit_code, printed.out, printed.err.replace(f"{folder}/", "")) == (NOT_IMPORTED, "", f"callflow: {told}\n")


def test_a_failure_hides_no_finding(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ivr.py").write_text(BAD)

    code = run(["check", "absent.py", "ivr.py"])

    printed = capsys.readouterr()
    assert (code, printed.out, "absent.py: there is no such file" in printed.err) == (
        NOT_IMPORTED,
        f"{LOST}1 finding\n",
        True,
    )


def test_a_failure_is_there_for_programs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["check", "absent.py", "--json"])

    [failure] = json.loads(capsys.readouterr().out)["failures"]
    assert (failure["flow"], failure["message"].partition(";")[0]) == ("absent.py", "absent.py: there is no such file")


def test_no_flow_at_all_is_a_slip(capsys: pytest.CaptureFixture[str]) -> None:
    assert (run(["check"]), *capsys.readouterr()) == (
        NOT_IMPORTED,
        "",
        "callflow: check needs a FLOW: path/to/file.py or package.module\n",
    )


# What it leaves alone.


def test_what_a_module_prints_is_kept_out_of_the_report(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ivr.py").write_text(f"{GOOD}print('hello')\n")
    run(["check", "ivr.py", "--json"])

    printed = capsys.readouterr()
    assert (json.loads(printed.out)["flows"], printed.err) == (["bank"], "hello\n")


def test_nothing_is_served_and_no_socket_is_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "ivr.py").write_text(GOOD)
    monkeypatch.setattr(socket, "socket", None)

    assert run(["check", "ivr.py"]) == CLEAN


LOOPS = (
    HEAD + "class Work(State[None], timeout=5.0):\n    async def run(self, call) -> Work | Bye: ...\n"
    "    def on_timeout(self, call) -> Bye: ...\n" + BYE + "bank = Flow('bank', start=Work)\n"
)


def test_a_deep_check_says_what_holds_for_every_call(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ivr.py").write_text(LOOPS)

    assert (run(["check", "ivr.py", "--deep"]), capsys.readouterr().out) == (
        CLEAN,
        "1 flow: nothing found\n\nbank: 2 moments, 4 outcomes\n"
        "  a caller who never does anything: unbounded, in Work → Work; only the longest time of a call ends it\n"
        "  goes round without the caller: Work → Work (0.0 to 5.0 s a round)\n"
        "  cannot be cut: nothing\n",
    )


def test_a_deep_check_for_programs_has_no_number_where_there_is_no_bound(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "ivr.py").write_text(LOOPS)
    run(["check", "ivr.py", "--deep", "--json"])

    [facts] = json.loads(capsys.readouterr().out)["deep"]
    assert facts["silent"] == {"seconds": None, "by": ["Work"], "loop": ["Work"], "unknown": []}


def test_what_is_never_left_is_a_finding(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stays = "class Ask(Menu[None], keys={'1': Bye}, prompt='a.wav'):\n    def on_failed(self, call, why) -> None: ...\n"
    (folder / "ivr.py").write_text(HEAD + BYE + stays + "bank = Flow('bank', start=Ask)\n")

    assert (run(["check", "ivr.py", "--deep"]), "[endless-silence]" in capsys.readouterr().out) == (FOUND, True)
