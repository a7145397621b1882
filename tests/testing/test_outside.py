"""What a flow under test may not do is refused and told, whatever library tries it and whoever swallows the error."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.lowlevel

from callflow import Call, Flow, Hangup, State
from callflow.line.script import parse
from callflow.testing import outside
from callflow.testing.fuzzing import machine_for
from callflow.testing.lawbook import LawBroken
from callflow.testing.outside import Refused, TooBusy, Watch, watched
from callflow.testing.stepper import NeverSettles

Attempt = Callable[[], object]


async def _by_trio() -> None:
    await trio.open_tcp_stream("bank.example", 443)


async def _by_program() -> None:
    await trio.run_process(["date"])


async def _by_urllib() -> None:
    with contextlib.suppress(OSError):
        urllib.request.urlopen("http://bank.example/balance")  # noqa: ASYNC210  # what is to be refused


async def _by_datagram() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"hello", ("192.0.2.7", 514))


async def _by_sleep() -> None:
    time.sleep(2)  # noqa: ASYNC251  # what is to be refused


async def _by_thread() -> None:
    await trio.to_thread.run_sync(os.getpid)


class Bye(Hangup[None]): ...


def flow_that(attempts: Callable[[], Awaitable[None]]) -> Flow[None]:
    class Look(State[None], timeout=20.0):
        async def run(self, call: Call[None]) -> Bye:
            await attempts()
            return Bye()

        def on_timeout(self, call: Call[None]) -> Bye:
            return Bye()

    return Flow("look", start=Look, scope={"Bye": Bye})


def broken_by(attempts: Callable[[], Awaitable[None]]) -> BaseException:
    """Make one call; give what it broke."""
    machine = machine_for(flow_that(attempts))
    with pytest.raises((LawBroken, NeverSettles)) as raised:
        machine.play(parse("ring\n"))
    return raised.value


@pytest.mark.parametrize(
    ("attempts", "words"),
    [
        (_by_trio, "Look looks up bank.example:443 at tests/testing/test_outside.py:"),
        (_by_urllib, "looks up bank.example:80 at tests/testing/test_outside.py:"),
        (_by_datagram, "Look sends to 192.0.2.7:514 at tests/testing/test_outside.py:"),
        (_by_program, "Look starts the program date"),
    ],
)
def test_whoever_goes_outside_is_refused_with_where_and_the_cure(
    attempts: Callable[[], Awaitable[None]], words: str
) -> None:
    broken = str(broken_by(attempts))

    assert broken.startswith("stays-inside: ")
    assert words in broken
    assert "which is refused: give the flow a double of that service" in broken


def test_who_sleeps_for_real_is_refused() -> None:
    assert "waits-in-virtual-time: Look sleeps 2 s by time.sleep at tests/" in str(broken_by(_by_sleep))


def test_a_thread_is_refused_by_its_name() -> None:
    assert "getpid runs in a thread, where no virtual time passes" in str(broken_by(_by_thread))


@pytest.mark.parametrize("attempts", [_by_trio, _by_sleep])
def test_a_call_that_broke_at_its_first_step_leaves_room_for_the_next(
    attempts: Callable[[], Awaitable[None]],
) -> None:
    broken_by(attempts)

    assert isinstance(broken_by(attempts), LawBroken)


# Connecting, seen from near.


def test_a_connection_is_refused_by_its_address() -> None:
    watch = Watch(lambda: "LookUp")
    with socket.socket() as one, watched(watch), pytest.raises(Refused, match=r"LookUp connects to 192\.0\.2\.7:80"):
        one.connect(("192.0.2.7", 80))


def test_a_program_is_refused_by_its_name() -> None:
    with watched(Watch(str)), pytest.raises(Refused, match="the flow starts the program date"):
        subprocess.run(["date"], check=False)


def test_afterwards_everything_is_as_it_was() -> None:
    sleep = time.sleep
    with watched(Watch(str)):
        pass

    assert time.sleep is sleep
    assert socket.getaddrinfo("127.0.0.1", 80)


# Code that does not end.


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "PATIENCE", 0.2)


async def _by_going_round() -> None:
    while True:
        pass


async def _by_going_round_with_others() -> None:
    while True:
        await trio.lowlevel.checkpoint()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("attempts", [_by_going_round, _by_going_round_with_others])
def test_what_keeps_the_processor_is_stopped(attempts: Callable[[], Awaitable[None]]) -> None:
    broken = str(broken_by(attempts))

    assert "has kept the processor for" in broken or "time does not pass" in broken


@pytest.mark.usefixtures("impatient")
def test_a_library_that_is_busy_is_not_torn_out_of_its_work() -> None:
    watch = Watch(str)
    with watched(watch):
        while not watch.busy:  # a test is no flow: nobody called it from a stepper
            pass

    assert not watch.words


def test_where_somebody_else_has_the_signal_nothing_is_taken_from_them() -> None:
    def theirs(number: int, frame: object) -> None: ...

    before = signal.signal(signal.SIGPROF, theirs)
    try:
        with watched(Watch(str)):
            assert signal.getsignal(signal.SIGPROF) is theirs
    finally:
        signal.signal(signal.SIGPROF, before)


def test_a_flow_cannot_catch_what_stops_it_with_its_other_errors() -> None:
    assert not issubclass(TooBusy, Exception)
