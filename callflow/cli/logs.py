"""How the command line shows the library's log: one line a record, in colours on a terminal, or as JSON."""

from __future__ import annotations

import io
import logging
import sys
from typing import TextIO

import structlog

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {
    code: f"\\u{code:04x}" for code in (0x2028, 0x2029)
}
"""Characters that would end a line or move a terminal's cursor, and what is shown in their place (faults T8)."""

_CONTROLS_BUT_LINES = {code: shown for code, shown in _CONTROLS.items() if code not in (0x0A, 0x09)}


def show_logs(*, verbose: bool = False, as_json: bool = False) -> None:
    """Send callflow's records to standard error.

    Args:
        verbose: Show what is of interest only while hunting a fault.
        as_json: One JSON object a line, for whoever collects logs.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(_json_lines() if as_json else _plain_lines())
    logger = logging.getLogger("callflow")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)


def _json_lines() -> logging.Formatter:
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    render = structlog.processors.JSONRenderer(ensure_ascii=True)
    return _formatter(stamp, structlog.processors.format_exc_info, render=render)


def _plain_lines() -> logging.Formatter:
    render = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), pad_event_to=24, exception_formatter=_write_traceback
    )
    return _formatter(structlog.processors.TimeStamper(fmt="%H:%M:%S"), _escape, render=render)


def _formatter(*prepare: structlog.typing.Processor, render: structlog.typing.Processor) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(), structlog.stdlib.add_log_level, *prepare],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
    )


def _escape(_: object, __: str, fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Keep a record on its line. The renderer writes what is no text by its repr."""
    return {name: value.translate(_CONTROLS) if isinstance(value, str) else value for name, value in fields.items()}


def _write_traceback(file: TextIO, error: structlog.typing.ExcInfo) -> None:
    """Write a plain traceback: the renderer's own would print the variables, and with them what callers keyed."""
    text = io.StringIO()
    structlog.dev.plain_traceback(text, error)
    file.write(text.getvalue().translate(_CONTROLS_BUT_LINES))
