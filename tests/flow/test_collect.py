"""Entries of several digits: how long they are, who may see them, and what a subclass changes."""

from __future__ import annotations

import pytest

from callflow import Call, CollectDigits, Dtmf, Failed, Hangup, Secret
from callflow.flow.collect import CollectOptions
from callflow.flow.conduct import Conduct, Deliver, Speak, Step
from callflow.flow.keys import Entry

C = Call[None]
DIGITS = frozenset("0123456789")


class Bye(Hangup[None]):
    """The end."""


class Asking(CollectDigits[None]):
    """What every question here does with its answer."""

    def on_digits(self, call: C, digits: Secret) -> Bye:
        return Bye()

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


class AskPin(Asking, prompt="pin.wav", length=4, tries=2):
    """A secret of exactly four digits."""


class AskAmount(Asking, prompt="amount.wav", least=2, most=6, secret=False):
    """No secret, and of any length within bounds."""


def type_in(state: CollectDigits[None], keys: str) -> tuple[Conduct, Step]:
    """Enter a state at 0, hear its prompt until 2, and press keys at 3; give the conduct and the last step."""
    conduct = state.conduct(0.0)
    conduct.enter(0.0)
    conduct.prompt_ended(2.0)
    *_, step = [conduct.press(Dtmf(digit=digit), 3.0) for digit in keys]
    return conduct, step


def entry_of(state: type[CollectDigits[None]]) -> Entry:
    options: CollectOptions = state.options
    return options.entry()


# What is asked for.


def test_a_length_is_exact() -> None:
    assert entry_of(AskPin) == Entry(least=4, most=4, finish="#", allowed=DIGITS)


def test_bounds_are_bounds() -> None:
    assert entry_of(AskAmount) == Entry(least=2, most=6, finish="#", allowed=DIGITS)


def test_without_either_an_entry_has_one_digit_or_more() -> None:
    assert entry_of(Asking) == Entry(least=1, most=32, finish="#", allowed=DIGITS)


def test_every_wait_can_be_chosen() -> None:
    class Slow(AskPin, first_digit=8.0, between_digits=6.0, total=90.0):
        """For callers who look for their glasses."""

    entry = entry_of(Slow)

    assert (entry.first_digit, entry.between_digits, entry.total) == (8.0, 6.0, 90.0)


def test_no_terminator_makes_every_other_key_fit_nothing() -> None:
    class Bare(AskPin, finish=""):
        """Hash and star are no digits."""

    _, step = type_in(Bare(), "41#")

    assert step == Speak(("pin.wav",), "dtmf", again=True)


def test_a_digit_can_be_the_terminator() -> None:
    class Zeroed(AskAmount, finish="0"):
        """Where the hash key is broken."""

    assert type_in(Zeroed(), "120")[1] == Deliver("on_digits", ("12",))


# What a subclass changes.


def test_a_subclass_takes_the_options_over_and_its_own_win() -> None:
    class Again(AskPin, prompt="again.wav", tries=5):
        """The same digits, asked for in another way."""

    assert Again.options == CollectOptions(prompt="again.wav", length=4, tries=5)


def test_bounds_in_a_subclass_take_the_place_of_a_length() -> None:
    class Longer(AskPin, most=6):
        """Of the base's length nothing is meant any more."""

    assert (entry_of(Longer).least, entry_of(Longer).most) == (1, 6)


def test_a_length_in_a_subclass_takes_the_place_of_bounds() -> None:
    class Exact(AskAmount, length=3):
        """Of the base's bounds nothing is meant any more."""

    assert (entry_of(Exact).least, entry_of(Exact).most) == (3, 3)


# What comes of it.


def test_digits_are_asked_for() -> None:
    assert AskPin().conduct(0.0).enter(0.0) == Speak("pin.wav", "dtmf")


def test_digits_are_a_secret_unless_it_is_said_otherwise() -> None:
    _, step = type_in(AskPin(), "4129")

    assert step == Deliver("on_digits", (Secret("4129"),))
    assert "4129" not in repr(step)


def test_digits_that_are_no_secret_are_a_text() -> None:
    assert type_in(AskAmount(), "250#")[1] == Deliver("on_digits", ("250",))


def test_the_engine_is_told_what_to_mask() -> None:
    assert [state.conduct(0.0).secret for state in (AskPin(), AskAmount())] == [True, False]


def test_too_few_digits_ask_again() -> None:
    assert type_in(AskPin(), "41#")[1] == Speak(("pin.wav",), "dtmf", again=True)


def test_the_last_failure_says_how_many_digits_there_were_and_not_which() -> None:
    conduct, _ = type_in(AskPin(), "*")
    *_, step = [conduct.press(Dtmf(digit=digit), 4.0) for digit in "41#"]

    assert step == Deliver("on_failed", (Failed(name="too short", digits_seen=2, tries=2),))


def test_a_whole_entry_expects_its_late_terminator() -> None:
    conduct, _ = type_in(AskPin(), "4129")

    assert conduct.late_terminator is not None


def test_where_an_answer_and_a_failure_go_has_to_be_written() -> None:
    nothing: object = None

    with pytest.raises(NotImplementedError):
        CollectDigits[None].on_digits(AskPin(), nothing, nothing)  # type: ignore[arg-type]  # neither is looked at
    with pytest.raises(NotImplementedError):
        CollectDigits[None].on_failed(AskPin(), nothing, nothing)  # type: ignore[arg-type]  # neither is looked at
