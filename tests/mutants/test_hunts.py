"""What a machine finds by itself, of the checks that callflow must not lose: each is taken out, and a hunt shows it."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from hypothesis import settings

from callflow import Call, Flow, Hangup, State
from callflow.call.driver import Driver
from callflow.call.writer import Writer
from callflow.server.door import Door
from callflow.testing.failure import CallFailed
from callflow.testing.hunting import hunt, usual_settings
from callflow.testing.machine import CallMachine
from examples.echo import echo
from tests.mutants import whole
from tests.mutants.mutant import Mutant, planted
from tests.properties.flows import write_prompts
from tests.testing.test_machine import BankLine

pytestmark = pytest.mark.timeout(300)

UPGRADE = Mutant(
    law="strangers-stay-out",
    words="opens a stream for whoever asks, however wrongly",
    of=Door._refusal_of_upgrade,
    old="malformed = check_upgrade(head)",
    new="malformed = None",
)
EPOCH = Mutant(
    law="one-line-each",
    words="goes on on a new line where it was on the old",
    of=Writer.detach,
    old="self._link = self._running = None",
    new="self._link = None",
)
GENERATION = Mutant(
    law="one-clear-and-nothing-old",
    words="goes on with what was cut",
    of=Writer.clear,
    old="self._running = None",
    new="pass",
)
SHUT = Mutant(
    law="nothing-fails-inside",
    words="does not shut the writer when the call is over",
    of=Driver._over,
    old="self.writer.shut()",
    new="pass",
)


OVER = next(mutant for mutant in whole.MUTANTS if mutant.law == "neighbours")


class EchoLine(CallMachine, flow=echo): ...


def found_by(machine: type[CallMachine], mutant: Mutant, examples: int = 150) -> str:
    """Hunt in a callflow with a wrong line; give the law that was found broken, and the call."""
    some = settings(usual_settings(), max_examples=examples, derandomize=True, database=None)
    with planted(mutant), pytest.raises(CallFailed) as found:
        hunt(machine, some)
    assert found.value.failure.script is not None
    print(found.value)
    return found.value.failure.law


def test_a_door_without_its_check_of_upgrades_is_found() -> None:
    assert found_by(EchoLine, UPGRADE) == UPGRADE.law


def test_frames_of_an_old_line_on_a_new_one_are_found() -> None:
    assert found_by(BankLine, EPOCH) in {EPOCH.law, "mark-behind-its-audio"}


def test_audio_of_what_was_cut_is_found() -> None:
    assert found_by(BankLine, GENERATION) == GENERATION.law


def test_trouble_that_ends_other_calls_is_found() -> None:
    assert found_by(BankLine, OVER) == OVER.law


class Hold(State[None], timeout=2.0):
    """Speaks, fails while it speaks, and is slow to let go: then the writer has time to go on."""

    async def run(self, call: Call[None]) -> Over:
        call.start("long.wav")
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1.0)
        return Over()

    def on_timeout(self, call: Call[None]) -> Over:
        raise LookupError("a mistake")


class Over(Hangup[None]):
    """Nobody gets here."""


def test_a_writer_that_is_never_shut_is_found_where_a_state_is_slow_to_end(tmp_path: Path) -> None:
    write_prompts(tmp_path)

    class Slow(CallMachine, flow=Flow("slow", start=Hold, prompts=tmp_path), laws={"no-errors": False}): ...

    assert found_by(Slow, SHUT) == SHUT.law
