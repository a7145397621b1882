"""What is found out about whole flows: ways of a silent caller, loops, uncut prompts, and what is stuck."""

from __future__ import annotations

from math import inf

import pytest

from callflow.flow.deep.control import By, Moment
from tests.flow.checks.conftest import HEAD, marked, places
from tests.flow.checks.test_shape import SHAPES, asks, flow, says, works
from tests.flow.deep.conftest import Read

AGAIN = 'class A(Menu[None], prompt="menu.wav", keys={"1": Bye}, tries=2, first_digit=4.0, failed=Bye): ...\n'

INNER = """
class Ask(CollectDigits[None], prompt="menu.wav", length=4, tries=1):
    def on_digits(self, call, digits) -> Done[str]: ...
    def on_failed(self, call, why) -> GaveUp: ...
"""


def names(moments: tuple[Moment, ...]) -> list[str]:
    """Name moments."""
    return [moment.name for moment in moments]


def test_a_silent_caller_waits_for_every_try(read: Read) -> None:
    facts = read(HEAD + AGAIN + flow("A"), menu=1.5).facts

    assert (facts.silent.seconds, names(facts.silent.nodes)) == (2 * (1.5 + 4.0), ["A", "Bye"])


def test_of_two_ways_the_longer_one_counts(read: Read) -> None:
    facts = read(HEAD + works("A", "Bye | B", "Bye") + works("B", "Bye", "Bye") + flow("A")).facts

    assert (facts.silent.seconds, names(facts.silent.nodes)) == (10.0, ["A", "B", "Bye"])


def test_a_time_out_cuts_a_question_short(read: Read) -> None:
    slow = AGAIN.replace("failed=Bye", "failed=Bye, timeout=3.0").replace(
        ": ...", ":\n    def on_timeout(self, call) -> Bye: ..."
    )
    facts = read(HEAD + slow + flow("A")).facts

    assert facts.silent.seconds == 3.0


def test_a_way_that_only_a_key_opens_is_no_way_of_the_silent(read: Read) -> None:
    facts = read(HEAD + asks("A", "B") + works("B", "Bye", "Bye") + flow("A")).facts

    assert (names(facts.silent.nodes), names(facts.falls_silent.nodes)) == (["A", "Bye"], ["A", "Bye"])


def test_who_falls_silent_later_may_take_longer(read: Read) -> None:
    facts = read(HEAD + asks("A", "B") + works("B", "A", "A") + flow("A")).facts

    assert (names(facts.falls_silent.nodes), facts.falls_silent.seconds) == (["B", "A", "Bye"], 5.0 + 3 * 6.0)


def test_a_loop_without_the_caller_has_no_bound_and_is_named(read: Read) -> None:
    facts = read(HEAD + works("A", "A | B", "Bye") + says("B", "A") + flow("A")).facts

    assert (facts.silent.seconds, names(facts.silent.loop)) == (inf, ["A"])


def test_a_loop_says_what_a_round_takes(read: Read) -> None:
    facts = read(HEAD + works("A", "B", "Bye") + says("B", "A | Bye") + flow("A"), menu=1.5).facts

    [loop] = facts.loops
    assert (names(loop.moments), loop.least, loop.most) == (["A", "B"], 1.5, 6.5)


def test_a_loop_by_time_outs_takes_their_time_at_least(read: Read) -> None:
    facts = read(HEAD + works("A", "Bye", "A") + flow("A")).facts

    assert [(loop.least, loop.most) for loop in facts.loops] == [(5.0, 5.0)]


def test_a_prompt_that_code_chooses_is_said_to_be_unknown(read: Read) -> None:
    chooses = "class A(Say[None]):\n    def prompt_for(self, call): ...\n    def then(self, call) -> Bye: ...\n"

    assert names(read(HEAD + chooses + flow("A")).facts.unknown) == ["A"]


def test_a_sub_flow_is_walked_inside_and_out(read: Read) -> None:
    outer = "class A(SubFlow[None, str], start=Ask):\n    def on_done(self, call, result) -> Bye: ...\n"
    facts = read(HEAD + INNER + outer + "    def on_failed(self, call, why) -> Bye: ...\n" + flow("A")).facts

    assert (names(facts.silent.nodes), facts.silent.seconds) == (["A", "A.Ask", "A.GaveUp", "Bye"], 6.0)


def test_a_sub_flow_with_a_time_out_takes_no_longer_than_that(read: Read) -> None:
    outer = "class A(SubFlow[None, str], start=Ask, timeout=4.0):\n    def on_done(self, call, result) -> Bye: ...\n"
    ends = "    def on_failed(self, call, why) -> Bye: ...\n    def on_timeout(self, call) -> Bye: ...\n"

    assert read(HEAD + INNER + outer + ends + flow("A")).facts.silent.seconds == 4.0


def test_a_sub_flow_that_is_entered_again_goes_round_in_spite_of_its_time_out(read: Read) -> None:
    outer = "class A(SubFlow[None, str], start=Ask, timeout=4.0):\n    def on_done(self, call, result) -> Bye: ...\n"
    ends = "    def on_failed(self, call, why) -> Bye: ...\n    def on_timeout(self, call) -> A: ...\n"

    assert names(read(HEAD + INNER + outer + ends + flow("A")).facts.silent.loop) == ["A"]


def test_one_state_in_two_sub_flows_is_two_moments(read: Read) -> None:
    first = "class A(SubFlow[None, str], start=Ask):\n    def on_done(self, call, result) -> B: ...\n"
    second = "class B(SubFlow[None, str], start=Ask):\n    def on_done(self, call, result) -> Bye: ...\n"
    failed = "    def on_failed(self, call, why) -> Bye: ...\n"
    control = read(HEAD + INNER + first + failed + second + failed + flow("A")).facts.control

    done = {(one.source.name, one.target and one.target.name) for one in control.outcomes if one.handler == "on_done"}
    assert done == {("A.Done", "B"), ("B.Done", "Bye")}


