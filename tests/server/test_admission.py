"""Who may come in, by address, by proxy and by TLS: asked of the door, one connection at a time."""

from __future__ import annotations

import contextlib
import ssl
from random import Random

import pytest
import trio
from trio.testing import MockClock

from callflow.call.port import BytePort, PortStream
from callflow.call.tls_port import HandshakeFailed, TlsPort
from callflow.line.memory import Conditions, memory_pair
from callflow.server.addresses import Networks
from callflow.server.credentials import Credentials
from callflow.server.door import Door
from callflow.server.entry import Entry
from callflow.server.head import RequestHead
from callflow.server.limits import Gate, Limits
from callflow.server.tls import load_certificate
from tests.certificates import client_context, shared_certificate
from tests.server.test_door import GET, PASSTHRU, PERFECT, UPGRADE, read_to_end, status_of, with_headers
from tests.server.test_proxy_protocol import header, tcp

PROXY = "10.0.0.5:1000"
STRANGER = "203.0.113.7:2000"
LISTED = Networks.of(["203.0.113.0/24", "2001:db8::/32"])
PROXIES = Networks.of(["10.0.0.0/8"])
BEHIND = Entry(allow=LISTED, proxies=PROXIES)
BALANCED = Entry(allow=LISTED, proxies=PROXIES, proxy_protocol=True)


def secure() -> Entry:
    return Entry(tls=load_certificate(shared_certificate().certificate, shared_certificate().key))


