"""TLS over a byte port: what the contract of all byte ports does not say."""

from __future__ import annotations

import contextlib
import ssl

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from callflow.call.port import BytePort, PortStream
from callflow.call.tls_port import HandshakeFailed, TlsPort
from callflow.line.memory import Conditions, MemoryPort, memory_pair
from tests.call.test_port import Ends, receive_all, send, tls_pair
from tests.certificates import client_context, server_context


async def over(wires: tuple[MemoryPort, MemoryPort], client: ssl.SSLContext) -> Ends:
    """Put TLS over both ends; the server's context is the standard one."""
    ends = (TlsPort(wires[0], client, server_hostname="localhost"), TlsPort(wires[1], server_context()))
    async with trio.open_nursery() as nursery:
        for end in ends:
            nursery.start_soon(end.shake_hands)
    return ends


async def read_one(port: BytePort) -> bytes:
    return await PortStream(port).receive_some()


# The handshake.


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_both_versions_carry_bytes_both_ways(version: ssl.TLSVersion, autojump_clock: MockClock) -> None:
    context = client_context()
    context.minimum_version = context.maximum_version = version
    client, server = await over(memory_pair(), context)
    await send(client, b"there")
    await send(server, b"back")

    assert [await read_one(server), await read_one(client)] == [b"there", b"back"]


async def test_a_certificate_that_is_not_trusted_fails_on_both_sides(autojump_clock: MockClock) -> None:
    with pytest.raises(ExceptionGroup) as failed:
        await over(memory_pair(), ssl.create_default_context())

    assert [str(each) for each in failed.value.exceptions] in (
        ["self-signed certificate"],
        ["self-signed certificate", "tlsv1 alert unknown ca"],
        ["tlsv1 alert unknown ca", "self-signed certificate"],
    )


async def test_a_certificate_for_another_name_fails(autojump_clock: MockClock) -> None:
    client, server = memory_pair()
    port = TlsPort(client, client_context(), server_hostname="bot.example.com")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(shaken_or_not, TlsPort(server, server_context()))
        with pytest.raises(HandshakeFailed, match="hostname mismatch"):
            await port.shake_hands()


async def shaken_or_not(port: TlsPort) -> None:
    with contextlib.suppress(HandshakeFailed):
        await port.shake_hands()


async def test_who_leaves_in_the_middle_of_it_is_told_of(autojump_clock: MockClock) -> None:
    client, server = memory_pair()
    client.try_send(b"\x16\x03\x01\x00\xff\x01")
    client.close()

    with pytest.raises(HandshakeFailed, match="left during the TLS handshake"):
        await TlsPort(server, server_context()).shake_hands()


async def test_bytes_that_were_read_before_belong_to_it(autojump_clock: MockClock) -> None:
    client, server = memory_pair()
    near = TlsPort(client, client_context(), server_hostname="localhost")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.shake_hands)
        await trio.testing.wait_all_tasks_blocked()
        far = TlsPort(server, server_context(), received=server.try_receive(7) or b"")
        await far.shake_hands()
        await send(far, b"here")

    assert await read_one(near) == b"here"


# What is on the wire.


async def test_nothing_of_what_is_sent_can_be_read_on_the_wire(autojump_clock: MockClock) -> None:
    wires = memory_pair()
    client, _ = await tls_pair(*wires)
    await send(client, b"4929 1234")

    assert b"4929" not in (wires[1].try_receive() or b"")


async def test_a_record_that_was_meddled_with_breaks_the_connection(autojump_clock: MockClock) -> None:
    wires = memory_pair()
    client, server = await tls_pair(*wires)
    wires[0].try_send(b"\x17\x03\x03\x00\x20" + bytes(32))

    with pytest.raises(trio.BrokenResourceError, match="TLS failed: decryption failed or bad record mac"):
        await read_one(server)
    client.close()


