"""The example calls to the bank's line keep every rule and law: a flow with services, secrets and spoken numbers."""

from __future__ import annotations

from pathlib import Path

from callflow.testing import check_call, check_wire
from callflow.testing.rules import Verdict
from callflow.testing.witness import witnessed
from examples.bank_ivr.bank import FakeBank
from tests.examples.bank_calls import CALLS, play


def test_the_example_calls_keep_every_rule_and_law(tmp_path: Path) -> None:
    with witnessed() as witness:
        for script in sorted(CALLS.glob("*.call")):
            play([script], FakeBank(), tmp_path)

    wire = [check_wire(log, notice=0.0) for log in witness.logs]
    life = [check_call(story, late=0.002) for story in witness.stories]
    assert sum([*wire, *life], Verdict()).breaches == ()
    assert len(life) == len(list(CALLS.glob("*.call")))
