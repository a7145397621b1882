"""The ways through a flow: what nothing leads to, what never ends, and what a silent caller is left in."""

from __future__ import annotations

import pytest

from tests.flow.checks.conftest import HEAD, Judge, marked, places

ASKS = """
class {name}(Menu[None], prompt="menu.wav"):
    @key("1")
    def one(self, call: C) -> {key}:
        return {key}()
    def on_failed(self, call: C, why: Failed) -> {failed}:{marks}
        return {failed}()
"""

SAYS = """
class {name}(Say[None], prompt="menu.wav"):{marks}
    def then(self, call: C) -> {then}: ...
"""

WORKS = """
class {name}(State[None], timeout=5.0):{marks}
    async def run(self, call: C) -> {run}: ...
    def on_timeout(self, call: C) -> {late}: ...
"""


def asks(name: str, key: str, failed: str = "Bye", marks: str = "") -> str:
    return ASKS.format(name=name, key=key, failed=failed, marks=marks and f"  # finds: {marks}")


def says(name: str, then: str, marks: str = "") -> str:
    return SAYS.format(name=name, then=then, marks=marks and f"  # finds: {marks}")


def works(name: str, run: str, late: str, marks: str = "") -> str:
    return WORKS.format(name=name, run=run, late=late, marks=marks and f"  # finds: {marks}")


def flow(start: str, name: str = "flow") -> str:
    return f'{name} = Flow("{name}", start={start})\n'


SHAPES = {
    "a whole flow": asks("A", "B") + works("B", "A | None", "Bye") + flow("A"),
    "a state below the flow": flow("Bye") + says("A", "Bye", "dead-state"),
    "two states below the flow that lead to each other": flow("Bye")
    + says("A", "B", "dead-state")
    + says("B", "A | Bye", "dead-state"),
    "a draft above the flow": "class A(Menu[None]): ...  # finds: dead-state\n" + flow("Bye"),
    "a state of a flow further down": flow("Bye") + says("A", "Bye") + flow("A", "other"),
    "a base below the flow": flow("Bye") + says("A", "Bye") + "class B(A): ...  # finds: dead-state\n",
    "a silent caller in one menu": asks("A", "Bye", "A", "silent-loop") + flow("A"),
    "a silent caller in two menus": asks("A", "Bye", "B", "silent-loop") + asks("B", "Bye", "A") + flow("A"),
    "a silent caller behind an announcement": says("A", "B")
    + asks("B", "Bye", "C", "silent-loop")
    + says("C", "B")
    + flow("A"),
    "a silent caller who is sent away in the end": asks("A", "Bye", "B") + asks("B", "A", "Bye") + flow("A"),
    "a loop that counts": says("A", "A | Bye") + flow("A"),
    "a loop that only a time-out leaves": says("A", "B", "endless-loop") + works("B", "A", "Bye") + flow("A"),
    "a state that asks again until its time is over": "class A(State[None], timeout=5.0):\n"
    "    def on_dtmf(self, call, key) -> A: ...\n    def on_timeout(self, call: C) -> Bye: ...\n" + flow("A"),
    "a loop that an event may leave": says("A", "B")
    + works("B", "A", "Bye")
    + "    @on(int)\n    def count(self, call: C, event: int) -> Bye: ...\n"
    + flow("A"),
    "a loop that an error leaves": says("A", "B", "endless-loop")
    + works("B", "A", "Bye")
    + "    def on_error(self, call: C, error: Exception) -> Bye: ...\n"
    + flow("A"),
    "a silent caller in a sub-flow": "class Ask(CollectDigits[None], prompt='menu.wav', length=4):\n"
    "    def on_digits(self, call, digits) -> Done[str] | Again: ...\n"
    "    def on_failed(self, call, why) -> Ask: ...  # finds: silent-loop\n"
    "class A(SubFlow[None, str], start=Ask):\n    def on_done(self, call, result) -> Bye: ...\n" + flow("A"),
    "a silent caller whom a class line sends round": "class A(Menu[None], prompt='menu.wav', keys={'1': Bye}):\n"
    "    def on_failed(self, call, why) -> B: ...  # finds: silent-loop\n"
    "class B(Menu[None], prompt='menu.wav', keys={'1': Bye}, failed=A): ...\n" + flow("A"),
    "a state below the flow, in a sub-flow of it": "class Ask(Say[None], prompt='menu.wav'):\n"
    "    def then(self, call) -> Done[str]: ...\n"
    "class A(SubFlow[None, str], start=Ask):\n    def on_done(self, call, result) -> Bye: ...\n" + flow("A"),
    "a question that stays at its time-out": "class A(Menu[None], prompt='menu.wav', keys={'1': Bye}, timeout=60.0):\n"
    "    def on_failed(self, call, why) -> Bye: ...\n    def on_timeout(self, call) -> None: ...\n" + flow("A"),
    "a script that waits for ever": works("A", "None", "Bye") + flow("A"),
    "a time-out that stays": "class A(State[None], timeout=5.0):\n    def on_dtmf(self, call, key) -> Bye: ...\n"
    "    def on_timeout(self, call: C) -> Bye | None: ...  # finds: no-timeout\n" + flow("A"),
    "a list for all": says("A", "Bye", "shared-default") + "    said: list[str] = []\n" + flow("A"),
    "a list for each": says("A", "Bye") + "    said: list[str] = attrs.field(factory=list)\n" + flow("A"),
    "a tuple for all": says("A", "Bye") + "    said: tuple[str, ...] = ()\n" + flow("A"),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_what_is_wrong_with_a_flows_shape_is_found_and_nothing_else_is(shape: str, judge: Judge) -> None:
    code = HEAD + shape

    assert places(judge(code)) == marked(code)


WORDS = {
    "a state below the flow": (
        "A",
        "nothing leads to it from Bye",
        "name it in the return annotation of a handler, take it out, or say that it is meant: Flow(…, spare=[A])",
    ),
    "a silent caller in two menus": (
        "A.on_failed",
        "a caller who presses nothing goes round in A → B → A for as long as the call lasts",
        "lead to a Hangup when nobody answers, at the second round at the latest",
    ),
    "a loop that only a time-out leaves": (
        "A",
        "A → B → A goes round without the caller, and only a time-out leads out",
        "count the rounds in a field and lead out when they are used up, or ask the caller",
    ),
    "a time-out that stays": (
        "A.on_timeout",
        "may return None, and no second time-out comes: the state then waits for as long as the call lasts",
        "always return a state; to wait on, enter it again: return A(…)",
    ),
}


@pytest.mark.parametrize(("shape", "words"), WORDS.items(), ids=WORDS)
def test_a_finding_says_what_is_wrong_and_what_to_do(shape: str, words: tuple[str, str, str], judge: Judge) -> None:
    [found] = judge(HEAD + SHAPES[shape])

    assert (found.where, found.mistake, found.cure) == words


def test_a_shared_default_says_what_to_write(judge: Judge) -> None:
    [found] = judge(HEAD + SHAPES["a list for all"])

    assert (found.mistake, found.cure) == (
        "all calls share one list as the default of said: what one caller puts in another finds",
        "write said = attrs.field(factory=list)",
    )
