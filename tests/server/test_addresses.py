"""Networks, and whom a proxy speaks for."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callflow.server.addresses import (
    Networks,
    UnreadableForwarding,
    client_behind,
    is_loopback,
    read_address,
    read_listener,
)

PROXIES = Networks.of(["10.0.0.0/8", "2001:db8:1::/48"])
STRANGERS = st.ip_addresses().map(str).filter(lambda host: host not in PROXIES and read_address(host) is not None)
INSIDE = st.ip_addresses(network="10.0.0.0/8").map(str)


@pytest.mark.parametrize(
    ("network", "host", "is_in"),
    [
        ("203.0.113.0/24", "203.0.113.7", True),
        ("203.0.113.0/24", "203.0.114.7", False),
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.0/24", "::ffff:203.0.113.7", True),
        ("::ffff:203.0.113.0/120", "203.0.113.7", True),
        ("::/0", "203.0.113.7", False),
        ("2001:db8::/32", "2001:db8:5::1", True),
        ("2001:db8::/32", "2001:db9::1", False),
        ("fe80::/10", "fe80::1%eth0", True),
        ("203.0.113.0/24", "bot.example.com", False),
        ("203.0.113.0/24", "", False),
    ],
)
def test_a_host_is_in_its_network(network: str, host: str, is_in: bool) -> None:
    assert (host in Networks.of([network])) is is_in


@pytest.mark.parametrize("text", ["203.0.113.1/24", "203.0.113.0/33", "example.com", "", "1.2.3"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not appear to be|has host bits set"):
        Networks.of([text])


@pytest.mark.parametrize(("text", "all_of_it"), [("0.0.0.0/0", True), ("::/0", True), ("0.0.0.0/1", False)])
def test_the_whole_internet_keeps_nobody_out(text: str, all_of_it: bool) -> None:
    assert Networks.of(["203.0.113.0/24", text]).are_everybody is all_of_it


@pytest.mark.parametrize(
    ("host", "only_here"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost", False),
    ],
)
def test_loopback_is_what_only_this_machine_reaches(host: str, only_here: bool) -> None:
    assert is_loopback(host) is only_here


@pytest.mark.parametrize(
    ("plain", "standard", "client"),
    [
        (None, None, "10.0.0.5"),
        ("203.0.113.7", None, "203.0.113.7"),
        ("203.0.113.7:4711", None, "203.0.113.7"),
        ("[2001:db8::7]:4711", None, "2001:db8::7"),
        ("2001:db8::7", None, "2001:db8::7"),
        ("::ffff:203.0.113.7", None, "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7, 10.9.9.9", None, "203.0.113.7"),
        ("what,ever, 203.0.113.7", None, "203.0.113.7"),
        ("10.1.1.1, 10.2.2.2", None, "10.1.1.1"),
        (None, "for=203.0.113.7", "203.0.113.7"),
        (None, 'For="[2001:db8::7]:4711";proto=https', "2001:db8::7"),
        (None, 'for=198.51.100.1;by=10.0.0.1, for="203.0.113.7:1" ; proto=http,for=10.3.3.3', "203.0.113.7"),
        ("203.0.113.7", "for=203.0.113.7", "203.0.113.7"),
    ],
)
def test_the_client_is_the_last_hop_that_is_no_proxy_of_ours(
    plain: str | None, standard: str | None, client: str
) -> None:
    assert client_behind("10.0.0.5", (plain, standard), PROXIES) == client


@pytest.mark.parametrize(
    ("plain", "standard"),
    [
        ("unknown", None),
        ("", None),
        ("203.0.113.7, ", None),
        ("203.0.113.7, _hidden", None),
        (None, "for=unknown"),
        (None, 'for="203.0.113.7'),
        (None, "proto=https"),
        (None, "for=203.0.113.7 for=203.0.113.8"),
        ("203.0.113.7", "for=198.51.100.1"),
    ],
)
def test_what_cannot_be_believed_is_refused_and_not_taken_for_the_proxy(
    plain: str | None, standard: str | None
) -> None:
    with pytest.raises(UnreadableForwarding):
        client_behind("10.0.0.5", (plain, standard), PROXIES)


@pytest.mark.parametrize(
    ("where", "read"),
    [
        ("9100", ("127.0.0.1", 9100)),
        (":9100", ("127.0.0.1", 9100)),
        ("0.0.0.0:0", ("0.0.0.0", 0)),
        ("[::1]:65535", ("::1", 65_535)),
        ("localhost:1", ("localhost", 1)),
    ],
)
def test_a_listener_is_a_host_and_a_port_or_a_port_of_this_machine(where: str, read: tuple[str, int]) -> None:
    assert read_listener(where) == read


@pytest.mark.parametrize("where", ["", "localhost", "localhost:", "1:65536", "1:٣", "1:-1"])
def test_a_listener_without_a_port_is_none(where: str) -> None:
    with pytest.raises(ValueError, match="no port"):
        read_listener(where)


@given(STRANGERS, st.lists(st.text(st.characters(codec="ascii")), max_size=3), st.text(st.characters(codec="ascii")))
def test_a_stranger_is_never_believed(stranger: str, invented: list[str], standard: str) -> None:
    assert client_behind(stranger, (",".join(invented), standard), PROXIES) == stranger


@given(STRANGERS, st.lists(STRANGERS | INSIDE | st.text(st.characters(codec="ascii"), max_size=9)), st.lists(INSIDE))
def test_nobody_can_hide_behind_what_he_sends_himself(client: str, invented: list[str], ours: list[str]) -> None:
    """A proxy appends who connected to it; whatever stands further left is the client's."""
    header = ",".join([*invented, client, *ours])

    assert read_address(client_behind("10.0.0.5", (header, None), PROXIES)) == read_address(client)


@given(st.none() | st.text(), st.none() | st.text())
@example(None, "for=" + '"' * 50_000)
@example("1" * 50_000, None)
def test_any_header_gives_a_client_or_a_refusal(plain: str | None, standard: str | None) -> None:
    try:
        client = client_behind("10.0.0.5", (plain, standard), PROXIES)
    except UnreadableForwarding:
        return

    assert isinstance(read_address(client), IPv4Address | IPv6Address)
