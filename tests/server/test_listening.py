"""Listening: whose sockets they are, what happens when the system has nothing left, and how a port is left."""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from callflow.errors import ListenError
from callflow.server import listening
from callflow.server.listening import Listening, open_listeners, take_handed_down
from callflow.server.present import Present

HOST = "127.0.0.1"
NOBODY = "192.0.2.1"
"""An address of documentation: no machine has it."""


def port_of(listener: trio.SocketListener) -> int:
    port: int = listener.socket.getsockname()[1]
    return port


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.create_server((HOST, 0)) as other:
        yield other.getsockname()[1]


# Opening.


async def test_a_port_that_is_taken_is_told_with_the_cure(taken: int) -> None:
    with pytest.raises(ListenError) as refused:
        await open_listeners(HOST, taken)

    assert (str(refused.value), refused.value.where) == (
        f"cannot listen on {HOST}:{taken}: Address already in use; stop what listens there, or give another --port",
        f"{HOST}:{taken}",
    )


async def test_a_port_of_somebody_who_does_not_share_cannot_be_shared(taken: int) -> None:
    with pytest.raises(ListenError, match="stop what listens there"):
        await open_listeners(HOST, taken, shared=True)


@pytest.mark.parametrize("shared", [False, True])
async def test_an_address_of_another_machine_is_told_with_the_cure(shared: bool) -> None:
    with pytest.raises(ListenError, match="give an address of this machine as --host"):
        await open_listeners(NOBODY, 0, shared=shared)


async def test_a_port_that_is_not_ours_to_take_is_told_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(trio, "open_tcp_listeners", refuse)

    with pytest.raises(ListenError, match="Permission denied; ports below 1024 need a privilege"):
        await open_listeners(HOST, 80)


async def test_two_may_share_a_port() -> None:
    [first] = await open_listeners(HOST, 0, shared=True)
    [second] = await open_listeners(HOST, port_of(first), shared=True)
    async with first, second:
        assert port_of(first) == port_of(second)


# Handed down.


def handed(monkeypatch: pytest.MonkeyPatch, descriptor: int, **variables: str) -> dict[str, str]:
    """Pretend that a parent has handed down this descriptor; give the environment."""
    monkeypatch.setattr(listening, "HANDED_DOWN", descriptor)
    return {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "calls", "LANG": "C"} | variables


async def test_a_socket_that_was_handed_down_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server((HOST, 0)) as parent:
        copy = os.dup(parent.fileno())
        environ = handed(monkeypatch, copy)
        [listener] = take_handed_down(environ)
        async with listener:
            client = await trio.open_tcp_stream(HOST, parent.getsockname()[1])
            async with client, await listener.accept():
                assert (environ, os.get_inheritable(copy)) == ({"LANG": "C"}, False)


