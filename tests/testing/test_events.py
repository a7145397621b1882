"""What a state can get, read off its class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import frozen
from hypothesis import find, given
from hypothesis import strategies as st

from callflow import (
    Call,
    CollectDigits,
    Confirm,
    Done,
    Dtmf,
    EndCause,
    EndedCall,
    Failed,
    FlowError,
    Hangup,
    LimitNear,
    Menu,
    Record,
    Recording,
    RecordingEnd,
    Resumed,
    Say,
    Secret,
    Speech,
    State,
    SubFlow,
    key,
    on,
)
from callflow.testing import Given, call_double, events_for

C = Call[None]


@frozen
class Answered:
    by: str
    seconds: int


class Bye(Hangup[None], prompt="bye.wav"): ...


class Everything(State[None], timeout=5.0):
    """A plain state with every hook."""

    @key("1", "2")
    def choose(self, call: C, digit: str) -> Bye:
        return Bye()

    @key("*")
    def star(self, call: C) -> Bye:
        return Bye()

    def on_dtmf(self, call: C, key: Dtmf) -> Bye | None:
        return None

    def on_timeout(self, call: C) -> Bye:
        return Bye()

    def on_timer(self, call: C, name: str) -> Bye:
        return Bye()

    def on_speech(self, call: C, speech: Speech) -> None:
        return None

    def on_speech_ended(self, call: C, speech: Speech) -> None:
        return None

    def on_detached(self, call: C) -> None:
        return None

    def on_resumed(self, call: C, gap: Resumed) -> None:
        return None

    def on_error(self, call: C, error: Exception) -> Bye:
        return Bye()

    def on_hangup(self, call: EndedCall[None]) -> None:
        assert isinstance(call, EndedCall)

    @on(Answered)
    def answered(self, call: C, event: Answered) -> Bye:
        return Bye()

    @on(LimitNear)
    def near(self, call: C, event: LimitNear) -> None:
        return None


HOOKS = {
    "choose", "star", "on_dtmf", "on_timeout", "on_timer", "on_speech", "on_speech_ended", "on_detached",
    "on_resumed", "on_error", "on_hangup", "answered", "near",
}  # fmt: skip


@pytest.mark.parametrize("handler", sorted(HOOKS))
def test_every_hook_of_a_state_gets_its_turn(handler: str) -> None:
    found = find(events_for(Everything), lambda event: event.handler == handler)

    assert found.handler == handler


@given(events_for(Everything))
def test_every_event_fits_its_handler(event: Given) -> None:
    assert event.handler in HOOKS
    assert isinstance(event.to(Everything(), call_double()), Bye | None)


@given(events_for(Everything))
def test_keys_go_where_the_engine_takes_them(event: Given) -> None:
    keys = {"choose": {"1", "2"}, "on_dtmf": set("03456789#")}

    if event.handler in keys:
        [given_key] = event.args
        assert (given_key.digit if isinstance(given_key, Dtmf) else given_key) in keys[event.handler]


class Ask(CollectDigits[None], prompt="pin.wav", least=2, most=4):
    def on_digits(self, call: C, digits: Secret) -> Bye:
        return Bye()

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


@given(events_for(Ask))
def test_entries_are_as_long_as_the_question_takes_them_and_secret(event: Given) -> None:
    [given_one] = event.args
    if event.handler == "on_digits":
        assert isinstance(given_one, Secret)
        assert 2 <= len(given_one) <= 4
        assert given_one.reveal().isdigit()
    else:
        assert (event.handler, 1 <= given_one.tries <= 3) == ("on_failed", True)


class Plain(CollectDigits[None], prompt="pin.wav", length=3, secret=False, failed=Bye):
    def on_digits(self, call: C, digits: str) -> Bye:
        return Bye()


@given(events_for(Plain))
def test_an_entry_that_is_no_secret_is_text_and_its_class_line_takes_the_failures(event: Given) -> None:
    [digits] = event.args

    assert (event.handler, isinstance(digits, str), len(digits)) == ("on_digits", True, 3)


class Pick(Menu[None], prompt="menu.wav", keys={"9": Bye}):
    @key("1")
    def one(self, call: C) -> Bye:
        return Bye()

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


@given(events_for(Pick))
def test_a_menu_gets_its_own_keys_and_fails_by_the_others(event: Given) -> None:
    assert event.handler in {"one", "on_failed"}


class Sure(Confirm[None], prompt="sure.wav", failed=Bye):
    def on_yes(self, call: C) -> Bye:
        return Bye()

    def on_no(self, call: C) -> Bye:
        return Bye()


class Hello(Say[None], prompt="hello.wav"):
    def then(self, call: C) -> Bye:
        return Bye()


@pytest.mark.parametrize(("state", "handlers"), [(Sure, {"on_yes", "on_no"}), (Hello, {"then"})])
def test_other_kinds_get_what_they_ask_for(state: type[State[Any]], handlers: set[str]) -> None:
    def is_of(name: str) -> Callable[[Given], bool]:
        return lambda event: event.handler == name

    assert {find(events_for(state), is_of(name)).handler for name in handlers} == handlers


class Voicemail(Record[None], max_seconds=4.0, least_seconds=1.0, silence=None):
    def on_recorded(self, call: C, recording: Recording) -> Bye:
        return Bye()

    def on_recorded_hangup(self, call: EndedCall[None], recording: Recording) -> None:
        assert isinstance(call, EndedCall)

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


@given(events_for(Voicemail))
def test_recordings_are_as_long_as_they_may_be_and_end_as_they_can(event: Given) -> None:
    event.to(Voicemail(), call_double())
    if event.handler != "on_failed":
        [recording] = event.args
        assert 1.0 <= recording.seconds <= 4.0
        assert recording.ended_by is not RecordingEnd.SILENCE
        assert (event.handler == "on_recorded_hangup") == (recording.ended_by is RecordingEnd.HANGUP)


class Inside(State[None], timeout=1.0):
    def on_timeout(self, call: C) -> Done[int]:
        return Done(1)


class Around(SubFlow[None, int], start=Inside):
    def on_done(self, call: C, result: int) -> Bye:
        return Bye()


@given(events_for(Around))
def test_a_sub_flow_gets_results_of_its_type(event: Given) -> None:
    assert (event.handler, type(event.args[0])) == ("on_done", int)


@given(events_for(Around, results=st.just(7)))
def test_results_can_be_given(event: Given) -> None:
    assert event.args == (7,)


@given(events_for(Everything, posted={Answered: st.just(Answered("me", 1))}, timers=["place"]))
def test_posted_events_and_names_of_timers_can_be_given(event: Given) -> None:
    named = {"answered": (Answered("me", 1),), "on_timer": ("place",)}

    assert event.args == named.get(event.handler, event.args)


def test_every_cause_of_an_end_comes() -> None:
    def is_by(cause: EndCause) -> Callable[[Given], bool]:
        return lambda event: event.cause is cause

    assert {find(events_for(Everything), is_by(cause)).cause for cause in EndCause} == set(EndCause)


class Unhurried(State[None]):
    """Has the hook, and no time-out that could call it."""

    def on_timeout(self, call: C) -> Bye:
        return Bye()

    def on_dtmf(self, call: C, key: Dtmf) -> Bye:
        return Bye()


@given(events_for(Unhurried))
def test_a_time_out_comes_only_where_there_is_one(event: Given) -> None:
    assert event.handler == "on_dtmf"


def test_a_state_to_which_nothing_can_happen_is_refused_with_the_cure() -> None:
    with pytest.raises(FlowError, match=r"Bye has no handler .*; test its run with caller\(\)"):
        events_for(Bye)
