"""What a flow answers to the Passthru that announces a call."""

from __future__ import annotations

import pytest

from callflow import Verdict
from callflow.flow.verdict import BRANCH_STATUS


def test_a_call_goes_on_with_branch_a_and_nothing_to_remember() -> None:
    assert Verdict() == Verdict(200, {})


def test_a_verdict_may_take_branch_b_and_bring_data() -> None:
    verdict = Verdict(302, {"queue": "gold"})

    assert (verdict.status, verdict.data) == (302, {"queue": "gold"})


@pytest.mark.parametrize("status", [0, 201, 301, 500])
def test_a_verdict_has_no_other_status(status: int) -> None:
    with pytest.raises(ValueError, match=rf"Verdict\({status}\); a Passthru has the branches 200 \(A\) and 302 \(B\)"):
        Verdict(status)  # type: ignore[arg-type]  # what is tested


def test_branches_are_what_exotel_reads() -> None:
    assert BRANCH_STATUS == {"A": 200, "B": 302}


def test_data_of_two_verdicts_is_apart() -> None:
    assert Verdict().data is not Verdict().data