@pytest.mark.parametrize(
    "variables", [{"LISTEN_PID": "1"}, {"LISTEN_PID": ""}, {"LISTEN_FDS": ""}, {"LISTEN_FDS": "0"}]
)
def test_what_was_handed_to_another_process_or_not_at_all_is_not_taken(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert take_handed_down(handed(monkeypatch, 999_999, **variables)) == []


def test_what_was_handed_down_must_be_open(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ListenError, match=r"descriptor 999999: .*ListenStream="):
        take_handed_down(handed(monkeypatch, 999_999))


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_what_was_handed_down_must_listen_and_speak_tcp(
    family: socket.AddressFamily, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as parent:
        if family is socket.AF_UNIX:
            parent.bind(f"\0callflow-test-{os.getpid()}")
            parent.listen()
        environ = handed(monkeypatch, os.dup(parent.fileno()))

        with pytest.raises(ListenError, match="it is no TCP socket that listens"):
            take_handed_down(environ)


# Taking.


class Doorstep:
    """Stands in for a socket: its ``accept`` fails or succeeds as it is told."""

    def __init__(self, *comes: OSError | str) -> None:
        self.comes = [*comes]
        self.socket = self
        self.closed = False

    async def accept(self) -> Any:
        if not self.comes:
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()
        came = self.comes.pop(0)
        if isinstance(came, OSError):
            raise came
        return came

    def close(self) -> None:
        self.closed = True


def full(number: int = errno.EMFILE) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
async def test_without_descriptors_it_goes_on_as_soon_as_there_are_some(
    number: int, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    came: list[Any] = []

    async def take(stream: Any) -> None:
        came.append((stream, round(trio.current_time() - began, 3)))

    door: Any = Doorstep("a", *[full(number)] * 25, "b")
    async with trio.open_nursery() as nursery:
        began = trio.current_time()
        nursery.start_soon(Listening([door], take, Present()).run, nursery)
        await trio.sleep(60)
        nursery.cancel_scope.cancel()

    told = [vars(record)["reason"] for record in caplog.records if record.getMessage() == "cannot accept"]
    assert (came, door.closed) == ([("a", 0.0), ("b", 2.5)], True)
    assert told == [os.strerror(number)] * 3


async def test_one_full_socket_does_not_keep_another_from_taking(autojump_clock: MockClock) -> None:
    came: list[Any] = []

    async def take(stream: Any) -> None:
        came.append(stream)

    doors: Any = [Doorstep(*[full()] * 1_000), Doorstep("a")]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Listening(doors, take, Present()).run, nursery)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()

    assert came == ["a"]


async def test_what_cannot_be_survived_is_not_hidden(autojump_clock: MockClock) -> None:
    doors: Any = [Doorstep(full(errno.EBADF))]
    with pytest.RaisesGroup(pytest.RaisesExc(OSError, match="Bad file"), flatten_subgroups=True):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Listening(doors, trio.sleep_forever, Present()).run, nursery)  # type: ignore[arg-type]  # not called

    assert doors[0].closed


# Leaving.


async def test_who_waits_when_the_port_is_left_is_taken_and_nobody_later(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    came: list[trio.SocketStream] = []

    async def take(stream: trio.SocketStream) -> None:
        came.append(stream)
        await stream.aclose()

    [listener] = await open_listeners(HOST, 0)
    ours = Listening([listener], take, present := Present())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.run, nursery)
        await wait_all_tasks_blocked()
        clients = [socket.create_connection((HOST, ours.port)) for _ in range(5)]  # no task runs meanwhile
        port = ours.port
        ours.leave()
        there = present.count
        ours.leave()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((HOST, port))

    for client in clients:
        client.close()
    assert (there, len(came), present.count) == (5, 5, 0)


class Knock:
    """A socket on which somebody comes when we say so. Woken, it looks whether it is still open, as a real one does."""

    def __init__(self) -> None:
        self.socket = trio.socket.from_stdlib_socket(socket.create_server((HOST, 0)))
        self.somebody = trio.Event()

    async def accept(self) -> trio.SocketStream:
        await self.somebody.wait()
        raise trio.ClosedResourceError if self.socket.fileno() < 0 else AssertionError("left, and not closed")


async def test_a_port_is_left_in_the_very_instant_in_which_somebody_comes() -> None:
    door: Any = Knock()
    ours = Listening([door], trio.sleep_forever, present := Present())  # type: ignore[arg-type]  # not called
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.run, nursery)
        await wait_all_tasks_blocked()
        door.somebody.set()  # who accepts is woken, and not to be cancelled any more
        ours.leave()

    assert (present.count, door.socket.fileno()) == (0, -1)


async def test_a_socket_that_others_have_closed_is_not_hidden() -> None:
    door: Any = Knock()
    door.socket.close()
    door.somebody.set()
    with pytest.RaisesGroup(trio.ClosedResourceError, flatten_subgroups=True):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Listening([door], trio.sleep_forever, Present()).run, nursery)  # type: ignore[arg-type]  # not called


async def test_a_port_that_was_not_listened_on_is_not_left() -> None:
    [listener] = await open_listeners(HOST, 0)
    async with listener:
        Listening([listener], trio.sleep_forever, Present()).leave()  # type: ignore[arg-type]  # not called

        assert port_of(listener) > 0
