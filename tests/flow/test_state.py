"""States as values, their options and fields, and the conducts of the kinds that ask nothing."""

from __future__ import annotations

import attrs
import pytest

from callflow import (
    Call,
    CollectDigits,
    Confirm,
    Done,
    Dtmf,
    EndedCall,
    GaveUp,
    Hangup,
    Menu,
    Say,
    State,
    SubFlow,
    key,
)
from callflow.flow.conduct import WAIT, Conduct, Deliver, Finish, Speak
from callflow.flow.state import StateOptions

C = Call[None]


class Bye(Hangup[None]):
    """The end."""


class CheckPin(State[None], timeout=4.0):
    pin: str
    left: int = 3

    def on_timeout(self, call: C) -> Bye:
        return Bye()


class CheckPinSlowly(CheckPin, timeout=40.0):
    patience: float = 1.0


class Impatient(CheckPin):
    typeahead_was: str = "keep"


class Listening(State[None], timeout=10.0, typeahead="drop"):
    def on_dtmf(self, call: C, key: Dtmf) -> Bye | None:
        return Bye() if key.digit == "*" else None

    def on_timeout(self, call: C) -> Bye:
        return Bye()

    def on_hangup(self, call: EndedCall[None]) -> None:
        """Nothing to do."""


class Endless(State[None]):
    """Has no time limit yet; a flow would refuse it."""


# Fields.


def test_annotated_names_are_parameters_of_the_constructor() -> None:
    assert (CheckPin("4129").left, CheckPin("4129", 1).left, CheckPin(pin="4129", left=2).left) == (3, 1, 2)


def test_a_subclass_has_the_fields_of_its_base_and_its_own() -> None:
    assert vars(CheckPinSlowly("4129")) == {"pin": "4129", "left": 3, "patience": 1.0}


def test_a_missing_field_is_an_error_where_the_state_is_made() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'pin'"):
        CheckPin()  # type: ignore[call-arg]  # what is tested


def test_states_are_equal_by_class_and_fields() -> None:
    same = CheckPin("4129") == CheckPin("4129", 3)
    other_field, other_class = CheckPin("4129") == CheckPin("4129", 1), CheckPin("4129") == CheckPinSlowly("4129")

    assert (same, other_field, other_class) == (True, False, False)


def test_a_state_is_shown_with_its_fields() -> None:
    assert repr(CheckPin("4129", 1)) == "CheckPin(pin='4129', left=1)"


def test_mutable_defaults_are_not_shared() -> None:
    class Basket(State[None], timeout=1.0):
        items: list[str] = attrs.field(factory=list)

    Basket().items.append("tea")

    assert Basket().items == []


# Options.


def test_options_are_inherited_one_by_one() -> None:
    assert [cls.options for cls in (CheckPin, Impatient, CheckPinSlowly)] == [
        StateOptions(timeout=4.0),
        StateOptions(timeout=4.0),
        StateOptions(timeout=40.0),
    ]


def test_options_of_a_class_leave_those_of_its_kind_alone() -> None:
    assert (State.options, Menu.options.prompt, CollectDigits.options.length) == (StateOptions(), None, None)


def test_every_kind_says_its_name_and_whether_a_flow_ends_there() -> None:
    kinds = (State, Say, Menu, CollectDigits, Confirm, SubFlow, Hangup, Done, GaveUp)

    assert [(cls.kind, cls.final) for cls in kinds] == [
        ("State", False),
        ("Say", False),
        ("Menu", False),
        ("CollectDigits", False),
        ("Confirm", False),
        ("SubFlow", False),
        ("Hangup", True),
        ("Done", True),
        ("GaveUp", True),
    ]


# Keys.


def test_a_marked_method_is_still_the_method() -> None:
    @key("1", "#")
    def one(self: object, call: C) -> Bye:
        return Bye()

    assert (one(None, None), one.__name__) == (Bye(), "one")  # type: ignore[arg-type]  # neither is looked at


@pytest.mark.parametrize("digit", "0123456789*#")
def test_every_key_of_a_telephone_can_be_marked(digit: str) -> None:
    class Main(Menu[None], prompt="menu.wav"):
        @key(digit)
        def one(self, call: C) -> Bye:
            return Bye()

    assert dict(Main.choices()) == {digit: "one"}


# The conduct of a plain state.


def test_a_state_waits_when_it_is_entered() -> None:
    conduct = CheckPin("4129").conduct(100.0)

    assert (conduct.enter(100.0), conduct.prompt_ended(101.0), conduct.stayed(102.0)) == (WAIT, WAIT, WAIT)


def test_hooks_that_nobody_wrote_stay() -> None:
    nothing: object = None
    state = Endless()

    assert (state.on_dtmf(nothing, Dtmf(digit="1")), state.on_timeout(nothing)) == (None, None)  # type: ignore[arg-type]  # it is not looked at


async def test_a_run_that_nobody_wrote_stays() -> None:
    nothing: object = None

    assert await Endless().run(nothing) is None  # type: ignore[arg-type]  # it is not looked at


def test_a_conduct_of_no_kind_waits_for_ever() -> None:
    conduct = Conduct()

    steps = (conduct.enter(0.0), conduct.press(Dtmf(digit="1"), 1.0), conduct.due(2.0))

    assert (steps, conduct.deadline, conduct.takes_keys, conduct.secret) == ((WAIT, WAIT, WAIT), None, False, False)


# Announcements and the end.


class Welcome(Say[None], prompt=("welcome.wav", "news.wav")):
    def then(self, call: C) -> Bye:
        return Bye()


class Notice(Welcome, barge_in=None, typeahead="drop"):
    """Cannot be cut."""


class LastWords(Hangup[None], prompt="bye.wav", branch="B"):
    """Says something."""


def test_an_announcement_is_spoken_and_then_goes_on() -> None:
    conduct = Welcome().conduct(0.0)

    assert (conduct.enter(0.0), conduct.prompt_ended(3.0)) == (
        Speak(("welcome.wav", "news.wav"), "dtmf"),
        Deliver("then"),
    )


def test_an_announcement_that_must_be_heard_cannot_be_cut() -> None:
    assert (Notice().conduct(0.0).enter(0.0), Notice.options.typeahead) == (
        Speak(("welcome.wav", "news.wav"), None),
        "drop",
    )


def test_an_announcement_takes_no_keys_itself() -> None:
    assert (Welcome().conduct(0.0).takes_keys, Welcome().conduct(0.0).deadline) == (False, None)


def test_where_an_announcement_goes_has_to_be_written() -> None:
    nothing: object = None

    with pytest.raises(NotImplementedError):
        Say[None].then(Welcome(), nothing)  # type: ignore[arg-type]  # it is not looked at


def test_a_hangup_without_words_is_over_at_once() -> None:
    assert Bye().conduct(0.0).enter(0.0) == Finish()


def test_last_words_are_heard_before_the_end_and_cannot_be_cut() -> None:
    conduct = LastWords().conduct(0.0)

    assert (conduct.enter(0.0), conduct.prompt_ended(2.0)) == (Speak("bye.wav", None), Finish())


def test_a_hangup_takes_branch_a_unless_it_says_otherwise() -> None:
    assert (Bye.options.branch, LastWords.options.branch) == ("A", "B")
