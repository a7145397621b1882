"""The PROXY protocol, version 2: how a load balancer says for whom it speaks, in bytes ahead of all others. Pure.

The layout is HAProxy's ``proxy-protocol.txt``, section 2.2: twelve bytes of signature, version and command, family,
the length of what follows, addresses, and type-length-value fields that are of no use here and are skipped.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

from attrs import frozen

from callflow.errors import RemoteProtocolError

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"

MOST_BYTES = 4096
"""Bytes of a whole header. Its length field could say 64 KiB; what load balancers add fits into a few hundred."""

_VERSION_1 = b"PROXY "
_FIXED = struct.Struct("!12sBBH")
_LOCAL, _PROXY = 0x20, 0x21  # version 2, then the command
_ADDRESSES = {0x11: struct.Struct("!4s4sHH"), 0x21: struct.Struct("!16s16sHH")}  # TCP over IPv4 and over IPv6
_UNNAMED = (0x00, 0x31)  # a family that is not told, and a UNIX socket: no address that anybody could use


class BadProxyHeader(RemoteProtocolError):
    """What came is no header of version 2. The reason holds nothing of what was sent."""


@frozen
class ProxyHeader:
    """A whole header."""

    client: str | None
    """``host:port`` of the client; None where the proxy speaks for itself, as in its health checks."""


class ProxyHeaderReader:
    """Takes bytes as they come until they make a header. The outcome is the same however the bytes were cut."""

    def __init__(self) -> None:
        self._received = b""
        self.rest = b""
        """After a header: what came behind it."""

    def feed(self, data: bytes) -> ProxyHeader | None:
        """Take bytes; return the header once it is whole. Feed no more after that, nor after an error.

        Raises:
            BadProxyHeader: It cannot become a header of version 2.
        """
        self._received += data
        _check_signature(self._received)
        if len(self._received) < _FIXED.size:
            return None
        _, command, family, length = _FIXED.unpack_from(self._received)
        _check_fixed(command, family, length)
        end = _FIXED.size + length
        if len(self._received) < end:
            return None
        self.rest = self._received[end:]
        is_named = command == _PROXY and family not in _UNNAMED
        return ProxyHeader(_read_client(family, self._received[_FIXED.size : end]) if is_named else None)


def _check_signature(received: bytes) -> None:
    if received.startswith(_VERSION_1):
        raise BadProxyHeader("version 1 of the PROXY protocol is not spoken here; set the proxy to version 2")
    begun = received[: len(SIGNATURE)]
    if not SIGNATURE.startswith(begun) and not _VERSION_1.startswith(begun):
        raise BadProxyHeader("there is no PROXY header; set the proxy to send one, of version 2")


def _check_fixed(command: int, family: int, length: int) -> None:
    if command not in (_LOCAL, _PROXY):
        raise BadProxyHeader("the PROXY header has another version than 2, or an unknown command")
    if _FIXED.size + length > MOST_BYTES:
        raise BadProxyHeader(f"the PROXY header is longer than {MOST_BYTES} bytes")
    if command == _LOCAL or family in _UNNAMED:
        return  # then the rest is skipped, whatever it is
    if family not in _ADDRESSES:
        raise BadProxyHeader("the PROXY header speaks of something else than TCP")
    if length < _ADDRESSES[family].size:
        raise BadProxyHeader("the PROXY header is too short for its addresses")


def _read_client(family: int, body: bytes) -> str:
    source, _, port, _ = _ADDRESSES[family].unpack_from(body)
    if len(source) == 4:
        return f"{IPv4Address(source)}:{port}"
    address = IPv6Address(source)
    return f"[{address}]:{port}" if address.ipv4_mapped is None else f"{address.ipv4_mapped}:{port}"
