"""The event feed: states are told as they come, and whatever is wrong with it is a problem and never an error."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio

from callflow.call.port import BytePort, PortStream
from callflow.line import MemoryNetwork
from callflow.line.feed import ATTEMPTS, EventFeed
from callflow.line.transcript import Entered

OK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
WELCOME = b'{"n":1,"t":0.25,"kind":"state","what":"entered","state":"Welcome"}\n'
LEFT = b'{"n":2,"t":0.5,"kind":"state","what":"left","state":"Welcome","by":"one"}\n'
PLAYED = b'{"n":3,"t":0.5,"kind":"playback","what":"heard","name":"welcome"}\n'
MENU = b'{"n":4,"t":0.5,"kind":"state","what":"entered","state":"Menu"}\n'
END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def follow(answer: Callable[[PortStream, int], Awaitable[None]]) -> tuple[EventFeed, int]:
    """Follow a feed that *answer* sends, being told the number of the attempt; return how many there were."""
    network, feed = MemoryNetwork(), EventFeed()

    async def serve(port: BytePort) -> None:
        async with PortStream(port) as stream:
            await stream.receive_some()
            await answer(stream, network.dialled)

    async with trio.open_nursery() as nursery:
        network.listen(serve, nursery)
        await feed.follow(network.dial, "c1", "127.0.0.1:8080")
        nursery.cancel_scope.cancel()
    return feed, network.dialled


def sends(*pieces: bytes) -> Callable[[PortStream, int], Awaitable[None]]:
    async def answer(stream: PortStream, _: int) -> None:
        for piece in pieces:
            await stream.send_all(piece)
            await trio.sleep(0.1)

    return answer


async def test_states_are_told_in_order_and_the_rest_is_left_alone(autojump_clock: trio.testing.MockClock) -> None:
    feed, _ = await follow(sends(OK, *map(chunk, (WELCOME, LEFT, PLAYED, MENU)), END))

    assert feed.entered == [Entered(0.25, "Welcome"), Entered(0.5, "Menu")]


async def test_an_entry_may_come_in_pieces(autojump_clock: trio.testing.MockClock) -> None:
    feed, _ = await follow(sends(OK, chunk(WELCOME[:20]), chunk(WELCOME[20:] + MENU[:5]), chunk(MENU[5:]), END))

    assert [entered.name for entered in feed.entered] == ["Welcome", "Menu"]


@pytest.mark.parametrize(
    ("pieces", "problem"),
    [
        ((OK, END), "the event feed has ended"),
        ((b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n",), "there is no event feed, its address was answered 403"),
        ((OK, chunk(b"nonsense\n")), "the event feed broke off: "),
        ((b"nonsense\r\n\r\n",), "the event feed broke off: "),
        ((), "the event feed broke off: "),
    ],
)
async def test_what_is_wrong_is_a_problem(
    autojump_clock: trio.testing.MockClock, pieces: tuple[bytes, ...], problem: str
) -> None:
    feed, _ = await follow(sends(*pieces))

    assert feed.problem.startswith(problem)


async def test_a_call_that_is_not_known_yet_is_asked_for_again(autojump_clock: trio.testing.MockClock) -> None:
    async def answer(stream: PortStream, attempt: int) -> None:
        absent = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        await stream.send_all(absent if attempt < 3 else OK + chunk(WELCOME) + END)

    feed, attempts = await follow(answer)

    assert (attempts, len(feed.entered)) == (3, 1)


async def test_a_server_without_feeds_is_asked_so_often_and_no_more(autojump_clock: trio.testing.MockClock) -> None:
    feed, attempts = await follow(sends(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))

    assert (attempts, feed.problem.endswith("start it with --feed")) == (ATTEMPTS, True)


async def test_where_nobody_listens_there_is_a_problem(autojump_clock: trio.testing.MockClock) -> None:
    feed = EventFeed()

    await feed.follow(MemoryNetwork().dial, "c1", "127.0.0.1:8080")

    assert feed.problem.startswith("the event feed broke off: ")


async def test_whoever_waits_for_news_gets_each(autojump_clock: trio.testing.MockClock) -> None:
    feed, seen = EventFeed(), list[int]()
    network = MemoryNetwork()

    async def serve(port: BytePort) -> None:
        async with PortStream(port) as stream:
            await sends(OK, chunk(WELCOME), chunk(MENU), END)(stream, 1)

    async with trio.open_nursery() as nursery:
        network.listen(serve, nursery)
        nursery.start_soon(feed.follow, network.dial, "c1", "127.0.0.1:8080")
        while not feed.problem:
            await feed.changed()
            seen.append(len(feed.entered))

    assert seen == [1, 2, 2]
