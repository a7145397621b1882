"""Addresses: networks that an operator names, and the client's address behind the proxies that he trusts. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from attrs import frozen

from callflow.errors import RemoteProtocolError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class UnreadableForwarding(RemoteProtocolError):
    """A proxy that is believed says nothing that can be believed. The reason holds nothing of what was sent."""


@frozen
class Networks:
    """Some networks, each as ``203.0.113.0/24`` or ``2001:db8::/32``; an address alone is a network of one."""

    networks: tuple[Network, ...] = ()

    @classmethod
    def of(cls, texts: Iterable[str]) -> Networks:
        """Read them.

        Raises:
            ValueError: A text is no network, or has bits behind its prefix.
        """
        return cls(tuple(_read_network(text) for text in texts))

    def __contains__(self, host: str) -> bool:
        """Say whether a host's address, without its port, is in one of them; a name is in none."""
        address = read_address(host)
        return address is not None and any(address in network for network in self.networks)

    def __bool__(self) -> bool:
        return bool(self.networks)

    @property
    def are_everybody(self) -> bool:
        """Whether some of them is the whole internet, so that nobody is kept out."""
        return any(network.prefixlen == 0 for network in self.networks)


def _read_network(text: str) -> Network:
    network = ipaddress.ip_network(text)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < _MAPPED_PREFIX:
        return network
    return IPv4Network((mapped, network.prefixlen - _MAPPED_PREFIX))


_MAPPED_PREFIX = 96
"""Bits ahead of the IPv4 address in ``::ffff:192.0.2.1``: how a socket of both families shows an IPv4 peer."""


def read_address(host: str) -> Address | None:
    """Read an address, an IPv4 one that is written as IPv6 as what it is; None for what is no address."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches an address; a name counts as reached by all."""
    address = read_address(host)
    return address is not None and address.is_loopback


def read_listener(where: str) -> tuple[str, int]:
    """Read ``HOST:PORT``, ``[HOST]:PORT``, or a port alone, which is one that only this machine reaches.

    Raises:
        ValueError: It is none of them.
    """
    host, _, port = where.rpartition(":")
    if not (port.isascii() and port.isdecimal() and int(port) < 65_536):
        raise ValueError("there is no port at its end")
    return host.strip("[]") or "127.0.0.1", int(port)


def client_behind(peer: str, forwarded_for: Sequence[str | None], proxies: Networks) -> str:
    """Find whom a proxy speaks for: the right-most hop that is no proxy of ours.

    What stands further left was sent by that hop itself, so it proves nothing. Where all are ours, it is the first.

    Args:
        peer: The address that the connection came from.
        forwarded_for: The values of ``X-Forwarded-For`` and of ``Forwarded``, None for a header that is not there.
        proxies: Whom to believe.

    Raises:
        UnreadableForwarding: A hop that decides is no address, or the two headers differ: the proxy then wrote one of
            them, and the other is the client's own invention.
    """
    if peer not in proxies:
        return peer
    plain, standard = forwarded_for
    found = set()
    if plain is not None:
        found.add(_last_stranger(peer, plain.split(","), proxies))
    if standard is not None:
        found.add(_last_stranger(peer, list(_hops_of(standard)), proxies))
    if len(found) > 1:
        raise UnreadableForwarding("Forwarded and X-Forwarded-For name different clients; let the proxy write both")
    return found.pop() if found else peer


def _last_stranger(peer: str, hops: list[str], proxies: Networks) -> str:
    client = peer
    for hop in reversed(hops):
        client = _host_of_hop(hop)
        if client not in proxies:
            break
    return client


_PORT = re.compile(r"^(?:\[([^\]]*)\]|([^:]*))(?::[0-9]{1,5})?$")


def _host_of_hop(hop: str) -> str:
    """Take the address out of a hop: alone, with a port, or an IPv6 one in brackets."""
    text = hop.strip()
    found = _PORT.match(text)
    address = read_address(text if found is None else found[1] or found[2])
    if address is None:
        raise UnreadableForwarding("a proxy names a client that is no address")
    return str(address)


_ELEMENT = re.compile(r'\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)=(?:"([^"\\]*)"|([^",;\s]*))\s*(;|,|$)')


def _hops_of(forwarded: str) -> Iterator[str]:
    """Give the ``for`` of each element of a Forwarded header (RFC 7239 §4); nothing for one that has none."""
    at, hop = 0, ""
    while at < len(forwarded):
        pair = _ELEMENT.match(forwarded, at)
        if pair is None:
            raise UnreadableForwarding("a proxy's Forwarded header is malformed")
        at = pair.end()
        if pair[1].lower() == "for":
            hop = pair[2] if pair[2] is not None else pair[3]
        if pair[4] != ";":
            yield hop
            hop = ""
