"""Sub-flows: what is inside, what comes out, and who gets what happens meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attrs import define
from trio.testing import MockClock

from callflow import (
    Call,
    CollectDigits,
    Confirm,
    Done,
    Dtmf,
    EndCause,
    EndedCall,
    Failed,
    Flow,
    GaveUp,
    Hangup,
    Say,
    State,
    SubFlow,
    key,
)
from callflow.call.journal import Kind
from tests.call.stage import Stage, played, ringing

Notes = list[str]
C = Call[Notes]


class Bye(Hangup[Notes]):
    """The end."""


class AskPin(CollectDigits[Notes], prompt="pin.wav", length=2, secret=False, tries=1):
    """Inside."""

    def on_digits(self, call: C, digits: str) -> Done[int] | Sure:
        return Done(int(digits)) if digits != "99" else Sure(99)

    def on_failed(self, call: C, why: Failed) -> GaveUp:
        return GaveUp(why)

    def on_hangup(self, call: EndedCall[Notes]) -> None:
        call.data.append("inner hangup")


class Sure(Confirm[Notes], prompt="menu.wav"):
    pin: int

    def on_yes(self, call: C) -> Done[int]:
        return Done(self.pin)

    def on_no(self, call: C) -> Gone:
        return Gone()

    def on_failed(self, call: C, why: Failed) -> GaveUp:
        return GaveUp(why)


class Gone(Hangup[Notes]):
    """An end of the whole call, inside."""


class Pin(SubFlow[Notes, int], start=AskPin, timeout=60.0):
    """Around."""

    def on_done(self, call: C, result: int) -> Bye:
        call.data.append(f"done: {result}")
        return Bye()

    def on_failed(self, call: C, why: Failed) -> Bye:
        call.data.append(f"failed: {why.name}")
        return Bye()

    def on_timeout(self, call: C) -> Bye:
        call.data.append(f"timed out at {call.now():g}")
        return Bye()

    @key("*")
    def help(self, call: C) -> Bye:
        call.data.append("help")
        return Bye()

    def on_hangup(self, call: EndedCall[Notes]) -> None:
        call.data.append("outer hangup")


def flow_of(start: type[State[Notes]], prompts: Path, **options: Any) -> tuple[Flow[Notes], Notes]:
    notes: Notes = []
    return Flow("bank", start=start, prompts=prompts, data=lambda: notes, **options), notes


def entered(stage: Stage) -> list[tuple[str, str]]:
    """Which states were entered, each with the sub-flow around it."""
    entries = [entry.details for entry in stage.journal(Kind.STATE) if entry.what == "entered"]
    return [(str(each["state"]), str(each.get("within", ""))) for each in entries]


async def test_the_result_of_an_end_inside_goes_to_on_done(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Pin, prompts)
    _, stage = await played(flow, (1.0, "41"))

    assert (notes, entered(stage), stage.record.cause) == (
        ["done: 41"],
        [("Pin", ""), ("AskPin", "Pin"), ("Bye", "")],
        EndCause.FLOW,
    )


async def test_states_inside_follow_one_another(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Pin, prompts)
    _, stage = await played(flow, (1.0, "99"), (2.0, "1"))

    assert (notes, entered(stage)[1:3]) == (["done: 99"], [("AskPin", "Pin"), ("Sure", "Pin")])


async def test_what_came_to_nothing_inside_goes_to_on_failed(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Pin, prompts)
    await played(flow)

    assert notes == ["failed: no input"]


async def test_a_hangup_inside_ends_the_call(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Pin, prompts)
    _, stage = await played(flow, (1.0, "99"), (2.0, "2"))

    assert (notes, stage.record.cause, stage.record.last_state) == (["outer hangup"], EndCause.FLOW, "Gone")


async def test_hanging_up_is_told_to_the_innermost_state_first(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Pin, prompts)
    await played(flow, stays=1.0)

    assert notes == ["inner hangup", "outer hangup"]


async def test_the_time_of_a_sub_flow_goes_on_through_its_states(autojump_clock: MockClock, prompts: Path) -> None:
    class Short(Pin, timeout=4.0):
        """Has no time for both questions."""

    flow, notes = flow_of(Short, prompts)
    _, stage = await played(flow, (1.0, "99"), stays=10.0)

    assert (notes, entered(stage)[-1]) == (["timed out at 4"], ("Bye", ""))


async def test_a_key_that_fits_nothing_inside_is_for_the_sub_flow(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Pin, prompts)
    await played(flow, (1.0, "4*"))

    assert notes == ["help"]


async def test_a_key_that_is_an_answer_inside_is_not_for_the_sub_flow(autojump_clock: MockClock, prompts: Path) -> None:
    class Hungry(Pin):
        @key("4")
        def four(self, call: C) -> Bye:
            call.data.append("eaten")
            return Bye()

    flow, notes = flow_of(Hungry, prompts)
    await played(flow, (1.0, "41"))

    assert notes == ["done: 41"]


async def test_a_key_that_nobody_inside_asked_for_goes_to_on_dtmf_around(
    autojump_clock: MockClock, prompts: Path
) -> None:
    class Quiet(State[Notes], timeout=5.0):
        def on_timeout(self, call: C) -> Done[int]:
            return Done(0)

    class Around(Pin, start=Quiet):
        def on_dtmf(self, call: C, key: Dtmf) -> Bye | None:
            call.data.append(f"key {key.digit}")
            return None

    flow, notes = flow_of(Around, prompts, scope=locals())
    await played(flow, (1.0, "7"))

    assert notes == ["key 7", "done: 0"]


async def test_leaving_a_sub_flow_ends_what_runs_inside(autojump_clock: MockClock, prompts: Path) -> None:
    class Talking(State[Notes], timeout=50.0):
        async def run(self, call: C) -> None:
            try:
                await call.play("menu.wav")
            finally:
                call.data.append(f"left at {call.now():g}")

        def on_timeout(self, call: C) -> Done[int]:
            return Done(0)

    class Around(Pin, start=Talking, timeout=1.0):
        """Is left while it speaks."""

    flow, notes = flow_of(Around, prompts, scope=locals())
    _, stage = await played(flow)

    assert (notes, [entry.what for entry in stage.journal(Kind.PLAYBACK)]) == (
        ["timed out at 1", "left at 1"],
        ["queued", "cut"],
    )


# Data.


@define
class Account:
    number: str = ""


class AskNumber(CollectDigits[Account], prompt="pin.wav", length=2, secret=False):
    def on_digits(self, call: Call[Account], digits: str) -> Done[str] | Say2:
        call.data.number += digits
        call.language = "hi"
        return Done(call.data.number) if digits != "99" else Say2()

    def on_failed(self, call: Call[Account], why: Failed) -> GaveUp:
        return GaveUp(why)


class Say2(Say[Account], prompt="sorry.wav"):
    def then(self, call: Call[Account]) -> AskNumber:
        return AskNumber()


class Own(SubFlow[Notes, str], start=AskNumber, data=Account):
    def on_done(self, call: C, result: str) -> Bye:
        call.data.append(f"{result} {call.language}")
        return Bye()

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


async def test_states_inside_may_have_data_of_their_own(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Own, prompts)
    await played(flow, (1.0, "99"), (4.0, "41"))

    assert notes == ["9941 hi"]


async def test_data_that_are_replaced_inside_are_replaced_inside_alone(
    autojump_clock: MockClock, prompts: Path
) -> None:
    class Replacing(AskNumber):
        def on_digits(self, call: Call[Account], digits: str) -> Done[str] | Say2:
            call.data = Account(f"new {digits}")
            return Done(call.data.number)

    class Around(Own, start=Replacing):
        """Holds it."""

    flow, notes = flow_of(Around, prompts, scope=locals())
    await played(flow, (1.0, "41"))

    assert notes == ["new 41 "]


async def test_data_and_first_state_may_hang_on_the_call(autojump_clock: MockClock, prompts: Path) -> None:
    class AskMore(AskNumber):
        prefix: str

        def on_digits(self, call: Call[Account], digits: str) -> Done[str] | Say2:
            return Done(call.data.number + self.prefix + digits)

    class Given(SubFlow[Notes, str]):
        letter: str = "a"

        def begin(self, call: C) -> AskMore:
            return AskMore(prefix=self.letter)

        def data_for(self, call: C) -> Account:
            return Account(call.caller[-3:])

        def on_done(self, call: C, result: str) -> Bye:
            call.data.append(result)
            return Bye()

        def on_failed(self, call: C, why: Failed) -> Bye:
            return Bye()

    flow, notes = flow_of(Given, prompts, scope=locals())
    await played(flow, (1.0, "41"))

    assert notes == ["105a41"]


async def test_a_sub_flow_may_hold_another(autojump_clock: MockClock, prompts: Path) -> None:
    class Twice(SubFlow[Notes, int]):
        def begin(self, call: C) -> Inner:
            return Inner()

        def on_done(self, call: C, result: int) -> Bye:
            call.data.append(f"outermost: {result}")
            return Bye()

    class Inner(SubFlow[Notes, int], start=AskPin):
        def on_done(self, call: C, result: int) -> Done[int]:
            return Done(result + 1)

        def on_failed(self, call: C, why: Failed) -> Done[int]:
            return Done(0)

    flow, notes = flow_of(Twice, prompts, scope=locals())
    _, stage = await played(flow, (1.0, "41"))

    assert (notes, entered(stage)) == (
        ["outermost: 42"],
        [("Twice", ""), ("Inner", "Twice"), ("AskPin", "Inner"), ("Bye", "")],
    )


async def test_a_first_state_that_cannot_be_made_is_an_error_of_the_sub_flow(
    autojump_clock: MockClock, prompts: Path
) -> None:
    class Broken(SubFlow[Notes, int]):
        def begin(self, call: C) -> AskPin:
            raise LookupError("nothing there")

        def on_done(self, call: C, result: int) -> Bye:
            return Bye()

        def on_failed(self, call: C, why: Failed) -> Bye:
            return Bye()

    flow, _ = flow_of(Broken, prompts, scope=locals())
    _, stage = await played(flow)

    assert [(e.what, e.details["where"]) for e in stage.journal(Kind.ERROR)] == [("LookupError", "Broken.begin")]


@pytest.mark.parametrize("at", [0.0, 0.5, 1.0, 1.2, 2.0, 3.5])
async def test_a_call_that_ends_anywhere_in_a_sub_flow_leaves_nothing(
    autojump_clock: MockClock, prompts: Path, at: float
) -> None:
    flow, _ = flow_of(Pin, prompts)
    async with ringing(flow) as (phone, stage):
        await phone.wait(0.2)
        await phone.press("99", gap=0.0)
        await phone.wait(at)
        await phone.hang_up()

    assert (stage.record.cause, stage.call.driver.deadlines.names) == (EndCause.STOP, frozenset())