def test_what_a_sub_flow_handles_is_an_outcome_of_each_state_inside(read: Read) -> None:
    outer = "class A(SubFlow[None, str], start=Ask):\n    def on_done(self, call, result) -> Bye: ...\n"
    ends = '    def on_failed(self, call, why) -> Bye: ...\n    @key("*")\n    def back(self, call) -> Bye: ...\n'
    control = read(HEAD + INNER + outer + ends + flow("A")).facts.control

    assert [(one.source.name, one.by, one.keys) for one in control.outcomes if one.handler == "back"] == [
        ("A.Ask", By.CALLER, ("*",))
    ]


# Prompts that cannot be cut.

TALKS = 'class {name}(Say[None], prompt="{prompt}", barge_in=None):\n    def then(self, call) -> {then}: ...\n'


def test_prompts_that_cannot_be_cut_add_up_until_something_listens(read: Read) -> None:
    code = HEAD.replace("Hangup[None]", 'Hangup[None], prompt="last.wav"') + TALKS.format(
        name="A", prompt="menu.wav", then="B"
    )
    code += TALKS.format(name="B", prompt="more.wav", then="D") + asks("D", "Bye") + flow("A")
    facts = read(code, menu=1.0, more=2.0, last=0.5).facts

    assert (names(facts.stretch.nodes), facts.stretch.seconds) == (["A", "B", "D"], 3.0)


def test_code_that_plays_is_followed_along_the_branch_that_says_most(read: Read) -> None:
    body = (
        "class A(State[None], timeout=60.0):\n    async def run(self, call: C) -> Bye:\n"
        '        await call.play("menu.wav")\n        if call.data:\n            await call.play("more.wav")\n'
        '        else:\n            await call.play("menu.wav")\n        await call.play("more.wav", barge_in="dtmf")\n'
        '        call.start("more.wav", loop=True)\n'
        "    def on_timeout(self, call: C) -> Bye: ...\n"
    )
    uncut = read(HEAD + body + flow("A"), menu=1.0, more=2.0).facts.uncut

    assert [(one.where, one.prompt, one.seconds) for one in uncut] == [
        ("A.run", "menu.wav", 1.0),
        ("A.run", "more.wav", 2.0),
    ]


def test_prompts_that_a_key_cuts_are_not_among_them(read: Read) -> None:
    assert read(HEAD + asks("A", "Bye") + flow("A")).facts.uncut == ()


# What is never left.

STUCK = {
    "a sub-flow that fails into itself": INNER
    + "class A(SubFlow[None, str], start=Ask):  # finds: endless-silence\n"
    + "    def on_done(self, call, result) -> Bye: ...\n    def on_failed(self, call, why) -> A: ...\n"
    + flow("A"),
    "a failure that stays": 'class A(Menu[None], prompt="menu.wav", keys={"1": Bye}):  # finds: endless-silence\n'
    + "    def on_failed(self, call, why) -> None: ...\n"
    + flow("A"),
    "a way out by an error alone": says("A", "B", "dead-end")
    + asks("B", "A", "A")
    + "    def on_error(self, call: C, error: Exception) -> Bye: ...\n"
    + flow("A"),
    "a way out by a lost line alone": asks("A", "A", "A").replace(":\n    @key", ":  # finds: dead-end\n    @key", 1)
    + "    def on_resumed(self, call: C, gap: Resumed) -> Bye: ...\n"
    + flow("A"),
    "a failure that may stay": 'class A(Menu[None], prompt="menu.wav", keys={"1": Bye}):\n'
    + "    def on_failed(self, call, why) -> Bye | None: ...\n"
    + flow("A"),
    "a way out by speech alone": "class A(State[None], timeout=5.0):  # finds: endless-silence\n"
    "    def on_timeout(self, call: C) -> A: ...\n"
    "    def on_speech(self, call: C, speech: Speech) -> Bye: ...\n" + flow("A"),
    "a way out by an event": says("A", "A")
    + "    @on(int)\n    def count(self, call: C, n: int) -> Bye: ...\n"
    + flow("A"),
    "a way that a time-out opens": INNER
    + "class A(SubFlow[None, str], start=Ask, timeout=9.0):\n    def on_timeout(self, call) -> Bye: ...\n"
    + "    def on_done(self, call, result) -> Bye: ...\n    def on_failed(self, call, why) -> A: ...\n"
    + flow("A"),
    "a tap": "class A(Tap[None]): ...\n" + 'flow = Flow("flow", start=A, spare=[Bye])\n',
}


@pytest.mark.parametrize("shape", STUCK.values(), ids=STUCK)
def test_what_no_outcome_leaves_is_found(shape: str, read: Read) -> None:
    code = HEAD.replace("from callflow import *", "from callflow import *\nfrom callflow import Speech") + shape

    deep = [found for found in places(read(code).findings) if found[1] in ("dead-end", "endless-silence")]
    assert deep == marked(code)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES.values() if shape.count("Flow(") == 1])
def test_what_the_plain_check_tells_is_not_told_again(shape: str, read: Read) -> None:
    found = read(HEAD + shape)

    assert found.findings == found.plain


def test_an_excuse_of_a_deep_finding_is_not_out_of_use_in_a_plain_check(read: Read) -> None:
    shape = STUCK["a sub-flow that fails into itself"].replace("# finds:", "# callflow: ok[endless-silence] why not #")
    found = read(HEAD + shape)

    assert (found.findings, found.plain) == ([], [])
