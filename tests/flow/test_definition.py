"""Mistakes in a state class: each is refused when the class is made, and the message names class, mistake and cure."""

from __future__ import annotations

from typing import Any

import pytest

import callflow
from callflow import FlowDefinitionError, Menu, Say, State
from callflow.flow.definition import is_handler, is_kind, overrides

HOOKS = {
    "an unknown hook is told the nearest": (
        "class Lost(State[None], timeout=5.0):\n    def on_timout(self, call) -> Bye: ...",
        "Lost.on_timout: a State has no hook on_timout; did you mean on_timeout?",
    ),
    "a hook like no other is told which there are": (
        "class Lost(Menu[None]):\n    def on_xyz(self, call) -> Bye: ...",
        "Lost.on_xyz: a Menu has no hook on_xyz; its hooks are on_detached, on_failed, on_hangup, on_resumed",
    ),
    "a hook of another kind is none of this one": (
        "class Lost(Menu[None]):\n    def on_timeout(self, call) -> Bye: ...",
        "Lost.on_timeout: a Menu has no hook on_timeout; its hooks are on_detached, on_failed, on_hangup, on_resumed",
    ),
    "what comes after is said of announcements alone": (
        "class Lost(State[None], timeout=5.0):\n    def then(self, call) -> Bye: ...",
        "Lost.then: a State has no hook then; its hooks are on_detached, on_dtmf, on_hangup, on_resumed, on_speech, "
        "on_speech_ended, on_timeout",
    ),
    "a handler without a return annotation": (
        "class Lost(Say[None], prompt='a.wav'):\n    def then(self, call): ...",
        "Lost.then does not say where it goes; annotate its return with the states it may go to, or with None",
    ),
    "a key without a return annotation": (
        "class Lost(Menu[None], prompt='a.wav'):\n    @key('1')\n    def one(self, call): ...",
        "Lost.one does not say where it goes; annotate its return with the states it may go to, or with None",
    ),
    "a method that takes the place of a key's without a return annotation": (
        "class Main(Menu[None]):\n    @key('1')\n    def one(self, call) -> Bye: ...\n"
        "class Lost(Main):\n    def one(self, call): ...",
        "Lost.one does not say where it goes; annotate its return with the states it may go to, or with None",
    ),
    "a handler that waits": (
        "class Lost(Say[None], prompt='a.wav'):\n    async def then(self, call) -> Bye: ...",
        "Lost.then must not wait; write 'def then', and what waits in run of another state",
    ),
    "a key that waits": (
        "class Lost(Menu[None], prompt='a.wav'):\n    @key('1')\n    async def one(self, call) -> Bye: ...",
        "Lost.one must not wait; write 'def one', and what waits in run of another state",
    ),
    "a run that does not wait": (
        "class Lost(State[None], timeout=5.0):\n    def run(self, call) -> Bye: ...",
        "Lost.run must be async; write 'async def run', or decide in a handler",
    ),
    "a hook that is no function": (
        "class Lost(State[None], timeout=5.0):\n    on_timeout = 3",
        "Lost.on_timeout is no function; write it as a method of the class",
    ),
    "a hook that is a static method": (
        "class Lost(Say[None], prompt='a.wav'):\n    @staticmethod\n    def then(call) -> Bye: ...",
        "Lost.then is no function; write it as a method of the class",
    ),
}

KEYS = {
    "one key twice": (
        "class Lost(Menu[None]):\n    @key('1')\n    def one(self, call) -> Bye: ...\n"
        "    @key('2', '1')\n    def two(self, call) -> Bye: ...",
        "Lost: key 1 has two handlers, one and two; leave it to one of them",
    ),
    "a key that is on no telephone": (
        "class Lost(Menu[None]):\n    @key('1', 'A', '12')\n    def one(self, call) -> Bye: ...",
        "@key('A', '12') is no key; the keys of a telephone are 0 to 9, * and #, one string each",
    ),
    "no key": (
        "class Lost(Menu[None]):\n    @key()\n    def one(self, call) -> Bye: ...",
        "@key(nothing) is no key; the keys of a telephone are 0 to 9, * and #, one string each",
    ),
    "a key of a state that is no menu": (
        "class Lost(State[None], timeout=5.0):\n    @key('1')\n    def one(self, call) -> Bye: ...",
        "Lost.one: @key is for a Menu, and this is a State; make it a Menu, or take keys in on_dtmf of a State",
    ),
}

