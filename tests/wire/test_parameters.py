"""Custom parameters: three places become one, and no more is written than Exotel takes."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callflow.wire.parameters import MOST_PRODUCED, PRODUCED_SIZE, merge_parameters, write_parameters


def merged(start: str = "", connected: str = "", url: str = "") -> dict[str, str]:
    """Merge what queries say."""
    return merge_parameters(
        start=dict(parse_qsl(start)), connected=dict(parse_qsl(connected)), url=dict(parse_qsl(url))
    )


@pytest.mark.parametrize(
    ("places", "found"),
    [
        (("a=start", "a=connected", "a=url"), {"a": "start"}),
        (("", "a=connected", "a=url"), {"a": "connected"}),
        (("", "", "a=url"), {"a": "url"}),
        (("a=1", "b=2", "c=3"), {"a": "1", "b": "2", "c": "3"}),
    ],
)
def test_start_wins_over_connected_and_that_over_the_url(places: tuple[str, str, str], found: dict[str, str]) -> None:
    assert merged(*places) == found


@pytest.mark.parametrize(
    ("told", "value"),
    [("two%20words", "two words"), ("two+words", "two words"), ("two words", "two words"), ("100%25", "100%25")],
)
def test_what_is_handed_back_encoded_is_the_urls_own(told: str, value: str) -> None:
    assert merge_parameters(start={"a": told}, connected={}, url={"a": "two words"})["a"] == value


def test_a_value_that_stands_in_start_alone_is_not_touched() -> None:
    assert merge_parameters(start={"a": "100%25"}, connected={}, url={}) == {"a": "100%25"}


@pytest.mark.parametrize(
    ("parameters", "rate", "query"),
    [
        ({}, 8000, ""),
        ({}, 16000, "sample-rate=16000"),
        ({"lang": "hi", "who": "a b&c"}, 8000, "lang=hi&who=a%20b%26c"),
        ({"a": "1", "b": "2"}, 24000, "a=1&b=2&sample-rate=24000"),
    ],
)
def test_parameters_are_written_as_a_query(parameters: dict[str, str], rate: int, query: str) -> None:
    assert write_parameters(parameters, rate) == query


@pytest.mark.parametrize(
    ("parameters", "rate"),
    [({"a": "", "b": "", "c": "", "d": ""}, 8000), ({"a": "", "b": "", "c": ""}, 16000), ({"a": "x" * 255}, 8000)],
)
def test_what_exotel_does_not_take_is_refused_with_the_cure(parameters: dict[str, str], rate: int) -> None:
    with pytest.raises(ValueError, match="as data, which stays here"):
        write_parameters(parameters, rate)


@given(st.dictionaries(st.text(min_size=1, max_size=40), st.text(max_size=100), max_size=5))
def test_what_is_written_is_read_back_and_within_the_limits(parameters: dict[str, str]) -> None:
    try:
        query = write_parameters(parameters)
    except (ValueError, UnicodeEncodeError):
        return

    assert dict(parse_qsl(query, keep_blank_values=True)) == parameters
    assert len(query) <= PRODUCED_SIZE
    assert len(parameters) <= MOST_PRODUCED
