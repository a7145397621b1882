"""One request of one connection: what the app gets, what the peer gets, and that every wait has an end."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send
from trio.testing import MockClock

from callflow.call.port import PortStream
from callflow.line.memory import Conditions, memory_pair
from callflow.server.limits import Limits
from tests.server.asking import Answer, ask, read_answer, read_to_end, send_on, serve

POST = b"POST / HTTP/1.1\r\nHost: example\r\n"
GET = b"GET / HTTP/1.1\r\nHost: example\r\n\r\n"


async def echo(request: Request) -> Response:
    return PlainTextResponse(f"{request.method} ".encode() + await request.body())


ECHO = Starlette(routes=[Route("/", echo, methods=["GET", "POST"])])


class Listening:
    """An app that notes its scope and every message, and answers 204."""

    def __init__(self) -> None:
        self.scope: Scope = {}
        self.messages: list[Message] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.messages.append(await receive())
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})
        self.messages.append(await receive())


# What the app gets.


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (GET, Answer(200, b"GET ")),
        (GET.replace(b"HTTP/1.1", b"HTTP/1.0"), Answer(200, b"GET ")),
        (POST + b"Content-Length: 3\r\n\r\nabc", Answer(200, b"POST abc")),
        (POST + b"Content-Length: 0\r\n\r\n", Answer(200, b"POST ")),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", Answer(200, b"POST abc")),
        (POST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", Answer(200, b"POST abc")),
        (GET.replace(b"GET", b"HEAD"), Answer(200, b"")),
        (GET.replace(b"GET", b"DELETE"), Answer(405, b"Method Not Allowed")),
        (GET.replace(b"/ ", b"/nothing "), Answer(404, b"Not Found")),
    ],
)
async def test_a_request_is_answered(request_: bytes, answer: Answer, autojump_clock: MockClock) -> None:
    assert await ask(ECHO, request_) == answer


async def test_the_body_comes_whole(autojump_clock: MockClock) -> None:
    app = Listening()
    await ask(app, POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")

    assert app.messages == [
        {"type": "http.request", "body": b"abc", "more_body": False},
        {"type": "http.disconnect"},
    ]


@pytest.mark.parametrize(
    ("peer", "client"),
    [("192.0.2.1:80", ("192.0.2.1", 80)), ("[2001:db8::1]:80", ("2001:db8::1", 80)), ("memory", ("memory", 0))],
)
async def test_the_peer_is_the_ports(peer: str, client: tuple[str, int], autojump_clock: MockClock) -> None:
    app = Listening()
    await ask(app, GET, peer=peer)

    assert app.scope["client"] == client


async def test_a_client_that_waits_for_it_is_told_to_go_on(autojump_clock: MockClock) -> None:
    client, server = memory_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, ECHO, POST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n", server)
        told = await PortStream(client).receive_some()
        await PortStream(client).send_all(b"abc")
        received = await read_to_end(client)

    assert (told, read_answer(received, b"POST")) == (b"HTTP/1.1 100 Continue\r\n\r\n", Answer(200, b"POST abc"))


# One request a connection.


async def test_the_answer_closes_the_connection(autojump_clock: MockClock) -> None:
    answer = await ask(ECHO, GET.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n"))

    assert answer.headers["connection"] == "close"


async def test_a_second_request_behind_the_first_is_not_served(autojump_clock: MockClock) -> None:
    assert await ask(ECHO, GET + GET) == Answer(200, b"GET ")


async def test_no_other_protocol_is_spoken(autojump_clock: MockClock) -> None:
    wish = (
        b"\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n"
    )

    assert await ask(ECHO, GET.replace(b"\r\n\r\n", wish)) == Answer(200, b"GET ")


async def test_what_follows_a_request_is_nobodys(autojump_clock: MockClock) -> None:
    assert await ask(ECHO, POST + b"Content-Length: 3\r\n\r\nabc\r\n\xff") == Answer(200, b"POST abc")


# Bodies that are too large or too slow.


async def test_a_body_of_the_limit_is_taken(autojump_clock: MockClock) -> None:
    request = POST + b"Content-Length: 1000\r\n\r\n" + b"a" * 1000

    assert await ask(ECHO, request, limits=Limits(body_bytes=1000)) == Answer(200, b"POST " + b"a" * 1000)


async def test_a_chunked_body_past_the_limit_is_refused(autojump_clock: MockClock) -> None:
    request = POST + b"Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + b"a" * 1001

    assert await ask(ECHO, request, limits=Limits(body_bytes=1000)) == Answer(413)


@pytest.mark.parametrize(
    ("request_", "size", "pause"),
    [
        (POST + b"Content-Length: 100\r\n\r\n", 1, 60.0),
        (POST + b"Content-Length: 100\r\n\r\n", 1, 0.3),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n64\r\n", 1, 0.3),
        (POST + b"Expect: 100-continue\r\nContent-Length: 100\r\n\r\n", 1, 60.0),
    ],
)
async def test_a_slow_body_is_ended_at_its_time(
    request_: bytes, size: int, pause: float, autojump_clock: MockClock
) -> None:
    client, server = memory_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, ECHO, request_, server)
        nursery.start_soon(send_on, client, b"a" * 100, size, pause)
        received = await read_to_end(client)
        ended_at = trio.current_time()
        nursery.cancel_scope.cancel()

    assert (read_answer(received, b"POST"), ended_at) == (Answer(408), 10.0)


async def test_a_body_that_breaks_off_is_refused(autojump_clock: MockClock) -> None:
    client, server = memory_pair()
    client.send_eof()
    await serve(ECHO, POST + b"Content-Length: 100\r\n\r\nabc", server)

    assert read_answer(await read_to_end(client), b"POST") == Answer(400)


async def test_a_peer_that_leaves_in_mid_body_does_not_reach_the_app(autojump_clock: MockClock) -> None:
    app = Listening()
    client, server = memory_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, app, POST + b"Content-Length: 100\r\n\r\nabc", server)
        await trio.sleep(1)
        client.close(reset=True)

    assert (app.scope, trio.current_time()) == ({}, 1.0)


@pytest.mark.parametrize("body", [b"zz\r\n", b"-1\r\n", b"5\r\nabcdefg\r\n", b"\xff\xff\r\n", b"1" * 30_000])
async def test_chunks_that_cannot_be_read_are_refused(body: bytes, autojump_clock: MockClock) -> None:
    assert await ask(ECHO, POST + b"Transfer-Encoding: chunked\r\n\r\n" + body) == Answer(400)


# Apps that fail, and readers that leave or do not read.


async def boom(request: Request) -> Response:
    raise ValueError("boom")


async def boom_late(request: Request) -> Response:
    async def body() -> Any:
        yield b"begun"
        raise ValueError("boom")

    return StreamingResponse(body())


BOOM = Starlette(routes=[Route("/", boom), Route("/late", boom_late)])


async def test_an_app_that_fails_answers_500_and_says_so(autojump_clock: MockClock) -> None:
    client, server = memory_pair()
    with pytest.RaisesGroup(pytest.RaisesExc(ValueError, match="boom")):
        await serve(BOOM, GET, server)
    server.close()

    assert (await read_to_end(client)).startswith(b"HTTP/1.1 500 Internal Server Error\r\n")


async def fails_before_it_answers(scope: Scope, receive: Receive, send: Send) -> None:
    raise ValueError("boom")


async def test_an_app_that_fails_before_it_answers_is_answered_for(autojump_clock: MockClock) -> None:
    client, server = memory_pair()
    with pytest.RaisesGroup(pytest.RaisesExc(ValueError, match="boom")):
        await serve(fails_before_it_answers, GET, server)
    server.close()

    assert read_answer(await read_to_end(client), b"GET") == Answer(500)


async def says_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    pass


async def test_an_app_that_says_nothing_is_answered_for(autojump_clock: MockClock) -> None:
    assert await ask(says_nothing, GET) == Answer(500)


async def test_an_answer_that_breaks_off_is_seen_as_broken(autojump_clock: MockClock) -> None:
    client, server = memory_pair()
    with pytest.RaisesGroup(pytest.RaisesExc(ValueError, match="boom"), flatten_subgroups=True):
        await serve(BOOM, GET.replace(b"/ ", b"/late "), server)
    server.close()
    received = await read_to_end(client)

    assert (b"5\r\nbegun\r\n" in received, received.endswith(b"0\r\n\r\n")) == (True, False)


class Ticks:
    """A body without an end; no generator, so that nothing is left of it."""

    def __init__(self, tick: bytes, pause: float) -> None:
        self._tick = tick
        self._pause = pause

    def __aiter__(self) -> Ticks:
        return self

    async def __anext__(self) -> bytes:
        await trio.sleep(self._pause)
        return self._tick


async def ticks(request: Request) -> Response:
    return StreamingResponse(Ticks(b"tick\n", 1.0))


async def floods(request: Request) -> Response:
    return StreamingResponse(Ticks(bytes(10_000), 0.0))


LIVE = Starlette(routes=[Route("/", ticks), Route("/flood", floods)])


async def test_a_stream_is_sent_as_it_comes(autojump_clock: MockClock) -> None:
    client, server = memory_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, LIVE, GET, server)
        await trio.sleep(2.5)
        received = client.try_receive() or b""
        nursery.cancel_scope.cancel()

    assert received.count(b"tick\n") == 2


async def test_a_reader_that_talks_on_is_served(autojump_clock: MockClock) -> None:
    client, server = memory_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, LIVE, GET, server)
        nursery.start_soon(send_on, client, b"anything", 1, 0.2)
        await trio.sleep(2.5)
        received = client.try_receive() or b""
        nursery.cancel_scope.cancel()

    assert received.count(b"tick\n") == 2


@pytest.mark.parametrize("reset", [False, True])
async def test_a_reader_that_leaves_ends_the_app(reset: bool, autojump_clock: MockClock) -> None:
    client, server = memory_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, LIVE, GET, server)
        await trio.sleep(2.5)
        client.close(reset=reset)

    assert trio.current_time() == 2.5


async def test_a_reader_that_does_not_read_is_left_after_the_sends_time(autojump_clock: MockClock) -> None:
    _, server = memory_pair(Conditions(capacity=1_000))
    await serve(LIVE, GET.replace(b"/ ", b"/flood "), server)

    assert trio.current_time() == 5.0


async def test_cancellation_does_not_wait_for_a_reader(autojump_clock: MockClock) -> None:
    _, server = memory_pair(Conditions(capacity=1_000))
    with trio.move_on_after(1) as scope:
        await serve(LIVE, GET.replace(b"/ ", b"/flood "), server)

    assert (scope.cancelled_caught, trio.current_time()) == (True, 1.0)


async def lingers(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("answered")(scope, receive, send)
    await trio.sleep(1_000)


async def test_an_app_does_not_outlive_its_answer_for_long(autojump_clock: MockClock) -> None:
    answer = await ask(lingers, GET)

    assert (answer, trio.current_time()) == (Answer(200, b"answered"), 5.0)


async def sleeps(scope: Scope, receive: Receive, send: Send) -> None:
    await trio.sleep(1_000)


async def test_an_app_does_not_outlive_its_peer_for_long(autojump_clock: MockClock) -> None:
    client, server = memory_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, sleeps, GET, server)
        await trio.sleep(2)
        client.close()

    assert trio.current_time() == 7.0


async def test_a_request_that_is_cancelled_is_answered(autojump_clock: MockClock) -> None:
    client, server = memory_pair()
    with trio.move_on_after(1):
        await serve(sleeps, GET, server)
    server.close()

    assert read_answer(await read_to_end(client), b"GET") == Answer(500)


async def test_a_peer_that_ended_its_direction_is_answered(autojump_clock: MockClock) -> None:
    client, server = memory_pair()
    client.send_eof()
    await serve(ECHO, GET, server)

    assert read_answer(await read_to_end(client), b"GET") == Answer(200, b"GET ")


@pytest.mark.parametrize(
    "conditions", [Conditions(capacity=7), Conditions(split=True, partial_sends=True, would_block=0.3)]
)
async def test_pieces_make_no_difference(conditions: Conditions, autojump_clock: MockClock) -> None:
    client, server = memory_pair(conditions)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, ECHO, POST + b"Content-Length: 500\r\n\r\n", server)
        nursery.start_soon(send_on, client, b"a" * 500, 500, 0.0)
        received = await read_to_end(client)

    assert read_answer(received, b"POST") == Answer(200, b"POST " + b"a" * 500)
