"""Services that stand in: they answer, fail and hang as they are told, and look like what they stand for."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import pytest
import trio
from trio.testing import MockClock

from callflow.line.steps import ServiceWay
from callflow.testing.doubles import Double, ServiceFailed, Steered


@runtime_checkable
class Clock(Protocol):
    async def hour(self) -> int: ...


class Broken(Exception):
    """What callers of a clock expect."""


class FakeClock:
    rate = 2

    async def hour(self) -> int:
        return 7

    def name(self) -> str:
        return "fake"


@pytest.mark.parametrize("kind", [Clock, FakeClock])
def test_a_double_is_what_it_stands_for(kind: type) -> None:
    assert isinstance(Steered("clock", FakeClock), kind)


async def test_a_double_answers_as_it_was_made() -> None:
    steered = Steered("clock", FakeClock)

    assert (await steered.hour(), steered.name(), steered.rate) == (7, "fake", 2)


async def test_a_double_that_fails_raises_what_its_recipe_says() -> None:
    steered = Steered("clock", Double(FakeClock, fails=Broken))
    steered.behave(ServiceWay.FAILS)

    with pytest.raises(Broken, match="clock fails at hour, as it was told to"):
        await steered.hour()


def test_a_method_that_does_not_wait_fails_as_well() -> None:
    steered = Steered("clock", FakeClock)
    steered.behave(ServiceWay.FAILS)

    with pytest.raises(ServiceFailed):
        steered.name()


async def test_a_double_that_hangs_never_answers(autojump_clock: MockClock) -> None:
    steered = Steered("clock", FakeClock)
    steered.behave(ServiceWay.HANGS)
    with trio.move_on_after(3_000) as patience:
        await steered.hour()

    assert patience.cancelled_caught


async def test_a_double_that_hung_answers_again() -> None:
    steered = Steered("clock", FakeClock)
    steered.behave(ServiceWay.HANGS)
    steered.behave(ServiceWay.ANSWERS)

    assert await steered.hour() == 7
