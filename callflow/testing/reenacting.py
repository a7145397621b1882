"""Plays a call that a machine found as the machine played it: the same steps on the same stage, under the same laws.

Such a script names its machine, or its flow and the law that was broken where a hunt had no test file; and it expects
nothing, so that nobody listens who was not there when it was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from callflow.flow.flow import Flow
from callflow.line.player import check_answers, read_sounds
from callflow.line.steps import Script
from callflow.server.flow_argument import import_from
from callflow.testing.chronicle import chronicle
from callflow.testing.doubles import Doubles, doubles_of
from callflow.testing.failure import Failure
from callflow.testing.lawbook import LawBroken
from callflow.testing.machine import CallMachine
from callflow.testing.machine_argument import load_machine_from
from callflow.testing.stepper import NeverSettles


@frozen
class Reenactment:
    """What became of it."""

    failure: Failure | None
    timeline: list[str]
    trace: list[tuple[float, str, str | bytes]]


def reenact(
    script: Script, *, flow: Flow[Any] | None, services: Doubles | None, answers: Mapping[str, str]
) -> Reenactment:
    """Play a call that a machine found.

    Args:
        script: A call that a machine found.
        flow: What is called; None where the script's machine says so.
        services: Doubles; None for those that the machine has, or without one for doubles of the flow's own services.
        answers: What ``type $name`` types, beside what the machine knows.

    Raises:
        CallflowError: The machine is not there, or nobody knows an answer.
    """
    machine = _engage(script, flow, services, answers)
    check_answers(script, machine.cast.answers)
    player = machine()
    with suppress(LawBroken, NeverSettles):
        player.perform(script)
    played = player.played
    journals = [call.driver.journal.entries for call in played.stage.calls]
    return Reenactment(
        failure=machine.so_far.failure,
        timeline=[line for entries in journals for line in chronicle(entries)],
        trace=[(entry.at, entry.side, entry.text) for phone in played.deeds.phones for entry in phone.log],
    )


def _engage(
    script: Script, flow: Flow[Any] | None, services: Doubles | None, answers: Mapping[str, str]
) -> type[CallMachine]:
    """Give a machine of our own that is like the one that found the call, but for what is given instead."""
    name, found = script.header.machine, CallMachine
    if name is None:
        assert flow is not None, "somebody says what is called"
        services = doubles_of(flow) if services is None else services
    else:
        folder, called = Path(script.path).parent, script.header.flow
        if called is not None:  # before the test file, which imports it by name and may stand in another folder
            import_from(folder, called.partition(":")[0])
        found = load_machine_from(folder, name)
        flow = flow or found.cast.flow
        services = found.cast.services if services is None else services
        answers = {**found.cast.answers, **answers}
    off = dict.fromkeys(found.bound.off, False) if name is not None else {}
    machine: type[CallMachine] = type(
        found.__name__, (found,), {}, flow=flow, services=services, answers=answers, laws=off
    )
    known = machine.cast.sounds
    machine.cast = evolve(machine.cast, sounds={**known, **read_sounds(script, known)})
    return machine
