"""The properties of ``examples/broken``, and the hunt for a call that breaks one, of the flow or of its twin."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from hypothesis import seed as with_seed
from hypothesis import settings

from callflow.testing.example import RunSoFar
from callflow.testing.failure import CallFailed, Failure
from callflow.testing.hunting import hunt as hunt_with
from callflow.testing.hunting import usual_settings
from callflow.testing.machine import CallMachine
from examples.broken import properties

PROPERTIES: dict[str, type[CallMachine]] = {
    machine.cast.flow.start.__module__.rpartition(".")[2]: machine
    for machine in vars(properties).values()
    if isinstance(machine, type) and issubclass(machine, CallMachine) and machine is not CallMachine
}
"""By the file of the flow."""


def twin_of(name: str) -> ModuleType:
    """Give the module of the flow without the bug."""
    return importlib.import_module(f"examples.broken.fixed.{name}")


def services_of(machine: type[CallMachine], module: ModuleType) -> dict[str, Any]:
    """Give the doubles that a machine names, of a twin's own classes."""
    return {name: getattr(module, getattr(double, "__name__", "")) for name, double in machine.cast.services.items()}


def own(machine: type[CallMachine], **given: Any) -> type[CallMachine]:
    """Make a machine with the property of another, so that one hunt is no matter of the next."""
    made: type[CallMachine] = type(machine.__name__, (machine,), {"__module__": machine.__module__}, **given)
    return made


def held_to_it(name: str) -> type[CallMachine]:
    """Make the machine that holds the twin to the property of the flow with the bug."""
    machine, twin = PROPERTIES[name], twin_of(name)
    answers = machine.cast.answers
    return own(machine, flow=twin.line, services=services_of(machine, twin), answers=answers)


def hunt(machine: type[CallMachine], *, examples: int, seed: int = 0) -> tuple[Failure | None, RunSoFar]:
    """Hunt, and give what was found and what the run has come to."""
    drawn = settings(usual_settings(), max_examples=examples, database=None)
    try:
        hunt_with(with_seed(seed)(machine), drawn)
    except CallFailed as failed:
        return failed.failure, machine.so_far
    return None, machine.so_far
