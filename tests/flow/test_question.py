"""Questions as pure conducts: what is asked, what is said of a failure, and when it is given up. No call, no clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from callflow import Dtmf, Failed
from callflow.flow.conduct import WAIT, Deliver, Speak, Step
from callflow.flow.keys import Entry, FailedName
from callflow.flow.question import Question, QuestionOptions

PIN = Entry(least=2, most=4, finish="#", allowed=frozenset("0123456789"))


def answered(digits: str) -> Step:
    return Deliver("answered", (digits,))


def question(entry: Entry = PIN, /, **options: Any) -> Question:
    """Ask at 0."""
    return Question(QuestionOptions(prompt="pin.wav", **options), entry, answered, 0.0)


def asked(entry: Entry = PIN, /, **options: Any) -> Question:
    """Make a question whose prompt was heard from 0 to 2."""
    conduct = question(entry, **options)
    conduct.enter(0.0)
    conduct.prompt_ended(2.0)
    return conduct


def type_in(conduct: Question, keys: str, at: float) -> Step:
    """Press keys at one instant; return the last step, and fail if another one was more than waiting."""
    *earlier, last = [conduct.press(Dtmf(digit=digit), at) for digit in keys]
    assert earlier == [WAIT] * len(earlier)
    return last


# Asking.


def test_entering_asks() -> None:
    assert question().enter(0.0) == Speak("pin.wav", "dtmf")


def test_a_question_that_must_be_heard_cannot_be_cut() -> None:
    assert question(barge_in=None).enter(0.0) == Speak("pin.wav", None)


def test_nothing_is_due_while_the_prompt_plays() -> None:
    conduct = question()
    conduct.enter(0.0)

    assert (conduct.deadline, conduct.takes_keys) == (None, True)


def test_the_wait_begins_when_the_prompt_was_heard() -> None:
    conduct = question()
    conduct.enter(0.0)

    assert (conduct.prompt_ended(2.0), conduct.deadline) == (WAIT, 7.0)


def test_what_is_secret_says_so() -> None:
    assert [question(secret=secret).secret for secret in (True, False)] == [True, False]


# Answering.


def test_a_whole_entry_is_answered() -> None:
    assert type_in(asked(), "4129", 3.0) == Deliver("answered", ("4129",))


def test_an_entry_that_its_terminator_ends_is_answered() -> None:
    assert type_in(asked(), "41#", 3.0) == Deliver("answered", ("41",))


def test_silence_ends_an_entry_that_is_long_enough() -> None:
    conduct = asked()
    type_in(conduct, "412", 3.0)

    assert conduct.due(6.0) == Deliver("answered", ("412",))


def test_who_was_answered_takes_no_more_keys() -> None:
    conduct = asked()
    type_in(conduct, "4129", 3.0)

    assert (conduct.takes_keys, conduct.deadline) == (False, None)


def test_the_terminator_of_a_full_entry_may_still_come() -> None:
    conduct = asked()
    type_in(conduct, "4129", 3.0)

    assert conduct.late_terminator is not None
    assert conduct.late_terminator.swallows("#", 3.2)


def test_staying_waits_for_another_answer_without_asking() -> None:
    conduct = asked()
    type_in(conduct, "4129", 3.0)

    step = conduct.stayed(4.0)

    assert (step, conduct.takes_keys, conduct.deadline) == (WAIT, True, 9.0)


def test_after_staying_the_next_entry_is_whole_again() -> None:
    conduct = asked()
    type_in(conduct, "4129", 3.0)
    conduct.stayed(4.0)

    assert type_in(conduct, "77#", 5.0) == Deliver("answered", ("77",))


def test_before_the_deadline_nothing_is_due() -> None:
    assert asked().due(6.999) == WAIT


# Asking again.

SORRY = {"no_input": "quiet.wav", "no_match": "wrong.wav"}


def silent(conduct: Question) -> Step:
    return conduct.due(7.0)


def mistyped(conduct: Question) -> Step:
    return type_in(conduct, "*", 3.0)


def short(conduct: Question) -> Step:
    return type_in(conduct, "4#", 3.0)


def slow(conduct: Question) -> Step:
    type_in(conduct, "4", 3.0)
    return conduct.due(conduct.deadline or 0.0)


UNHURRIED = Entry(least=4, most=4, first_digit=4.0, between_digits=4.0, total=5.0)


def test_silence_is_told_and_the_question_is_asked_again() -> None:
    assert silent(asked(**SORRY)) == Speak(("quiet.wav", "pin.wav"), "dtmf", again=True)


def test_a_wrong_key_is_told_and_the_question_is_asked_again() -> None:
    assert mistyped(asked(**SORRY)) == Speak(("wrong.wav", "pin.wav"), "dtmf", again=True)


def test_a_short_entry_is_a_wrong_one() -> None:
    assert short(asked(**SORRY)) == Speak(("wrong.wav", "pin.wav"), "dtmf", again=True)


def test_a_short_entry_may_have_words_of_its_own() -> None:
    assert short(asked(**SORRY, too_short="short.wav")) == Speak(("short.wav", "pin.wav"), "dtmf", again=True)


def test_silence_in_the_middle_of_an_entry_is_a_short_one() -> None:
    assert slow(asked(**SORRY, too_short="short.wav")) == Speak(("short.wav", "pin.wav"), "dtmf", again=True)


def test_of_an_entry_that_took_too_long_nothing_is_said() -> None:
    conduct = asked(UNHURRIED, **SORRY)
    type_in(conduct, "4", 3.0)
    type_in(conduct, "1", 6.0)

    assert conduct.due(8.0) == Speak(("pin.wav",), "dtmf", again=True)


def test_without_words_for_it_the_question_alone_is_asked_again() -> None:
    assert silent(asked()) == Speak(("pin.wav",), "dtmf", again=True)


def test_words_and_question_may_be_of_several_files() -> None:
    conduct = asked(no_input=("sorry.wav", "quiet.wav"), reprompts=(("pin.wav", "please.wav"),))

    assert silent(conduct) == Speak(("sorry.wav", "quiet.wav", "pin.wav", "please.wav"), "dtmf", again=True)


def test_each_attempt_has_its_own_question_and_the_last_is_said_again() -> None:
    conduct = asked(reprompts=("second.wav", "third.wav"), tries=5)

    said = [mistyped(conduct) for _ in range(4)]

    assert [step.prompt for step in said if isinstance(step, Speak)] == [
        ("second.wav",),
        ("third.wav",),
        ("third.wav",),
        ("third.wav",),
    ]


def test_a_question_asked_again_waits_for_its_prompt_once_more() -> None:
    conduct = asked()
    silent(conduct)

    assert (conduct.deadline, conduct.prompt_ended(9.0), conduct.deadline) == (None, WAIT, 14.0)


# Giving up.


@pytest.mark.parametrize(
    ("fails", "name", "digits_seen"), [(silent, "no input", 0), (mistyped, "no match", 0), (short, "too short", 1)]
)
def test_the_last_failure_is_delivered(fails: Callable[[Question], Step], name: FailedName, digits_seen: int) -> None:
    step = fails(asked(tries=1))

    assert step == Deliver("on_failed", (Failed(name=name, digits_seen=digits_seen, tries=1),))


def test_all_tries_are_counted() -> None:
    conduct = asked(tries=3)
    mistyped(conduct)
    mistyped(conduct)

    assert mistyped(conduct) == Deliver("on_failed", (Failed(name="no match", tries=3),))


def test_who_gave_up_takes_no_more_keys() -> None:
    conduct = asked(tries=1)
    mistyped(conduct)

    assert (conduct.takes_keys, conduct.deadline) == (False, None)
