"""The mailbox of a call by itself."""

from __future__ import annotations

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from callflow.call.mailbox import MOST_EVENTS, KeyCame, Mailbox, PlaybackSettled
from callflow.session.playout import Entry
from callflow.wire.messages import Dtmf

SETTLED = PlaybackSettled(Entry(("prompt",), 0))


def key(digit: str) -> KeyCame:
    return KeyCame(Dtmf(digit=digit), 0.0)


async def test_events_come_out_in_the_order_in_which_they_went_in() -> None:
    box = Mailbox()
    for digit in "123":
        box.put(key(digit))

    assert [box.take(), box.take(), box.take(), box.take()] == [key("1"), key("2"), key("3"), None]


async def test_keys_can_be_taken_out_from_between_the_rest() -> None:
    box = Mailbox()
    for event in (key("1"), SETTLED, key("2")):
        box.put(event)

    assert (box.take_keys(), box.take_keys(), len(box), box.take()) == ([key("1"), key("2")], [], 1, SETTLED)


async def test_what_is_too_much_is_dropped_and_noted() -> None:
    box = Mailbox()
    for _ in range(MOST_EVENTS):
        box.put(key("1"))
    before = box.overflowed
    box.put(key("2"))

    assert (before, box.overflowed, len(box)) == (False, True, MOST_EVENTS)


async def test_an_event_wakes_whoever_waits() -> None:
    box = Mailbox()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(box.wait)
        await wait_all_tasks_blocked()
        box.put(key("1"))

    assert len(box) == 1


async def test_waking_needs_no_event() -> None:
    box = Mailbox()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(box.wait)
        await wait_all_tasks_blocked()
        box.wake()

    assert box.take() is None


async def test_an_event_that_is_there_is_not_waited_for() -> None:
    box = Mailbox()
    box.put(key("1"))
    await box.wait()

    assert len(box) == 1


async def test_news_that_were_waited_for_are_old(autojump_clock: MockClock) -> None:
    box = Mailbox()
    box.wake()
    await box.wait()
    with trio.move_on_after(1.0) as waiting:
        await box.wait()

    assert waiting.cancelled_caught
