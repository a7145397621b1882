"""What callers of a machine do: they speak where somebody listens, wait for long, and meet services that fail."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import trio
from hypothesis import settings

from callflow import Call, Flow, Hangup, Speech, State, Tap, TapCall
from callflow.line.script import parse
from callflow.session.table import In, S
from callflow.testing.hunting import hunt, usual_settings
from callflow.testing.lawbook import LawBroken
from callflow.testing.machine import CallMachine
from callflow.testing.seen import Seen, in_the_end

C = Call[None]


class Clerk:
    """A service."""

    async def look(self) -> None:
        await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("stumbles", [False, True])
def test_a_failed_service_is_no_error_where_the_flow_knows_a_way_and_a_mistake_is(stumbles: bool) -> None:
    class Bye(Hangup[None]): ...

    class Ask(State[None], timeout=4.0):
        async def run(self, call: C) -> Bye:
            await call.get(Clerk).look()
            raise KeyError("a mistake")

        def on_error(self, call: C, error: Exception) -> Bye:
            return Bye()

        def on_timeout(self, call: C) -> Bye:
            return Bye()

    class Asking(CallMachine, flow=Flow("asking", start=Ask, scope=locals()), services={"clerk": Clerk}): ...

    script = "ring\nwait 1s\n" if stumbles else "service clerk fails\nring\nwait 1s\n"
    with pytest.raises(LawBroken, match=r"no-errors: Ask\.run: KeyError") if stumbles else nullcontext():
        Asking.play(parse(script))


def test_a_silent_caller_is_taken_for_no_dead_line() -> None:
    class Bye(Hangup[None]): ...

    class Long(State[None], timeout=600.0):
        def on_timeout(self, call: C) -> Bye:
            return Bye()

    class Patient(CallMachine, flow=Flow("patient", start=Long, scope=locals())):
        @in_the_end
        def its_time_was_over(self, seen: Seen[None]) -> bool:
            return seen.took("Long", "on_timeout", "Bye")

    Patient.play(parse("ring\nwait 601s\n"))

    assert Patient.so_far.coverage.cells[S.STREAMING, In.MEDIA] == 150  # one in four seconds


def test_callers_speak_to_those_who_listen() -> None:
    class Bye(Hangup[None]): ...

    class Talk(State[None], timeout=30.0):
        def on_speech(self, call: C, speech: Speech) -> Bye:
            return Bye()

        def on_timeout(self, call: C) -> Bye:
            return Bye()

    class Talker(CallMachine, flow=Flow("talk", start=Talk, scope=locals()), require_edges=1.0): ...

    hunt(Talker, settings(usual_settings(), max_examples=5, derandomize=True, database=None))

    assert Talker.so_far.coverage.edges["Talk", "on_speech", "Bye"] > 0


def test_what_is_overheard_has_no_keys() -> None:
    class Overhear(Tap[None]):
        def on_speech(self, call: TapCall[None], speech: Speech) -> None: ...

    class Overheard(CallMachine, flow=Flow("overheard", start=Overhear, scope=locals())): ...

    Overheard.play(parse("ring\nkeys 1\nplay word.wav\n"))

    cells = Overheard.so_far.coverage.cells
    assert (cells[S.STREAMING, In.MEDIA] > 0, cells[S.STREAMING, In.DTMF]) == (True, 0)
