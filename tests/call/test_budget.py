"""The budget of a link: what a line sends is never held up, and what floods is first held back, then cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from callflow.call.budget import BURST_SECONDS, PATIENCE, RATE, Budget

MOST = int(RATE * BURST_SECONDS)


def test_a_line_is_never_held_up() -> None:
    budget = Budget()

    assert {budget.spend(1, n / 50) for n in range(50 * 60)} == {0.0}


def test_what_a_stalled_line_sends_at_once_is_read_at_once() -> None:
    assert Budget().spend(MOST, 100.0) == 0.0


def test_beyond_the_burst_reading_waits_until_the_budget_is_even() -> None:
    budget = Budget(rate=100)
    pause = budget.spend(450, 0.0)

    assert (pause, budget.spend(0, pause)) == (0.5, 0.0)


def test_who_was_over_it_once_is_not_cut_later() -> None:
    budget = Budget(rate=100)
    budget.spend(450, 0.0)
    budget.spend(1, 10.0)

    assert not budget.is_overdrawn(10.0)


def test_who_goes_on_is_cut_when_the_patience_is_over() -> None:
    budget = Budget(rate=100)
    now, cut_at = 0.0, None
    while cut_at is None:
        now += max(0.01, budget.spend(100, now))
        cut_at = now if budget.is_overdrawn(now) else None

    assert PATIENCE < cut_at < PATIENCE + 2.0


@given(st.lists(st.tuples(st.integers(0, 3000), st.floats(0, 3)), max_size=50), st.integers(1, 1000))
def test_no_more_is_read_than_the_burst_and_the_rate(reads: list[tuple[int, float]], rate: int) -> None:
    """Whoever waits as he is told reads, in all, no more than that, but for the last read."""
    budget, now, frames = Budget(rate=rate), 1000.0, 0
    for size, gap in reads:
        before = frames
        frames += size
        now += budget.spend(size, now) + gap

        assert before <= rate * (BURST_SECONDS + now - 1000.0) + 1e-6
