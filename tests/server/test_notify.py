"""What a service manager is told, on a real socket of this machine."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from callflow.server.notify import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        yield listening


def told(manager: socket.socket) -> list[list[str]]:
    """What the manager was told, one list of lines a message."""
    messages: list[list[str]] = []
    while True:
        try:
            messages.append(manager.recv(4_096).decode().split("\n"))
        except BlockingIOError:
            return messages


def to(manager: socket.socket, **variables: str) -> Notifier:
    return Notifier.of({"NOTIFY_SOCKET": manager.getsockname(), **variables})


def test_a_manager_is_told_of_ready_reloading_and_stopping(manager: socket.socket) -> None:
    notifier = to(manager)
    notifier.ready("bank answers on port 8080")
    notifier.reloading()
    notifier.ready()
    notifier.stopping("refusing, 3 calls", within=30.0)

    ready, reloading, reloaded, stopping = told(manager)
    assert ready == ["READY=1", "STATUS=bank answers on port 8080"]
    assert reloaded == ["READY=1"]
    assert (reloading[0], reloading[1].startswith("MONOTONIC_USEC=")) == ("RELOADING=1", True)
    assert stopping == ["STOPPING=1", "STATUS=refusing, 3 calls", "EXTEND_TIMEOUT_USEC=35000000"]


def test_an_abstract_socket_is_reached() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        name = f"callflow-test-{os.getpid()}"
        manager.bind(f"\0{name}")
        manager.setblocking(False)
        Notifier(address=f"@{name}").ready("up")

        assert told(manager) == [["READY=1", "STATUS=up"]]


def test_without_a_manager_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", lambda *_: pytest.fail("a socket was opened"))

    Notifier.of({}).ready("up")


@pytest.mark.parametrize("address", ["/nowhere/notify", "@nobody-listens", "/" + "x" * 300])
def test_a_manager_that_is_gone_is_no_fault(address: str) -> None:
    Notifier(address=address).ready("up")


def test_a_manager_that_does_not_read_is_not_waited_for(manager: socket.socket) -> None:
    notifier = to(manager)
    for _ in range(10_000):
        notifier.ready("up")

    assert 0 < len(told(manager)) < 10_000


async def test_a_watchdog_hears_twice_a_period(manager: socket.socket, autojump_clock: MockClock) -> None:
    with trio.move_on_after(10.0):
        await to(manager, WATCHDOG_USEC="4000000", WATCHDOG_PID=str(os.getpid())).stay_alive()

    assert told(manager) == [["WATCHDOG=1"]] * 5


@pytest.mark.parametrize(
    "variables", [{}, {"WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}]
)
async def test_without_a_watchdog_of_ours_nothing_is_told(
    variables: dict[str, str], manager: socket.socket, autojump_clock: MockClock
) -> None:
    await to(manager, **variables).stay_alive()

    assert told(manager) == []
