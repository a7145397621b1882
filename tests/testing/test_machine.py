"""The machine that calls: it keeps laws where they are kept, finds what is broken, and does the same thing twice."""

from __future__ import annotations

import re

import pytest
import trio
from hypothesis import Phase, settings
from hypothesis import seed as with_seed
from hypothesis.stateful import run_state_machine_as_test

from callflow import Call, Dtmf, Flow, Hangup, State
from callflow.line.script import parse, render
from callflow.testing.coverage import ThinCoverage
from callflow.testing.doubles import Double
from callflow.testing.example import NeverTrue
from callflow.testing.failure import CallFailed
from callflow.testing.hunting import hunt, usual_settings
from callflow.testing.lawbook import LawBroken
from callflow.testing.machine import CallMachine
from callflow.testing.seen import Seen, always, in_the_end, sometimes
from examples.bank_ivr.bank import BankDown, FakeBank
from examples.bank_ivr.ivr import Answer, Caller, bank_ivr
from examples.echo import echo

C = Call[None]


def drawn(examples: int = 25) -> settings:
    """Settings for runs that are the same each time."""
    return settings(usual_settings(), max_examples=examples, derandomize=True, database=None)


def by_chance(machine: type[CallMachine], examples: int = 25) -> None:
    """Run a machine without what it does on purpose."""
    machine.begin_run()
    run_state_machine_as_test(machine, settings=drawn(examples))


def found(machine: type[CallMachine]) -> list[str]:
    """What a machine found, as the lines of a script."""
    failure = machine.so_far.failure
    assert failure is not None
    assert failure.script is not None
    return render(failure.script).splitlines()


# What is whole.


class BankLine(
    CallMachine,
    flow=bank_ivr,
    services={"bank": Double(FakeBank, fails=BankDown)},
    answers={"pin": "4129"},
    callers=("+910000000105", "+910000000109"),
):
    @always
    def nothing_is_told_to_a_stranger(self, seen: Seen[Caller]) -> None:
        assert not seen.entered(Answer) or seen.data.verified


@pytest.mark.timeout(120)
def test_the_bank_keeps_every_law() -> None:
    by_chance(BankLine, 40)

    unjudged = {law.name for law in BankLine.bound.laws if not BankLine.so_far.premises.get(law.name)}
    assert BankLine.so_far.coverage.steps / BankLine.so_far.coverage.examples >= 15  # so few differ
    assert unjudged.isdisjoint({"own-stream-sid", "one-clear-and-nothing-old", "frozen-while-detached", "no-orphans"})


class EchoLine(CallMachine, flow=echo): ...


def test_a_relay_is_exempt_from_what_a_relay_cannot_keep() -> None:
    by_chance(EchoLine, 10)

    assert EchoLine.bound.exempt == {"whole-blocks", "large-enough", "every-byte-in-order", "within-the-lead"}


# What is broken.


class Choose(State[None], timeout=4.0):
    """Without a word, so that an example costs little."""

    def on_dtmf(self, call: C, key: Dtmf) -> Think | Bye | None:
        if key.digit == "7":
            raise RuntimeError("a mistake")
        if key.digit == "1":
            return Think()
        return Bye() if key.digit == "2" else None

    def on_timeout(self, call: C) -> Bye:
        return Bye()


class Think(State[None], timeout=3.0):
    async def run(self, call: C) -> Choose:
        await trio.sleep(1.0)
        return Choose()

    def on_timeout(self, call: C) -> Never:
        return Never()


class Never(Hangup[None]):
    """``run`` is always faster."""


class Bye(Hangup[None]): ...


choosing = Flow("choosing", start=Choose)


class Mistaken(CallMachine, flow=choosing): ...


def test_a_mistake_is_found_and_its_call_is_as_short_as_can_be() -> None:
    with pytest.raises(CallFailed, match="no-errors"):
        hunt(Mistaken, drawn(200))

    assert found(Mistaken)[-2:] == ["ring", "keys 7"]


def test_a_script_is_judged_as_the_machine_judges() -> None:
    with pytest.raises(LawBroken, match="no-errors"):
        Mistaken.play(parse("ring\nwait 1s\nkeys 7\n"))


class Forgiving(CallMachine, flow=choosing, laws={"no-errors": False}): ...


