"""Errors of an import of the user's own module: the line that led to them, and no traceback."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path
from types import TracebackType

from callflow.flow.checks.finding import Place


def explained(error: BaseException) -> str:
    """Say what an import raised, where, and what may help."""
    kind = type(error).__name__
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: {kind}: {error.msg}; mend it there"
    place = last_line_of_users(error.__traceback__)
    said = " ".join(str(error).split())
    match error:
        case ModuleNotFoundError():
            cure = f"install {error.name}, or mend the import"
        case SystemExit():
            cure = "put what runs the program below: if __name__ == '__main__'"
        case _:
            cure = f"python {shown(place.path)} shows the whole traceback"
    return f"{shown(place.path)}:{place.line}: {kind}: {said}; {cure}"


def last_line_of_users(trace: TracebackType | None) -> Place:
    """Find the last line of the user's own in a traceback."""
    frames = [Place(Path(frame.filename), frame.lineno or 1) for frame in traceback.extract_tb(trace)]
    own = [place for place in frames if not place.path.is_relative_to(OURS) and not _is_librarys(place.path)]
    return (own or frames or [Place(Path("<unknown>"), 1)])[-1]


OURS = Path(__file__).parents[1]

_LIBRARIES = [Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")]


def _is_librarys(path: Path) -> bool:
    return str(path).startswith("<frozen") or any(path.is_relative_to(folder) for folder in _LIBRARIES)


def shown(path: Path) -> str:
    """Write a path as short as it can be: from here, if it is below."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
