"""What user code raised, in one line: the exception, its words, and the last line of the user's own that led to it."""

from __future__ import annotations

import os
import sysconfig
import traceback
from collections.abc import Mapping
from pathlib import Path

from callflow.testing.failure import leaves
from callflow.testing.judging import shown

WIDTH = 120
"""Signs of an exception's words that are told."""

_LIBRARIES = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
_OTHERS = ("<", *(f"{folder}{os.sep}" for folder in (str(Path(__file__).parents[1]), *_LIBRARIES)))


def is_users(file: str) -> bool:
    """Whether a file is neither callflow's nor a library's."""
    return not file.startswith(_OTHERS)


def told(error: BaseException, answers: Mapping[str, str] | None = None) -> str:
    """Tell of an exception.

    Args:
        error: Which; the first of a group.
        answers: Entries that nobody is to read, by name.
    """
    error = next(leaves(error))
    said = " ".join(str(error).split())
    for name, digits in (answers or {}).items():
        said = said.replace(digits, f"${name}") if digits else said
    words = f"{type(error).__name__}: {said[:WIDTH]}" if said else type(error).__name__
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if is_users(frame.filename)]
    return f"{words} ({shown(Path(own[-1].filename))}:{own[-1].lineno})" if own else words
