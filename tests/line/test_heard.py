"""Prompts that follow each other without a pause are one utterance."""

from __future__ import annotations

import pytest

from callflow.line.heard import JOINT, HeardPrompt, utterances


def heard(name: str, start: float, *, complete: bool = True, over: bool = True) -> HeardPrompt:
    """Hear one second of a prompt."""
    return HeardPrompt(name=name, words=name, start=start, seconds=1.0, of_seconds=2.0, complete=complete, over=over)


def joined(*heards: HeardPrompt) -> list[list[str]]:
    return [[part.name for part in utterance.parts] for utterance in utterances(heards)]


@pytest.mark.parametrize(
    ("pause", "expected"), [(0.0, [["twelve", "thousand"]]), (2 * JOINT, [["twelve"], ["thousand"]])]
)
def test_a_pause_parts_utterances(pause: float, expected: list[list[str]]) -> None:
    assert joined(heard("twelve", 1.0), heard("thousand", 2.0 + pause)) == expected


def test_what_follows_a_cut_is_the_answer_to_it_however_soon() -> None:
    assert joined(heard("menu", 0.0, complete=False), heard("balance", 1.0)) == [["menu"], ["balance"]]


def test_an_utterance_lasts_from_its_first_prompt_to_its_last() -> None:
    [utterance] = utterances([heard("twelve", 1.0), heard("thousand", 2.0, complete=False)])

    assert (utterance.start, utterance.end, utterance.cut) == (1.0, 3.0, True)


@pytest.mark.parametrize(
    ("prompt", "cut"),
    [
        (heard("menu", 0.0), False),
        (heard("menu", 0.0, complete=False), True),
        (heard("menu", 0.0, complete=False, over=False), False),
        (heard("", 0.0, complete=False), False),
    ],
    ids=["whole", "broken off", "going on", "no prompt"],
)
def test_a_prompt_is_cut_when_it_is_over_before_its_end(prompt: HeardPrompt, *, cut: bool) -> None:
    assert prompt.cut == cut
