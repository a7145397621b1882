"""Call scripts on disk: a script, and the answers that stand beside it."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

from callflow.errors import SettingsError
from callflow.line.script import parse
from callflow.line.steps import Script


def read_script(path: Path) -> Script:
    """Read a script.

    Raises:
        SettingsError: The file cannot be read.
        ScriptError: A line of it cannot.
    """
    return parse(_read_text(path), path)


def read_answers(script: Path, given: Sequence[str]) -> dict[str, str]:
    """Read the answers in ``answers.toml`` beside the script, then those *given* as name=digits, which win.

    Raises:
        SettingsError: The file or an answer is not as it has to be. The message holds no answer.
    """
    known = _read_answers_file(script.with_name("answers.toml"))
    for text in given:
        name, equals, digits = text.partition("=")
        if not equals or not name:
            raise SettingsError("--answer", "an answer is written name=digits")
        known[name] = digits
    return known


def _read_answers_file(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    try:
        known = tomllib.loads(_read_text(path))
    except tomllib.TOMLDecodeError as broken:
        raise SettingsError(str(path), 'that is no TOML; write lines like pin = "1234"') from broken
    for name, digits in known.items():
        if not isinstance(digits, str):
            raise SettingsError(str(path), f'{name} is no text; write it in quotation marks, like pin = "1234"')
    return known


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError) as broken:  # ValueError: no UTF-8
        raise SettingsError(str(path), f"it cannot be read: {type(broken).__name__}; is that a script?") from broken
