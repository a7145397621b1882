"""All checks of a module, and what its author says is meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

from callflow.flow.checks.finding import Finding
from callflow.flow.checks.handlers import handler_code
from callflow.flow.checks.shape import dead_states, shape
from callflow.flow.checks.sounds import sounds
from callflow.flow.checks.source import Excuse, Sources
from callflow.flow.deep.stuck import DEEP, stuck
from callflow.flow.deep.study import Study
from callflow.flow.flow import Flow


def check_module(module: ModuleType, flows: list[Flow[Any]], studies: Sequence[Study] = ()) -> list[Finding]:
    """Find what is wrong with flows of one module, in the order of their places.

    Args:
        module: Where they are made.
        flows: Those that are asked about. What nothing leads to is judged by all that the module makes.
        studies: What was found out about their control flow, if that was asked for.
    """
    sources = Sources()
    made = [value for value in vars(module).values() if isinstance(value, Flow)]
    found = set(dead_states(vars(module), made, sources))
    for flow in flows:
        found |= {*shape(flow, sources), *handler_code(flow, sources), *sounds(flow, sources)}
    for study in studies:
        found |= set(stuck(study, frozenset(found), sources))
    excuses = [each for each in sources.excuses() if studies or not each.checks or not each.checks <= DEEP]
    return sorted(_without_excused(found, excuses))


def _without_excused(found: set[Finding], excuses: list[Excuse]) -> Iterator[Finding]:
    good = [excuse for excuse in excuses if excuse.checks and excuse.reason]
    yield from (finding for finding in found if not any(excuse.covers(finding) for excuse in good))
    for excuse in excuses:
        if excuse not in good:
            yield excuse.place.finding(
                "bare-ok",
                "",
                "a comment that excuses a finding must name it, and the reason",
                "write # callflow: ok[blocking-call] one small file",
            )
        elif not any(excuse.covers(finding) for finding in found):
            excused = ", ".join(sorted(excuse.checks))
            yield excuse.place.finding("unused-ok", "", f"nothing is found here of {excused}", "take the comment out")
