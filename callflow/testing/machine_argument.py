"""MACHINE in a script's header: ``path/to/test_file.py:Name``, a ``CallMachine`` that a test file holds."""

from __future__ import annotations

from pathlib import Path

from callflow.errors import CallflowError
from callflow.server.flow_argument import import_from
from callflow.testing.machine import CallMachine


class NoSuchMachine(CallflowError):
    """MACHINE names nothing that could judge a call. The message says what, where and the cure."""


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
