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
        "Lost.on_xyz: a Menu has no hook on_xyz; "
        "its hooks are on_detached, on_error, on_failed, on_hangup, on_resumed, on_timeout, on_timer",
    ),
    "a hook of another kind is none of this one": (
        "class Lost(Menu[None]):\n    def on_digits(self, call, digits) -> Bye: ...",
        "Lost.on_digits: a Menu has no hook on_digits; "
        "its hooks are on_detached, on_error, on_failed, on_hangup, on_resumed, on_timeout, on_timer",
    ),
    "what comes after is said of announcements alone": (
        "class Lost(State[None], timeout=5.0):\n    def then(self, call) -> Bye: ...",
        "Lost.then: a State has no hook then; its hooks are on_detached, on_dtmf, on_error, on_hangup, on_resumed, "
        "on_speech, on_speech_ended, on_timeout, on_timer",
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
    "a key that is a digit of the entry": (
        "class Lost(CollectDigits[None]):\n    @key('1')\n    def one(self, call) -> Bye: ...",
        "Lost: key 1 is part of the answer, and calls one as well; give one a key that is none, such as *",
    ),
    "a key that ends the entry": (
        "class Lost(CollectDigits[None], finish='*'):\n    @key('*')\n    def help(self, call) -> Bye: ...",
        "Lost: key * is part of the answer, and calls help as well; give help a key that is none, such as *",
    ),
    "a key that says yes": (
        "class Lost(Confirm[None]):\n    @key('1')\n    def one(self, call) -> Bye: ...",
        "Lost: key 1 is part of the answer, and calls one as well; give one a key that is none, such as *",
    ),
    "a superstate's key that is a digit of the entry": (
        "class Base(State[None]):\n    @key('0')\n    def person(self, call) -> Bye: ...\n"
        "class Lost(Base, CollectDigits[None]): ...",
        "Lost: key 0 is part of the answer, and calls person as well; give person a key that is none, such as *",
    ),
    "one key in the class line and in the body": (
        "class Bye(Hangup[None]): ...\nclass Lost(Menu[None], keys={'1': Bye}):\n    @key('1')\n"
        "    def one(self, call) -> Bye: ...",
        "Lost: key 1 has two handlers, keys= and one; leave it to one of them",
    ),
    "keys that are no dict": (
        "class Lost(Menu[None], keys='1'): ...",
        "Lost: keys='1'; write keys={'1': Sales}",
    ),
    "a key of the class line that is on no telephone": (
        "class Bye(Hangup[None]): ...\nclass Lost(Menu[None], keys={'12': Bye}): ...",
        "Lost: keys={'12': …} has no key; the keys of a telephone are 0 to 9, * and #",
    ),
    "a key that leads to what is no state": (
        "class Lost(Menu[None], keys={'1': 'Bye'}): ...",
        "Lost: keys={'1': …} names 'Bye', which is no state class of the flow; write the class",
    ),
    "a key that leads to a state that needs something": (
        "class Sales(Hangup[None]):\n    desk: int\nclass Lost(Menu[None], keys={'1': Sales}): ...",
        "Lost: keys={'1': …} names Sales, which needs desk; give desk a default, or write a method that makes it",
    ),
}

EVENTS = {
    "an event that is no class": (
        "class Lost(State[None]):\n    @on('hello')\n    def said(self, call, event) -> Bye: ...",
        "@on('hello'): an event is told by its class; write @on(str)",
    ),
    "one event twice": (
        "class Lost(State[None]):\n    @on(str)\n    def one(self, call, event) -> Bye: ...\n"
        "    @on(str)\n    def two(self, call, event) -> Bye: ...",
        "Lost: str has two handlers, one and two; leave it to one of them",
    ),
    "an event that the method does not take": (
        "class Lost(State[None]):\n    @on(str)\n    def one(self, call) -> Bye: ...",
        "Lost.one cannot be called with what it is given; write it as one(self, call, event)",
    ),
    "an event's method that waits": (
        "class Lost(State[None]):\n    @on(str)\n    async def one(self, call, event) -> Bye: ...",
        "Lost.one must not wait; write 'def one', and what waits in run of another state",
    ),
    "an event's method that does not say where it goes": (
        "class Lost(State[None]):\n    @on(str)\n    def one(self, call, event): ...",
        "Lost.one does not say where it goes; annotate its return with the states it may go to, or with None",
    ),
    "an activity that does not wait": (
        "class Lost(State[None]):\n    @activity\n    def watch(self, call) -> None: ...",
        "Lost.watch must be async: an activity runs beside the state; write 'async def watch'",
    ),
    "an activity that moves": (
        "class Lost(State[None]):\n    @activity\n    async def watch(self, call) -> Bye: ...",
        "Lost.watch: an activity cannot move the call; annotate it with None, and post an event to an @on handler",
    ),
    "an activity that wants more": (
        "class Lost(State[None]):\n    @activity\n    async def watch(self, call, more) -> None: ...",
        "Lost.watch cannot be called with what it is given; write it as watch(self, call)",
    ),
    "an activity that is a handler": (
        "class Lost(State[None]):\n    @activity\n    async def on_dtmf(self, call, key) -> None: ...",
        "Lost.on_dtmf: an activity cannot be a handler as well; give it a name of its own",
    ),
}

