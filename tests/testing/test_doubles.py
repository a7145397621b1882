"""Services that stand in: they answer, fail and hang as they are told, and look like what they stand for."""

from __future__ import annotations

import threading
from typing import Protocol, runtime_checkable

import pytest
import trio
from trio.testing import MockClock

from callflow import Flow, Hangup
from callflow.flow.services import find_service
from callflow.line.script import parse
from callflow.line.steps import Service, ServiceWay
from callflow.testing.doubles import Double, ServiceFailed, Steered, doubles_of, shared_services, steer
from examples.bank_ivr.bank import Bank, BankDown, FakeBank
from examples.bank_ivr.ivr import bank_ivr


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


# Doubles of what a flow provides itself.


class Bye(Hangup[None]): ...


class _Ledger:
    def __init__(self) -> None:
        self.entries: list[str] = []

    def add(self, entry: str) -> None:
        self.entries.append(entry)


class Picky(Exception):
    def __init__(self, code: int, reason: str) -> None: ...


class Desk:
    async def ring(self) -> None:
        raise Picky(7, "busy")


class Connected:
    """Cannot be copied, as whatever holds a connection or a lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


def provided_by(*services: object) -> Flow[None]:
    return Flow("bye", start=Bye, provide=services)


def test_a_flow_s_services_are_named_by_their_classes() -> None:
    assert list(doubles_of(provided_by(FakeBank(), _Ledger(), _Ledger()))) == ["fakebank", "ledger", "ledger2"]


def test_the_names_can_stand_in_a_script() -> None:
    script = parse("ring\nservice ledger2 hangs\n")

    assert script.steps[1] == Service(line=2, name="ledger2", way=ServiceWay.HANGS)


def test_each_example_has_a_copy_of_the_service_as_it_was() -> None:
    ledger = _Ledger()
    doubles = doubles_of(provided_by(ledger))
    for _ in range(2):
        steer(doubles)["ledger"].add("a call")

    assert (steer(doubles)["ledger"].entries, ledger.entries) == ([], [])


def test_a_service_that_cannot_be_copied_is_shared_and_named() -> None:
    connected = Connected()
    flow = provided_by(connected, _Ledger())

    assert shared_services(flow) == ["connected"]
    assert doubles_of(flow)["connected"].make() is connected


def test_a_service_fails_as_its_own_code_says() -> None:
    assert doubles_of(bank_ivr)["fakebank"].fails is BankDown


@pytest.mark.parametrize("service", [_Ledger(), Desk(), {}])
def test_a_service_that_does_not_say_how_it_fails_fails_like_a_lost_connection(service: object) -> None:
    assert next(iter(doubles_of(provided_by(service)).values())).fails is ServiceFailed


def test_a_call_finds_the_double_by_the_type_that_it_asks_for() -> None:
    flow = bank_ivr.providing(*steer(doubles_of(bank_ivr)).values())
    found: object = find_service(flow.services, Bank)

    assert type(found) is Steered
