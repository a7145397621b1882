"""Branches: what a Passthru is answered that can say two things only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callflow import Flow, Hangup, State
from callflow.flow.branch import answer_to, check_branch

names = st.sampled_from(["A", "B", "sales", "support", "9"])


@pytest.mark.parametrize(
    ("chosen", "asked", "status"),
    [
        ("A", None, 200),
        ("B", None, 302),
        ("sales", None, 200),
        ("sales", "sales", 302),
        ("sales", "support", 200),
        ("B", "B", 302),
        ("B", "sales", 200),
        ("A", "A", 302),
    ],
)
def test_a_call_takes_the_branch_that_it_chose(chosen: str, asked: str | None, status: int) -> None:
    assert answer_to(asked, chosen) == status


@given(chosen=names, chain=st.lists(names, unique=True))
def test_in_a_chain_of_applets_a_call_leaves_at_its_own(chosen: str, chain: list[str]) -> None:
    left_at = [asked for asked in chain if answer_to(asked, chosen) == 302]

    assert left_at == [asked for asked in chain if asked == chosen]


@pytest.mark.parametrize("name", ["A", "B", "C", "sales", "2nd-line", "x" * 32])
def test_any_word_is_a_branch(name: str) -> None:
    assert check_branch(name) is None  # type: ignore[func-returns-value]  # that it does not raise


@pytest.mark.parametrize("name", ["", "a", "b", "two words", "a&b", "-x", "x" * 33, "möbel", None, 5])
def test_what_is_no_word_is_refused(name: object) -> None:
    with pytest.raises(ValueError, match="branch="):
        check_branch(name)


class Start(State[None], timeout=5.0):
    def on_timeout(self, call: object) -> Sales | Bye:
        return Sales()


class Sales(Hangup[None], branch="sales"):
    """Somebody who sells."""


class Bye(Hangup[None]):
    """Nobody."""


class Night(Hangup[None], branch="night"):
    """Only operators send calls here."""


def test_a_flow_knows_the_branches_of_all_its_ends() -> None:
    assert Flow("shop", start=Start, spare=[Night]).branches == {"A", "sales", "night"}
