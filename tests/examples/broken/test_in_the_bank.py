"""The same ten bugs, planted into the bank's line one at a time: what that line promises finds them there as well."""

from __future__ import annotations

import time
from typing import Any

import pytest

import examples.bank_ivr.bank
from callflow.testing.machine import CallMachine
from tests.examples.broken.plants import PLANTS, TRIES, BankPromises, planted
from tests.examples.broken.prey import hunt, own

ENOUGH = 2_000
"""Examples in which a bug has to be found; most need a tenth."""

FEW, MANY = 25, 500
"""Examples of the bank as it is: every day, and in the long run."""

EVERY_DAY = ("a count that a lost line forgets", "a key that overtakes the answer", "a hum that goes on")
"""Those that are planted every day."""


def bank_with(changes: Any) -> type[CallMachine]:
    """Make the machine that holds a changed bank to what it promises."""
    cast = BankPromises.cast
    return own(BankPromises, flow=planted(changes), services=cast.services, answers=cast.answers)


def marked(name: str) -> Any:
    return name if name in EVERY_DAY else pytest.param(name, marks=pytest.mark.long)


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("name", [marked(name) for name in PLANTS])
def test_a_bug_that_is_planted_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples.bank_ivr.bank, "WRONG_PINS", TRIES.get(name, 3))
    began = time.process_time()
    failure, run = hunt(bank_with(PLANTS[name]), seed=1, examples=ENOUGH)
    print(f"{name}: {run.coverage.examples} examples, {time.process_time() - began:.1f} s\n{failure}")

    assert failure is not None


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("examples", [FEW, pytest.param(MANY, marks=pytest.mark.long)])
def test_the_bank_as_it_is_keeps_its_promises(examples: int) -> None:
    failure, _ = hunt(bank_with({}), examples=examples)

    assert failure is None, str(failure)


def test_there_are_ten() -> None:
    assert len(PLANTS) == 10
