"""Amounts in words: the style by example, and a round trip through a parser that knows nothing of amounts.py."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.bank_ivr import amounts

PROMPTS = Path(amounts.__file__).parent / "prompts"

STYLE = [
    (0, "zero rupees"),
    (1, "one paisa"),
    (75, "seventy five paise"),
    (1_00, "one rupee"),
    (1_01, "one rupee and one paisa"),
    (1_50, "one rupee and fifty paise"),
    (20_00, "twenty rupees"),
    (99_99, "ninety nine rupees and ninety nine paise"),
    (100_00, "one hundred rupees"),
    (105_00, "one hundred and five rupees"),
    (1_005_00, "one thousand and five rupees"),
    (1_100_00, "one thousand one hundred rupees"),
    (12_340_00, "twelve thousand three hundred and forty rupees"),
    (1_00_000_00, "one lakh rupees"),
    (1_00_050_00, "one lakh and fifty rupees"),
    (1_23_450_75, "one lakh twenty three thousand four hundred and fifty rupees and seventy five paise"),
    (5_00_00_000_00, "five crore rupees"),
    (12_05_00_000_00, "twelve crore five lakh rupees"),
    (1_200_00_00_000_00, "one thousand two hundred crore rupees"),
    (105_00_00_007_00, "one hundred and five crore and seven rupees"),
    (1_20_000_00_00_000_00, "one lakh twenty thousand crore rupees"),
]

SMALL = """
zero one two three four five six seven eight nine ten
eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen
"""
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
NUMBERS = {word: n for n, word in enumerate(SMALL.split())} | {word: 10 * n for n, word in enumerate(TENS.split(), 2)}
SCALES = {"thousand": 1_000, "lakh": 100_000}
PAISE = {"rupee": 100, "rupees": 100, "paisa": 1, "paise": 1}


def understand(sentence: str) -> int:
    """Take an amount in words, as a listener would: from left to right, one word at a time."""
    paise = settled = heard = 0
    for word in sentence.replace(" and ", " ").split():
        if word in NUMBERS:
            heard += NUMBERS[word]
        elif word == "hundred":
            heard *= 100
        elif word == "crore":
            settled, heard = (settled + heard) * 10_000_000, 0
        elif word in SCALES:
            settled, heard = settled + heard * SCALES[word], 0
        else:
            paise, settled, heard = paise + (settled + heard) * PAISE[word], 0, 0
    return paise


@pytest.mark.parametrize(("paise", "sentence"), STYLE)
def test_amount_is_said_in_the_indian_way(paise: int, sentence: str) -> None:
    said = amounts.words(paise)

    assert said == sentence


@given(st.integers(0, 10**14 - 1) | st.integers(0, 10**7))
def test_listener_understands_the_amount_that_was_meant(paise: int) -> None:
    understood = understand(amounts.words(paise))

    assert understood == paise


@given(st.integers(10**14, amounts.LIMIT - 1))
def test_listener_understands_amounts_of_many_lakh_crore(paise: int) -> None:
    understood = understand(amounts.words(paise))

    assert understood == paise


@given(st.integers(0, amounts.LIMIT - 1))
def test_prompts_say_the_words_of_the_transcript(paise: int) -> None:
    said = " ".join(file.removesuffix(".wav") for file in amounts.rupees(paise))

    assert said == amounts.words(paise)


@pytest.mark.parametrize("paise", [-1, -100, amounts.LIMIT, amounts.LIMIT * 10])
def test_amount_out_of_range_is_refused_without_being_shown(paise: int) -> None:
    with pytest.raises(ValueError, match="crore crore") as refused:
        amounts.rupees(paise)

    assert str(paise) not in str(refused.value)


def test_each_word_of_an_amount_has_a_file_that_says_it() -> None:
    recorded = tomllib.loads((PROMPTS / "prompts.toml").read_text(encoding="utf-8"))["words"]
    everything = [*(100 * n for n in range(100)), *(10**n for n in range(16)), 1_01, 1_02]

    needed = {word for paise in everything for word in amounts.words(paise).split()}

    assert {word: recorded.get(word) for word in needed} == {word: word for word in needed}
