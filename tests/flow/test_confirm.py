"""Questions for yes or no: which key means what, and what a failed one says."""

from __future__ import annotations

import pytest

from callflow import Again, Call, Confirm, Dtmf, Failed, Hangup, key
from callflow.flow.conduct import WAIT, Conduct, Deliver, Go, Speak
from callflow.flow.confirm import ConfirmOptions

C = Call[None]


class Bye(Hangup[None]):
    """The end."""


class Sure(Confirm[None], prompt="sure.wav", no_match="wrong.wav", tries=2):
    def on_yes(self, call: C) -> Bye:
        return Bye()

    def on_no(self, call: C) -> Bye | Again:
        return Again()

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


class Other(Sure, yes="9", no="*", failed=Bye):
    """Has keys of its own, and a state to go to."""


def entered(state: Confirm[None]) -> Conduct:
    """Enter at 0; the prompt is heard until 2."""
    conduct = state.conduct(0.0)
    conduct.enter(0.0)
    conduct.prompt_ended(2.0)
    return conduct


def press(state: Confirm[None], digit: str) -> object:
    return entered(state).press(Dtmf(digit=digit), 3.0)


def test_a_question_is_asked() -> None:
    assert Sure().conduct(0.0).enter(0.0) == Speak("sure.wav", "dtmf")


@pytest.mark.parametrize(
    ("state", "digit", "handler"),
    [(Sure(), "1", "on_yes"), (Sure(), "2", "on_no"), (Other(), "9", "on_yes"), (Other(), "*", "on_no")],
)
def test_a_key_answers_at_once(state: Confirm[None], digit: str, handler: str) -> None:
    assert press(state, digit) == Deliver(handler)


def test_any_other_key_fails_the_attempt() -> None:
    assert press(Sure(), "3") == Speak(("wrong.wav", "sure.wav"), "dtmf", again=True)


def test_the_last_failure_is_told() -> None:
    conduct = entered(Sure())
    conduct.press(Dtmf(digit="3"), 3.0)

    assert conduct.press(Dtmf(digit="4"), 4.0) == Deliver("on_failed", (Failed(name="no match", tries=2),))


def test_the_last_failure_goes_to_the_state_of_the_class_line() -> None:
    conduct = entered(Other())
    conduct.press(Dtmf(digit="3"), 3.0)

    assert conduct.press(Dtmf(digit="4"), 4.0) == Go("failed", Bye)


def test_a_subclass_with_a_method_needs_no_state_of_its_base() -> None:
    class Back(Other):
        def on_failed(self, call: C, why: Failed) -> Bye:
            return Bye()

    assert Back.options.failed is None


def test_an_answer_that_will_not_do_costs_a_try_and_is_asked_again() -> None:
    conduct = entered(Sure())
    conduct.press(Dtmf(digit="2"), 3.0)

    assert (conduct.again("no match", 3.0), conduct.takes_keys) == (
        Speak(("wrong.wav", "sure.wav"), "dtmf", again=True),
        True,
    )


def test_an_answer_that_will_not_do_is_given_up_at_the_last_try() -> None:
    conduct = entered(Sure())
    conduct.press(Dtmf(digit="2"), 3.0)
    conduct.again("too long", 3.0)
    conduct.press(Dtmf(digit="2"), 4.0)

    assert conduct.again("no match", 4.0) == Deliver("on_failed", (Failed(name="no match", tries=2, digits_seen=1),))


def test_a_handler_that_stays_waits_for_another_key() -> None:
    conduct = entered(Sure())
    conduct.press(Dtmf(digit="2"), 3.0)

    assert (conduct.stayed(3.0), conduct.takes_keys) == (WAIT, True)


def test_keys_beside_the_answer_are_choices() -> None:
    class Help(Sure):
        @key("#")
        def help(self, call: C) -> Bye:
            return Bye()

    assert (dict(Help.choices()), Help().conduct(0.0).fits("#")) == ({"#": "help"}, False)


def test_options_have_their_defaults() -> None:
    assert (ConfirmOptions().yes, ConfirmOptions().no, ConfirmOptions().tries) == ("1", "2", 3)


@pytest.mark.parametrize("name", ["silence", ""])
def test_a_failure_has_one_of_the_known_names(name: str) -> None:
    with pytest.raises(ValueError, match="is no name of a failure"):
        Again(name)  # type: ignore[arg-type]  # what is tested
