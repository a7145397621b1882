"""Basic credentials: who is let in, and that nothing of them is shown."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callflow.server.credentials import Credentials, password_of

BOTH = Credentials.of(["exotel:old", "exotel:new:with colon"])


def basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


@pytest.mark.parametrize("pair", ["exotel:old", "exotel:new:with colon"])
def test_each_pair_is_let_in(pair: str) -> None:
    assert BOTH.allow(basic(pair))


def test_the_scheme_is_read_in_any_case() -> None:
    assert BOTH.allow(basic("exotel:old").replace("Basic", "bAsIc"))


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic ",
        "Basic !",
        "Basic \xe9",
        basic(""),
        basic(":"),
        basic("exotel:ol"),
        basic("exotel:oldx"),
        basic("exotel"),
        basic("other:old"),
        basic("exotel:old").replace("Basic", "Bearer"),
        basic("exotel:old") + ", " + basic("exotel:old"),
        "exotel:old",
    ],
)
def test_everything_else_is_not(header: str | None) -> None:
    assert not BOTH.allow(header)


@pytest.mark.parametrize(
    ("header", "password"),
    [
        (basic("exotel:old"), "old"),
        (basic("a:b:c"), "b:c"),
        (basic(":"), ""),
        (basic("exotel"), None),
        ("x", None),
        (None, None),
    ],
)
def test_the_password_of_a_header_may_be_a_token(header: str | None, password: str | None) -> None:
    assert password_of(header) == password


@given(header=st.text())
def test_any_header_is_answered(header: str) -> None:
    assert not BOTH.allow(header)


def test_nobody_is_let_in_by_no_pairs() -> None:
    assert not Credentials.of([]).allow(basic(""))


def test_a_repr_shows_no_pair() -> None:
    assert repr(BOTH) == "Credentials()"
