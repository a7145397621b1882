"""The transcript reads as a person would tell the call, in order, each line once; and its figures are measured."""

from __future__ import annotations

import math

import pytest

from callflow.line.heard import HeardPrompt
from callflow.line.oddities import Oddity
from callflow.line.steps import (
    Branch,
    Deafen,
    Drop,
    Ended,
    Ender,
    Ending,
    Enter,
    HangUp,
    Hear,
    Play,
    Press,
    Quiet,
    Reach,
    Script,
    SendOdd,
    Step,
    Wait,
)
from callflow.line.transcript import (
    CUT_COLUMN,
    Conversation,
    Deed,
    Entered,
    Outcome,
    Result,
    Teller,
    barge_ins,
    expected,
    waits,
)


def heard(
    start: float, seconds: float, words: str = "Hello.", *, of: float | None = None, over: bool = True
) -> HeardPrompt:
    """Make a stretch of speech: cut where it is shorter than *of*, unknown sound where it has no words."""
    whole = seconds if of is None else of
    return HeardPrompt(
        name=words,
        words=words,
        start=start,
        seconds=seconds,
        of_seconds=whole,
        complete=bool(words) and over and seconds == whole,
        over=over,
    )


def told(*prompts: HeardPrompt, settled: float = math.inf, **others: object) -> list[str]:
    conversation = Conversation(heard=prompts, settled=settled, **others)  # type: ignore[arg-type]  # its own fields
    return list(Teller().lines(conversation))


def test_what_is_said_stands_with_its_moment() -> None:
    assert told(heard(0.24, 2.0, "Welcome to the bank.")) == ["  0.2  ◀ Welcome to the bank."]


def test_the_words_of_a_number_are_one_line() -> None:
    parts = heard(1.0, 1.0, "Your balance is"), heard(2.0, 0.5, "twelve"), heard(2.5, 0.5, "rupees.")

    assert told(*parts) == ["  1.0  ◀ Your balance is twelve rupees."]


def test_sentences_that_follow_at_once_are_lines_of_their_own() -> None:
    assert told(heard(0.0, 1.0, "Welcome."), heard(1.0, 1.0, "Press 1.")) == ["  0.0  ◀ Welcome.", "  1.0  ◀ Press 1."]


def test_a_sentence_that_begins_with_a_capital_is_a_line_of_its_own() -> None:
    parts = heard(0.0, 1.0, "fifty paise"), heard(1.0, 1.0, "Is there anything else?")

    assert told(*parts) == ["  0.0  ◀ fifty paise", "  1.0  ◀ Is there anything else?"]


def test_what_was_cut_off_is_told_as_far_as_it_was_heard() -> None:
    (line,) = told(heard(3.6, 1.0, "Key your PIN, then hash.", of=2.0))

    assert line == "  3.6  " + "◀ Key your PIN…".ljust(CUT_COLUMN) + "  cut off"


def test_unknown_sound_is_told_with_its_length() -> None:
    assert told(heard(1.0, 1.23, "")) == ["  1.0  ◀ (unrecognised, 1.2 s)"]


@pytest.mark.parametrize(
    ("deed", "line"),
    [
        (Deed(Press(digits="12#"), 1.0), "  1.0  ▶ keys 12#"),
        (Deed(Enter(digits="40"), 1.0, keys=2), "  1.0  ▶ keys 40"),
        (Deed(Enter(answer="pin"), 1.0, keys=4), "  1.0  ▶ keys ••••"),
        (Deed(Play(file="voice/thank_you.wav"), 1.0), "  1.0  ▶ says “thank you”"),
        (Deed(HangUp(), 1.0), "  1.0  ▶ hangs up"),
        (Deed(Drop(), 1.0), "  1.0  ▶ loses the line"),
        (Deed(Deafen(), 1.0), "  1.0  ▶ loses the line without a sign"),
        (Deed(SendOdd(oddity=Oddity.NO_JSON), 1.0), "  1.0  ▶ does what is odd: no-json"),
    ],
)
def test_what_the_caller_does_is_told(deed: Deed, line: str) -> None:
    assert told(deeds=[deed]) == [line]


def test_states_and_the_end_are_told() -> None:
    lines = told(entered=[Entered(0.1, "Welcome")], ended_at=9.0, ended="ended by the server, code 1000")

    assert lines == ["  0.1  = Welcome", "  9.0    ended by the server, code 1000"]


def test_the_end_is_not_told_to_who_hung_up() -> None:
    assert told(deeds=[Deed(HangUp(), 1.0)], ended_at=1.0, ended="ended by the caller") == ["  1.0  ▶ hangs up"]


def test_lines_come_in_the_order_of_time() -> None:
    lines = told(heard(0.5, 1.0, of=3.0), heard(2.0, 1.0, "Bye."), deeds=[Deed(Press(digits="1"), 1.4)])

    assert [line[4] + line[7:9] for line in lines] == ["5◀ ", "4▶ ", "0◀ "]


def test_what_is_still_being_said_is_not_told_yet() -> None:
    assert told(heard(0.0, 1.0), heard(2.0, 0.5, over=False), settled=2.0) == ["  0.0  ◀ Hello."]