OPTIONS = {
    "an option that is nearly one": (
        "class Lost(Menu[None], prompt='a.wav', no_inptu='b.wav'): ...",
        "Lost: a Menu has no option no_inptu; did you mean no_input?",
    ),
    "an option of another kind": (
        "class Lost(Hangup[None], timeout=5.0): ...",
        "Lost: a Hangup has no option timeout; its options are prompt, branch",
    ),
    "an option that nothing has": (
        "class Lost(State[None], timeout=5.0, colour='red'): ...",
        "Lost: a State has no option colour; its options are timeout, typeahead, resume",
    ),
    "an option of a user's own base": (
        "class Main(Say[None], prompt='a.wav'): ...\nclass Lost(Main, promt='b.wav'): ...",
        "Lost: a Say has no option promt; did you mean prompt?",
    ),
    "no time at all": (
        "class Lost(State[None], timeout=0): ...",
        "Lost: timeout=0 is no number of seconds above zero",
    ),
    "time without an end": (
        "class Lost(State[None], timeout=float('inf')): ...",
        "Lost: timeout=inf is no number of seconds above zero",
    ),
    "time in words": (
        "class Lost(State[None], timeout='5'): ...",
        "Lost: the value of an option has the wrong type ('<' not supported between instances of 'int' and 'str'); "
        "look at timeout in its class line",
    ),
    "no attempt": (
        "class Lost(Menu[None], tries=0): ...",
        "Lost: tries=0 allows no attempt; make it 1 or more",
    ),
    "a reprompt that nobody would hear": (
        "class Lost(Menu[None], tries=1, reprompts=('a.wav',)): ...",
        "Lost: 1 reprompts, but tries=1 asks again 0 times; allow more tries, or leave out what nobody would hear",
    ),
    "reprompts that are a text": (
        "class Lost(Menu[None], reprompts='a.wav'): ...",
        "Lost: reprompts is a tuple with one prompt a try, not a text; write ('a.wav',)",
    ),
    "no time for the first digit of a menu": (
        "class Lost(Menu[None], first_digit=0): ...",
        "Lost: first_digit is a number of seconds greater than zero, not 0",
    ),
    "an endless wait for the first digit of a menu": (
        "class Lost(Menu[None], first_digit=float('inf')): ...",
        "Lost: first_digit is a number of seconds greater than zero, not inf",
    ),
    "no time between digits": (
        "class Lost(CollectDigits[None], between_digits=-1): ...",
        "Lost: between_digits is a number of seconds greater than zero, not -1",
    ),
    "less time in all than for one digit": (
        "class Lost(CollectDigits[None], first_digit=70.0): ...",
        "Lost: total=60.0 is shorter than a wait within it; make it 70.0 or more",
    ),
    "no digits": (
        "class Lost(CollectDigits[None], length=0): ...",
        "Lost: length=0 leaves nothing to enter; make it 1 or more",
    ),
    "bounds the wrong way round": (
        "class Lost(CollectDigits[None], least=5, most=4): ...",
        "Lost: least=5 is not between 0 and most=4",
    ),
    "a length beside bounds": (
        "class Lost(CollectDigits[None], length=4, most=6): ...",
        "Lost: length=4 stands beside least or most; write the one or the others",
    ),
    "a terminator that is no key": (
        "class Lost(CollectDigits[None], finish='x'): ...",
        "Lost: 'x': no key of a telephone; the keys are 0123456789*#",
    ),
    "a third branch": (
        "class Lost(Hangup[None], branch='C'): ...",
        "Lost: branch='C'; a Passthru has the branches 'A' (200) and 'B' (302)",
    ),
    "a barge-in that no question knows": (
        "class Lost(Menu[None], barge_in='keys'): ...",
        "Lost: barge_in='keys'; write 'dtmf' or 'speech' or 'any' or None",
    ),
    "a barge-in that no announcement knows": (
        "class Lost(Say[None], barge_in=True): ...",
        "Lost: barge_in=True; write 'dtmf' or 'speech' or 'any' or None",
    ),
    "a policy that is none": (
        "class Lost(State[None], typeahead='forget'): ...",
        "Lost: typeahead='forget'; write 'keep' or 'drop'",
    ),
}

FIELDS = {
    "a field that has to be given behind one that need not": (
        "class Lost(State[None], timeout=5.0):\n    left: int = 3\n    pin: str",
        "Lost: a field without a default stands behind one that has a default; give it a default too, or put it first",
    ),
    "the same behind a base's": (
        "class Main(State[None], timeout=5.0):\n    left: int = 3\nclass Lost(Main):\n    pin: str",
        "Lost: a field without a default stands behind one that has a default; give it a default too, or put it first",
    ),
}

MISTAKES = HOOKS | KEYS | OPTIONS | FIELDS


def define(code: str) -> dict[str, Any]:
    """Run a module of a user's."""
    module: dict[str, Any] = {**vars(callflow), "__name__": "users"}
    exec(code, module)  # annotations stay texts, as in this file
    return module


@pytest.mark.parametrize(("code", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_refused_with_class_mistake_and_cure(code: str, message: str) -> None:
    with pytest.raises(FlowDefinitionError) as refused:
        define(code)

    assert str(refused.value) == message


def test_a_definition_error_is_a_type_error_as_of_any_wrong_class() -> None:
    with pytest.raises(TypeError):
        define("class Lost(Menu[None], no_inptu='b.wav'): ...")


ALLOWED = {
    "a hook of a user's base": "class A(State[None]):\n    def on_timeout(self, call) -> Bye: ...\nclass B(A): ...",
    "a run beside a question": "class A(Menu[None]):\n    async def run(self, call) -> None: ...",
    "a plain method": "class A(Menu[None]):\n    async def helper(self): ...",
    "a field that is named like a hook": "class A(State[None]):\n    on_account: str\n    then: int",
    "a key that a base has": "class A(Menu[None]):\n    @key('1')\n    def a(self, call) -> Bye: ...\n"
    "class B(A):\n    @key('1')\n    def b(self, call) -> Bye: ...",
}


@pytest.mark.parametrize("code", ALLOWED.values(), ids=ALLOWED)
def test_what_is_no_mistake_is_allowed(code: str) -> None:
    assert "A" in define(code)


class Waiting(State[None], timeout=5.0):
    def on_timeout(self, call: object) -> None: ...


class WaitingLonger(Waiting, timeout=50.0):
    """Inherits its hook."""


def test_kinds_are_callflows_own() -> None:
    assert [is_kind(cls) for cls in (State, Menu, Waiting)] == [True, True, False]


def test_a_hook_is_overridden_by_the_class_or_a_users_base_and_not_by_a_kind() -> None:
    assert [overrides(cls, "on_timeout") for cls in (WaitingLonger, Waiting, Say)] == [True, True, False]


def test_handlers_are_hooks_and_run_and_nothing_else() -> None:
    assert [is_handler(Waiting, name) for name in ("run", "then", "on_timeout", "helper")] == [True, True, True, False]
