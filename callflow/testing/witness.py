"""A witness: keeps one wire log of all that a server does, and the story of every call, from outside of the product.

It stands round the few functions through which everything passes and writes down what goes by. Nothing is changed.
A run of many examples puts it there once: a class that is changed has Python forget all that it knew of its methods.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import trio
from attrs import define

import callflow.call.reader
import callflow.server.http
import callflow.server.registry
from callflow.call.call import CallTask
from callflow.call.driver import Driver
from callflow.call.engine import Engine
from callflow.call.handlers import Failed
from callflow.call.link import Link
from callflow.call.mailbox import MOST_EVENTS, Mailbox
from callflow.call.mishaps import Mishaps
from callflow.call.ring import RING_SECONDS, Ring
from callflow.call.speaker import LiveSpeaker
from callflow.call.writer import Writer
from callflow.flow.flow import Flow
from callflow.server.serve import Server
from callflow.session.inputs import (
    Detached,
    Frame,
    Input,
    MarkDone,
    Over,
    Pressed,
    Resumed,
    SendMark,
    Started,
    Told,
)
from callflow.session.machine import Session
from callflow.session.playout import Entry
from callflow.session.table import In, S, kind_of
from callflow.testing.beside import is_beside
from callflow.testing.laws import Story
from callflow.testing.wirelog import (
    LIVE,
    Applet,
    Asked,
    Blocked,
    Closed,
    Dropped,
    Exchange,
    Held,
    Interrupted,
    OneWay,
    Opened,
    Ping,
    Pong,
    Queued,
    Ran,
    Reached,
    Request,
    TasksLeft,
    WireLog,
)
from callflow.wire.passthru import PassthruReport
from callflow.wire.status import StatusReport

_TOLD = (Started, Resumed, Pressed, MarkDone, Over, Detached)


@define(eq=False)
class _Utterance:
    """What is being sent, and the name that it has now."""

    name: str
    chunks: Iterator[bytes]
    kind: str


class Witness:
    """What was seen so far. Connections are numbered in the order in which they were asked for."""

    def __init__(self) -> None:
        self.log = WireLog()
        self.stories: list[Story] = []
        """The stories of calls that reached ``start``; that of who is beside is not among them."""
        self.errors: list[BaseException] = []
        """What the flow's code raised, oldest first."""
        self._looked_up: list[tuple[S, In]] = []
        """Each cell of the session's table, as often as it was."""
        self._count = 0
        self._of: dict[Any, int] = {}
        """Connection of a link, and the newest of a driver and of its writer."""
        self._had: dict[Driver, list[int]] = {}
        self._marks: dict[tuple[int, str], int] = {}
        """Which connection a mark of a writer went out on."""
        self._report: ContextVar[Any] = ContextVar("report")
        """What the request says that this task answers."""
        self._asked: ContextVar[int] = ContextVar("asked")
        """Connection of the upgrade that this task answers, or of the call that came of it."""
        self.fullest: dict[str, tuple[float, float]] = {}
        """The most that was in each kind of box, and what may be."""
        self._data: list[object] = []
        """Every call's data that was seen when a line was lost or found; kept, so that no other has its identity."""
        self._asking: ContextVar[str] = ContextVar("asking")
        """The path of the request that this task answers."""
        self._pinged: bytes | None = None
        self._utterances = 0
        self._played: dict[Writer, _Utterance] = {}
        """What each writer sends, or sent last."""

    @property
    def logs(self) -> list[WireLog]:
        """What passed on each connection."""
        return self.log.connections()

    @property
    def cells(self) -> Counter[tuple[S, In]]:
        """How often each cell of the session's table was looked up."""
        return Counter(self._looked_up)

    def came(self, what: Any, conn: int) -> None:
        self.log.arrived(trio.current_time(), what, conn=conn)

    def went(self, what: Any, conn: int) -> None:
        self.log.sent(trio.current_time(), what, conn=conn)

    def note(self, fact: Any, conn: int) -> None:
        self.log.noted(trio.current_time(), fact, conn=conn)

    # What is stood round. Each takes the original first.

    async def ask(self, original: Any, server: Server, *upgrade: Any) -> None:
        self._count += 1
        self._asked.set(self._count)
        self.came(Asked(), self._count)
        await original(server, *upgrade)

    async def accept(self, original: Any, link: Link, head: bytes, rest: bytes) -> None:
        self._of[link] = conn = self._asked.get()
        await original(link, head, rest)
        self.went(Opened(), conn)

    def use(self, original: Any, driver: Driver, link: Link) -> None:
        self._follow(driver, link)
        original(driver, link)

    def adopt(self, original: Any, driver: Driver, link: Link, *args: Any, **kwargs: Any) -> None:
        self._follow(driver, link)
        original(driver, link, *args, **kwargs)

    def _follow(self, driver: Driver, link: Link) -> None:
        self._of[driver] = self._of[driver.writer] = conn = self._of[link]
        had = self._had.setdefault(driver, [])
        if conn not in had:
            had.append(conn)

    async def receive(self, original: Any, link: Link) -> str | bytes | None:
        text: str | bytes | None = await original(link)
        if text is not None:
            self.came(text, self._of[link])
        return text

    def lose(self, original: Any, link: Link, driver: Driver) -> Any:
        self.came(Closed(), self._of[link])
        return original(link, driver)

    def go_on(self, original: Any, task: CallTask, socket: Any, event: Any) -> None:
        """A call goes on over another link."""
        self._follow(task.driver, socket.link)
        original(task, socket, event)

    def feed(self, original: Any, session: Session, event: Input) -> Any:
        self._looked_up.append((session.state, kind_of(event)))
        return original(session, event)

    def hear(self, original: Any, session: Session, media: Any) -> Any:
        """The short way of a frame, which is the long one's if it gives None."""
        taken = original(session, media)
        if taken is not None:
            self._looked_up.append((session.state, In.MEDIA))
        return taken

    def tell(self, original: Any, driver: Driver, told: Told) -> None:
        if isinstance(told, _TOLD):
            conn = self._of[driver]
            self.note(
                told, self._marks.get((id(driver.writer), told.name), conn) if isinstance(told, MarkDone) else conn
            )
        original(driver, told)

    def cut(self, original: Any, driver: Driver) -> None:
        self.note(Interrupted(driver.ledger.generation), self._of[driver])
        original(driver)

    def play(self, original: Any, writer: Writer, entry: Entry, chunks: Iterator[bytes], **options: bool) -> None:
        is_live = getattr(chunks, "__name__", "") == LiveSpeaker.chunks.__name__
        utterance = _Utterance(self._new_name(), chunks, LIVE if is_live else "")
        original(writer, entry, self._queue(writer, utterance), **options)

    def _queue(self, writer: Writer, utterance: _Utterance) -> Iterator[bytes]:
        """Note each chunk when the writer is about to send it, which is when it asks for the next one."""
        self._played[writer] = utterance
        for chunk in utterance.chunks:
            yield chunk
            if chunk:
                self._played[writer] = utterance
                self.note(Queued(utterance.name + utterance.kind, chunk), self._of[writer])

    def pause(self, original: Any, writer: Writer) -> Any:
        """What is said when it goes on is an utterance of its own: a clear in between was not meant for it."""
        rest = original(writer)
        if rest is not None:
            self._played[writer].name = self._new_name()
        return rest

    def _new_name(self) -> str:
        self._utterances += 1
        return str(self._utterances)

    def write(self, original: Any, writer: Writer, frame: Frame) -> None:
        conn = self._of[writer]
        if isinstance(frame, SendMark):
            self._marks[id(writer), frame.name] = conn
        self.note(frame, conn)
        original(writer, frame)

    def send(self, original: Any, link: Link, text: str) -> bool:
        place = len(self.log.entries)
        self.went(text, self._of[link])
        taken: bool = original(link, text)
        if not taken:
            del self.log.entries[place]
        return taken

    def begin_close(self, original: Any, link: Link, code: int) -> None:
        if link.gone is None:
            self.went(Closed(code=code, clean=True), self._of[link])
        original(link, code)

    def abort(self, original: Any, link: Link) -> None:
        self.went(Dropped(), self._of[link])
        original(link)

    def answer_ping(self, original: Any, link: Link, ping: Any) -> None:
        self._pinged = bytes(ping.payload)
        self.came(Ping(self._pinged), self._of[link])
        original(link, ping)
        self._pinged = None

    def write_bytes(self, original: Any, link: Link, data: bytes) -> None:
        if self._pinged is not None:
            self.went(Pong(self._pinged), self._of[link])
        was_blocked = link.blocked
        original(link, data)
        if link.blocked and not was_blocked and link in self._of:
            self.note(Blocked(), self._of[link])

    def lose_line(self, original: Any, engine: Engine[Any]) -> None:
        self._hold(engine)
        original(engine)

    def find_line(self, original: Any, engine: Engine[Any], gap: Any) -> None:
        self._hold(engine)
        original(engine, gap)
        self._hold(engine)

    def _hold(self, engine: Engine[Any]) -> None:
        if engine.has_data and engine.data is not None:
            number = next((n for n, data in enumerate(self._data) if data is engine.data), len(self._data))
            self._data += [engine.data] if number == len(self._data) else []
            self.note(Held(engine._call.call_id, number), self._of[engine._driver])

    def put(self, original: Any, mailbox: Mailbox, event: Any) -> None:
        original(mailbox, event)
        self._fill("events in a mailbox", len(mailbox), MOST_EVENTS)

    def keep_audio(self, original: Any, ring: Ring, audio: bytes) -> None:
        original(ring, audio)
        self._fill("bytes of audio that wait", ring._bytes, ring.form.size(RING_SECONDS))

    def _fill(self, what: str, count: int, most: int) -> None:
        before, _ = self.fullest.get(what, (0.0, 0.0))
        self.fullest[what] = max(before, count), most

    def make_data(self, original: Any, flow: Flow[Any], *started: Any) -> Any:
        self.note(Ran("data"), self._asked.get())
        return original(flow, *started)

    async def run(self, original: Any, task: CallTask) -> None:
        try:
            await original(task)
        finally:
            driver = task.driver
            self.note(TasksLeft(tasks_of(task.call_id)), self._of[driver])
            for conn in self._had[driver] if task.flow.one_way else []:
                self.note(OneWay(), conn)
            if task.start is not None and not is_beside():
                links = [log for log in self.logs if log.entries[0].conn in self._had[driver]]
                entries = list(driver.journal.entries)
                self.stories.append(Story(entries=entries, flow=task.flow, wire=links))

    async def read_http(self, original: Any, request: Any, read: Any) -> Any:
        report = await original(request, read)
        self._report.set(report)
        return report

    def fail(self, original: Any, mishaps: Mishaps, wrong: Failed, *args: Any, **kwargs: Any) -> None:
        if wrong.__cause__ is not None and not is_beside():
            self.errors.append(wrong.__cause__)
        original(mishaps, wrong, *args, **kwargs)

    async def answer_http(self, original: Any, path: str, call_sid: str, answer: Any, fallback: Any) -> Any:
        request = request_of(path, self._report.get())
        self._asking.set(path)
        began, failed = trio.current_time(), False

        def fallen_back() -> Any:
            nonlocal failed
            failed = True
            return fallback()

        answered = await original(path, call_sid, answer, fallen_back)
        code = answered if path == "passthru" else 200
        exchange = Exchange(request=request, seconds=trio.current_time() - began, answer=code, failed=failed)
        self.came(exchange, 0)
        return answered

    async def reach(self, original: Any, function: Any, report: PassthruReport | StatusReport) -> Any:
        self.note(Reached(request=request_of(self._asking.get(), report)), 0)
        return await original(function, report)


