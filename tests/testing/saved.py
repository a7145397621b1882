"""Saved calls of a line, on disk: a module with the line, its prompts, and scripts that name it."""

from __future__ import annotations

from pathlib import Path

from tests.call.stage import write_prompts

WHOLE = """\
from callflow import Call, Flow, Hangup, Menu, key


class Choice(Menu[None], prompt="menu.wav"):
    @key("1")
    def one(self, call: Call[None]) -> "Bye":
        return Bye()

    def on_failed(self, call: Call[None], why: object) -> "Bye":
        return Bye()


class Bye(Hangup[None], prompt="bye.wav"): ...


line = Flow("line", start=Choice)
"""

BROKEN = WHOLE.replace(
    "        return Bye()\n\n    def on_failed", '        raise LookupError("oops")\n\n    def on_failed'
)
"""The same, and key 1 breaks it."""

CALL = "flow ../line.py:line\nlaw L10\nseed 3\norder 5\nlag 0.05s\nkeys 1\nwait 2s\nhangup\n"


def write_line(folder: Path, source: str = WHOLE) -> Path:
    """Write a line and its prompts; give the module."""
    module = folder / "line.py"
    module.write_text(source)
    (folder / "prompts").mkdir(exist_ok=True)
    write_prompts(folder / "prompts")
    return module


def write_call(folder: Path, text: str = CALL, name: str = "one") -> Path:
    """Write a script into the folder for calls."""
    (folder / "calls").mkdir(exist_ok=True)
    script = folder / "calls" / f"{name}.call"
    script.write_text(text)
    return script
