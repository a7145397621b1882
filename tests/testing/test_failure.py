"""What a failed call prints: everything that matters, in at most 25 lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callflow.line.script import parse
from callflow.testing.failure import MOST_LINES, CallFailed, Failure, failures_in

words = st.text("abc de\n", max_size=900)


@given(
    st.builds(
        Failure,
        sentence=words,
        came=words,
        where=st.lists(st.just("test_line.py:7"), max_size=3),
        script=st.integers(0, 60).map(lambda count: parse("keys 1\n" * count + "hangup\n")),
        timeline=st.lists(st.just("  0.0  = Menu"), max_size=90),
        command=st.just("callflow replay calls/one.call"),
    )
)
def test_it_never_takes_more_lines_and_always_says_how_to_play_it_again(failure: Failure) -> None:
    lines = failure.lines()

    assert len(lines) <= MOST_LINES
    assert lines[-1] == "play it again: callflow replay calls/one.call"


def test_what_is_too_long_loses_its_middle() -> None:
    failure = Failure(sentence="a law", came="was broken", timeline=[f"{n}.0  = Menu" for n in range(30)])

    assert failure.lines()[3:] == [
        *[f"  {n}.0  = Menu" for n in range(11)],
        "  … 9 more",
        *[f"  {n}.0  = Menu" for n in range(20, 30)],
    ]


FULL = Failure(
    sentence="a law " * 80,
    came="was broken " * 80,
    where=["a line"] * 5,
    script=parse("keys 1\n" * 30),
    timeline=[f"{n}.0  = Menu" for n in range(90)],
    command="callflow replay calls/one.call",
)


def test_the_longest_has_all_its_parts() -> None:
    lines = FULL.lines()
    heads = [line for line in lines if line.endswith(":") or line.startswith("play")]

    assert (len(lines), heads) == (
        MOST_LINES,
        ["the call:", "what happened:", "play it again: callflow replay calls/one.call"],
    )


def test_what_is_usual_or_told_elsewhere_is_left_out_of_the_call() -> None:
    header = "seed 0\nlag 0.4s\nflow line.py:line\nmachine test_line.py:Line\nlaw a-law\norder 3\n"
    failure = Failure(sentence="a law", came="was broken", script=parse(f"{header}ring\nkeys 1\n"))

    assert failure.lines()[2:] == ["the call:", "  lag 0.4s", "  order 3", "  ring", "  keys 1"]


def test_it_is_an_assertion_s_text() -> None:
    with pytest.raises(AssertionError, match="a law\n  was broken"):
        raise CallFailed(Failure(sentence="a law", came="was broken"))


def test_failures_are_found_in_groups() -> None:
    one, two = (CallFailed(Failure(sentence=name, came="")) for name in ("one", "two"))

    assert failures_in(ExceptionGroup("both", [one, ExceptionGroup("inner", [two])])) == [one.failure, two.failure]
    assert failures_in(ExceptionGroup("both", [one, KeyError()])) is None
