"""A stage for calls: prompts of tones, a flow behind the real server, and a telephone; in memory, in virtual time."""

from __future__ import annotations

import math
import wave
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import trio
from attrs import define, field
from trio.testing import MockClock

from callflow import Flow
from callflow.call.call import CallTask
from callflow.call.journal import Entry, Kind
from callflow.call.record import CallRecord
from callflow.line.memory import Conditions, MemoryNetwork
from callflow.line.placing import place_call
from callflow.line.profile import Profile
from callflow.line.telephone import Telephone
from callflow.server.flows import Served
from callflow.server.serve import Server
from callflow.server.settings import Settings
from callflow.session.timing import Timing
from callflow.wire.audio import AudioFormat

T = TypeVar("T")

PROMPTS = {"welcome": (440, 2.0), "menu": (330, 3.0), "pin": (550, 1.5), "sorry": (660, 0.5), "bye": (220, 1.0)}
"""Name of each prompt, with its hertz and its seconds."""

LINE = AudioFormat()
"""Every line here: 16-bit PCM at 8 kHz."""

CHUNK = 0.2
"""Seconds of one chunk on that line."""

QUIET = Profile(keeps_sending_silence=False)
"""An Exotel that sends no silence: most calls here are about what we send, and go faster without."""

LEFTOVERS = 25.0
"""Seconds after which nothing of a call may be left: resume, close, linger and leave time together, and some."""


def in_virtual_time(main: Callable[..., Awaitable[T]], *args: object) -> T:
    """Run a test's body where no time passes but the one that it waits for; for tests that Hypothesis repeats."""
    return trio.run(main, *args, clock=MockClock(autojump_threshold=0))


# Prompts.


def tone(hertz: float, seconds: float) -> bytes:
    """Make a tone that swells, so that no two pieces of it are equal."""
    count = round(seconds * LINE.rate)
    swell = 24_000 / count
    samples = ((4_000 + swell * at) * math.sin(2 * math.pi * hertz * at / LINE.rate) for at in range(count))
    return array("h", map(round, samples)).tobytes()


def write_prompts(folder: Path) -> Path:
    """Write every prompt of ``PROMPTS`` as a WAV file."""
    for name, (hertz, seconds) in PROMPTS.items():
        with wave.open(str(folder / f"{name}.wav"), "wb") as file:
            file.setparams((1, 2, LINE.rate, 0, "NONE", ""))
            file.writeframes(tone(hertz, seconds))
    return folder


# Calls.


@define(eq=False)
class NotingServer(Server):
    """A server that keeps hold of its calls: the registry forgets those that are over."""

    calls: list[CallTask] = field(factory=list, init=False)
    """Every call that started, oldest first."""

    def _begun(self, task: CallTask) -> None:
        self.calls.append(task)
        super()._begun(task)


@define(kw_only=True)
class Stage:
    """A server in memory, and the calls that it had."""

    server: NotingServer
    network: MemoryNetwork
    nursery: trio.Nursery
    """Holds one task a connection, and nothing else."""

    @property
    def call(self) -> CallTask:
        """The one call that there was."""
        [call] = self.server.calls
        return call

    @property
    def record(self) -> CallRecord:
        """The record of the one call that there was."""
        [record] = self.server.records
        return record

    def journal(self, kind: Kind) -> list[Entry]:
        """What the call's journal says of one kind of thing."""
        return [entry for entry in self.call.driver.journal.entries if entry.kind is kind]


@asynccontextmanager
async def serving(
    flow: Served,
    *,
    settings: Settings | None = None,
    timing: Timing | None = None,
    conditions: Conditions | None = None,
    seed: int = 0,
) -> AsyncIterator[Stage]:
    """Serve a flow, or several, in memory. After the block each connection's task has to end by itself."""
    server = NotingServer(flow, settings or Settings(), timing, Random(seed))
    server.load()
    network = MemoryNetwork(conditions or Conditions(), Random(seed))
    async with trio.open_nursery() as nursery:
        network.listen(server.connect, nursery)
        yield Stage(server=server, network=network, nursery=nursery)
        nursery.cancel_scope.deadline = trio.current_time() + LEFTOVERS
    assert not nursery.cancel_scope.cancelled_caught, "something of a call was left"


@asynccontextmanager
async def ringing(flow: Flow[Any], *, line: Any = None, **options: Any) -> AsyncIterator[tuple[Telephone, Stage]]:
    """Serve a flow and call it. *line*: keywords for ``place_call``; the others are those of ``serving``."""
    async with (
        serving(flow, **options) as stage,
        place_call(stage.network.dial, **({"random": Random(1), "profile": QUIET} | (line or {}))) as phone,
    ):
        yield phone, stage


async def played(
    flow: Flow[Any],
    *presses: tuple[float, str],
    stays: float = 20.0,
    **options: Any,
) -> tuple[Telephone, Stage]:
    """Call a flow, press keys at their moments, and hang up *stays* seconds after the answer unless it ended before."""
    async with ringing(flow, **options) as (phone, stage):
        for at, keys in presses:
            await trio.sleep_until(phone.answered_at + at)
            await phone.press(keys, gap=0.0)
        with trio.move_on_at(phone.answered_at + stays):
            await phone.ended.wait()
    return phone, stage


def said(phone: Telephone, *kinds: type[T]) -> list[T]:
    """What the server sent, of these kinds of message."""
    return [entry.message for entry in phone.log if entry.side == "out" and isinstance(entry.message, kinds)]


def left_over(stage: Stage) -> dict[str, object]:
    """What there still is of the calls of a server whose connections have ended."""
    server = stage.server
    left = {
        "tasks": len(stage.nursery.child_tasks),
        "live calls": len(server.registry.live),
        "sockets": server.door.gate.sockets,
        "sockets without start": server.door.gate.without_start,
        "deadlines": [sorted(call.driver.deadlines.names) for call in server.calls if call.driver.deadlines.names],
        "taps": [call.driver.taps.all for call in server.calls if call.driver.taps.all],
        "playbacks": [len(call.driver.ledger.entries) for call in server.calls if call.driver.ledger.entries],
        "calls without a record": sum(call.record is None for call in server.calls),
        "failed connections": server.door.failed,
    }
    return {name: count for name, count in left.items() if count}
