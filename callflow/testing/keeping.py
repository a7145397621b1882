"""Keeps what a hunt found: the call that broke something, as a ``.call`` file beside the tests.

Such files stand in ``callflow-failures/`` in the folder of the test: pytest collects them there, and says FAILED until
the flow is mended, then FIXED. Who wants to keep one for good moves it to the other saved calls.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import evolve

from callflow.errors import CallflowError
from callflow.flow.flow import Flow
from callflow.line.script import render
from callflow.server.flow_argument import argument_of
from callflow.testing.failure import Failure
from callflow.testing.judging import shown

FOLDER = "callflow-failures"
"""Name of the folder."""


def keep(failure: Failure, beside: Path) -> Failure:
    """Save the call of a failure that was found, one for each flow and law; the newest takes the place of the last.

    Args:
        failure: Holds the flow and the script. Answers stand in the script by name alone.
        beside: The folder of the tests.

    Returns:
        The failure, with the command that plays the file; as it was, where there is nothing to be saved or the flow has
        no name that a file could say.
    """
    if failure.flow is None or failure.script is None:
        return failure
    folder = beside / FOLDER
    name = re.sub(r"[^\w-]+", "-", f"{failure.flow.name}-{failure.law or 'call'}").lower()
    path = folder / f"{name}.call"
    named = _names(failure, failure.flow, folder)
    if not named:
        return failure
    law = re.sub(r"[^\w-]+", "-", failure.law) or None
    script = evolve(failure.script, header=evolve(failure.script.header, law=law, **named), path=path)
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(render(script), "utf-8")
    return evolve(failure, script=script, command=f"callflow replay {shown(path)}")


def _names(failure: Failure, flow: Flow[Any], folder: Path) -> dict[str, Any]:
    """Say what is called, and which machine judges it, as a script's header does; nothing of what has no name."""
    named: dict[str, Any] = {}
    with suppress(CallflowError):
        named["flow"] = argument_of(flow, folder)
    if failure.machine is not None and (machine := machine_argument_of(failure.machine, folder)) is not None:
        named["machine"] = machine
    return named


def machine_argument_of(machine: type, folder: Path) -> str | None:
    """Write MACHINE for a machine that is at hand, so that it is found from *folder*; None if it has no name there."""
    module = sys.modules.get(machine.__module__)
    file: str | None = getattr(module, "__file__", None)
    if file is None or getattr(module, machine.__qualname__, None) is not machine:
        return None
    return f"{os.path.relpath(file, folder)}:{machine.__qualname__}"