def test_a_law_is_switched_off_by_its_name() -> None:
    by_chance(Forgiving)

    assert "no-errors" in Forgiving.bound.off


def test_a_law_that_does_not_exist_cannot_be_switched_off() -> None:
    with pytest.raises(ValueError, match="there is no law 'no-error'; the laws are connected-first, "):

        class Wrong(CallMachine, flow=choosing, laws={"no-error": False}): ...


# Properties of one's own.


class NeverThinks(Forgiving):
    @always
    def it_never_thinks(self, seen: Seen[None]) -> None:
        """No call gets to Think."""
        assert not seen.entered(Think), "it thinks"


class NeverRings(Forgiving):
    @always
    def it_never_chooses(self, seen: Seen[None]) -> None:
        assert not seen.entered(Choose)


def test_a_property_of_ones_own_is_named_when_it_breaks() -> None:
    with pytest.raises(CallFailed, match=r"^it-never-thinks: No call gets to Think\.\n  it thinks, at"):
        hunt(NeverThinks, drawn())

    assert found(NeverThinks)[-2:] == ["ring", "keys 1"]


def test_a_property_of_ones_own_is_shown_with_its_place_and_the_line_that_does_not_hold() -> None:
    with pytest.raises(CallFailed) as raised:
        hunt(NeverRings, drawn())

    lines = str(raised.value).splitlines()
    assert lines[0] == "it-never-chooses: it never chooses"
    assert lines[1].startswith("  assert not ")
    assert re.match(r"  property NeverRings.it_never_chooses, tests/testing/test_machine.py:\d+$", lines[2])


class EndsBadly(Forgiving):
    @in_the_end
    def nobody_ends_in_bye(self, seen: Seen[None]) -> bool:
        return seen.state is not Bye


def test_a_property_of_the_end_sees_calls_that_are_over() -> None:
    with pytest.raises(CallFailed, match="nobody-ends-in-bye"):
        hunt(EndsBadly, drawn())

    assert len(found(EndsBadly)) <= 6


class Hopeful(Forgiving):
    @sometimes
    def somebody_thinks(self, seen: Seen[None]) -> bool:
        return seen.entered(Think)

    @sometimes
    def somebody_waits_for_ever(self, seen: Seen[None]) -> bool:
        return seen.entered(Never)


def test_a_run_in_which_something_never_came_true_fails() -> None:
    by_chance(Hopeful)

    with pytest.raises(NeverTrue, match=r"Hopeful.somebody_waits_for_ever was true in none of \d+ examples"):
        Hopeful.check_run()


# Coverage.


class Thorough(Forgiving, require_edges=0.9): ...


def test_a_run_that_takes_too_few_edges_fails_with_those_that_are_missing() -> None:
    by_chance(Thorough)

    with pytest.raises(ThinCoverage, match=r"80% of the edges .* not: Think.on_timeout -> Never"):
        Thorough.check_run()


def test_a_run_counts_what_it_reached() -> None:
    by_chance(Thorough)
    coverage = Thorough.so_far.coverage

    assert {"Choose", "Think", "Bye"} == set(coverage.states)
    assert coverage.edges["Choose", "on_dtmf", "Think"] > 0


# The same twice.


def traces(seed: int) -> list[list[tuple[float, str, str]]]:
    """What passed on the wire in every example of a run, message for message."""
    found: list[list[tuple[float, str, str]]] = []

    class Traced(Forgiving):
        def teardown(self) -> None:
            super().teardown()
            if self.rehearsal is not None:
                logs = [phone.log for phone in self.rehearsal.deeds.phones]
                found.append([(entry.at, entry.side, str(entry.text)) for log in logs for entry in log])

    some = settings(usual_settings(), max_examples=20, database=None, phases=[Phase.generate])
    run_state_machine_as_test(with_seed(seed)(Traced), settings=some)
    return found


def test_two_runs_with_one_seed_are_the_same_to_the_byte() -> None:
    first = traces(7)

    assert first == traces(7)
    assert len(first) >= 20


def test_a_machine_without_the_plugins_of_hypothesis_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYPOTHESIS_NO_PLUGINS", "1")

    with pytest.raises(RuntimeError, match="HYPOTHESIS_NO_PLUGINS keeps Trio from being repeatable; unset it"):
        Forgiving.begin_run()
