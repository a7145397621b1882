"""The command ``callflow``: its exit codes, and mistakes that are one line and never a traceback."""

from __future__ import annotations

import logging
import runpy
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from callflow.cli import app as command_line
from callflow.cli.app import main, run

HEAD = "from callflow import Flow, Hangup, Say\n"
BYE = "class Bye(Hangup[None]): ...\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder, where the command is run; behind the test its module is forgotten and the log as before."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    library = logging.getLogger("callflow")
    handlers, level = [*library.handlers], library.level
    yield tmp_path
    library.handlers[:] = handlers
    library.setLevel(level)
    sys.modules.pop("ivr", None)


# Help.


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], ["serve", "call", "check", "diagram", "--version"]),
        (["--help"], ["serve", "call", "check", "diagram", "--version"]),
        (["serve", "--help"], ["FLOW", "--host", "--port", "--drain", "--log-json"]),
        (["call", "--help"], ["SCRIPT", "--url", "--wav", "--json"]),
        (["check", "--help"], ["FLOWS", "--json", "--deep"]),
        (["diagram", "--help"], ["FLOW", "--format", "-o", "--check"]),
    ],
)
def test_help_is_there_and_no_mistake(words: list[str], told: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code = run(words)

    printed = capsys.readouterr()
    assert (code, [word for word in told if word not in printed.out], printed.err) == (0, [], "")


def test_the_version_is_that_of_the_distribution(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command_line, "version", {"callflow-trio": "1.2.3"}.__getitem__)

    assert (run(["--version"]), capsys.readouterr().out) == (0, "1.2.3\n")


def test_a_checkout_that_is_not_installed_has_no_version(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(command_line, "version", absent)

    assert (run(["--version"]), capsys.readouterr().out) == (0, "not installed\n")


# Words that are no command.


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["serv"], 'Unknown command "serv". Did you mean "serve"?'),
        (["serve"], 'Command "serve" parameter FLOW requires an argument.'),
        (["serve", "ivr.py", "--prot", "80"], "Unknown option: --prot. Did you mean --port?"),
        (["serve", "ivr.py", "--port", "http"], 'Invalid value for --port: unable to convert "http" into int.'),
        (["serve", "ivr.py", "--port"], "--port"),
        (["call", "balance", "extra"], "extra"),
        (["call"], 'Command "call" parameter SCRIPT requires an argument.'),
    ],
)
def test_a_slip_is_one_line_with_what_was_meant(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(words)

    printed = capsys.readouterr()
    assert (code, printed.out, printed.err.count("\n"), told in printed.err) == (2, "", 1, True), printed.err
    assert printed.err.startswith("callflow: ")


# Mistakes in what is served.

MISTAKES = {
    "a flow that is not there": ("", ["serve", "absent.py"], "callflow: absent.py: there is no such file;"),
    "a flow that is wrong": (
        HEAD + BYE + "class Lost(Say[None], promt='a.wav'): ...",
        ["serve", "ivr.py"],
        "callflow: Lost: a Say has no option promt; did you mean prompt?",
    ),
    "a prompt that is missing": (
        HEAD + BYE + "class Hi(Say[None], prompt='a.wav'):\n    def then(self, call) -> Bye: ...\n"
        "bank = Flow('bank', start=Hi)",
        ["serve", "ivr.py", "--port", "0"],
        "callflow: ",
    ),
    "a setting that cannot be": (
        HEAD + BYE + "bank = Flow('bank', start=Bye)",
        ["serve", "ivr.py", "--port", "99999"],
        "callflow: port: expected int <= 65535, found 99999 (--port); "
        "write a number up to 65535, or 0 for any free port",
    ),
    "a settings file that is not there": (
        HEAD + BYE + "bank = Flow('bank', start=Bye)",
        ["serve", "ivr.py", "--config", "absent.toml"],
        "callflow: absent.toml: cannot be read (No such file or directory); name a file that is there",
    ),
}


@pytest.mark.parametrize(("code", "words", "told"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line_and_no_traceback(
    code: str, words: list[str], told: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "ivr.py").write_text(code)

    exit_code = run(words)

    printed = capsys.readouterr()
    assert (exit_code, printed.out, printed.err.count("\n")) == (1, "", 1), printed.err
    assert printed.err.startswith(told)


def test_a_flow_with_several_mistakes_says_how_many(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ivr.py").write_text(
        HEAD + "class Hi(Say[None]):\n    def then(self, call) -> 'Nobody': ...\nFlow('f', start=Hi)"
    )
    run(["serve", "ivr.py"])

    assert capsys.readouterr().err.endswith("to its class line (and 1 more: callflow check tells all)\n")


def test_a_variable_that_is_nearly_a_setting_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CALLFLOW_PROT", "80")
    (folder / "ivr.py").write_text(HEAD + BYE + "bank = Flow('bank', start=Bye)")

    code = run(["serve", "ivr.py"])

    assert (code, capsys.readouterr().err) == (
        1,
        "callflow: CALLFLOW_PROT: there is no such setting; did you mean CALLFLOW_PORT?\n",
    )


def test_what_a_users_module_raises_is_one_line_that_says_where(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "ivr.py").write_text("import nobody_wrote_this\n")

    code = run(["serve", "ivr.py"])

    assert (code, capsys.readouterr().err) == (
        1,
        "callflow: ivr.py:1: ModuleNotFoundError: No module named 'nobody_wrote_this'; "
        "install nobody_wrote_this, or mend the import\n",
    )


# The end of the process.


def test_the_process_ends_with_the_commands_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", "absent.py"])

    assert ended.value.code == 1


@pytest.mark.parametrize("arguments", [["callflow", "--help"], ["callflow", "call", "--help"]])
def test_the_module_is_the_command(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", arguments)

    with pytest.raises(SystemExit) as ended:
        runpy.run_module("callflow", run_name="__main__")

    assert (ended.value.code, "Usage: callflow" in capsys.readouterr().out) == (0, True)