def test_a_sentence_to_which_more_may_come_is_not_told_yet() -> None:
    assert told(heard(1.0, 1.0, "Your balance is"), settled=2.0) == []


def test_what_the_caller_does_waits_for_what_was_said_before_it() -> None:
    assert told(heard(0.5, 1.0, over=False), deeds=[Deed(Press(digits="1"), 1.0)], settled=0.5) == []


def test_what_the_caller_does_waits_for_the_sentence_that_it_cut() -> None:
    assert told(heard(0.5, 1.0, of=3.0), deeds=[Deed(Press(digits="1"), 1.2)], settled=1.54) == []


def test_each_line_is_told_once() -> None:
    teller, conversation = Teller(), Conversation(heard=[heard(0.0, 1.0)], settled=3.0)
    list(teller.lines(conversation))
    conversation.deeds.append(Deed(HangUp(), 4.0))
    conversation.settled = math.inf

    assert list(teller.lines(conversation)) == ["  4.0  ▶ hangs up"]


# Figures.


def test_the_wait_is_from_the_last_key_to_the_answer() -> None:
    conversation = Conversation(heard=[heard(3.0, 1.0)], deeds=[Deed(Press(digits="12"), 1.0, 2.5)])

    assert waits(conversation) == [0.5]


def test_an_answer_that_came_before_the_last_key_was_not_waited_for() -> None:
    conversation = Conversation(heard=[heard(2.0, 0.4), heard(3.0, 1.0)], deeds=[Deed(Press(digits="12"), 1.0, 2.5)])

    assert waits(conversation) == []


def test_who_speaks_while_the_bot_talks_on_waits_for_nothing() -> None:
    conversation = Conversation(heard=[heard(0.0, 3.0), heard(9.0, 1.0)], deeds=[Deed(Play(file="a.wav"), 1.0, 2.0)])

    assert waits(conversation) == []


def test_a_number_that_goes_on_is_no_answer() -> None:
    parts = [heard(0.0, 1.0, "You have"), heard(1.0, 1.0, "two")]

    assert waits(Conversation(heard=parts, deeds=[Deed(Press(digits="1"), 0.5, 0.6)])) == []


def test_an_answer_belongs_to_the_last_deed_before_it() -> None:
    deeds = [Deed(Press(digits="1"), 1.0, 1.1), Deed(Play(file="a.wav"), 2.0, 2.5), Deed(HangUp(), 9.0, 9.0)]

    assert waits(Conversation(heard=[heard(3.0, 1.0)], deeds=deeds)) == [0.5]


def test_barge_in_is_from_the_first_key_to_the_end_of_the_voice() -> None:
    conversation = Conversation(
        heard=[heard(0.0, 1.25, of=3.0), heard(1.3, 1.0)], deeds=[Deed(Press(digits="12"), 1.0, 1.4)]
    )

    assert barge_ins(conversation) == [0.25]


def test_a_prompt_that_was_heard_to_its_end_was_not_cut_by_a_key() -> None:
    assert barge_ins(Conversation(heard=[heard(0.0, 1.2)], deeds=[Deed(Press(digits="1"), 1.0, 1.1)])) == []


# Results.


def result(*outcomes: Outcome) -> Result:
    script = Script(steps=(Hear(prompt="a", line=3), Press(digits="1", line=4), Ended(line=5)), path="bank.call")
    return Result(script=script, outcomes=outcomes, conversation=Conversation())


def test_the_failure_names_the_line_what_was_expected_and_what_came() -> None:
    failed = result(Outcome(step=Hear(prompt="a", within=3.0, line=3), start=0.0, end=3.0, came="heard nothing"))

    assert failed.failure == 'bank.call:3: expected to hear "a" within 3 s; heard nothing'


def test_a_script_that_holds_has_no_failure() -> None:
    assert result(Outcome(step=HangUp(), start=0.0, end=0.0)).failure == ""


def test_expectations_are_counted_apart_from_deeds() -> None:
    held = result(
        Outcome(step=Hear(prompt="a"), start=0.0, end=1.0),
        Outcome(step=Press(digits="1"), start=1.0, end=1.0),
        Outcome(step=Ended(), start=1.0, end=2.0, came="the call goes on"),
    )

    assert (held.holding, held.expectations) == (1, 2)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (Hear(prompt="twelve", spoken=True), 'to hear the words "twelve" within 10 s'),
        (Hear(prompt="menu", at_least=0.4), 'to hear "menu" for 0.4 s within 10 s'),
        (Hear(prompt="menu", ending=Ending.COMPLETE), 'to hear "menu" to its end within 10 s'),
        (Hear(prompt="menu", ending=Ending.CUT, within=0.5), 'to hear "menu" cut off within 0.5 s'),
        (Reach(name="Menu"), "state Menu within 5 s"),
        (Quiet(within=0.3), "silence within 0.3 s"),
        (Ended(by=Ender.FLOW), "the end of the call by the flow within 10 s"),
        (Branch(name="B"), "branch B"),
        (Enter(answer="pin"), "that this can be done: type $pin"),
        (Wait(seconds=1.0), "that this can be done: wait 1s"),
    ],
)
def test_what_a_step_expects_can_be_said(step: Step, words: str) -> None:
    assert expected(step) == words