def request_of(path: str, report: PassthruReport | StatusReport) -> Request:
    """Say which request of Exotel's a report is, without its form."""
    if isinstance(report, StatusReport):
        named = f"{report.event or ''} {report.status or ''}"
        return Request(applet=Applet.STATUS, call_sid=report.call_sid, status=named)
    applet = Applet.PASSTHRU if path == "passthru" else Applet.STREAM_URL
    stream_sid = report.stream.stream_sid if report.stream else None
    status = report.stream.status if report.stream else None
    return Request(applet=applet, call_sid=report.call_sid, stream_sid=stream_sid or "", status=status or "")


def tasks_of(call_id: str) -> int:
    """Count the tasks that run for a call, by the names that it gives them."""
    root = trio.lowlevel.current_root_task()
    pending, count = [root] if root is not None else [], 0
    while pending:
        task = pending.pop()
        count += call_id in task.name
        pending += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
    return count


Place = tuple[Any, str, str]
"""A module or class, the name of a function in it, and the witness's method that stands round that."""

_PLACES: tuple[Place, ...] = (
    (Link, "accept", "accept"),
    (Link, "receive", "receive"),
    (Link, "send", "send"),
    (Link, "begin_close", "begin_close"),
    (Link, "abort", "abort"),
    (Link, "_answer", "answer_ping"),
    (Link, "_write", "write_bytes"),
    (Driver, "use", "use"),
    (Driver, "adopt", "adopt"),
    (Session, "feed", "feed"),
    (Session, "heard", "hear"),
    (Driver, "_tell", "tell"),
    (Driver, "cut", "cut"),
    (Writer, "play", "play"),
    (Writer, "pause", "pause"),
    (Writer, "write", "write"),
    (Server, "_answer", "ask"),
    (Engine, "lost", "lose_line"),
    (Engine, "resumed", "find_line"),
    (Mailbox, "put", "put"),
    (Ring, "feed", "keep_audio"),
    (callflow.server.registry, "_answer_of", "reach"),
    (Flow, "make_data", "make_data"),
    (Mishaps, "report", "fail"),
    (CallTask, "run", "run"),
    (CallTask, "_go_on", "go_on"),
    (callflow.server.http, "_read", "read_http"),
    (callflow.server.http, "_in_time", "answer_http"),
    (callflow.call.reader, "_tell_gone", "lose"),
)


_present: Witness | None = None
"""Whose block it is now. What stands round the functions asks this."""
_is_standing = False


@contextmanager
def standing_round() -> Iterator[None]:
    """Stand round the functions until the end of the block, for whatever is witnessed inside it."""
    global _is_standing  # noqa: PLW0603  # the functions are there once in a process
    if _is_standing:
        yield
        return
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in _PLACES]
    for owner, name, method in _PLACES:
        setattr(owner, name, _stand_round(getattr(owner, name), method))
    _is_standing = True
    try:
        yield
    finally:
        _is_standing = False
        for owner, name, original in before:
            setattr(owner, name, original)


@contextmanager
def witnessed() -> Iterator[Witness]:
    """Keep the log of all that is served inside the block; of one block at a time."""
    global _present  # noqa: PLW0603  # as above
    with standing_round():
        before, _present = _present, Witness()
        try:
            yield _present
        finally:
            _present = before


def _stand_round(original: Any, method: str) -> Any:
    @functools.wraps(original)
    def replaced(*args: Any, **kwargs: Any) -> Any:
        if _present is None:
            return original(*args, **kwargs)
        return getattr(_present, method)(original, *args, **kwargs)

    return replaced
