"""Judges a call that was played on a stage, by the rules of the wire and the laws of a call."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from callflow.call.call import CallTask
from callflow.call.journal import Kind
from callflow.flow.state import State
from callflow.line.steps import Freeze, Header, Script, SendOdd, Service, ServiceWay, Step, Trouble
from callflow.line.telephone import Telephone
from callflow.session.inputs import EndCause
from callflow.testing.lawbook import LAWBOOK
from callflow.testing.laws import Story
from callflow.testing.laws import check as check_laws
from callflow.testing.recorded import recorded
from callflow.testing.rules import LOW_LATENCY, RAW, Verdict
from callflow.testing.rules import check as check_rules

IN_VIRTUAL_TIME = 0.002
"""Seconds that a timer may be late where the clock waits for everybody: the rounding of a journal's moments."""

AT_ONCE = 0.001
"""Seconds. What is sent in the very moment in which the other side ends has crossed with that."""


def _troubles(script: Script) -> Iterator[Step]:
    yield from script.steps
    yield from (fault.step for fault in script.header.faults)


def is_trouble(step: Step) -> bool:
    """Say whether a step is no doing of a caller's, but trouble of the line, of Exotel or of a service."""
    return isinstance(step, Trouble) or (isinstance(step, Service) and step.way is not ServiceWay.ANSWERS)


def has_trouble(header: Header) -> bool:
    """Say whether there is trouble from the beginning, or by the clock."""
    return bool(header.breaks or header.begins or header.faults)


def longest_way(script: Script) -> float:
    """Say how many seconds may lie between a cause and what follows from it: one goes, the other comes."""
    frozen = sum(step.seconds for step in _troubles(script) if isinstance(step, Freeze))
    return 2 * script.header.lag + AT_ONCE + frozen


def breaks_rules(script: Script) -> bool:
    """Say whether a script has Exotel break rules on purpose: whether it keeps them is then no question."""
    header = script.header
    odd = (step.oddity for step in _troubles(script) if isinstance(step, SendOdd))
    return bool(header.breaks or header.begins) or any(not oddity.keeps_the_rules for oddity in odd)


def judge(phone: Telephone, task: CallTask, *, crossing: float = AT_ONCE, odd: bool = False) -> Verdict:
    """Judge a call that is over.

    Args:
        phone: Exotel's side of it.
        task: The server's side.
        crossing: Seconds that a cause and its effect may have been under way.
        odd: Whether messages were sent that Exotel should not send: then the keys that came are not looked at.
    """
    timing, flow = task.driver.timing, task.flow
    exempt = (RAW if flow.raw else frozenset()) | (LOW_LATENCY if task.settings.low_latency else frozenset())
    wire = recorded(phone, crossing=crossing, one_way=flow.one_way)
    lead = timing.low_latency_lead if task.settings.low_latency else timing.lead
    verdict = check_rules(wire, exempt=exempt, lead=lead)
    journal = task.driver.journal
    if journal.forgotten:  # too long a call to be told from its beginning
        return verdict
    keys_are_known = not odd and phone.links == 1
    story = Story(entries=list(journal.entries), flow=flow, wire=[wire] if keys_are_known else [])
    return verdict + check_laws(story, timing=timing, late=IN_VIRTUAL_TIME)


def sentence_of(name: str) -> str:
    """Say what a rule or a law is, by its number or its name; empty for one of another's making."""
    return next((law.sentence for law in LAWBOOK.values() if name in (law.name, law.rule)), "")


def fault_of(task: CallTask | None) -> str:
    """Say what the flow's own code raised that ended the call; empty if it did not."""
    if task is None or task.driver.session.cause not in (EndCause.APP_ERROR, EndCause.APP_TIMEOUT):
        return ""
    errors = [entry for entry in task.driver.journal.entries if entry.kind is Kind.ERROR]
    if not errors:
        return "the flow's code failed"
    where = errors[-1].details.get("where") or errors[-1].details.get("state", "the flow")
    return f"{where}: {errors[-1].what}"


def place_of(task: CallTask | None) -> str:
    """Say in which state a call is or ended, with file and line; empty if it has none."""
    if task is None or task.engine is None:
        return ""
    return place_of_state(type(task.engine.state))


def place_of_state(state: type[State[Any]]) -> str:
    """Name a state with its file and line."""
    return f"in state {state.__name__}{_line_of(state)}"


def place_of_check(check: Callable[..., Any]) -> str:
    """Name a property of somebody's own with its file and line."""
    return f"property {check.__qualname__}{_line_of(check)}"


def _line_of(source: type | Callable[..., Any]) -> str:
    try:
        path, (_, line) = inspect.getsourcefile(source), inspect.getsourcelines(source)
    except (OSError, TypeError):  # typed into an interpreter
        return ""
    return f", {shown(Path(path or ''))}:{line}"


def shown(path: Path) -> str:
    """Write a path as short as it can be opened from here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