TWICE = {
    "a prompt in two ways": (
        "class Lost(Say[None], prompt='a.wav'):\n    def prompt_for(self, call): ...",
        "Lost: prompt=… in the class line stands beside prompt_for; leave it to one of them",
    ),
    "a failure in two ways": (
        "class Bye(Hangup[None]): ...\n"
        "class Lost(Menu[None], failed=Bye):\n    def on_failed(self, call, why) -> Bye: ...",
        "Lost: failed=… in the class line stands beside on_failed; leave it to one of them",
    ),
    "a beginning in two ways": (
        "class Bye(Hangup[None]): ...\n"
        "class Lost(SubFlow[None, int], start=Bye):\n    def begin(self, call) -> Bye: ...",
        "Lost: start=… in the class line stands beside begin; leave it to one of them",
    ),
    "a prompt that waits": (
        "class Lost(Say[None]):\n    async def prompt_for(self, call): ...",
        "Lost.prompt_for must not wait; write 'def prompt_for', and look things up in a state before it",
    ),
    "a prompt that cannot be asked for": (
        "class Lost(Say[None]):\n    def prompt_for(self): ...",
        "Lost.prompt_for cannot be called with what it is given; write it as prompt_for(self, call)",
    ),
    "a prompt that is no method": (
        "class Lost(Say[None]):\n    prompt_for = 'a.wav'",
        "Lost.prompt_for is no function; write it as a method of the class",
    ),
}

OPTIONS = {
    "one key for yes and for no": (
        "class Lost(Confirm[None], yes='2'): ...",
        "Lost: yes='2' and no='2' are one key; give each its own",
    ),
    "a yes that is no key": (
        "class Lost(Confirm[None], yes='yes'): ...",
        "Lost: yes='yes' is no key of a telephone; write one of 0 to 9, * and #",
    ),
    "a failure that leads to what is no state": (
        "class Lost(Confirm[None], failed=3): ...",
        "Lost: failed=… names 3, which is no state class of the flow; write the class",
    ),
    "a failure that leads to a kind": (
        "class Lost(CollectDigits[None], failed=Hangup): ...",
        "Lost: failed=Hangup names <class 'callflow.flow.hangup.Hangup'>, which is no state class of the flow; "
        "write the class",
    ),
    "a sub-flow that begins with what needs something": (
        "class Ask(Say[None]):\n    n: int\nclass Lost(SubFlow[None, int], start=Ask): ...",
        "Lost: start=Ask names Ask, which needs n; give n a default, or write a method that makes it",
    ),
    "data of a sub-flow that are made already": (
        "class Lost(SubFlow[None, int], data={}): ...",
        "Lost: data={} cannot be called; write data=dict, the class",
    ),
    "a sub-flow that runs": (
        "class Lost(SubFlow[None, int]):\n    async def run(self, call) -> None: ...",
        "Lost.run: a SubFlow runs the flow inside it; make run an @activity of another name",
    ),
    "a list for a prompt": (
        "class Lost(Hangup[None], prompt=['a.wav']): ...",
        "Lost: prompt=['a.wav'] is no prompt; write the name of a file, or a tuple of names",
    ),
    "bytes among the reprompts": (
        "class Lost(Menu[None], prompt='a.wav', reprompts=('b.wav', b'c.wav')): ...",
        "Lost: reprompts=b'c.wav' is no prompt; write the name of a file, or a tuple of names",
    ),
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
    "a branch that no URL could name": (
        "class Lost(Hangup[None], branch='to sales'): ...",
        "Lost: branch='to sales'; write 'A', 'B', or a name of up to 32 letters, digits, - and _",
    ),
    "a branch in small letters": (
        "class Lost(Hangup[None], branch='b'): ...",
        "Lost: branch='b'; did you mean 'B'?",
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
    "a field that a state needs for itself": (
        "class Lost(Menu[None]):\n    options: list",
        "Lost: a Menu has options of its own; call the field something else",
    ),
    "a field that has to be given behind one that need not": (
        "class Lost(State[None], timeout=5.0):\n    left: int = 3\n    pin: str",
        "Lost: a field without a default stands behind one that has a default; give it a default too, or put it first",
    ),
    "the same behind a base's": (
        "class Main(State[None], timeout=5.0):\n    left: int = 3\nclass Lost(Main):\n    pin: str",
        "Lost: a field without a default stands behind one that has a default; give it a default too, or put it first",
    ),
}

MISTAKES = HOOKS | KEYS | EVENTS | OPTIONS | TWICE | FIELDS


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