async def test_plain_bytes_in_the_middle_break_the_connection(autojump_clock: MockClock) -> None:
    wires = memory_pair()
    _, server = await tls_pair(*wires)
    wires[0].try_send(b"GET / HTTP/1.1\r\n\r\n")

    with pytest.raises(trio.BrokenResourceError):
        await read_one(server)


# The end.


async def test_an_end_without_a_farewell_is_an_end(autojump_clock: MockClock) -> None:
    wires = memory_pair()
    client, server = await tls_pair(*wires)
    await send(client, b"last words")
    wires[0].close()

    assert await receive_all(server) == b"last words"


async def test_a_half_that_ended_without_a_farewell_leaves_the_other_half(autojump_clock: MockClock) -> None:
    wires = memory_pair()
    client, server = await tls_pair(*wires)
    wires[0].send_eof()
    await receive_all(server)
    await send(server, b"answer")

    assert await read_one(client) == b"answer"


async def test_a_farewell_ends_the_stream_before_the_connection_does(autojump_clock: MockClock) -> None:
    wires = memory_pair()
    client, server = await tls_pair(*wires)
    client.send_eof()

    assert await receive_all(server) == b""


async def test_what_came_before_our_farewell_can_still_be_read(autojump_clock: MockClock) -> None:
    client, server = await tls_pair(*memory_pair())
    await send(client, b"a" * 40_000)
    await server.wait_readable()
    server.send_eof()
    client.send_eof()

    assert await receive_all(server) == b"a" * 40_000


async def test_an_end_that_did_not_fit_is_sent_when_there_is_room(autojump_clock: MockClock) -> None:
    client, server = await tls_pair(*memory_pair(Conditions(capacity=20_000)))
    while client.try_send(bytes(65_536)):
        pass
    client.send_eof()
    while server.try_receive():  # makes room
        pass
    client.try_receive()

    assert set(await receive_all(server)) <= {0}


async def test_an_end_that_did_not_fit_is_sent_while_a_far_end_that_says_nothing_is_listened_to(
    autojump_clock: MockClock,
) -> None:
    client, server = await tls_pair(*memory_pair(Conditions(capacity=20_000)))
    received = b""
    while client.try_send(bytes(65_536)):
        pass
    client.send_eof()
    with trio.move_on_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.wait_readable)
            await wait_all_tasks_blocked()
            received = await receive_all(server)
            nursery.cancel_scope.cancel()

    assert set(received) == {0}


async def test_listening_to_a_far_end_that_takes_our_end_no_more_ends_with_it(autojump_clock: MockClock) -> None:
    client, server = await tls_pair(*memory_pair(Conditions(capacity=20_000)))
    while client.try_send(bytes(65_536)):
        pass
    client.send_eof()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.wait_readable)
        await wait_all_tasks_blocked()
        server.close(reset=True)

    with pytest.raises(trio.BrokenResourceError):
        client.try_receive()


async def test_closing_a_port_wakes_who_listens_while_its_end_has_no_room(autojump_clock: MockClock) -> None:
    client, _ = await tls_pair(*memory_pair(Conditions(capacity=20_000)))
    while client.try_send(bytes(65_536)):
        pass
    client.send_eof()

    async def listening() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await client.wait_readable()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listening)
        await wait_all_tasks_blocked()
        client.close()


async def test_an_end_that_never_fits_comes_with_the_close(autojump_clock: MockClock) -> None:
    client, server = await tls_pair(*memory_pair(Conditions(capacity=20_000)))
    sent = 0
    while taken := client.try_send(bytes(65_536)):
        sent += taken
    client.send_eof()
    client.close()

    assert len(await receive_all(server)) == sent


async def test_a_far_end_that_resets_breaks_the_connection(autojump_clock: MockClock) -> None:
    client, server = await tls_pair(*memory_pair())
    client.close(reset=True)

    with pytest.raises(trio.BrokenResourceError):
        await read_one(server)
