"""What a flow answers when a call is announced."""

from __future__ import annotations

from typing import Any

import pytest

from callflow import StreamTo, Verdict


def test_a_call_goes_on_with_branch_a_and_nothing_to_remember() -> None:
    assert Verdict() == Verdict(200, {})


def test_a_verdict_may_take_branch_b_and_bring_data() -> None:
    verdict = Verdict(302, {"queue": "gold"})

    assert (verdict.status, verdict.data) == (302, {"queue": "gold"})


@pytest.mark.parametrize("status", [0, 201, 301, 500])
def test_a_verdict_has_no_other_status(status: int) -> None:
    with pytest.raises(ValueError, match=rf"Verdict\({status}\); a Passthru has the branches 200 \(A\) and 302 \(B\)"):
        Verdict(status)  # type: ignore[arg-type]  # what is tested


def test_data_of_two_verdicts_is_apart() -> None:
    assert Verdict().data is not Verdict().data


# Where a stream goes.


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"parameters": {"token": "x"}}, "no name for a parameter"),
        ({"parameters": {"sample-rate": "8000"}}, "say rate="),
        ({"parameters": {"": "x"}}, "no name for a parameter"),
        ({"rate": 44100}, "Exotel knows 8000, 16000, 24000"),
        ({"parameters": dict.fromkeys("abcd", "")}, "Exotel takes 3"),
        ({"parameters": {"a": "x" * 300}}, "Exotel takes 256"),
    ],
)
def test_what_no_url_can_hold_is_refused_where_it_is_written(parts: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        StreamTo(**parts)
