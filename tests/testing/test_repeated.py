"""Repeatability: one seed gives one run, message for message and cut for cut, and many seeds many orders of tasks."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
from hypothesis import seed as with_seed
from hypothesis import settings
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from callflow import Call, Dtmf, Flow, Hangup, State
from callflow.line.memory import MemoryPort
from callflow.line.steps import Header, Network, Press
from callflow.testing.doubles import Double
from callflow.testing.example import Example
from callflow.testing.hunting import usual_settings
from callflow.testing.machine import CallMachine
from callflow.testing.rehearsal import Cast, Rehearsal
from callflow.testing.wirelog import WireLog
from callflow.wire.messages import Media
from examples.bank_ivr.bank import BankDown, FakeBank
from examples.bank_ivr.ivr import bank_ivr

ROOT = Path(__file__).parents[2]


class Ask(State[None], timeout=4.0):
    """Without a word, so that an example costs little."""

    def on_dtmf(self, call: Call[None], key: Dtmf) -> Bye | None:
        return Bye() if key.digit == "2" else None

    def on_timeout(self, call: Call[None]) -> Bye:
        return Bye()


class Bye(Hangup[None]): ...


class Asking(CallMachine, flow=Flow("asking", start=Ask)): ...


class Bank(
    CallMachine,
    flow=bank_ivr,
    services={"bank": Double(FakeBank, fails=BankDown)},
    answers={"pin": "4129"},
): ...


def run(machine: type[CallMachine], *, seed: int, examples: int) -> None:
    machine.begin_run()
    chosen = settings(usual_settings(), max_examples=examples, database=None)
    run_state_machine_as_test(with_seed(seed)(machine), settings=chosen)


# Equal runs.


@contextmanager
def noted() -> Iterator[list[str]]:
    """Note the pieces that the network delivers, as they are delivered, and after each example all messages."""
    notes = list[str]()
    receive, finish = MemoryPort.try_receive, Example._finish

    def note_piece(port: MemoryPort, limit: int = 65_536) -> bytes | None:
        data = receive(port, limit)
        notes.append(f"{port.peer} {trio.current_time():.6f} {data and len(data)}")
        return data

    def note_messages(example: Example) -> None:
        finish(example)
        notes.extend(lines(example.played.witness.log))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryPort, "try_receive", note_piece)
        patch.setattr(Example, "_finish", note_messages)
        yield notes


def lines(log: WireLog) -> Iterator[str]:
    for entry in log.entries:
        audio = hashlib.sha256(entry.what.payload).hexdigest() if isinstance(entry.what, Media) else ""
        yield f"{entry} {audio}"


def trace(seed: int, examples: int = 12) -> list[str]:
    """Run the bank, and give all that passed."""
    with noted() as notes:
        run(Bank, seed=seed, examples=examples)
    return notes


def digest(seed: int) -> str:
    return hashlib.sha256("\n".join(trace(seed)).encode()).hexdigest()


@pytest.mark.timeout(120)
def test_two_runs_with_one_seed_are_equal_message_for_message_and_cut_for_cut() -> None:
    first, second, other = trace(3), trace(3), trace(4)

    assert first == second
    assert first != other


@pytest.mark.timeout(180)
def test_two_processes_with_one_seed_are_equal_whatever_the_order_of_their_sets() -> None:
    digests = {one_process(hash_seed) for hash_seed in ("1", "2")}

    assert len(digests) == 1


def one_process(hash_seed: str) -> str:
    code = "from tests.testing.test_repeated import digest; print(digest(5))"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


# Different orders.


@pytest.mark.timeout(120)
def test_two_hundred_examples_run_under_more_than_a_hundred_orders_of_tasks() -> None:
    orders = list[int | None]()
    with pytest.MonkeyPatch.context() as patch:
        start = Asking.start

        def note_order(example: Example, header: Header, **rest: object) -> None:
            orders.append(header.order)
            start(example, header, **rest)  # type: ignore[arg-type]  # whatever they are, they are passed on

        patch.setattr(Asking, "start", note_order)
        run(Asking, seed=1, examples=200)

    assert len(orders) >= 200
    assert len(set(orders)) > 150


def test_the_simplest_example_has_the_plain_order() -> None:
    Asking.begin_run()

    assert Asking.so_far.order_of((0, 0, 0, 0)) == 0


def test_what_is_played_again_after_a_find_has_the_order_that_it_had() -> None:
    Asking.begin_run()
    so_far, drawn = Asking.so_far, (7, 1, 0, 0)
    before, found = so_far.order_of(drawn), so_far.order_of(drawn)
    so_far.failure = object()  # type: ignore[assignment]  # any will do

    assert (so_far.order_of(drawn), before == found) == (found, False)


class Guarded(Asking):
    @precondition(lambda machine: machine.is_live)
    @rule()
    def look(self) -> None:
        """Where what can be drawn hangs on the call, equal draws have to give equal calls."""


def test_a_precondition_of_ones_own_keeps_the_order_to_what_was_drawn() -> None:
    Guarded.begin_run()

    assert Guarded.so_far.order_of((7, 1, 0, 0)) == Guarded.so_far.order_of((7, 1, 0, 0))


class Switches(trio.abc.Instrument):
    """Which task ran after which."""

    def __init__(self) -> None:
        self.order: list[str] = []

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.order.append(task.name)


def switches(order: int) -> tuple[str, ...]:
    """Play one short call under an order of tasks."""
    header = Header(seed=0, order=order, network=Network.SMOOTH)
    rehearsal = Rehearsal(Cast(flow=Asking.cast.flow), header)
    seen = Switches()

    async def look() -> None:
        trio.lowlevel.add_instrument(seen)

    try:
        rehearsal.do(look)
        rehearsal.ring()
        rehearsal.take(Press(digits="12"))
        rehearsal.finish()
    finally:
        rehearsal.close()
    return tuple(seen.order)


def test_other_orders_are_other_sequences_of_task_switches() -> None:
    assert len({switches(order) for order in range(30)}) > 15


def test_one_order_is_one_sequence_of_task_switches() -> None:
    assert switches(11) == switches(11)
