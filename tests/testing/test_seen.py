"""What a property may look at, between two steps of a caller."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from callflow import Flow
from callflow.line.script import parse
from callflow.testing.rehearsal import Cast, Rehearsal
from callflow.testing.seen import Seen
from examples.broken import four_choices, on_hold, quiet_log, slow_bank


def seen_after(flow: Flow[Any], steps: str, look: Callable[[Seen[Any]], object]) -> object:
    """Have a caller do something, and look at the call."""
    cast = Cast(flow=flow, services={"bank": slow_bank.Bank}, answers={"pin": "4129"})
    script = parse(f"ring\n{steps}\n")
    with closing(Rehearsal(cast, script.header)) as rehearsal:
        rehearsal.ring()
        for step in script.steps[1:]:
            rehearsal.take(step)
        seen = rehearsal.seen()
        assert seen is not None
        return look(seen)


@pytest.mark.parametrize(
    ("steps", "playing"),
    [
        ("wait 1s", "music.wav"),
        ("wait 4s", "nobody_free.wav"),
        ("wait 11s", "music.wav"),
        ("wait 4s\nhangup", ""),
    ],
)
def test_what_plays_now_is_what_began_or_went_on_last(steps: str, playing: str) -> None:
    assert seen_after(on_hold.line, steps, lambda seen: seen.playing) == playing


def test_the_keys_that_a_state_took_are_known() -> None:
    assert seen_after(four_choices.line, "keys 5\nkeys 9", lambda seen: seen.taken(four_choices.Main)) == "59"


def test_secret_keys_are_only_counted() -> None:
    assert seen_after(quiet_log.line, "type $pin", lambda seen: seen.taken("AskPin")) == "••••"


def test_the_ways_out_of_a_state_are_known() -> None:
    def ways(seen: Seen[Any]) -> object:
        return seen.left(four_choices.Main), seen.left("Balance")

    assert seen_after(four_choices.line, "keys 9\nkeys 1", ways) == (("Main", "Balance"), ())


def test_the_longest_time_in_a_state_goes_on_until_now() -> None:
    def seconds(seen: Seen[Any]) -> object:
        return seen.longest_in(slow_bank.LookUp), seen.longest_in("Welcome")

    steps = "service bank hangs\nwait 20s"
    assert seen_after(slow_bank.line, steps, seconds) == pytest.approx((18.6, 1.4), abs=0.01)


def test_what_the_flow_logs_is_known() -> None:
    assert seen_after(quiet_log.line, "type $pin", lambda seen: seen.log) == ["pin 4129"]
