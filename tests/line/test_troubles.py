"""What befalls a line: each trouble on a telephone against a throw-away server, and where it cannot be."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from callflow.line.memory import Conditions
from callflow.line.oddities import Oddity
from callflow.line.steps import (
    Deafen,
    Drop,
    Fault,
    Freeze,
    HalfClose,
    Reconnect,
    SendOdd,
    Service,
    ServiceWay,
    TakeOver,
    Trouble,
)
from callflow.line.troubles import befall, make_trouble
from callflow.wire.messages import Dtmf
from tests.line.bot import QUIET, ringing


async def test_a_frozen_line_holds_up_what_is_said_on_it_both_ways(autojump_clock: MockClock) -> None:
    async with ringing(profile=QUIET) as (phone, bot):
        await make_trouble(phone, Freeze(seconds=2.0))
        await bot.send(bot.say.media(bytes(3200)))
        await phone.wait(1.0)
        heard = phone.playout.queued_bytes
        await phone.press("1", gap=0.1, hold=0.1)
        await phone.wait(1.0)

    keys = [round(at, 2) for at, message in bot.read if isinstance(message, Dtmf)]
    assert (keys, heard, phone.playout.queued_bytes) == ([2.0], 0, 3200)


async def test_a_line_that_is_closed_by_half_is_lost_and_its_server_learns_of_it(autojump_clock: MockClock) -> None:
    async with ringing(profile=QUIET) as (phone, bot):
        await make_trouble(phone, HalfClose())
        await phone.wait(1.0)
        lost = phone.is_lost
        gone = bot.over.is_set()

    assert (lost, gone, phone.lost_at) == (True, True, {1: 0.0})


@pytest.mark.parametrize("back", [Drop(), HalfClose()])
async def test_a_lost_line_comes_back_on_another_stream(back: Trouble, autojump_clock: MockClock) -> None:
    async with ringing(profile=QUIET) as (phone, _):
        await make_trouble(phone, back)
        await make_trouble(phone, Reconnect())

        assert (phone.links, phone.is_lost) == (2, False)


TROUBLES = (
    Drop(),
    HalfClose(),
    Freeze(seconds=1.0),
    Deafen(),
    SendOdd(oddity=Oddity.NO_JSON),
    Reconnect(),
    TakeOver(),
)


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: type(trouble).__name__)
async def test_on_a_call_that_is_over_nothing_happens(trouble: Trouble, autojump_clock: MockClock) -> None:
    async with ringing(profile=QUIET) as (phone, _):
        await phone.hang_up()
        before = len(phone.log)
        await make_trouble(phone, trouble)

    assert (len(phone.log), phone.links, phone.is_lost) == (before, 1, False)


@pytest.mark.parametrize("trouble", TROUBLES[:5] + TROUBLES[6:], ids=lambda trouble: type(trouble).__name__)
async def test_a_line_that_is_lost_has_no_other_trouble(trouble: Trouble, autojump_clock: MockClock) -> None:
    async with ringing(profile=QUIET) as (phone, _):
        phone.lose()
        before = len(phone.log)
        await make_trouble(phone, trouble)

    assert (len(phone.log), phone.links, phone.is_deaf) == (before, 1, False)


async def test_faults_happen_at_their_moments_in_any_order_given(autojump_clock: MockClock) -> None:
    steered: list[tuple[float, str]] = []
    faults = [
        Fault(at=2.0, step=Service(name="bank", way=ServiceWay.HANGS)),
        Fault(at=3.0, step=Reconnect()),
        Fault(at=1.0, step=Drop()),
    ]
    async with ringing(profile=QUIET, conditions=Conditions()) as (phone, _):
        await befall(phone, faults, lambda step: steered.append((phone.now, step.name)))

        assert (phone.lost_at, steered, phone.links, round(phone.now, 2)) == ({1: 1.0}, [(2.0, "bank")], 2, 3.0)
        await trio.lowlevel.checkpoint()
