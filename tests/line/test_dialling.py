"""The connection of a call: what is asked for, how often, and how long an answer is waited for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock
from trio_websocket import WebSocketRequest

from callflow.call.port import BytePort
from callflow.errors import NotAnswered
from callflow.line.memory import MemoryNetwork
from callflow.line.placing import place_call
from callflow.line.profile import Profile
from callflow.wire.messages import Start
from tests.line.bot import Bot, answer, ringing, stare


async def test_custom_parameters_stand_in_the_url_and_come_again_in_start(autojump_clock: MockClock) -> None:
    target = "/stream/bank?sample-rate=8000&queue=premium"
    async with ringing(target=target, parameters={"name": "radio one"}) as (_, bot):
        pass

    assert bot.request.path == "/stream/bank?sample-rate=8000&queue=premium&name=radio%20one"
    assert bot.got(Start)[0].parameters == {"queue": "premium", "name": "radio one"}


async def test_credentials_are_sent_as_basic_authorization(autojump_clock: MockClock) -> None:
    async with ringing(credentials="voicekey:s3cret-token") as (_, bot):
        pass

    assert dict(bot.request.headers)[b"authorization"] == b"Basic dm9pY2VrZXk6czNjcmV0LXRva2Vu"


async def refuse(socket_request: WebSocketRequest) -> None:
    await socket_request.reject(503)


async def test_a_failed_handshake_is_tried_once_more(autojump_clock: MockClock) -> None:
    bot, dialled = Bot(), 0

    async def serve(port: BytePort) -> None:
        nonlocal dialled
        dialled += 1
        await (answer(port, refuse) if dialled == 1 else bot.serve(port))

    network = MemoryNetwork()
    async with trio.open_nursery() as nursery:
        network.listen(serve, nursery)
        async with place_call(network.dial):
            await bot.started.wait()

    assert dialled == 2


async def fail_to_connect(serve: Callable[[BytePort], Awaitable[None]], profile: Profile | None = None) -> NotAnswered:
    network = MemoryNetwork()
    async with trio.open_nursery() as nursery:
        network.listen(serve, nursery)
        with pytest.raises(NotAnswered) as caught:
            await place_call(network.dial, profile=profile or Profile()).__aenter__()
        nursery.cancel_scope.cancel()
    return caught.value


async def test_a_call_that_is_refused_twice_is_not_answered(autojump_clock: MockClock) -> None:
    assert (await fail_to_connect(lambda port: answer(port, refuse))).status == 503


async def test_a_silent_server_has_ten_seconds_at_each_attempt(autojump_clock: MockClock) -> None:
    await fail_to_connect(stare)

    assert trio.current_time() == 20.0


@pytest.mark.parametrize("reset", [False, True])
async def test_a_connection_that_is_closed_before_the_answer_is_not_waited_for(
    autojump_clock: MockClock, *, reset: bool
) -> None:
    async def hang_up(port: BytePort) -> None:
        await port.wait_readable()
        port.close(reset=reset)

    await fail_to_connect(hang_up)

    assert trio.current_time() == 0.0


async def test_rubbish_is_no_answer(autojump_clock: MockClock) -> None:
    async def babble(port: BytePort) -> None:
        await port.wait_readable()
        port.try_send(b"SSH-2.0-OpenSSH\r\n\r\n")

    await fail_to_connect(babble)

    assert trio.current_time() == 0.0


async def test_an_attempt_that_failed_is_given_up(autojump_clock: MockClock) -> None:
    ends = []

    async def wait_for_the_end(port: BytePort) -> None:
        while port.try_receive() != b"":
            await port.wait_readable()
        ends.append(trio.current_time())

    await fail_to_connect(wait_for_the_end)

    assert ends == [10.0, 20.0]


async def test_where_nobody_listens_a_call_is_not_answered(autojump_clock: MockClock) -> None:
    with pytest.raises(NotAnswered, match="nobody listens"):
        await place_call(MemoryNetwork().dial).__aenter__()
