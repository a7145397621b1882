"""``callflow diagram FLOW``: draw a flow, or say whether a stored picture is still true."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import cyclopts

from callflow.flow.drawing import Form, draw
from callflow.server.flow_argument import load_flow

DRAWN, STALE = 0, 1
"""Exit codes: drawn, or true; and no longer true, or a file that cannot be read or written."""

BY_ENDING = {".mmd": Form.MERMAID, ".mermaid": Form.MERMAID, ".md": Form.MERMAID, ".dot": Form.DOT, ".gv": Form.DOT}
"""Forms that go without saying for a file."""

_FENCE = "```"


def diagram(
    flow: str,
    /,
    *,
    format: Form | None = None,  # the name of the flag
    output: Annotated[Path | None, cyclopts.Parameter(alias="-o")] = None,
    check: Path | None = None,
) -> int:
    """Draw a flow from its annotations; nothing of it is run.

    Args:
        flow: path/to/file.py or package.module, with :name where there are several flows.
        format: text, mermaid or dot; by the file's ending where there is one, else text.
        output: Write to this file.
        check: Write nothing; exit with 1 if this file does not hold the picture.
    """
    form = format or BY_ENDING.get((output or check or Path()).suffix, Form.TEXT)
    picture = draw(load_flow(flow), form)
    if check is not None:
        return _compare(check, picture, flow)
    if output is None:
        print(picture, end="")
        return DRAWN
    return _write(output, _fenced(picture) if output.suffix == ".md" else picture)


def _fenced(picture: str) -> str:
    return f"{_FENCE}mermaid\n{picture}{_FENCE}\n"


def _write(file: Path, picture: str) -> int:
    try:
        file.write_text(picture, encoding="utf-8")
    except OSError as wrong:
        print(f"callflow: {file}: cannot be written ({wrong.strerror}); name another --output", file=sys.stderr)
        return STALE
    return DRAWN


def _compare(file: Path, picture: str, flow: str) -> int:
    """Look for the picture in a file; a page may hold other things beside it."""
    anew = f"callflow diagram {flow} --output {file}"
    try:
        stored = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        print(f"callflow: {file}: cannot be read ({wrong}); draw it: {anew}", file=sys.stderr)
        return STALE
    if picture in stored if file.suffix == ".md" else picture == stored:
        return DRAWN
    print(f"callflow: {file} is no longer what {flow} does; draw it anew: {anew}", file=sys.stderr)
    return STALE
