"""What the line hears is taken in once, as it comes, and whoever waits for something is told in time."""

from __future__ import annotations

import math

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from callflow.line.ear import Ear
from callflow.line.recognise import PAUSE, Recogniser
from callflow.line.transcript import Conversation
from tests.line.lines import MENU, PCM, PROMPTS, WELCOME, Line, States


def listening(line: Line, feed: States | None = None, watched: list[float] | None = None) -> Ear:
    def watch(conversation: Conversation) -> None:
        if watched is not None:
            watched.append(conversation.settled)

    return Ear(line, Recogniser(PROMPTS, PCM), feed=feed, watch=watch)


async def test_what_grows_is_taken_in_once(autojump_clock: MockClock) -> None:
    line = Line()
    ear = listening(line)
    line.playout.media(WELCOME.pcm, 0.0)
    line.playout.media(MENU.pcm, 0.0)
    for _ in range(60):
        await trio.sleep(0.1)
        line.playout.advance(line.now)
        ear.take_in()

    assert [(heard.name, heard.complete) for heard in ear.conversation.heard] == [("welcome", True), ("menu", True)]


async def test_silence_ends_what_was_heard_without_another_sound(autojump_clock: MockClock) -> None:
    line = Line()
    ear = listening(line)
    line.playout.media(WELCOME.pcm[:16_000], 0.0)
    line.playout.advance(1.0)
    await trio.sleep(1.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ear.listen)
        await trio.sleep(1.0)
        nursery.cancel_scope.cancel()

    assert [heard.cut for heard in ear.conversation.heard] == [True]


async def test_a_condition_is_waited_for_until_its_deadline(autojump_clock: MockClock) -> None:
    def never() -> str | None:
        return None

    found = await listening(Line()).until(never, 2.5)

    assert (found, trio.current_time()) == (None, 2.5)


async def test_a_condition_is_looked_at_again_when_there_is_news(autojump_clock: MockClock) -> None:
    line = Line()
    states = States((1.5, "Menu"))
    ear = listening(line, states)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ear.read_along, states)
        entered = await ear.until(lambda: [each.name for each in ear.conversation.entered] or None, 9.0)
        nursery.cancel_scope.cancel()

    assert (entered, trio.current_time()) == (["Menu"], 1.5)


async def test_the_end_of_the_call_is_told_with_who_ended_it(autojump_clock: MockClock) -> None:
    line = Line()
    ear = listening(line)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ear.listen)
        await trio.sleep(2.0)
        line.close()
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    assert (ear.conversation.ended_at, ear.conversation.ended) == (2.0, "ended by the server, code 1000")


async def test_nothing_more_comes_when_the_call_is_over_and_all_is_told(autojump_clock: MockClock) -> None:
    line = Line()
    ear = listening(line)
    before = ear.nothing_more
    line.close()

    assert (before, ear.nothing_more) == (False, True)


async def test_something_may_come_while_it_is_not_known_what_was_heard_last(autojump_clock: MockClock) -> None:
    line = Line()
    ear = listening(line)
    line.playout.media(WELCOME.pcm, 0.0)
    await trio.sleep(1.0)
    line.close()
    ear.take_in()
    before = ear.nothing_more
    await trio.sleep(PAUSE)
    ear.take_in()

    assert (before, ear.nothing_more) == (False, True)


async def test_in_the_end_everything_is_told(autojump_clock: MockClock) -> None:
    watched: list[float] = []
    line = Line()
    ear = listening(line, watched=watched)
    line.playout.media(WELCOME.pcm, 0.0)
    line.playout.advance(0.5)
    ear.finish()

    assert (watched[-1], [heard.over for heard in ear.conversation.heard]) == (math.inf, [True])
