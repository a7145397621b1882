"""Menus: whose keys they are, what a key calls, and what a subclass takes over."""

from __future__ import annotations

import pytest

from callflow import Call, Dtmf, Failed, Hangup, Menu, State, key
from callflow.flow.conduct import WAIT, Conduct, Deliver, Speak, Step
from callflow.flow.menu import MenuOptions

C = Call[None]


class Bye(Hangup[None]):
    """The end."""


class Main(Menu[None], prompt="menu.wav", reprompts=("again.wav",), no_match="wrong.wav", tries=2, first_digit=4.0):
    @key("1")
    def balance(self, call: C) -> Bye:
        return Bye()

    @key("2", "3")
    def person(self, call: C, pressed: str) -> Bye | None:
        return Bye() if pressed == "2" else None

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


class Branch(Main, prompt="branch.wav", tries=4):
    """Another branch of the bank: its own question, a key more, and a key for itself."""

    @key("9")
    def repeat(self, call: C) -> Branch:
        return Branch()

    @key("1")
    def opening_hours(self, call: C) -> Bye:
        return Bye()


class Polite(Main):
    """The same keys, one of them answered in another way."""

    def balance(self, call: C) -> Bye:
        return Bye()


class Moved(Main):
    """The same methods, one of them under another key."""

    @key("7")
    def balance(self, call: C) -> Bye:
        return Bye()


def entered(menu: Menu[None]) -> Conduct:
    """Enter a menu at 0; its prompt is heard until 2."""
    conduct = menu.conduct(0.0)
    conduct.enter(0.0)
    conduct.prompt_ended(2.0)
    return conduct


def press(menu: Menu[None], digit: str) -> Step:
    return entered(menu).press(Dtmf(digit=digit), 3.0)


# Whose keys.


def test_choices_are_in_the_order_of_the_class() -> None:
    assert list(Main.choices().items()) == [("1", "balance"), ("2", "person"), ("3", "person")]


def test_a_subclass_takes_the_choices_over_and_its_own_win() -> None:
    assert Branch.choices() == {"1": "opening_hours", "2": "person", "3": "person", "9": "repeat"}


def test_a_subclass_takes_the_options_over_and_its_own_win() -> None:
    assert Branch.options == MenuOptions(
        prompt="branch.wav", reprompts=("again.wav",), no_match="wrong.wav", tries=4, first_digit=4.0
    )


def test_a_method_in_the_place_of_another_keeps_its_keys() -> None:
    assert Polite.choices() == Main.choices()


def test_a_method_in_the_place_of_another_has_the_keys_that_it_names() -> None:
    assert Moved.choices() == {"2": "person", "3": "person", "7": "balance"}


def test_the_base_keeps_its_own_choices() -> None:
    assert set(Main.choices()) == {"1", "2", "3"}


def test_a_menu_itself_has_no_choice() -> None:
    assert Menu.choices() == {}


# What a key does.


def test_a_menu_asks() -> None:
    assert Main().conduct(0.0).enter(0.0) == Speak("menu.wav", "dtmf")


def test_a_key_calls_its_method_at_once() -> None:
    assert press(Main(), "1") == Deliver("balance")


def test_a_method_with_one_more_parameter_is_told_the_key() -> None:
    assert (press(Main(), "2"), press(Main(), "3")) == (Deliver("person", ("2",)), Deliver("person", ("3",)))


def test_a_key_calls_the_subclass_in_the_place_of_the_base() -> None:
    assert press(Branch(), "1") == Deliver("opening_hours")


def test_a_key_during_the_prompt_counts() -> None:
    conduct = Main().conduct(0.0)
    conduct.enter(0.0)

    assert conduct.press(Dtmf(digit="1"), 1.0) == Deliver("balance")


def test_a_key_that_is_no_choice_is_told_and_asked_again() -> None:
    assert press(Main(), "7") == Speak(("wrong.wav", "again.wav"), "dtmf", again=True)


def test_no_key_in_time_fails() -> None:
    conduct = entered(Main())
    conduct.due(6.0)
    conduct.prompt_ended(8.0)

    assert conduct.due(12.0) == Deliver("on_failed", (Failed(name="no input", tries=2),))


def test_a_menu_waits_as_long_as_it_says_also_beyond_the_time_of_a_whole_entry() -> None:
    class Patient(Main, first_digit=90.0):
        """Waits longer than any entry may take."""

    assert entered(Patient()).deadline == 92.0


def test_a_method_that_stays_waits_for_another_key() -> None:
    conduct = entered(Main())
    conduct.press(Dtmf(digit="3"), 3.0)

    assert (conduct.stayed(3.0), conduct.press(Dtmf(digit="1"), 4.0)) == (WAIT, Deliver("balance"))


def test_keys_of_a_menu_are_no_secret() -> None:
    assert not Main().conduct(0.0).secret


def test_where_a_failed_menu_goes_has_to_be_written() -> None:
    nothing: object = None

    with pytest.raises(NotImplementedError):
        Menu[None].on_failed(Main(), nothing, nothing)  # type: ignore[arg-type]  # neither is looked at


def test_a_menu_has_fields_like_any_state() -> None:
    class Again(Main):
        times: int = 0

    again: State[None] = Again(times=2)

    assert again == Again(2) != Again(3)
