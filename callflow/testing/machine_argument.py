"""MACHINE in a script's header: ``path/to/test_file.py:Name``, a ``CallMachine`` that a test file holds."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from callflow.errors import CallflowError
from callflow.server.flow_argument import import_from
from callflow.testing.machine import CallMachine


class NoSuchMachine(CallflowError):
    """MACHINE names nothing that could judge a call. The message says what, where and the cure."""


def machine_argument_of(machine: type, folder: Path) -> str | None:
    """Write MACHINE for a machine that is at hand, so that it is found from *folder*; None if it has no name there."""
    module = sys.modules.get(machine.__module__)
    file: str | None = getattr(module, "__file__", None)
    if file is None or getattr(module, machine.__qualname__, None) is not machine:
        return None
    return f"{os.path.relpath(file, folder)}:{machine.__qualname__}"


def load_machine_from(folder: Path, argument: str) -> type[CallMachine]:
    """Import the test file that MACHINE names, looked for from *folder*, and find the machine in it.

    Raises:
        NoSuchMachine: It holds no machine of that name.
        CallflowError: There is no such file.
        Exception: Whatever else the file raises when it is imported.
    """
    where, _, name = argument.partition(":")
    found = getattr(import_from(folder, where), name, None)
    if isinstance(found, type) and issubclass(found, CallMachine):
        return found
    raise NoSuchMachine(f"{where} has no CallMachine named {name!r}; mend the script's line: machine {argument}")
