"""A user's module that is checked."""

from __future__ import annotations

import re
import sys
import types
import wave
from collections.abc import Callable
from pathlib import Path

import pytest

from callflow import Flow
from callflow.flow.checks.everything import check_module
from callflow.flow.checks.finding import Finding

HEAD = """
from __future__ import annotations
import attrs
import trio
from callflow import *

C = Call[None]

class Bye(Hangup[None]):
    \"\"\"The end.\"\"\"
"""

START = """
class Start(Menu[None], prompt="menu.wav"):
    @key("1")
    def one(self, call: C) -> {first}:
        return {first}()
    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()
"""

Judge = Callable[..., list[Finding]]


@pytest.fixture
def judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Judge:
    """Write a module, import it, and check its flows.

    ``prompts`` are the files of its folder: name, and rate in hertz with seconds.
    """

    def judged(code: str, **prompts: tuple[int, float]) -> list[Finding]:
        for name, (rate, seconds) in ({"menu": (8000, 1.0)} | prompts).items():
            write_wav(tmp_path / "prompts" / f"{name}.wav", rate, seconds)
        path = tmp_path / "ivr.py"
        path.write_text(code, encoding="utf-8")
        module = types.ModuleType("ivr")
        module.__file__ = str(path)
        monkeypatch.setitem(sys.modules, "ivr", module)
        exec(compile(code, path, "exec"), vars(module))
        return check_module(module, [value for value in vars(module).values() if isinstance(value, Flow)])

    return judged


def write_wav(path: Path, rate: int, seconds: float, channels: int = 1) -> None:
    """Write a WAV file of 16 bits, with silence."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(bytes(2 * channels * int(rate * seconds)))


def marked(code: str) -> list[tuple[int, str]]:
    """Read which lines are marked by ``# finds:``, and with what."""
    lines = enumerate(code.splitlines(), 1)
    return sorted(
        (number, check)
        for number, line in lines
        if (found := re.search(r"# finds: (.*)", line))
        for check in found[1].split(", ")
    )


def places(findings: list[Finding]) -> list[tuple[int, str]]:
    """Give line and check of each finding."""
    return sorted((finding.line, finding.check) for finding in findings)
