"""The histogram of delays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callflow.call.delays import STEPS, Delays

SECONDS = st.lists(st.floats(-0.001, 10))


@given(SECONDS)
def test_each_step_counts_what_took_no_longer(seconds: list[float]) -> None:
    delays = Delays()
    for each in seconds:
        delays.note(each)

    assert [sum(delays.counts[: n + 1]) for n in range(len(STEPS))] == [
        sum(each <= step for each in seconds) for step in STEPS
    ]


@given(SECONDS, SECONDS)
def test_two_are_added_as_if_one_had_counted_all(here: list[float], there: list[float]) -> None:
    one, other, both = Delays(), Delays(), Delays()
    for delays, seconds in ((one, here), (other, there), (both, here + there)):
        for each in seconds:
            delays.note(each)
    one.add(other)

    assert one.counts == both.counts
    assert one.total == pytest.approx(both.total)
