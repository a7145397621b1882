"""Flows with one bug each that would show in a call only: ``callflow check`` names file, line and cure."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest

from callflow.cli.app import run
from callflow.cli.check import CLEAN, FOUND, Report
from tests.flow.checks.conftest import marked, write_wav

ROOT = Path(__file__).resolve().parents[2]
FLOWS = sorted((Path(__file__).parent / "broken").glob("*.py"))

CURES = {
    "blocking_handler": "await trio.sleep(…) in run, or use the timeout of a state",
    "blocking_script": "take an async client such as httpx's, or await trio.to_thread.run_sync(…) in run, "
    "or a library that knows Trio",
    "dead_state": "name it in the return annotation of a handler, take it out, or say that it is meant: "
    "Flow(…, spare=[Offers])",
    "dead_state_below": "name it in the return annotation of a handler, take it out, or say that it is meant: "
    "Flow(…, spare=[Closed])",
    "endless_loop": "let a handler lead to a Hangup, or to a state from which there is a way to one",
    "loop_of_the_silent": "lead to a Hangup when nobody answers, at the second round at the latest",
    "no_second_time_out": "always return a state; to wait on, enter it again: return Hold(…)",
    "no_time_out": "add timeout=… to its class line",
    "target_for_checkers_only": "import it outside of TYPE_CHECKING; for states defined inside a function give "
    "Flow(…, scope=locals())",
    "unknown_target": "did you mean OpeningHours?",
    "wrong_rate": "convert it: ffmpeg -i 44100_hz.wav -ar 8000 -ac 1 -c:a pcm_s16le NEW.wav",
    "wrong_rate_in_code": "convert it: ffmpeg -i 8000_hz.wav -ar 16000 -ac 1 -c:a pcm_s16le NEW.wav",
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgetful: None) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def record(flow: Path, folder: Path) -> None:
    """Put every prompt there that a flow names: of the flow's rate, or of the rate that its name says."""
    rate = 16000 if "rate=16000" in flow.read_text() else 8000
    for node in ast.walk(ast.parse(flow.read_text())):
        if isinstance(node, ast.Constant) and str(node.value).endswith(".wav"):
            stem = str(node.value).removesuffix(".wav")
            write_wav(folder / "prompts" / f"{stem}.wav", int(stem.partition("_")[0]) if "_hz" in stem else rate, 1.0)


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.stem)
def test_the_bug_is_found_at_its_line_with_its_cure(flow: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(flow, here)
    record(flow, here)

    code = run(["check", flow.name])

    *lines, _ = capsys.readouterr().out.splitlines()
    told = [(line.partition(": ")[0], line.rpartition("  ")[2]) for line in lines]
    assert (code, told) == (FOUND, [(f"{flow.name}:{line}", f"[{check}]") for line, check in marked(flow.read_text())])
    assert CURES[flow.stem] in lines[0]


@pytest.mark.parametrize("example", ["examples/echo.py", "examples/bank_ivr/ivr.py", "examples.bank_ivr.ivr:bank_ivr"])
def test_nothing_is_found_in_the_examples(example: str, monkeypatch: pytest.MonkeyPatch, forgetful: None) -> None:
    monkeypatch.chdir(ROOT)
    report = Report()

    report.look_at(example)

    assert (report.exit_code, report.findings) == (CLEAN, [])
