"""How the command line shows the library's log: one line a record, in colours on a terminal, or as JSON."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import queue
import select
import sys
import threading
import time
from collections.abc import Callable
from typing import TextIO

import structlog

log = logging.getLogger("callflow.server")

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
    handler = Behind(sys.stderr) if _has_descriptor(sys.stderr) else logging.StreamHandler()
    handler.setFormatter(_json_lines() if as_json else _plain_lines())
    logger = logging.getLogger("callflow")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)


MOST_LINES = 10_000
"""Lines that wait for a reader who is slow; more are lost, and counted."""

LAST_LINES = 2.0
"""Seconds that the end of the process waits for the last lines to be read."""


class _Writer(io.TextIOBase):
    """A stream whose lines are put somewhere; what a stream handler writes is a whole line."""

    def __init__(self, put: Callable[[str], None]) -> None:
        self._put = put

    def write(self, line: str) -> int:
        self._put(line)
        return len(line)


class Behind(logging.StreamHandler[_Writer]):
    """Writes lines from a thread of its own: a pipe that nobody reads, or a disk that is full, must not stop a call.

    It writes to the descriptor itself. A thread that is stuck in Python's own buffers would be fatal when the process
    ends; one that is stuck in the system's is not.
    """

    def __init__(self, stream: TextIO) -> None:
        self._descriptor = os.dup(stream.fileno())
        self._lines: queue.Queue[bytes | None] = queue.Queue(MOST_LINES)
        self._lost = 0
        super().__init__(_Writer(self._put))
        threading.Thread(target=self._write_all, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a record on, as text. Never waits and never raises."""
        if self._lost and not self._lines.full():
            lost, self._lost = self._lost, 0
            log.warning("log lines lost", extra={"count": lost})
        super().emit(record)

    def _put(self, line: str) -> None:
        try:
            self._lines.put_nowait(line.encode(errors="backslashreplace"))
        except queue.Full:
            self._lost += 1

    def wait_written(self) -> None:
        """Wait until all is written, or nobody reads it in time."""
        give_up = time.monotonic() + LAST_LINES
        with self._lines.all_tasks_done:
            while self._lines.unfinished_tasks and (left := give_up - time.monotonic()) > 0:
                self._lines.all_tasks_done.wait(left)

    def close(self) -> None:
        """Wait for what is not written yet, and end the thread."""
        self.wait_written()
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(None)
        super().close()

    def _write_all(self) -> None:
        while (line := self._lines.get()) is not None:
            with contextlib.suppress(OSError):  # nobody is there to be told
                _write(self._descriptor, line)
            self._lines.task_done()
        self._lines.task_done()
        os.close(self._descriptor)


def _write(descriptor: int, line: bytes) -> None:
    """Write all of a line, also where another process has made the descriptor one that does not wait."""
    while line:
        try:
            line = line[os.write(descriptor, line) :]
        except BlockingIOError:
            select.select((), (descriptor,), ())


def _has_descriptor(stream: TextIO) -> bool:
    try:
        return stream.fileno() >= 0
    except OSError:
        return False


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
