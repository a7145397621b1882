"""The gate: how many sockets, from where, and how many that wait for their start."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from callflow.server.limits import Gate, Limits, host_of


def test_every_socket_up_to_the_cap_is_let_in() -> None:
    gate = Gate(Limits(sockets=2))

    answers = [gate.admit(f"192.0.2.{n}:1") for n in range(3)]

    assert answers == [None, None, "all connections are in use"]


def test_a_socket_that_left_makes_room() -> None:
    gate = Gate(Limits(sockets=1))
    gate.admit("192.0.2.1:1")
    gate.leave("192.0.2.1:1")

    assert gate.admit("192.0.2.2:1") is None


def test_one_address_may_have_as_many_sockets_as_there_are() -> None:
    gate = Gate(Limits(sockets=3))

    assert [gate.admit(f"192.0.2.1:{n}") for n in range(3)] == [None] * 3


def test_a_cap_for_one_address_leaves_room_for_others() -> None:
    gate = Gate(Limits(sockets_per_address=1))

    answers = [gate.admit(peer) for peer in ("192.0.2.1:1", "192.0.2.1:2", "192.0.2.2:1")]

    assert answers == [None, "too many connections from this address", None]


def test_streams_that_never_start_use_up_their_room() -> None:
    gate = Gate(Limits(sockets_without_start=1))
    gate.upgrade("192.0.2.1:1")

    assert gate.upgrade("192.0.2.1:2") == "too many streams wait for their start"


def test_a_start_makes_room_for_the_next_stream() -> None:
    gate = Gate(Limits(sockets_without_start=1))
    gate.upgrade("192.0.2.1:1")
    gate.started("192.0.2.1:1")

    assert gate.upgrade("192.0.2.1:2") is None


@pytest.mark.parametrize(
    ("peer", "host"),
    [("192.0.2.1:80", "192.0.2.1"), ("[2001:db8::1]:80", "2001:db8::1"), ("memory", "memory"), ("", "")],
)
def test_the_host_of_a_peer_is_what_stands_before_the_port(peer: str, host: str) -> None:
    assert host_of(peer) == host


class GateMachine(RuleBasedStateMachine):
    """The gate against lists of who is where."""

    @initialize()
    def build(self) -> None:
        self.gate = Gate(Limits(sockets=5, sockets_per_address=3, sockets_without_start=2))
        self.open: list[str] = []
        self.upgraded: list[str] = []
        self.waiting: list[str] = []
        self.number = 0

    @rule(host=st.sampled_from(["192.0.2.1", "192.0.2.2"]))
    def come(self, host: str) -> None:
        self.number += 1
        peer = f"{host}:{self.number}"
        same = sum(host_of(other) == host for other in self.open)

        assert (self.gate.admit(peer) is None) == (len(self.open) < 5 and same < 3)

        if len(self.open) < 5 and same < 3:
            self.open.append(peer)

    @rule()
    def come_by_proxy(self) -> None:
        self.number += 1
        peer = f"10.0.0.1:{self.number}"

        assert (self.gate.admit(peer, is_proxy=True) is None) == (len(self.open) < 5)

        if len(self.open) < 5:
            self.open.append(peer)

    @rule(data=st.data(), host=st.sampled_from(["192.0.2.1", "192.0.2.2"]))
    @precondition(lambda self: any(host_of(peer) == "10.0.0.1" for peer in set(self.open) - set(self.upgraded)))
    def recognise(self, data: st.DataObject, host: str) -> None:
        unknown = sorted(peer for peer in set(self.open) - set(self.upgraded) if host_of(peer) == "10.0.0.1")
        peer = data.draw(st.sampled_from(unknown))
        client = f"{host}:{peer.rpartition(':')[2]}"
        same = sum(host_of(other) == host for other in self.open)

        assert (self.gate.recognise(peer, client) is None) == (same < 3)

        if same < 3:
            self.open[self.open.index(peer)] = client

    @rule(data=st.data())
    @precondition(lambda self: bool(set(self.open) - set(self.upgraded)))
    def upgrade(self, data: st.DataObject) -> None:
        peer = data.draw(st.sampled_from(sorted(set(self.open) - set(self.upgraded))))
        room = len(self.waiting) < 2

        assert (self.gate.upgrade(peer) is None) == room

        if room:
            self.upgraded.append(peer)
            self.waiting.append(peer)

    @rule(data=st.data())
    @precondition(lambda self: bool(self.upgraded))
    def start(self, data: st.DataObject) -> None:
        peer = data.draw(st.sampled_from(self.upgraded))
        self.gate.started(peer)
        if peer in self.waiting:
            self.waiting.remove(peer)

    @rule(data=st.data())
    @precondition(lambda self: bool(self.open))
    def leave(self, data: st.DataObject) -> None:
        peer = data.draw(st.sampled_from(self.open))
        self.gate.leave(peer)
        for group in (self.open, self.upgraded, self.waiting):
            if peer in group:
                group.remove(peer)

    @invariant()
    def counts_agree(self) -> None:
        counts = (self.gate.sockets, self.gate.upgraded, self.gate.without_start)
        assert counts == (len(self.open), len(self.upgraded), len(self.waiting))


TestGate = GateMachine.TestCase
