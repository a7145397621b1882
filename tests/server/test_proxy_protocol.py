"""The PROXY protocol, version 2: what is read, what is skipped, and what is refused."""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callflow.server.proxy_protocol import MOST_BYTES, SIGNATURE, BadProxyHeader, ProxyHeader, ProxyHeaderReader


def header(command: int, family: int, body: bytes) -> bytes:
    return SIGNATURE + bytes([command, family]) + struct.pack("!H", len(body)) + body


def tcp(source: str, port: int = 40_000, *, more: bytes = b"") -> bytes:
    """Write the header of a connection from *source*."""
    address = ip_address(source)
    here = ip_address("192.0.2.1" if address.version == 4 else "2001:db8::1")
    ends = address.packed + here.packed + struct.pack("!HH", port, 443)
    return header(0x21, 0x11 if address.version == 4 else 0x21, ends + more)


def read(data: bytes) -> tuple[ProxyHeader | None, bytes]:
    reader = ProxyHeaderReader()
    return reader.feed(data), reader.rest


@given(st.ip_addresses(), st.integers(0, 65_535), st.binary(max_size=300), st.binary(max_size=50))
def test_the_client_is_read_and_what_follows_is_left(address: IPv4Address, port: int, more: bytes, rest: bytes) -> None:
    mapped = getattr(address, "ipv4_mapped", None) or address
    host = f"[{mapped}]" if mapped.version == 6 else f"{mapped}"

    assert read(tcp(str(address), port, more=more) + rest) == (ProxyHeader(f"{host}:{port}"), rest)


def test_an_ipv4_client_on_a_socket_of_both_families_is_shown_as_what_it_is() -> None:
    assert read(tcp("::ffff:203.0.113.7", 1)) == (ProxyHeader("203.0.113.7:1"), b"")


@pytest.mark.parametrize(
    ("command", "family"),
    [(0x20, 0x00), (0x20, 0x11), (0x20, 0xFF), (0x21, 0x00), (0x21, 0x31)],
)
@pytest.mark.parametrize("body", [b"", b"x" * 100])
def test_a_proxy_that_names_nobody_speaks_for_itself(command: int, family: int, body: bytes) -> None:
    assert read(header(command, family, body) + b"GET") == (ProxyHeader(None), b"GET")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"PROXY TCP4 203.0.113.7 192.0.2.1 40000 443\r\n", "version 1"),
        (b"GET /stream HTTP/1.1\r\n", "no PROXY header"),
        (b"\x16\x03\x01", "no PROXY header"),
        (b"\r\n\r\n\x00\r\nQUIX", "no PROXY header"),
        (header(0x11, 0x11, bytes(12)), "another version"),
        (header(0x22, 0x11, bytes(12)), "unknown command"),
        (header(0x21, 0x12, bytes(12)), "something else than TCP"),
        (header(0x21, 0x11, bytes(11)), "too short"),
        (header(0x21, 0x21, bytes(35)), "too short"),
        (header(0x20, 0x00, bytes(MOST_BYTES - 15))[:16], "longer than"),
    ],
)
def test_what_is_no_header_is_refused_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(BadProxyHeader, match=why):
        ProxyHeaderReader().feed(data)


def test_a_header_may_be_as_long_as_the_limit() -> None:
    assert read(header(0x20, 0x00, bytes(MOST_BYTES - 16))) == (ProxyHeader(None), b"")


def outcome(pieces: list[bytes]) -> tuple[ProxyHeader | None, bytes] | str:
    """Feed pieces until there is a header or a refusal; what is not fed any more is rest, too."""
    reader = ProxyHeaderReader()
    for n, piece in enumerate(pieces, 1):
        try:
            found = reader.feed(piece)
        except BadProxyHeader as bad:
            return str(bad)
        if found is not None:
            return found, reader.rest + b"".join(pieces[n:])
    return None, b""


HEADERS = st.builds(
    header, st.sampled_from([0x20, 0x21, 0x21, 0x11, 0x22]), st.integers(0, 0x33), st.binary(max_size=60)
)


@given(st.one_of(HEADERS, st.binary(max_size=60), st.binary(max_size=60).map(SIGNATURE.__add__)), st.binary(max_size=9))
@example(b"PROXY ", b"")
@example(b"", b"")
def test_the_outcome_is_the_same_however_the_bytes_were_cut(data: bytes, rest: bytes) -> None:
    whole = data + rest

    assert outcome([whole[at : at + 1] for at in range(len(whole))]) == outcome([whole])


def test_the_bytes_are_those_that_a_system_would_write() -> None:
    ends = socket.inet_aton("203.0.113.7") + socket.inet_aton("192.0.2.1") + b"\x9c\x40\x01\xbb"

    assert tcp("203.0.113.7") == b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + ends
