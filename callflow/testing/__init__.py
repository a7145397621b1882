"""What tests of a flow are made with: a simulated caller, doubles, and the checkers that judge what happened."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from callflow.testing.calling import Caller, NeedsVirtualTime, caller, run
from callflow.testing.doubles import Double
from callflow.testing.failure import CallFailed
from callflow.testing.lawbook import LAWBOOK
from callflow.testing.laws import Story
from callflow.testing.laws import check as check_call
from callflow.testing.replaying import replay
from callflow.testing.rules import check as check_wire
from callflow.testing.seen import Seen, always, in_the_end, sometimes
from callflow.testing.stand_in import CallDouble, call_double

if TYPE_CHECKING:
    from callflow.testing import faults, traffic
    from callflow.testing.events import Given, events_for
    from callflow.testing.hunting import hunt
    from callflow.testing.machine import CallMachine

__all__ = [
    "LAWBOOK",
    "CallDouble",
    "CallFailed",
    "CallMachine",
    "Caller",
    "Double",
    "Given",
    "NeedsVirtualTime",
    "Seen",
    "Story",
    "always",
    "call_double",
    "caller",
    "check_call",
    "check_wire",
    "events_for",
    "faults",
    "hunt",
    "in_the_end",
    "replay",
    "run",
    "sometimes",
    "traffic",
]

_BY_HYPOTHESIS = {
    "CallMachine": "machine",
    "Given": "events",
    "events_for": "events",
    "faults": "",
    "hunt": "hunting",
    "traffic": "",
}
"""Names that need Hypothesis, and where they are: who replays a call need not have it. Of a module that is nowhere."""


def __getattr__(name: str) -> Any:
    if name not in _BY_HYPOTHESIS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    place = _BY_HYPOTHESIS[name]
    try:
        module = import_module(f"{__name__}.{place or name}")
    except ModuleNotFoundError as missing:
        raise ImportError(f"{name} needs {missing.name}; install callflow-trio[testing]") from missing
    return getattr(module, name) if place else module
