"""The server: a listener, the door, the calls behind it, and an orderly end.

``serve_websocket`` is not used: one bad connection would end it, and every call with it.
"""

from __future__ import annotations

import functools
import logging
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

import attrs
import trio
from attrs import define, field

from callflow.call.accepted import LineSettings, Socket
from callflow.call.budget import Budget
from callflow.call.call import CallTask
from callflow.call.link import Link
from callflow.call.port import BytePort
from callflow.call.record import CallRecord
from callflow.errors import SettingsError
from callflow.flow.flow import Flow
from callflow.server.admin import make_admin_app, make_admin_door, open_admin, read_admin_entry
from callflow.server.asgi import RequestServer
from callflow.server.door import Door
from callflow.server.drain import RESTART, Drain, Stage
from callflow.server.entry import read_entry
from callflow.server.flows import STREAM_PATH, FlowProvider, find_flow, provider_of, read_stream_path
from callflow.server.head import RequestHead
from callflow.server.http import make_app
from callflow.server.limits import Gate
from callflow.server.listening import Listening, open_listeners, serve_as_port
from callflow.server.metrics import Metrics
from callflow.server.notify import Notifier
from callflow.server.present import Present
from callflow.server.registry import Registry
from callflow.server.reloading import Reloader
from callflow.server.reports import Reports
from callflow.server.screening import Screening
from callflow.server.settings import Settings
from callflow.server.stream_urls import StreamUrls
from callflow.server.tokens import Tokens
from callflow.session.inputs import EndCause
from callflow.session.timing import Timing
from callflow.wire.messages import Start
from callflow.wire.parameters import RATE_NAMES

