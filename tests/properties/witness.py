"""A witness: keeps a wire log of every call that a server serves, from outside of the product.

It stands round the few functions through which everything passes and writes down what goes by. Nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch
from weakref import WeakKeyDictionary

import trio

import callflow.call.live
import callflow.call.reader
from callflow.call.call import CallTask, Socket
from callflow.call.driver import Driver
from callflow.call.link import Link
from callflow.call.writer import Writer
from callflow.session.inputs import (
    Detached,
    Frame,
    Input,
    MarkDone,
    Over,
    Pressed,
    Reattach,
    SocketClosed,
    Started,
    Told,
)
from callflow.session.playout import Entry
from callflow.testing.laws import Story
from callflow.testing.wirelog import Closed, Interrupted, OneWay, Opened, Queued, TasksLeft, WireLog
from callflow.wire.audio import AudioFormat
from callflow.wire.exotel import encode
from callflow.wire.messages import Start

_TOLD = (Started, Pressed, MarkDone, Over, Detached)


class Witness:
    """The logs of all calls so far, in the order of their links."""

    def __init__(self) -> None:
        self.logs: list[WireLog] = []
        self.stories: list[Story] = []
        """The stories of calls that reached ``start``."""
        self._by_driver: WeakKeyDictionary[Driver, WireLog] = WeakKeyDictionary()
        self._by_link: WeakKeyDictionary[Link, WireLog] = WeakKeyDictionary()
        self._by_writer: WeakKeyDictionary[Writer, WireLog] = WeakKeyDictionary()
        self._queued = b""
        self._takes = False
        self._utterances = 0

    def of(self, driver: Driver) -> WireLog:
        """Give the log of one call."""
        return self._by_driver[driver]

    # What is stood round. Each takes the original first.

    def use(self, original: Any, driver: Driver, link: Link) -> None:
        log = WireLog()
        self.logs.append(log)
        self._by_driver[driver] = self._by_link[link] = self._by_writer[driver.writer] = log
        log.sent(trio.current_time(), Opened())
        original(driver, link)

    def take(self, original: Any, text: str | bytes, driver: Driver) -> None:
        self.of(driver).arrived(trio.current_time(), text)
        self._takes = True
        original(text, driver)
        self._takes = False

    def feed(self, original: Any, driver: Driver, event: Input) -> Any:
        if isinstance(event, SocketClosed):
            self.of(driver).arrived(trio.current_time(), Closed())
        if isinstance(event, Start) and not self._takes:  # the one that its link was read up to
            self.of(driver).arrived(trio.current_time(), encode(event))
        return original(driver, event)

    def tell(self, original: Any, driver: Driver, told: Told) -> None:
        if isinstance(told, _TOLD):
            self.of(driver).noted(trio.current_time(), told)
        original(driver, told)

    def go_on(self, original: Any, task: CallTask, socket: Socket, event: Reattach) -> None:
        """A call goes on over another link: from now on its log is that of this link."""
        log = self._by_link[socket.link]
        self._by_driver[task.driver] = self._by_writer[task.driver.writer] = log
        log.arrived(trio.current_time(), encode(event.start))
        original(task, socket, event)

    def cut(self, original: Any, driver: Driver) -> None:
        self.of(driver).noted(trio.current_time(), Interrupted(driver.ledger.generation))
        original(driver)

    def chunk(self, original: Any, audio: bytes, form: AudioFormat, size: int | None = None) -> list[bytes]:
        self._queued = audio
        chunked: list[bytes] = original(audio, form, size)
        return chunked

    def play(self, original: Any, writer: Writer, entry: Entry, chunks: Iterator[bytes], **options: bool) -> None:
        self._utterances += 1
        self._by_writer[writer].noted(trio.current_time(), Queued(str(self._utterances), self._queued))
        original(writer, entry, chunks, **options)

    def write(self, original: Any, writer: Writer, frame: Frame) -> None:
        self._by_writer[writer].noted(trio.current_time(), frame)
        original(writer, frame)

    def send(self, original: Any, link: Link, text: str) -> bool:
        self._by_link[link].sent(trio.current_time(), text)
        taken: bool = original(link, text)
        return taken

    def begin_close(self, original: Any, link: Link, code: int) -> None:
        self._by_link[link].sent(trio.current_time(), Closed(code=code, clean=True))
        original(link, code)

    async def run(self, original: Any, task: CallTask) -> None:
        try:
            await original(task)
        finally:
            log = self.of(task.driver)
            if task.start is not None:
                self.stories.append(Story(entries=list(task.driver.journal.entries), flow=task.flow, wire=[log]))
            log.noted(trio.current_time(), TasksLeft(tasks_of(task.call_id)))
            if task.flow.one_way:
                log.noted(trio.current_time(), OneWay())


def tasks_of(call_id: str) -> int:
    """Count the tasks that run for a call, by the names that it gives them."""
    root = trio.lowlevel.current_root_task()
    pending, count = [root] if root is not None else [], 0
    while pending:
        task = pending.pop()
        count += call_id in task.name
        pending += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
    return count


_PLACES: tuple[tuple[Any, str, str], ...] = (
    (Driver, "use", "use"),
    (Driver, "feed", "feed"),
    (Driver, "_tell", "tell"),
    (Driver, "cut", "cut"),
    (Writer, "play", "play"),
    (Writer, "write", "write"),
    (Link, "send", "send"),
    (Link, "begin_close", "begin_close"),
    (CallTask, "run", "run"),
    (CallTask, "_go_on", "go_on"),
    (callflow.call.reader, "take", "take"),
    (callflow.call.live, "chunks", "chunk"),
)


@contextmanager
def witnessed() -> Iterator[Witness]:
    """Keep logs of all calls that are served inside the block."""
    witness = Witness()
    patches = [_stand_round(witness, *place) for place in _PLACES]
    for one in patches:
        one.start()
    try:
        yield witness
    finally:
        for one in patches:
            one.stop()


def _stand_round(witness: Witness, owner: Any, name: str, method: str) -> Any:
    original = getattr(owner, name)
    stands = getattr(witness, method)

    def replaced(*args: Any, **kwargs: Any) -> Any:
        return stands(original, *args, **kwargs)

    return patch.object(owner, name, replaced)
