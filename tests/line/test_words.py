"""A line is taken word by word, and times are read as they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callflow.errors import ScriptError
from callflow.line.words import LONGEST_WAIT, Word, Words, duration


def words(line: str) -> Words:
    return Words("bank.call", 3, line)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", []),
        ("  # a comment", []),
        ("hear menu", [Word("hear"), Word("menu")]),
        ('hear "PIN, please"  cut', [Word("hear"), Word("PIN, please", quoted=True), Word("cut")]),
        ("keys 1 # press", [Word("keys"), Word("1")]),
        ("keys #", [Word("keys"), Word("#")]),
        ("keys 1#2", [Word("keys"), Word("1#2")]),
        ('play ""', [Word("play"), Word("", quoted=True)]),
    ],
)
def test_a_line_is_parted_at_its_blanks_and_quotation_marks(line: str, expected: list[Word]) -> None:
    left = words(line)
    taken = []
    while left.more:
        taken.append(left.take_word("a word"))

    assert taken == expected


def test_an_open_quotation_mark_is_refused() -> None:
    with pytest.raises(ScriptError, match=r'^bank\.call:3: a quotation mark is left open; end the words with "$'):
        words('hear "PIN')


def test_only_the_word_that_is_asked_for_is_accepted() -> None:
    left = words("within 2s")

    assert (left.accept("gap"), left.accept("within"), left.take("a time")) == (False, True, "2s")


def test_a_quoted_word_is_no_keyword() -> None:
    assert not words('"within"').accept("within")


def test_what_is_left_over_is_refused_with_the_form_of_the_line() -> None:
    left = words("now")
    left.form = "hangup"

    with pytest.raises(ScriptError, match="'now' is too much; write: hangup  # and a comment like this"):
        left.end()


@pytest.mark.parametrize(("text", "seconds"), [("2s", 2.0), ("0.3 s", 0.3), ("300ms", 0.3), ("250 ms", 0.25)])
def test_a_time_has_a_unit_with_or_without_a_blank(text: str, seconds: float) -> None:
    assert words(text).duration() == seconds


@given(st.integers(0, round(LONGEST_WAIT * 1000)))
def test_a_time_that_is_written_reads_the_same(milliseconds: int) -> None:
    seconds = milliseconds / 1000

    assert words(duration(seconds)).duration() == seconds
