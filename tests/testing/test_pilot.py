"""What is done on purpose: the ways that were flown are gone again, twice and with a line that is lost."""

from __future__ import annotations

import pytest

from callflow.line.script import parse, render
from callflow.testing.hunting import explore
from callflow.testing.lawbook import LawBroken
from callflow.testing.pilot import variations
from tests.examples.broken.prey import PROPERTIES, own


def steps_of(*scripts: str) -> list[str]:
    return ["; ".join(render(script).splitlines()) for script in variations([parse(script) for script in scripts])]


def test_a_way_is_gone_twice_and_loses_its_line_at_each_place_the_last_first() -> None:
    assert steps_of("service bank hangs\nring\nkeys 1\nwait 2s\n") == [
        "service bank hangs; ring; keys 1; wait 2s; hangup; again; keys 1; wait 2s",
        "service bank hangs; ring; keys 1; takeover; wait 2s",
        "service bank hangs; ring; takeover; keys 1; wait 2s",
    ]


def test_the_last_places_of_all_ways_come_first() -> None:
    assert steps_of("ring\nkeys 1\nwait 2s\n", "ring\nkeys 2\n")[2:] == [
        "ring; keys 1; takeover; wait 2s",
        "ring; takeover; keys 2",
        "ring; takeover; keys 1; wait 2s",
    ]


def test_a_way_of_minutes_is_gone_once() -> None:
    assert steps_of("ring\nwait 90s\nwait 20s\n") == []


@pytest.mark.parametrize(
    ("flow", "law"),
    [("two_misses", "everybody-is-asked-twice"), ("two_pins", "the-second-wrong-pin-locks")],
)
def test_a_count_of_the_call_before_and_one_that_a_lost_line_forgets_are_found_without_chance(
    flow: str, law: str
) -> None:
    machine = own(PROPERTIES[flow])
    machine.begin_run()

    with pytest.raises(LawBroken, match=f"^{law}: "):
        explore(machine)