log = logging.getLogger("callflow.server")

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@define(eq=False)
class Server:
    """Serves flows. ``connect`` serves one connection over any byte port; ``run`` listens.

    Args:
        flows: What answers calls: a flow, several, or a provider of them.
        settings: What the operator set.
        timing: Every wait of a call; only tests give another.
        chance: Source of call ids and of each call's own chance.
    """

    flows: FlowProvider = field(converter=provider_of)
    settings: Settings = field(factory=Settings)
    timing: Timing | None = None
    chance: random.Random = field(factory=random.Random)
    registry: Registry = field(init=False)
    screening: Screening = field(init=False)
    door: Door = field(init=False)
    records: list[CallRecord] = field(factory=list, init=False)
    """Records of ended calls, newest last; at most a thousand are kept."""
    ended: Counter[EndCause] = field(factory=Counter, init=False)
    """Calls that are over, by cause."""
    metrics: Metrics = field(init=False)
    admin: Door = field(init=False)
    """The door of the admin listener."""
    going_down: Drain = field(init=False)
    reloader: Reloader = field(init=False)
    """Reads again, at SIGHUP, who may come in."""
    _streams: Present = field(factory=Present, init=False)
    _connections: Present = field(factory=Present, init=False)

    def __attrs_post_init__(self) -> None:
        settings = self.settings
        waits = self._line_settings().timing
        tokens = Tokens(unused=waits.attach, after=waits.resume)
        self.registry = Registry(
            flows=self.flows,
            tokens=tokens,
            urls=StreamUrls(settings.public_url, settings.token_in, is_tls=settings.tls_certificate is not None),
            spare=settings.stream_url_fallback,
            follow=settings.feed,
            offered=settings.previous_for,
            orphan=waits.attach,
            most_calls=settings.max_calls,
        )
        self.screening = Screening(
            tokens=tokens,
            accounts=frozenset(settings.accounts),
            announced_only=settings.announced_only,
            is_announced=self.registry.is_announced,
            has_line=self.registry.capacity.at_start,
        )
        limits = settings.limits
        requests = RequestServer(make_app(self.registry, fallback=settings.passthru_fallback), limits)
        self.door = Door(
            limits=limits,
            gate=Gate(limits),
            entry=read_entry(settings),
            vouched=lambda head: self.screening.call_shown(head) is not None,
            tokens_required=settings.tokens_required,
            served=lambda: " ".join(f"{STREAM_PATH}/{name}" for name in self.flows.names),
            streams=self._is_stream,
            admits=self._admits,
            answer=self._stream,
            requests=requests.serve,
            awaited=lambda: bool(self.registry.calls.detached) or self.registry.announcements.places() > 0,
            origins=frozenset(settings.origins),
        )
        self.registry.told_refused = self._note_announcement
        self.metrics = Metrics(self.door, self.registry, self.screening)
        self.admin = make_admin_door(make_admin_app(self.metrics), read_admin_entry(settings, self.door.entry))
        self.reloader = Reloader(self.door, self.admin, settings)
        self.going_down = Drain(
            door=self.door,
            registry=self.registry,
            streams=self._streams,
            connections=self._connections,
            delay=settings.drain_delay,
            patience=settings.drain,
            timing=self.timing or Timing(),
        )

    @property
    def reports(self) -> Reports:
        """What Exotel said of calls over HTTP, beside their records; the newest thousand."""
        return self.registry.reports

    def load(self) -> None:
        """Load what calls need; the server is ready afterwards.

        Raises:
            AudioError: A prompt is absent or cannot be played.
        """
        self.flows.load()
        self.registry.is_ready = True

    async def connect(self, port: BytePort) -> None:
        """Serve one connection to its end: the firewall is inside.

        Cancellation:
            The connection is dropped.
        """
        with self._connections:
            await self.door.serve(port)

    def _admits(self, head: RequestHead) -> str | None:
        return self.registry.capacity.at_upgrade(self.screening.call_shown(head), self.door.gate.without_start)

    def _note_announcement(self, kind: str, call_sid: str, status: int) -> None:
        self.door.note_refused(f"announced {kind}", call_sid=call_sid, status=status)

    def _is_stream(self, path: str) -> bool:
        return self._flow_at(path) is not None

    def _flow_at(self, path: str) -> Flow[Any] | None:
        named = read_stream_path(path)
        return None if named is None else find_flow(self.flows, named.flow)

    async def _stream(self, head: RequestHead, port: BytePort, rest: bytes) -> None:
        with self._streams:
            await self._answer(head, port, rest)

    async def _answer(self, head: RequestHead, port: BytePort, rest: bytes) -> None:
        flow = self._flow_at(head.path)
        assert flow is not None  # else the door had refused it
        shown = self.screening.call_shown(head)
        link = Link(port, Budget(rate=self.settings.message_rate))
        await link.accept(head.raw, rest)
        task = CallTask(
            flow=flow,
            socket=Socket(
                link=link,
                rate=_rate_of(head),
                parameters=head.query,
                shown=shown,
                closed=functools.partial(self.door.leave, port),
            ),
            settings=self._line_settings(),
            call_id="".join(self.chance.choices(_DIGITS, k=8)),
            announced=self.registry.announced,
            previous=functools.partial(self.registry.calls.previous, flow),
            claim=functools.partial(self._whose, late=self.door.draining),
            begun=self._begun,
            recorded=self._recorded,
            chance=random.Random(self.chance.random()),  # chance for flows, not for secrets
            screen=lambda start, socket: self.screening.fault_of(start, socket.shown),
        )
        try:
            await task.run()
        finally:
            self.registry.over(task)
            self.metrics.over(task)
        with self.registry.afterwards:  # still on this connection's task: no other call waits for it
            await task.do_after()

    def _line_settings(self) -> LineSettings:
        settings = self.settings
        own = Timing(open=settings.start_within, idle=settings.idle, resume=settings.resume, call=settings.call_limit)
        return LineSettings(timing=self.timing or own, codec=settings.codec, low_latency=settings.low_latency)

    async def _whose(self, task: CallTask, start: Start, *, late: bool) -> CallTask | None:
        """Find the call that a link belongs to; if it came *late*, while the server went down, refuse a new one."""
        found = await self.registry.calls.find(task.flow, start, task.line_of(start), task.settings.timing.takeover)
        if found is not None:
            self.door.gate.started(task.socket.link.peer)
        elif late and not self.registry.announcements.has_place(start.call_sid):
            task.hang_up(EndCause.DRAIN, RESTART)
        elif (fault := self.screening.fault_of_new(start)) is not None:
            task.refuse(fault)
        return found

    def _begun(self, task: CallTask) -> None:
        self.door.gate.started(task.socket.link.peer)
        self.registry.begun(task)

    def _recorded(self, record: CallRecord) -> None:
        """Keep a record, and log it before anything else is waited for: the process may be killed."""
        self.ended[record.cause] += 1
        self.records.append(record)
        del self.records[:-1000]
        log.info("call ended", extra={"record": _loggable(record)})

    # Listening.

    async def run(
        self,
        listeners: Sequence[trio.SocketListener] | None = None,
        *,
        admin: Sequence[trio.SocketListener] | None = None,
        leaves: bool = False,
        notifier: Notifier | None = None,
        task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Listen until cancelled or told to stop by SIGTERM or SIGINT; then drain, and return.

        A second signal ends the calls that are still there at once. SIGHUP has the reloader read again.

        Args:
            listeners: Open listeners; the settings' host and port if None.
            admin: Open listeners for operators; those of the settings, if any, if None.
            leaves: Another process listens there, too: when told to stop, leave it the port in place of refusing.
            notifier: Is told when calls are answered, and when no more.
            task_status: Told the port when calls are answered.

        Raises:
            AudioError: A prompt is absent or cannot be played.
            SettingsError: Others reach a listener, and everybody would be let in; the listeners are closed.
            ListenError: The port is taken, or is not ours to take.

        Cancellation:
            Every connection is dropped. To end calls in order, use ``drain``.
        """
        self.load()
        settings = self.settings
        if listeners is None:
            listeners = await open_listeners(settings.host, settings.port, shared=settings.reuse_port)
        admin = await open_admin(settings) if admin is None else admin
        await self._begin(listeners, admin)
        listening = Listening(listeners, self._come_in, self._connections)
        port, name = listening.port, ", ".join(self.flows.names)
        self.reloader.notifier = notifier = notifier or Notifier()
        self._tell_stages(notifier)
        if leaves or settings.reuse_port:
            self.going_down.leave = listening.leave
        with (
            trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals,
            trio.open_signal_receiver(signal.SIGHUP) as hangups,
        ):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(listening.run, nursery)
                nursery.start_soon(self._listen_for_operators, admin, nursery)
                nursery.start_soon(self.reloader.run, hangups)
                nursery.start_soon(notifier.stay_alive)
                log.info("server started", extra={"port": port, "flow": name, "stops_within": self.going_down.longest})
                notifier.ready(f"{name} answers on port {port}")
                task_status.started(port)
                await anext(signals)
                nursery.start_soon(self._hurry, signals)
                # Else still listening: calls that end meanwhile have a Passthru to come, and the refused are told so.
                await self.drain()
                nursery.cancel_scope.cancel()
        log.info("server stopped", extra={"calls": self.ended.total(), "drained": self.ended[EndCause.DRAIN]})

    async def _begin(self, listeners: Sequence[trio.SocketListener], admin: Sequence[trio.SocketListener]) -> None:
        try:
            self.reloader.begin(map(_host_of, listeners), map(_host_of, admin))
        except SettingsError:
            for listener in (*listeners, *admin):
                await listener.aclose()
            raise

    async def _listen_for_operators(self, listeners: Sequence[trio.SocketListener], connections: trio.Nursery) -> None:
        if listeners:
            listening = Listening(listeners, partial(serve_as_port, self.admin.serve), Present())
            log.info("admin listening", extra={"host": _host_of(listeners[0]), "port": listening.port})
            await listening.run(connections)

    def _tell_stages(self, notifier: Notifier) -> None:
        def told(stage: Stage, within: float) -> None:
            notifier.stopping(f"{stage.value}, {len(self.registry.live)} calls", within=within)

        self.going_down.told = told

    async def _come_in(self, stream: trio.SocketStream) -> None:
        await serve_as_port(self.connect, stream)

    async def _hurry(self, signals: AsyncIterator[int]) -> None:
        """A second signal means now: running calls are not waited for."""
        async for _ in signals:
            self.going_down.hurry()

    async def drain(self) -> None:
        """Go down in stages; see ``callflow.server.drain``.

        Cancellation:
            Running calls are dropped by whoever cancelled.
        """
        await self.going_down.run()


def _rate_of(head: RequestHead) -> int | None:
    """Read the sample rate that the URL names, under either spelling (D14)."""
    text = next((head.query[name] for name in RATE_NAMES if head.query.get(name)), "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else None  # 99,999 Hz at most


def _host_of(listener: trio.SocketListener) -> str:
    host: str = listener.socket.getsockname()[0]
    return host


def _loggable(record: CallRecord) -> dict[str, object]:
    """Write a record for a log: numbers of people keep their last two figures (faults T9)."""
    fields: dict[str, object] = attrs.asdict(record)
    for name in ("caller", "called"):
        fields[name] = f"…{str(fields[name])[-2:]}"
    return {**fields, "cause": record.cause.value, "ended_by": record.ended_by.value}
