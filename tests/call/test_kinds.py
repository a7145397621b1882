"""Kinds of states in a call: superstates, answers that will not do, prompts that hang on the call, states by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

from callflow import (
    Again,
    Call,
    CollectDigits,
    Confirm,
    Dtmf,
    EndCause,
    Failed,
    Flow,
    Hangup,
    Menu,
    Prompt,
    Say,
    State,
    key,
)
from callflow.call.journal import Kind
from tests.call.stage import Stage, played

Notes = list[str]
C = Call[Notes]


class Bye(Hangup[Notes]):
    """The end."""


class Person(Hangup[Notes], prompt="bye.wav"):
    """Another end."""


class InBank(State[Notes], timeout=12.0):
    """What all states here have in common."""

    @key("0")
    def person(self, call: C) -> Person:
        return Person()

    def on_dtmf(self, call: C, key: Dtmf) -> None:
        call.data.append(f"nobody wants {key.digit}")

    def on_timeout(self, call: C) -> Bye:
        call.data.append(f"timed out at {call.now():g}")
        return Bye()


def flow_of(start: type[State[Notes]], prompts: Path, **options: Any) -> tuple[Flow[Notes], Notes]:
    notes: Notes = []
    return Flow("bank", start=start, prompts=prompts, **({"data": lambda: notes} | options)), notes


def spoken(stage: Stage) -> list[str]:
    """What was played, in order."""
    return [str(e.details["prompt"]) for e in stage.journal(Kind.PLAYBACK) if e.what == "queued"]


def moves(stage: Stage) -> list[tuple[str, str]]:
    """Which handler led where."""
    return [(str(e.details["by"]), str(e.details["to"])) for e in stage.journal(Kind.STATE) if e.what == "left"]


# Superstates.


class Hello(InBank, Say[Notes], prompt="welcome.wav"):
    def then(self, call: C) -> Bye:
        call.data.append("then")
        return Bye()


async def test_a_key_of_a_superstate_cuts_an_announcement_and_is_taken(
    autojump_clock: MockClock, prompts: Path
) -> None:
    flow, notes = flow_of(Hello, prompts)
    _, stage = await played(flow, (1.0, "0"))

    assert (notes, moves(stage)) == ([], [("person", "Person")])


async def test_another_key_goes_to_on_dtmf_and_the_announcement_goes_on(
    autojump_clock: MockClock, prompts: Path
) -> None:
    flow, notes = flow_of(Hello, prompts)
    _, stage = await played(flow, (1.0, "5"))

    assert (notes, moves(stage)) == (["nobody wants 5", "then"], [("then", "Bye")])


async def test_an_announcement_that_must_be_heard_takes_such_a_key_when_it_was(
    autojump_clock: MockClock, prompts: Path
) -> None:
    class Notice(Hello, barge_in=None):
        """Cannot be cut."""

    flow, notes = flow_of(Notice, prompts)
    _, stage = await played(flow, (1.0, "0"))

    assert (notes, moves(stage), stage.record.seconds) == ([], [("person", "Person")], 3.0)


class Ask(InBank, CollectDigits[Notes], prompt="pin.wav", length=4, secret=False, failed=Bye):
    @key("*")
    def person(self, call: C) -> Person:
        return Person()

    def on_digits(self, call: C, digits: str) -> Bye | Again | None:
        call.data.append(digits)
        return {"1111": None, "2222": Again()}.get(digits, Bye())


async def test_the_time_out_of_a_superstate_runs_in_a_question(autojump_clock: MockClock, prompts: Path) -> None:
    class Patient(Ask, first_digit=30.0, total=60.0):
        """Would wait longer."""

    flow, notes = flow_of(Patient, prompts)
    await played(flow)

    assert notes == ["timed out at 12"]


async def test_a_key_beside_the_entry_goes_to_its_method(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Ask, prompts)
    _, stage = await played(flow, (1.0, "12*"))

    assert (notes, moves(stage)) == ([], [("person", "Person")])


async def test_a_method_beside_the_entry_that_stays_leaves_the_entry_as_it_is(
    autojump_clock: MockClock, prompts: Path
) -> None:
    class Helpful(Ask):
        @key("*")
        def help(self, call: C) -> None:
            call.data.append("help")

    flow, notes = flow_of(Helpful, prompts)
    await played(flow, (1.0, "12*34"))

    assert notes == ["help", "1234"]


async def test_keys_of_a_plain_state_go_to_their_methods_and_others_to_on_dtmf(
    autojump_clock: MockClock, prompts: Path
) -> None:
    class Music(InBank):
        @key("1", "2")
        def louder(self, call: C, digit: str) -> None:
            call.data.append(f"louder {digit}")

    flow, notes = flow_of(Music, prompts)
    _, stage = await played(flow, (1.0, "132"), (2.0, "0"))

    assert (notes, moves(stage)) == (["louder 1", "nobody wants 3", "louder 2"], [("person", "Person")])


# Answers that will not do.


async def test_an_answer_that_will_not_do_is_asked_again(autojump_clock: MockClock, prompts: Path) -> None:
    class Sorry(Ask, no_match="sorry.wav"):
        """Says so."""

    flow, notes = flow_of(Sorry, prompts)
    _, stage = await played(flow, (1.0, "2222"), (4.0, "3333"))

    assert (notes, spoken(stage)) == (["2222", "3333"], ["pin.wav", "sorry.wav pin.wav"])


async def test_an_answer_that_will_not_do_costs_a_try(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Ask, prompts)
    _, stage = await played(flow, (1.0, "2222"), (4.0, "2222"), (7.0, "2222"))

    assert (notes, moves(stage)) == (["2222"] * 3, [("failed", "Bye")])


async def test_the_terminator_behind_an_answer_that_will_not_do_is_swallowed(
    autojump_clock: MockClock, prompts: Path
) -> None:
    flow, notes = flow_of(Ask, prompts)
    _, stage = await played(flow, (1.0, "2222"), (1.2, "#"), (4.0, "3333"))

    assert (notes, [e.what for e in stage.journal(Kind.KEY)].count("late terminator")) == (["2222", "3333"], 1)


async def test_asking_again_has_to_be_declared(autojump_clock: MockClock, prompts: Path) -> None:
    class Sly(Ask):
        def on_digits(self, call: C, digits: str) -> Bye:
            wrong: Any = Again()
            return wrong  # type: ignore[no-any-return]  # which a type checker would have found

    flow, _ = flow_of(Sly, prompts)
    _, stage = await played(flow, (1.0, "2222"))

    assert (stage.record.cause, [e.what for e in stage.journal(Kind.ERROR)]) == (EndCause.APP_ERROR, ["UndeclaredMove"])


async def test_a_key_of_a_menu_may_ask_again(autojump_clock: MockClock, prompts: Path) -> None:
    class Closed(Menu[Notes], prompt="menu.wav", no_match="sorry.wav", tries=2):
        @key("1")
        def sales(self, call: C) -> Bye | Again:
            return Again()

        def on_failed(self, call: C, why: Failed) -> Bye:
            call.data.append(f"{why.name} {why.tries}")
            return Bye()

    flow, notes = flow_of(Closed, prompts)
    _, stage = await played(flow, (1.0, "1"), (5.0, "1"))

    assert (notes, spoken(stage)) == (["no match 2"], ["menu.wav", "sorry.wav menu.wav"])


# States by name.


class Choose(Menu[Notes], prompt="menu.wav", keys={"1": Person, "2": Hello}, failed=Bye, tries=1):
    """Needs no method."""


@pytest.mark.parametrize(
    ("presses", "move"),
    [([(1.0, "1")], ("keys", "Person")), ([(1.0, "2")], ("keys", "Hello")), ([(1.0, "3")], ("failed", "Bye"))],
)
async def test_a_key_leads_to_the_state_that_the_class_line_names(
    autojump_clock: MockClock, prompts: Path, presses: list[tuple[float, str]], move: tuple[str, str]
) -> None:
    flow, _ = flow_of(Choose, prompts)
    _, stage = await played(flow, *presses, stays=3.0)

    assert moves(stage)[0] == move


async def test_a_state_that_cannot_be_made_is_an_error_of_the_one_that_names_it(
    autojump_clock: MockClock, prompts: Path
) -> None:
    class Hopeless(Hangup[Notes]):
        def __attrs_post_init__(self) -> None:
            raise LookupError("nothing there")

    class Named(Menu[Notes], prompt="menu.wav", keys={"1": Hopeless}, failed=Bye):
        """Names it."""

    flow, _ = flow_of(Named, prompts, error=Bye)
    _, stage = await played(flow, (1.0, "1"))

    assert [(e.what, e.details["where"], e.details["next"]) for e in stage.journal(Kind.ERROR)] == [
        ("LookupError", "Named.keys", "Bye")
    ]


# Prompts that hang on the call.


class Spoken(Say[Notes]):
    def prompt_for(self, call: C) -> Prompt:
        return "sorry.wav" if call.caller.endswith("105") else "bye.wav"

    def then(self, call: C) -> Sure:
        return Sure("pin.wav")


class Sure(Confirm[Notes], no_match="sorry.wav"):
    what: str

    def prompt_for(self, call: C) -> Prompt:
        call.data.append("asked")
        return (self.what, "menu.wav")

    def on_yes(self, call: C) -> Told:
        return Told()

    def on_no(self, call: C) -> Bye:
        return Bye()

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


class Told(Hangup[Notes]):
    def prompt_for(self, call: C) -> Prompt:
        return "bye.wav"


async def test_prompts_may_hang_on_the_call_and_on_fields(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Spoken, prompts)
    _, stage = await played(flow, (1.0, "5"), (4.0, "1"))

    assert (notes, spoken(stage)) == (
        ["asked", "asked"],
        ["sorry.wav", "pin.wav menu.wav", "sorry.wav pin.wav menu.wav", "bye.wav"],
    )


@pytest.mark.parametrize(
    ("prompt", "error"),
    [("nothing.wav", "AudioError"), (None, "TypeError"), ((), "AudioError"), (LookupError("no"), "LookupError")],
)
async def test_a_prompt_that_cannot_be_had_is_an_error_of_the_state(
    autojump_clock: MockClock, prompts: Path, prompt: Any, error: str
) -> None:
    class Wrong(Say[Notes]):
        def prompt_for(self, call: C) -> Prompt:
            if isinstance(prompt, Exception):
                raise prompt
            return prompt  # type: ignore[no-any-return]  # what is tested

        def then(self, call: C) -> Bye:
            return Bye()

    flow, _ = flow_of(Wrong, prompts)
    _, stage = await played(flow)

    assert (stage.record.cause, [e.what for e in stage.journal(Kind.ERROR)]) == (EndCause.APP_ERROR, [error])


async def test_a_prompt_may_be_cut_and_answered_as_any_other(autojump_clock: MockClock, prompts: Path) -> None:
    class Start(Sure):
        what: str = "pin.wav"

        def on_no(self, call: C) -> Told:  # type: ignore[override]  # goes on in the place of the base's end
            return Told()

    flow, _ = flow_of(Start, prompts)
    _, stage = await played(flow, (0.5, "2"))

    assert spoken(stage) == ["pin.wav menu.wav", "bye.wav"]