class House:
    """A door whose rooms note for whom they answer."""

    def __init__(self, entry: Entry, limits: Limits | None = None) -> None:
        limits = limits or Limits()
        self.seen: list[str] = []
        self.inside = 0
        self.door = Door(
            limits=limits,
            gate=Gate(limits),
            entry=entry,
            streams=lambda path: path == "/stream",
            answer=self.answer,
            requests=self.answer,
        )

    async def answer(self, _: RequestHead, port: BytePort, __: bytes) -> None:
        self.seen.append(port.peer)
        await PortStream(port).send_all(b"HTTP/1.1 200 \r\n")

    async def knock(self, data: bytes, peer: str = STRANGER, conditions: Conditions = PERFECT) -> bytes:
        """Send something, read to the end; give what was read."""
        client, server = memory_pair(conditions, Random(1), names=(peer, "server:1"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.door.serve, server)
            with contextlib.suppress(trio.BrokenResourceError):
                await PortStream(client).send_all(data)
            received = await read_to_end(client)
            client.close()
        return received


def forwarded(*hops: str) -> bytes:
    return with_headers(UPGRADE, f"X-Forwarded-For: {', '.join(hops)}\r\n".encode())


# The allow-list.


@pytest.mark.parametrize(
    ("peer", "request_", "status"),
    [
        (STRANGER, UPGRADE, 200),
        ("[2001:db8::7]:1", UPGRADE, 200),
        ("[::ffff:203.0.113.7]:1", UPGRADE, 200),
        ("198.51.100.1:1", UPGRADE, 403),
        ("198.51.100.1:1", PASSTHRU + b"abc", 403),
        ("198.51.100.1:1", GET, 200),
        ("client:1", UPGRADE, 403),
    ],
)
async def test_only_those_on_the_list_are_let_in(
    peer: str, request_: bytes, status: int, autojump_clock: MockClock
) -> None:
    assert status_of(await House(Entry(allow=LISTED)).knock(request_, peer)) == status


async def test_an_upgrade_of_an_open_path_is_not_open(autojump_clock: MockClock) -> None:
    upgrade = UPGRADE.replace(b"/stream", b"/live")

    assert status_of(await House(Entry(allow=LISTED)).knock(upgrade, "198.51.100.1:1")) == 403


async def test_credentials_are_asked_of_those_on_the_list_too(autojump_clock: MockClock) -> None:
    house = House(Entry(allow=LISTED, credentials=Credentials.of(["a:b"])))
    statuses = [status_of(await house.knock(UPGRADE, peer)) for peer in (STRANGER, "198.51.100.1:1")]

    assert (statuses, house.door.refused) == ([401, 403], {"auth": 1, "address": 1})


# Proxies.


@pytest.mark.parametrize(
    ("peer", "request_", "seen"),
    [
        (PROXY, forwarded("203.0.113.9"), ["203.0.113.9:1000"]),
        (PROXY, forwarded("2001:db8::9"), ["[2001:db8::9]:1000"]),
        (PROXY, forwarded("203.0.113.9", "198.51.100.1"), []),
        (PROXY, UPGRADE, []),
        (STRANGER, forwarded("203.0.113.9"), [STRANGER]),
        ("198.51.100.1:1", forwarded("203.0.113.9"), []),
    ],
)
async def test_a_named_proxy_is_believed_and_nobody_else(
    peer: str, request_: bytes, seen: list[str], autojump_clock: MockClock
) -> None:
    house = House(BEHIND)
    await house.knock(request_, peer)

    assert house.seen == seen


async def test_a_proxy_that_says_two_things_is_refused(autojump_clock: MockClock) -> None:
    house = House(BEHIND)
    request_ = with_headers(forwarded("203.0.113.9"), b"Forwarded: for=203.0.113.8\r\n")

    assert (status_of(await house.knock(request_, PROXY)), house.seen) == (400, [])


async def test_the_log_names_the_client_and_not_its_proxy(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    await House(BEHIND).knock(forwarded("198.51.100.1"), PROXY)

    assert [vars(record)["peer"] for record in caplog.records] == ["198.51.100.1:1000"]


async def test_each_client_behind_a_proxy_has_its_own_limit(autojump_clock: MockClock) -> None:
    house = House(Entry(proxies=PROXIES), Limits(sockets_per_address=1))
    held = trio.Event()

    async def hold(_: RequestHead, port: BytePort, __: bytes) -> None:
        house.inside += 1
        await held.wait()

    house.door.answer = hold
    async with trio.open_nursery() as nursery:
        for client in ("203.0.113.1", "203.0.113.2", "203.0.113.3"):
            nursery.start_soon(house.knock, forwarded(client), PROXY)
        await trio.testing.wait_all_tasks_blocked()
        refused = status_of(await house.knock(forwarded("203.0.113.2"), PROXY))
        inside = house.inside
        held.set()

    assert (inside, refused, house.door.gate.sockets, house.door.gate._by_host) == (3, 503, 0, {})


# The PROXY protocol.


@pytest.mark.parametrize("conditions", [Conditions(), Conditions(capacity=1), Conditions(split=True, lag=0.01)])
async def test_a_proxy_header_names_the_client(conditions: Conditions, autojump_clock: MockClock) -> None:
    house = House(BALANCED)
    await house.knock(tcp("203.0.113.9", 4711) + UPGRADE, PROXY, conditions)

    assert house.seen == ["203.0.113.9:4711"]


async def test_a_proxy_may_stand_behind_another(autojump_clock: MockClock) -> None:
    house = House(BALANCED)
    await house.knock(tcp("10.1.1.1", 4711) + forwarded("203.0.113.9"), PROXY)

    assert house.seen == ["203.0.113.9:4711"]


async def test_a_proxys_own_health_check_is_answered(autojump_clock: MockClock) -> None:
    assert status_of(await House(BALANCED).knock(header(0x20, 0, b"") + GET, PROXY)) == 200


@pytest.mark.parametrize("data", [UPGRADE, b"PROXY TCP4 203.0.113.9 10.0.0.5 1 2\r\n" + UPGRADE, b"\x16\x03\x01"])
async def test_a_proxy_without_its_header_is_dropped_and_counted(
    data: bytes, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    house = House(BALANCED)
    received = await house.knock(data, PROXY)

    assert (received, house.seen, house.door.refused) == (b"", [], {"proxy": 1})
    assert ["PROXY" in vars(record)["reason"] for record in caplog.records] == [True]


async def test_nobody_else_can_send_a_proxy_header(autojump_clock: MockClock) -> None:
    house = House(BALANCED)
    received = await house.knock(tcp("203.0.113.9") + UPGRADE, "198.51.100.1:1")

    assert (status_of(received), house.seen) == (400, [])


async def test_who_connects_directly_needs_no_header(autojump_clock: MockClock) -> None:
    house = House(BALANCED)
    await house.knock(UPGRADE, STRANGER)

    assert house.seen == [STRANGER]


@pytest.mark.parametrize(
    "begun", [b"", b"\r\n\r\n", tcp("203.0.113.9")[:20], tcp("203.0.113.9"), tcp("1.1.1.1") + b"G"]
)
async def test_header_and_head_have_the_time_of_one_head(begun: bytes, autojump_clock: MockClock) -> None:
    house = House(BALANCED)
    began = trio.current_time()
    await house.knock(begun, PROXY)

    # Who had an answer may read it for two seconds; in the middle of a PROXY header there is nothing to answer.
    assert trio.current_time() - began == pytest.approx(10.0, abs=2.1)
    assert house.door.refused == {"head_timeout": 1}


@pytest.mark.parametrize("peer", [PROXY, STRANGER])
async def test_who_leaves_before_a_word_is_nobody(peer: str, autojump_clock: MockClock) -> None:
    house = House(BALANCED)
    client, server = memory_pair(names=(peer, "server:1"))
    client.close()
    await house.door.serve(server)

    assert (house.door.refused, house.door.failed, house.door.gate.sockets) == ({}, 0, 0)


# TLS.


async def converse(
    house: House, data: bytes, context: ssl.SSLContext, before: bytes = b"", peer: str = STRANGER
) -> bytes:
    """Speak TLS, ask for something, and read to the end."""
    client, server = memory_pair(names=(peer, "server:1"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(house.door.serve, server)
        await PortStream(client).send_all(before)
        port = TlsPort(client, context, server_hostname="localhost")
        try:
            await port.shake_hands()
            await PortStream(port).send_all(data)
            return await PortStream(port).receive_some()
        finally:
            port.close()


async def test_a_request_is_answered_over_tls(autojump_clock: MockClock) -> None:
    house = House(secure())

    assert (await converse(house, UPGRADE, client_context()), house.seen) == (b"HTTP/1.1 200 \r\n", [STRANGER])


async def test_a_proxy_header_comes_before_the_handshake(autojump_clock: MockClock) -> None:
    entry = Entry(tls=secure().tls, proxies=PROXIES, proxy_protocol=True, allow=LISTED)
    house = House(entry)
    await converse(house, UPGRADE, client_context(), before=tcp("203.0.113.9", 4711), peer=PROXY)

    assert house.seen == ["203.0.113.9:4711"]


async def test_a_client_that_speaks_no_tls_is_told(autojump_clock: MockClock) -> None:
    house = House(secure())
    received = await house.knock(UPGRADE)

    assert (status_of(received), b"this port speaks TLS; use https:// and wss://" in received) == (400, True)
    assert (house.door.refused, house.door.failed) == ({"tls": 1}, 0)


async def test_a_client_that_does_not_trust_us_is_counted_with_its_reason(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    house = House(secure())
    with pytest.raises(ExceptionGroup) as failed:
        await converse(house, UPGRADE, ssl.create_default_context())

    assert isinstance(failed.value.exceptions[0], HandshakeFailed)
    assert (house.door.refused, house.door.failed) == ({"tls": 1}, 0)
    assert ["unknown ca" in vars(record)["reason"] for record in caplog.records] == [True]


@pytest.mark.parametrize("begun", [b"", b"\x16", b"\x16\x03\x01\x00\xff\x01"])
async def test_a_handshake_has_the_time_of_one_head(begun: bytes, autojump_clock: MockClock) -> None:
    house = House(secure())
    began = trio.current_time()
    received = await house.knock(begun)

    assert (received, round(trio.current_time() - began, 3), house.door.refused) == (b"", 10.0, {"head_timeout": 1})


async def test_garbage_behind_the_first_byte_is_no_traceback(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    house = House(secure())
    for seed in range(50):
        await house.knock(b"\x16" + Random(seed).randbytes(200))

    assert (house.door.refused["tls"] + house.door.refused["head_timeout"], house.door.failed) == (50, 0)


async def test_who_leaves_in_the_middle_of_a_handshake_is_no_traceback(autojump_clock: MockClock) -> None:
    house = House(secure())
    client, server = memory_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(house.door.serve, server)
        client.try_send(b"\x16\x03\x01\x00\xff\x01")
        await trio.testing.wait_all_tasks_blocked()
        client.close(reset=True)

    assert (house.door.failed, house.door.gate.sockets) == (0, 0)


# Another entry, while connections last.


async def test_a_connection_goes_by_the_entry_that_it_found(autojump_clock: MockClock) -> None:
    house = House(Entry())
    client, server = memory_pair(names=(STRANGER, "server:1"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(house.door.serve, server)
        await trio.testing.wait_all_tasks_blocked()
        house.door.entry = Entry(credentials=Credentials.of(["a:b"]))
        await PortStream(client).send_all(UPGRADE)
        found, new = await PortStream(client).receive_some(), await house.knock(UPGRADE)
        client.close()

    assert (status_of(found), status_of(new)) == (200, 401)
