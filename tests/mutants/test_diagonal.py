"""Each law has a mutant that it finds and no other law does; a caller who does nothing special sees none of it."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from callflow.line.script import parse
from callflow.line.steps import Script
from callflow.testing.lawbook import LAWBOOK
from callflow.testing.performance import Performance
from callflow.testing.rehearsal import Cast
from callflow.testing.stage import Circumstances, Stage
from callflow.testing.stepper import Stepper
from examples.bank_ivr.ivr import bank_ivr
from tests.mutants.mutant import Mutant, planted
from tests.mutants.scenes import judge, script_of
from tests.mutants.table import ALL

PLAIN = """
ring
hear welcome
state MainMenu within 20s
hear menu within 20s
wait 6s
keys 1
state AskPin
hear pin
wait 3s
type $pin
state Answer
hear "Your balance is"
wait 2s
hangup
"""
"""Somebody who wants to know a balance, and lets others finish."""


def broken_in(cast: Cast, mutant: Mutant) -> set[str]:
    return {breach.law.name for breach in judge(cast, script_of(mutant.call))}


def test_every_law_has_a_mutant() -> None:
    assert {mutant.law for mutant in ALL} == set(LAWBOOK)


@pytest.mark.parametrize("mutant", ALL, ids=str)
def test_a_law_finds_alone_a_callflow_that(mutant: Mutant, casts: dict[str, Cast]) -> None:
    with planted(mutant):
        assert broken_in(casts[mutant.flow], mutant) == {mutant.law, *mutant.also}


@pytest.mark.parametrize("mutant", ALL, ids=str)
def test_the_same_call_breaks_nothing_without_the_mutant(mutant: Mutant, casts: dict[str, Cast]) -> None:
    assert broken_in(casts[mutant.flow], mutant) <= {"no-errors"} - {mutant.law}  # of the flow's own code, if any


@pytest.mark.parametrize("mutant", [each for each in ALL if each.law != "no-errors"], ids=str)
def test_a_plain_caller_is_served_by_a_callflow_that(mutant: Mutant) -> None:
    with planted(mutant):
        assert not_held(parse(PLAIN)) == []


def not_held(script: Script) -> list[str]:
    """Play a call, and give what did not come as its script says."""
    stage = Stage(bank_ivr, Circumstances.of(script.header, bank_ivr))
    made: list[Performance] = []

    async def opened(nursery: trio.Nursery) -> None:
        await stage.open(nursery)
        made.append(Performance(stage=stage, nursery=nursery, header=script.header, answers={"pin": "4129"}))

    stepper = Stepper(opened)
    try:
        stepper.do(lambda: made[0].ring(asks=True))
        outcomes = [stepper.do(partial(made[0].take, step)) for step in script.steps[1:]]
    finally:
        stepper.close()
    return [f"{outcome.step}: {outcome.came}" for outcome in outcomes if not outcome.held]
