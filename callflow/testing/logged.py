"""What the code behind a flow writes into the log, kept for properties that are about it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from callflow.testing.beside import is_beside

OWN = "callflow"
"""The library's logger."""

SILENT = logging.CRITICAL + 1


class _Keeper(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.messages: list[str] = []
        self.addFilter(lambda record: record.name.partition(".")[0] != OWN and not is_beside())

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message; what is beside it, such as the id of a call, is made by chance."""
        self.messages.append(record.getMessage())


class _OwnKeeper(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message and what is beside it."""
        beside = {name: value for name, value in vars(record).items() if name not in _USUAL}
        self.lines.append(f"{record.getMessage()} {beside}")


_USUAL = frozenset(vars(logging.makeLogRecord({})))


@contextmanager
def logged_by_callflow() -> Iterator[list[str]]:
    """Keep what the library itself logs, at every level and with what is beside the messages; nobody else gets it."""
    own, keeper = logging.getLogger(OWN), _OwnKeeper()
    before = own.level, own.propagate
    own.setLevel(logging.DEBUG)
    own.propagate = False
    own.addHandler(keeper)
    try:
        yield keeper.lines
    finally:
        own.removeHandler(keeper)
        own.setLevel(before[0])
        own.propagate = before[1]


@contextmanager
def logged() -> Iterator[list[str]]:
    """Keep every message of ``INFO`` or above until the end of the block, as a server in production would show it.

    The library itself is silent meanwhile: of a thousand calls with all that can go wrong nobody reads the log, and the
    journal of the one that matters has it all.
    """
    root, own, keeper = logging.getLogger(), logging.getLogger(OWN), _Keeper()
    levels = root.level, own.level
    own.setLevel(SILENT)
    root.setLevel(min(root.level or logging.INFO, logging.INFO))
    root.addHandler(keeper)
    try:
        yield keeper.messages
    finally:
        root.removeHandler(keeper)
        root.setLevel(levels[0])
        own.setLevel(levels[1])
