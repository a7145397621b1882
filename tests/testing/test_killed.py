"""Whatever a call is doing when it is killed, nothing of it is left: no task, timer, tap, playback, socket or entry."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test
from trio.testing import wait_all_tasks_blocked

from callflow.call.port import BytePort
from callflow.call.taps import Taps
from callflow.call.timer import Deadlines
from callflow.line.steps import Drop, Script
from callflow.server.registry import Registry
from callflow.testing.hunting import usual_settings
from callflow.testing.machine import CallMachine
from callflow.testing.rehearsal import Rehearsal
from tests.examples.machines import BankLine, VoicemailLine
from tests.testing.flows_of_all import CounterLine, LoungeLine

LINES: tuple[type[CallMachine], ...] = (BankLine, CounterLine, LoungeLine, VoicemailLine)

Killed = tuple[type[CallMachine], Script, int]
"""Who is called, what the caller does, and how much of it."""

GENERATED = 12
"""Calls of each line."""

EXAMPLES = {"dev": 30, "ci": 60, "long": 1_000}


@functools.cache
def calls_of(line: type[CallMachine]) -> tuple[Script, ...]:
    """Have a machine think calls up."""
    found: list[Script] = []

    class Noted(line):  # type: ignore[misc, valid-type]  # one of several
        def teardown(self) -> None:
            super().teardown()
            found.append(self.script())

    some = settings(usual_settings(), max_examples=GENERATED, derandomize=True, database=None)
    run_state_machine_as_test(Noted, settings=some)
    return tuple(found)


@st.composite
def killed_calls(draw: st.DrawFn, calls: list[tuple[type[CallMachine], Script]]) -> Killed:
    """Draw a call, and the number of steps after which it is killed."""
    line, script = draw(st.sampled_from(calls))
    return line, script, draw(st.integers(0, len(script.rest)))


class Killable(Rehearsal):
    """A rehearsal of which the tasks that serve can be cancelled."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self.scopes = list[trio.CancelScope]()
        nursery = self.stage._nursery
        assert nursery is not None
        self.stage.network.listen(self._serve, nursery)

    async def _serve(self, port: BytePort) -> None:
        with trio.CancelScope() as scope:
            self.scopes.append(scope)
            await self.stage.server.connect(port)

    def cancel(self) -> None:
        """Cancel the task of every connection."""

        async def kill() -> None:
            for scope in self.scopes:
                scope.cancel()
            await wait_all_tasks_blocked()

        self.do(kill)


def end_the_process(rehearsal: Killable) -> None:
    """Cancel everything: the last moment of a process that goes down."""
    rehearsal.close()


def cancel_the_tasks(rehearsal: Killable) -> None:
    rehearsal.cancel()
    rehearsal.finish()


def reset_the_line(rehearsal: Killable) -> None:
    rehearsal.take(Drop())
    rehearsal.finish()


Kill = Callable[[Killable], None]
KILLS: tuple[Kill, ...] = (end_the_process, cancel_the_tasks, reset_the_line)


def left_by(call: Killed, kill: Kill) -> dict[str, int]:
    """Kill a call after some of its steps; count what is left of it."""
    line, script, count = call
    rehearsal = Killable(line.cast, script.header)
    try:
        rehearsal.ring(asks=script.asks, before=script.before)
        for step in script.rest[:count]:
            rehearsal.take(step)
        kill(rehearsal)
        return rehearsal.stage.leftovers()
    finally:
        rehearsal.close()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kill", KILLS)
def test_nothing_is_left_of_a_call_that_is_killed_at_any_step(kill: Kill) -> None:
    generated = [(line, script) for line in LINES for script in calls_of(line)]

    @given(killed_calls(generated))
    @settings(max_examples=EXAMPLES[settings.get_current_profile_name()])
    def killed(call: Killed) -> None:
        assert left_by(call, kill) == {}

    killed()


# What forgets something is found.


def nothing(*args: object, **kwargs: object) -> None:
    """Forget to do it."""


FORGOTTEN = [
    (Deadlines, "stop_all", "timers"),
    (Taps, "close", "taps"),
    (Registry, "over", "live calls"),
]


@pytest.mark.parametrize(("owner", "name", "left"), FORGOTTEN, ids=[left for _, _, left in FORGOTTEN])
def test_what_is_forgotten_at_the_end_of_a_call_is_found(
    owner: type, name: str, left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = next(script for script in calls_of(VoicemailLine) if len(script.rest) > 4)
    monkeypatch.setattr(owner, name, nothing)

    assert left in left_by((VoicemailLine, script, 4), cancel_the_tasks)
