"""What the conditions of a connection in memory do; that it is a byte port at all is tests/call/test_port.py's."""

from __future__ import annotations

from random import Random

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from callflow.call.port import BytePort
from callflow.line.memory import Conditions, MemoryNetwork, MemoryPort, memory_pair


def sizes_sent(conditions: Conditions, seed: int, tries: int = 20) -> list[int]:
    """How much of 100 bytes each of some sends takes, with a peer that reads everything at once."""

    async def main() -> list[int]:
        client, server = memory_pair(conditions, Random(seed))
        sizes = []
        for _ in range(tries):
            sizes.append(client.try_send(bytes(100)))
            server.try_receive()
        return sizes

    return trio.run(main)


async def pieces_received(port: MemoryPort) -> list[bytes]:
    pieces: list[bytes] = []
    while True:
        await port.wait_readable()
        while (piece := port.try_receive()) is not None:
            if not piece:
                return pieces
            pieces.append(piece)


async def test_bytes_arrive_after_the_lag(autojump_clock: MockClock) -> None:
    client, server = memory_pair(Conditions(lag=0.25))
    client.try_send(b"late")
    early = server.try_receive()
    await server.wait_readable()

    assert (early, trio.current_time(), server.try_receive()) == (None, 0.25, b"late")


async def test_the_lag_holds_for_what_is_sent_while_somebody_waits(autojump_clock: MockClock) -> None:
    client, server = memory_pair(Conditions(lag=0.25))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.wait_readable)
        await trio.sleep(1.0)
        client.try_send(b"late")

    assert trio.current_time() == 1.25


@pytest.mark.parametrize("reset", [False, True])
async def test_the_end_arrives_after_the_lag_too(autojump_clock: MockClock, *, reset: bool) -> None:
    client, server = memory_pair(Conditions(lag=0.25))
    client.close(reset=reset)
    early = server.try_receive()
    await server.wait_readable()

    assert (early, trio.current_time()) == (None, 0.25)


async def test_a_sender_learns_after_the_lag_that_its_peer_is_gone(autojump_clock: MockClock) -> None:
    client, server = memory_pair(Conditions(lag=0.25, capacity=4))
    client.try_send(b"full")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.wait_writable)
        await wait_all_tasks_blocked()
        server.close()
    before = client.try_send(b"lost")
    await trio.sleep(0.25)

    with pytest.raises(trio.BrokenResourceError):
        client.try_send(b"x")
    assert before == 4


async def test_a_reset_loses_what_was_not_read() -> None:
    client, server = memory_pair()
    client.try_send(b"unread")
    client.close(reset=True)

    with pytest.raises(trio.BrokenResourceError):
        server.try_receive()


async def test_the_buffer_is_bounded() -> None:
    client, server = memory_pair(Conditions(capacity=100))
    taken = [client.try_send(bytes(60)) for _ in range(3)]
    server.try_receive(100)

    assert [*taken, client.try_send(bytes(60))] == [60, 40, 0, 60]


async def test_a_full_buffer_takes_nothing_until_half_of_it_was_read() -> None:
    client, server = memory_pair(Conditions(capacity=100))
    client.try_send(bytes(100))
    taken = []
    for _ in range(2):
        server.try_receive(25)
        taken.append(client.try_send(bytes(60)))

    assert taken == [0, 50]


async def test_a_full_port_is_writable_when_its_peer_has_read() -> None:
    client, server = memory_pair(Conditions(capacity=4))
    client.try_send(b"full")
    order = []

    async def waiting() -> None:
        await client.wait_writable()
        order.append("writable")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(waiting)
        await wait_all_tasks_blocked()
        order.append("read")
        server.try_receive(4)

    assert order == ["read", "writable"]


def test_partial_sends_take_a_part() -> None:
    sizes = sizes_sent(Conditions(partial_sends=True), seed=1)

    assert 1 <= min(sizes) < max(sizes) <= 100


def test_would_block_takes_nothing_now_and_then() -> None:
    assert set(sizes_sent(Conditions(would_block=0.3), seed=1)) == {0, 100}


def test_would_block_never_comes_twice_in_a_row() -> None:
    assert sizes_sent(Conditions(would_block=1.0), seed=1, tries=4) == [0, 100, 0, 100]


async def test_data_is_whole_when_it_is_not_split() -> None:
    client, server = memory_pair()
    client.try_send(b"a" * 100)
    client.try_send(b"b" * 100)
    client.close()

    assert await pieces_received(server) == [b"a" * 100 + b"b" * 100]


async def test_split_cuts_what_arrives() -> None:
    client, server = memory_pair(Conditions(split=True), Random(3))
    client.try_send(bytes(1000))
    client.close()

    assert len(await pieces_received(server)) > 1


def test_equal_seeds_draw_alike() -> None:
    rough = Conditions(partial_sends=True, would_block=0.3)

    assert sizes_sent(rough, seed=7) == sizes_sent(rough, seed=7) != sizes_sent(rough, seed=8)


async def test_traffic_one_way_changes_nothing_the_other_way() -> None:
    rough = Conditions(partial_sends=True, would_block=0.3)
    quiet, _ = memory_pair(rough, Random(5))
    busy, peer = memory_pair(rough, Random(5))
    for _ in range(10):
        peer.try_send(bytes(50))

    assert [busy.try_send(bytes(90)) for _ in range(10)] == [quiet.try_send(bytes(90)) for _ in range(10)]


CONDITIONS = st.builds(
    Conditions,
    lag=st.sampled_from([0.0, 0.05]),
    split=st.booleans(),
    partial_sends=st.booleans(),
    would_block=st.sampled_from([0.0, 0.2, 1.0]),
    capacity=st.integers(1, 64),
)


@given(conditions=CONDITIONS, seed=st.integers(0, 2**32), data=st.binary(max_size=200))
def test_whatever_the_conditions_everything_arrives(conditions: Conditions, seed: int, data: bytes) -> None:
    async def main() -> bytes:
        client, server = memory_pair(conditions, Random(seed))

        async def sending() -> None:
            rest = data
            while rest:
                await client.wait_writable()
                rest = rest[client.try_send(rest) :]
            client.close()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(sending)
            return b"".join(await pieces_received(server))

    assert trio.run(main, clock=MockClock(autojump_threshold=0)) == data


@pytest.mark.parametrize("wrong", [{"lag": -0.1}, {"would_block": 1.5}, {"capacity": 0}])
def test_impossible_conditions_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Conditions(**wrong)  # type: ignore[arg-type]


async def echo(port: BytePort) -> None:
    await port.wait_readable()
    port.try_send(port.peer.encode() + b" said " + (port.try_receive() or b""))
    port.close()


async def test_a_network_starts_the_server_at_each_dial() -> None:
    network = MemoryNetwork()
    answers = []
    async with trio.open_nursery() as nursery:
        network.listen(echo, nursery)
        for words in (b"hello", b"good-bye"):
            client = await network.dial()
            client.try_send(words)
            answers += await pieces_received(client)

    assert (answers, network.dialled) == ([b"127.0.0.1:1 said hello", b"127.0.0.1:2 said good-bye"], 2)


async def test_a_network_makes_connections_of_its_conditions(autojump_clock: MockClock) -> None:
    network = MemoryNetwork(Conditions(lag=0.5))
    async with trio.open_nursery() as nursery:
        network.listen(echo, nursery)
        client = await network.dial()
        client.try_send(b"hello")
        await pieces_received(client)

    assert trio.current_time() == 1.0


async def test_dialling_where_nobody_listens_is_refused() -> None:
    with pytest.raises(ConnectionRefusedError):
        await MemoryNetwork().dial()
