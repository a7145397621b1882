"""Which of the prompts that were heard a ``hear`` line is about."""

from __future__ import annotations

import pytest

from callflow.line.heard import HeardPrompt
from callflow.line.matching import Matcher
from callflow.line.steps import Ending, Hear, Press
from callflow.line.transcript import Conversation, Deed

MENU, MENU_WHOLE, MENU_CUT = (Hear(prompt="menu", ending=ending) for ending in (None, Ending.COMPLETE, Ending.CUT))


def heard(name: str, start: float, words: str = "", *, complete: bool = True, over: bool = True) -> HeardPrompt:
    """Hear one second of a prompt."""
    return HeardPrompt(
        name=name, words=words or name, start=start, seconds=1.0, of_seconds=1.0, complete=complete, over=over
    )


def found(heards: list[HeardPrompt], *steps: Hear, deed_at: float | None = None) -> list[bool]:
    """Look for one step after another."""
    deeds = [] if deed_at is None else [Deed(Press(digits="1"), deed_at)]
    matcher = Matcher(Conversation(heard=heards, deeds=deeds))
    return [matcher.find(step) for step in steps]


def said(words: str, *prompts: str) -> bool:
    """Say whether words are heard in prompts that follow each other, each with its words."""
    heards = [heard(f"p{at}" if words else "", float(at), words) for at, words in enumerate(prompts)]
    [there] = found(heards, Hear(prompt=words, spoken=True))
    return there


def test_each_line_is_about_a_later_prompt() -> None:
    assert found([heard("menu", 0.0), heard("menu", 2.0)], MENU, MENU, MENU) == [True, True, False]


def test_prompts_between_may_be_left_out() -> None:
    assert found([heard("welcome", 0.0), heard("menu", 1.0)], MENU, Hear(prompt="welcome")) == [True, False]


def test_an_ending_may_be_of_the_prompt_that_was_heard_already() -> None:
    assert found([heard("menu", 0.0)], MENU, MENU_WHOLE) == [True, True]


def test_an_ending_is_asked_for_once() -> None:
    assert found([heard("menu", 0.0)], MENU_WHOLE, MENU_WHOLE) == [True, False]


@pytest.mark.parametrize(
    ("menu", "expected"),
    [
        (heard("menu", 0.0, complete=True), [True, False]),
        (heard("menu", 0.0, complete=False), [False, True]),
        (heard("menu", 0.0, complete=False, over=False), [False, False]),
    ],
    ids=["whole", "cut", "going on"],
)
def test_a_prompt_is_whole_or_cut_when_it_is_over(menu: HeardPrompt, expected: list[bool]) -> None:
    assert found([menu], MENU_WHOLE) + found([menu], MENU_CUT) == expected


@pytest.mark.parametrize(("deed_at", "counts"), [(0.5, True), (1.0, False)])
def test_what_was_over_before_the_caller_did_something_does_not_count(deed_at: float, *, counts: bool) -> None:
    assert found([heard("menu", 0.0)], MENU, deed_at=deed_at) == [counts]


def test_a_prompt_of_a_language_is_found_by_its_own_name() -> None:
    assert found([heard("hi/menu", 0.0)], MENU) == [True]


def test_words_are_compared_without_case_and_punctuation() -> None:
    assert said("press 1 or 2", "Press 1, or 2.")


def test_words_may_go_over_several_prompts() -> None:
    assert said("balance is twelve", "Your balance is", "twelve")


def test_words_are_whole_words() -> None:
    assert not said("even", "eleven")


def test_a_sound_that_is_no_prompt_parts_the_words() -> None:
    assert not said("balance is twelve", "Your balance is", "", "twelve")


def test_words_that_were_heard_are_not_heard_again_in_the_next_prompt() -> None:
    step = Hear(prompt="twelve", spoken=True)

    assert found([heard("a", 0.0, "twelve"), heard("b", 1.0, "rupees")], step, step) == [True, False]


def test_what_came_instead_begins_where_the_line_could_look() -> None:
    welcome, menu, bye = heard("welcome", 0.0), heard("menu", 1.0), heard("bye", 2.0)
    matcher = Matcher(Conversation(heard=[welcome, menu, bye]))
    matcher.find(Hear(prompt="welcome"))

    assert matcher.instead(Hear(prompt="balance")) == [menu, bye]
