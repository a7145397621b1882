"""The witness: it stands round callflow's functions for as long as it is asked to, and each block has its own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from callflow.call.link import Link
from callflow.line.steps import HangUp, Wait
from callflow.session.inputs import Started
from callflow.testing.rehearsal import Cast, Rehearsal
from callflow.testing.wirelog import Side
from callflow.testing.witness import standing_round, witnessed
from examples.echo import echo

SEND = Link.send


class Trouble(Exception):
    """What ends a block."""


def calls_seen(rehearsal: Rehearsal) -> int:
    try:
        rehearsal.ring()
        for step in (Wait(seconds=1.0), HangUp()):
            rehearsal.take(step)
        evidence = rehearsal.finish()
        return len(list(evidence.wire.each(Side.APP, Started)))
    finally:
        rehearsal.close()


@pytest.mark.parametrize("block", [witnessed, standing_round])
def test_it_is_taken_off_when_a_block_fails(block: Callable[[], AbstractContextManager[object]]) -> None:
    with pytest.raises(Trouble), block():
        raise Trouble

    assert Link.send is SEND


def test_it_stands_there_once_for_all_blocks_of_a_run() -> None:
    with standing_round():
        once = Link.send
        with witnessed():
            within = Link.send

        assert (once is not SEND, within, Link.send) == (True, once, once)


def test_each_block_of_a_run_sees_its_own_calls_alone() -> None:
    with standing_round():
        seen = [calls_seen(Rehearsal(Cast(flow=echo))) for _ in range(2)]

    assert seen == [1, 1]


def test_a_block_without_a_run_around_it_sees_its_calls() -> None:
    seen = calls_seen(Rehearsal(Cast(flow=echo)))

    assert (seen, Link.send) == (1, SEND)
