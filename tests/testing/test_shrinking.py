"""Calls are made short: what is not needed is left out, and what is left is as plain as can be."""

from __future__ import annotations

import pytest

from callflow.line.script import parse, render
from callflow.line.steps import Press, Script, Wait
from callflow.testing.shrinking import shrink


def shrunk(steps: str, needs: object) -> list[str]:
    """Shrink a call as long as it still breaks something; give its steps."""
    assert callable(needs)
    return render(shrink(parse(f"ring\n{steps}"), lambda script: bool(needs(script)))).splitlines()[2:]


def seconds(script: Script) -> float:
    return sum(step.seconds for step in script.steps if isinstance(step, Wait))


def keys(script: Script) -> str:
    return "".join(step.digits for step in script.steps if isinstance(step, Press))


@pytest.mark.parametrize(
    ("steps", "needs", "left"),
    [
        ("keys 1\nwait 5s\nkeys 9\nhangup\n", lambda script: "9" in keys(script), ["ring", "keys 9"]),
        ("keys 1927\n", lambda script: "9" in keys(script), ["ring", "keys 9"]),
        ("wait 5.02s\nwait 1.42s\nwait 5s\n", lambda script: seconds(script) >= 10, ["ring", "wait 10.02s"]),
        ("wait 9s\nkeys 1\nwait 9s\n", lambda script: seconds(script) >= 15, ["ring", "wait 18s"]),
    ],
)
def test_a_call_loses_what_it_does_not_need(steps: str, needs: object, left: list[str]) -> None:
    assert shrunk(steps, needs) == left


def test_waits_that_would_be_too_long_for_one_line_stay_apart() -> None:
    assert shrunk("wait 590s\nwait 590s\n", lambda script: seconds(script) >= 1_000) == [
        "ring",
        "wait 590s",
        "wait 590s",
    ]


def test_circumstances_that_do_not_matter_are_the_usual_ones() -> None:
    script = parse("seed 7\nlag 0.4s\norder 9\nechoes no\nring\nkeys 9\n")

    assert render(shrink(script, lambda each: "9" in keys(each))).splitlines() == [
        "seed 0",
        "order 0",
        "ring",
        "keys 9",
    ]
