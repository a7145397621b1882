"""A telephone on Exotel's side of a stream: places a call to a server, hears what it plays, presses keys, hangs up.

The same in real time over sockets and in virtual time over a ``MemoryNetwork``: time is Trio's clock, and the bytes go
through a byte port. What the line hears is decided by ``callflow.line.exchange``; this file only carries it.

A few tasks a call and none per frame: trio-websocket's reader and who holds it, ours (``listen``), the one that writes
(``talk``), and the script that uses the telephone.
"""

from __future__ import annotations

import base64
import math
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from random import Random
from typing import Literal
from urllib.parse import parse_qsl, quote, urlencode

import h11
import msgspec
import trio
import wsproto.utilities
from attrs import Factory, define, frozen
from trio_websocket import ConnectionClosed, HandshakeError, WebSocketConnection, wrap_client_stream

from callflow.call.port import RECEIVE_BYTES, BytePort, PortStream, SocketPort
from callflow.errors import CallEnded, CallflowError, MalformedMessage
from callflow.line.exchange import EndedBy, MarkDue, PassthruRequest, Playout, Segment, Sender, StreamRecord
from callflow.line.profile import CONFORMANT, Profile
from callflow.wire.audio import AudioFormat
from callflow.wire.exotel import decode
from callflow.wire.messages import KEYS, Clear, Mark, Media, Message, Start

Dial = Callable[[], Awaitable[BytePort]]
"""Opens one connection to the server."""

CLOSE_SECONDS = 5.0
"""Longest time from hanging up until the connection is gone, whatever the server does."""

LINGER_SECONDS = 3.0
"""How long a line that breaks R14 stays after ``stop``."""

_NO_CLOSE_FRAME = 1006


class NotAnswered(CallflowError):
    """The server did not take the call, or did not answer a Passthru."""

    def __init__(self, what: str, status: int | None = None) -> None:
        super().__init__(what)
        self.status = status
        """HTTP status of the refusal, if there was one."""


async def dial_socket(host: str, port: int) -> SocketPort:
    """Connect by TCP.

    Raises:
        OSError: Nobody listens there.

    Cancellation:
        Nothing was connected.
    """
    return SocketPort(await trio.open_tcp_stream(host, port))


# The connection.


@frozen
class _Request:
    """The upgrade that is asked for."""

    host: str
    resource: str
    headers: list[tuple[bytes, bytes]]

    @property
    def url(self) -> str:
        return f"wss://{self.host}{self.resource}"


@define
class _Link:
    """One WebSocket and what is under it."""

    socket: WebSocketConnection
    wire: _Wire
    url: str


class _Wire(PortStream):
    """The stream under the WebSocket. It can go deaf, and gives up opening when the far end is gone.

    trio-websocket waits for the answer to its upgrade even when the connection ends before one; hence ``opening``.
    """

    def __init__(self, port: BytePort) -> None:
        super().__init__(port)
        self.deaf = False
        self.opening = trio.CancelScope()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        try:
            data = await super().receive_some(max_bytes)
        except trio.BrokenResourceError:
            self.opening.cancel()
            raise
        if not data:
            self.opening.cancel()
        if self.deaf:
            await trio.sleep_forever()
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        # No checkpoint where all is taken: trio-websocket's lock was one, and a frame has few task switches to spare.
        taken = self.port.try_send(bytes(data))
        if taken < len(data):
            await super().send_all(memoryview(data)[taken:])


async def _connect(nursery: trio.Nursery, dial: Dial, request: _Request, profile: Profile) -> _Link:
    """Dial until a handshake succeeds or the attempts are used up (exotel.md §4)."""
    refusal = NotAnswered("no attempt was made")
    for _ in range(1 + profile.retries):
        try:
            with trio.fail_after(profile.handshake_seconds):
                link: _Link = await nursery.start(_hold, dial, request)
                return link
        except NotAnswered as refused:
            refusal = refused
        except (OSError, trio.TooSlowError) as failed:
            refusal = NotAnswered(str(failed) or f"no answer within {profile.handshake_seconds:g} s")
            refusal.__cause__ = failed
    raise refusal


async def _hold(
    dial: Dial, request: _Request, *, task_status: trio.TaskStatus[_Link] = trio.TASK_STATUS_IGNORED
) -> None:
    """Open one WebSocket, hand it out, and stay until it is over."""
    wire = _Wire(await dial())
    link = None
    try:
        with _alone():
            async with trio.open_nursery() as nursery:
                link = _Link(await _upgrade(nursery, wire, request), wire, request.url)
                task_status.started(link)
    except HandshakeError as refused:
        status = getattr(refused, "status_code", None)
        raise NotAnswered(f"the server answered {status} to the upgrade", status) from refused
    except (ConnectionClosed, wsproto.utilities.ProtocolError, h11.ProtocolError) as broken:
        # trio-websocket's reader lets these out when its farewell to a peer that talks rubbish cannot be sent.
        if link is None:
            raise NotAnswered("what came is no answer to an upgrade") from broken
    finally:
        wire.port.close()


async def _upgrade(nursery: trio.Nursery, wire: _Wire, request: _Request) -> WebSocketConnection:
    connection = None
    with wire.opening:
        connection = await wrap_client_stream(
            nursery,
            wire,  # type: ignore[arg-type]  # annotated for sockets; any trio.abc.Stream does
            request.host,
            request.resource,
            extra_headers=request.headers,
            message_queue_size=64,
            receive_buffer_size=RECEIVE_BYTES,
        )
    if connection is None:
        raise NotAnswered("the server closed the connection before it answered")
    return connection


@contextmanager
def _alone() -> Iterator[None]:
    """Let a single exception out of a nursery as itself, not as a group of one."""
    try:
        yield
    except BaseExceptionGroup as group:
        inner: BaseException = group
        while isinstance(inner, BaseExceptionGroup) and len(inner.exceptions) == 1:
            inner = inner.exceptions[0]
        raise inner from inner.__cause__


# The telephone.


@frozen
class LineEntry:
    """One message as it went over the wire."""

    n: int
    """Place in the order of what this side wrote and read, from 1."""
    at: float
    """Seconds since the call was answered."""
    side: Literal["in", "out"]
    """As in Exotel's documents, seen from the server: ``in`` is Exotel's, ``out`` the server's."""
    text: str | bytes
    """Content of the frame; bytes where it was a binary one."""

    @property
    def message(self) -> Message | None:
        """The message, or None where the text is none."""
        try:
            return decode(self.text)
        except MalformedMessage:
            return None


@define(eq=False)
class _Utterance:
    """Audio that the caller is about to say."""

    audio: bytes
    said_bytes: int = 0
    over: trio.Event = Factory(trio.Event)

    def take(self, size: int) -> bytes:
        piece = self.audio[self.said_bytes : self.said_bytes + size]
        self.said_bytes += len(piece)
        return piece

    @property
    def all_said(self) -> bool:
        return self.said_bytes >= len(self.audio)


class Telephone:
    """One call, from the caller's chair. Made by ``place_call``.

    Moments are seconds since the call was answered. Waiting methods end at the latest when the call does.
    """

    def __init__(self, link: _Link, start: Start, profile: Profile, random: Random) -> None:
        self.call_sid = start.call_sid
        self.stream_sid = start.stream_sid
        self.form: AudioFormat = profile.form
        self.answered_at = trio.current_time()
        """Moment of the 101, on Trio's clock."""
        self.playout = Playout(self.form, profile)
        """What the line hears; ``playout.heard`` is its audio."""
        self.spoken: list[Segment] = []
        """What the caller said, one segment a message; silence that was sent is not in it."""
        self.log: list[LineEntry] = []
        """Every message both ways."""
        self.ended = trio.Event()
        self.ended_by: EndedBy | None = None
        """Who ended the call; ``network`` is a connection that went without a close frame. None while it lives."""
        self.close_code: int | None = None
        """The WebSocket's; 1006 where there was no close frame. None while the call lives."""
        self._link = link
        self._profile = profile
        self._sender = Sender(start, profile, random)
        self._outbox: deque[str] = deque([*self._sender.connected(), *self._sender.start()])
        self._utterances: deque[_Utterance] = deque()
        self._silence = self.form.silence(self.form.size(profile.frame_seconds))
        self._frame_at = profile.frame_seconds if profile.keeps_sending_silence else math.inf
        self._ended_at = math.inf
        self._wakes_at = -math.inf  # until when the writing task sleeps; in the past while it is at work
        self._leaving = False  # stop is on its way: nothing else is said any more
        self._closing = False  # a closing handshake of ours runs
        self._nudge = trio.lowlevel.ParkingLot()
        self._facts = trio.lowlevel.ParkingLot()

    @property
    def now(self) -> float:
        """Seconds since the call was answered."""
        return trio.current_time() - self.answered_at

    @property
    def bytes_heard(self) -> int:
        """Bytes of audio that the line has heard so far."""
        return self.playout.heard_bytes

    def record(self) -> StreamRecord:
        """Say how the stream ended, as Exotel's Passthru would.

        Raises:
            ValueError: The call is not over.
        """
        if self.ended_by is None:
            raise ValueError("a stream has a record when the call is over; hang up or wait for ended first")
        return StreamRecord(
            ended_by=self.ended_by, stream_sid=self.stream_sid, url=self._link.url, duration=self._ended_at
        )

    # What a caller does.

    async def press(self, digits: str, *, gap: float = 0.3, hold: float = 0.1) -> None:
        """Press keys one after another. Exotel reports a key when it is let go.

        Args:
            digits: What to press, from ``0-9 * #``.
            gap: Seconds from one key to the next.
            hold: Seconds that each key is held; never longer than *gap*.

        Raises:
            CallEnded: The call was over before the last key.
            ValueError: A character is no key, or a time is negative.

        Cancellation:
            In part. Keys that were let go stay pressed.
        """
        if not set(digits) <= set(KEYS):
            raise ValueError(f"one of the {len(digits)} keys to press is none; take them from {KEYS!r}")
        if not (gap >= 0 and hold >= 0):
            raise ValueError(f"keys are pressed in seconds from 0 on, not with gap={gap!r} and hold={hold!r}")
        held = min(hold, gap)
        next_at = trio.current_time()
        for digit in digits:
            await trio.sleep_until(next_at + held)
            self._check_live("press")
            self._post(self._sender.dtmf(digit, held))
            next_at += gap
        await self._posted()

    async def play(self, pcm16: bytes) -> None:
        """Say something: 16-bit audio of the line's rate, from the next frame on, after what is being said already.

        Raises:
            CallEnded: The call was over before the end of it.

        Cancellation:
            Nothing changes: it is said to its end.
        """
        self._check_live("play")
        utterance = _Utterance(self.form.from_pcm16(pcm16))
        self._utterances.append(utterance)
        if self._frame_at == math.inf:
            self._frame_at = self.now + self._profile.frame_seconds
        self._nudge.unpark_all()
        await utterance.over.wait()
        if not utterance.all_said:
            self._check_live("play")

    async def wait(self, seconds: float) -> None:
        """Do nothing for a while, also beyond the end of the call."""
        await trio.sleep(seconds)

    async def changed(self) -> None:
        """Wait for the next fact: audio heard, a mark reached, a message sent or received, the end.

        So a script waits for a condition: ``while not condition(): await phone.changed()``.

        Raises:
            CallEnded: The call was over already, so nothing will change.
        """
        self._check_live("changed")
        await self._facts.park()

    async def hang_up(self) -> None:
        """Hang up as the profile does: ``stop``, then the connection goes. Returns within ``CLOSE_SECONDS``.

        Cancellation:
            The caller hangs up nevertheless; when the connection is gone is unknown.
        """
        if not self._leaving and not self.ended.is_set():
            self._leaving = True
            self._post(self._sender.stop())
        with trio.move_on_after(0 if self._link.wire.deaf else CLOSE_SECONDS):
            await self.ended.wait()
        self._end("caller", _NO_CLOSE_FRAME)

    def drop(self) -> None:
        """Lose the connection at once, by a reset."""
        self._link.wire.port.close(reset=True)
        self._end("network", _NO_CLOSE_FRAME)

    def go_deaf(self) -> None:
        """Become a half-open connection: from now on nothing is read, answered or sent, but TCP stays."""
        self._link.wire.deaf = True
        self._nudge.unpark_all()
        self._facts.unpark_all()

    # The tasks.

    async def listen(self) -> None:
        """Take in what the server sends, until the connection is over. Never waits for anything else."""
        code = _NO_CLOSE_FRAME
        try:
            while True:
                self._take(await self._link.socket.get_message())
        except ConnectionClosed as closed:
            if closed.reason is not None:  # it is None where trio-websocket's reader failed itself
                code = int(closed.reason.code)
        if not self._closing:
            self._end(("network" if code == _NO_CLOSE_FRAME else "server"), code)

    def _take(self, text: str | bytes) -> None:
        now = self.now
        entry = self._note("out", text)
        match entry.message if not self._leaving else None:
            case Media(payload=payload):
                self.playout.media(payload, now)
            case Mark(name=name):
                self.playout.mark(name, now)
            case Clear():
                self.playout.clear(now)
            case _:  # nothing else has a meaning to Exotel, and after our stop nothing has (exotel.md §6.7, §7.4)
                pass
        if self.playout.next_event_at() < self._wakes_at:
            self._nudge.unpark_all()
        self._facts.unpark_all()

    async def talk(self) -> None:
        """Send Exotel's messages in time, until the call is over. The only one that writes."""
        while not self.ended.is_set() and not self._link.wire.deaf:
            if not self._leaving:
                self._collect(self.now)
            await self._flush()
            if self._leaving:
                await self._leave()
            else:
                await self._rest()

    def _collect(self, now: float) -> None:
        """Put into the outbox what is due: echoes of marks, and frames of the caller's audio."""
        for fact in self.playout.advance(now):
            if isinstance(fact, MarkDue):
                self._outbox.extend(self._sender.mark(fact.name))
        if self._frame_at <= now + 1e-6:  # what is late comes at once, as from a real line: then no rest is taken
            self._outbox.extend(self._sender.media(self._frame(self._frame_at), self._frame_at))
            self._frame_at = self._next_frame_at()

    def _frame(self, at: float) -> bytes:
        """Take the next piece of what is being said, or silence."""
        if not self._utterances:
            return self._silence
        utterance = self._utterances[0]
        size = len(self._silence)
        said = utterance.take(size)
        if utterance.all_said:
            self._utterances.popleft().over.set()
        if said:
            self.spoken.append(Segment(at - self._profile.frame_seconds, said, self.form.seconds(len(said))))
        return said + self.form.silence(size - len(said))

    def _next_frame_at(self) -> float:
        if self._profile.keeps_sending_silence or self._utterances:
            return self._frame_at + self._profile.frame_seconds
        return math.inf

    async def _flush(self) -> None:
        while self._outbox and not self._link.wire.deaf:
            try:
                await self._link.socket.send_message(self._outbox[0])
            except ConnectionClosed:  # the listening task sees it as well, and ends the call
                self._outbox.clear()
                return
            self._note("in", self._outbox.popleft())

    async def _rest(self) -> None:
        """Sleep until something is due, or somebody nudges."""
        self._facts.unpark_all()
        self._wakes_at = min(self._frame_at, self.playout.next_event_at())
        with trio.CancelScope(deadline=self.answered_at + self._wakes_at):
            await self._nudge.park()
        self._wakes_at = -math.inf

    async def _leave(self) -> None:
        """End the connection after ``stop`` (R14, D23)."""
        if "R14" in self._profile.breaks:
            await trio.sleep(LINGER_SECONDS)
        if self._profile.close_after_stop == "clean" and not self.ended.is_set():
            self._closing = True
            with trio.move_on_after(CLOSE_SECONDS):
                await self._link.socket.aclose(1000)
                self._end("caller", 1000)
        self._end("caller", _NO_CLOSE_FRAME)

    # Small things.

    def _post(self, texts: list[str]) -> None:
        if not self._link.wire.deaf:
            self._outbox.extend(texts)
        self._nudge.unpark_all()

    async def _posted(self) -> None:
        """Wait until everything was handed to the transport, or never will be."""
        await trio.lowlevel.checkpoint()
        while self._outbox and not self.ended.is_set() and not self._link.wire.deaf:
            await self._facts.park()

    def _note(self, side: Literal["in", "out"], text: str | bytes) -> LineEntry:
        entry = LineEntry(len(self.log) + 1, self.now, side, text)
        self.log.append(entry)
        return entry

    def _check_live(self, what: str) -> None:
        if self._leaving or self.ended.is_set():
            raise CallEnded(what, self.ended_by or "caller")

    def _end(self, by: EndedBy, code: int) -> None:
        """The call is over; the first cause wins."""
        if self.ended.is_set():
            return
        self.playout.advance(self.now)
        self.ended_by = "caller" if self._leaving else by
        self.close_code = code
        self._ended_at = self.now
        self.ended.set()
        self._link.wire.port.close()
        for utterance in self._utterances:
            utterance.over.set()
        self._nudge.unpark_all()
        self._facts.unpark_all()


# Placing a call.

_SHARED = Random(0)


@asynccontextmanager
async def place_call(  # noqa: PLR0913 - what a call has, all of it by keyword and with a default
    dial: Dial,
    *,
    target: str = "/stream",
    caller: str = "+910000000105",
    called: str = "00000000319",
    call_sid: str | None = None,
    account_sid: str = "acme1",
    parameters: Mapping[str, str] | None = None,
    profile: Profile = CONFORMANT,
    credentials: str | None = None,
    host: str = "bot.example.com",
    random: Random | None = None,
) -> AsyncIterator[Telephone]:
    """Ring a server, and hang up at the end of the block if nobody did before.

    Args:
        dial: Opens a connection; called again for a retry of a failed handshake.
        target: Path of the stream URL, with its query if it has one.
        caller: The number that rings, ``start.from``.
        called: The number rung, ``start.to``.
        call_sid: Identifier of the call; drawn if None.
        account_sid: Name of the account at Exotel.
        parameters: Custom parameters; added to the target's query, all of which ``start`` tells again.
        profile: Which Exotel this is.
        credentials: ``key:token`` of the stream URL, sent as Basic authorization.
        host: Name in the ``Host`` header.
        random: Source of everything drawn; by default one for all calls of the process, so that their ids differ.

    Raises:
        NotAnswered: No handshake succeeded, in time, in as many attempts as the profile makes.

    Cancellation:
        The connection is gone; the server may have got no ``stop``.
    """
    source = random or _SHARED
    query = {**parameters} if parameters else {}
    resource = target + (("&" if "?" in target else "?") + urlencode(query, quote_via=quote) if query else "")
    start = Start(
        stream_sid=_draw_sid(source),
        call_sid=call_sid or _draw_sid(source),
        account_sid=account_sid,
        caller=caller,
        called=called,
        parameters=_custom_parameters(resource),
    )
    headers = [("User-Agent", "Go-http-client/1.1"), *_basic(credentials)]
    request = _Request(host, resource, [(name.encode(), value.encode()) for name, value in headers])
    with _alone():
        async with trio.open_nursery() as nursery:
            phone = Telephone(await _connect(nursery, dial, request, profile), start, profile, source)
            nursery.start_soon(phone.listen)
            nursery.start_soon(phone.talk)
            try:
                yield phone
                await phone.hang_up()
            finally:
                phone.drop()
                nursery.cancel_scope.cancel()


def _draw_sid(random: Random) -> str:
    """Draw an identifier: 32 letters and digits, not always hexadecimal (exotel.md §5)."""
    return "".join(random.choices("0123456789abcdefghijklmnopqrstuvwxyz", k=32))


def _custom_parameters(resource: str) -> dict[str, str]:
    """Read what Exotel tells again in ``start``: the query of the stream URL, but not the rate that it asks for."""
    query = parse_qsl(resource.partition("?")[2], keep_blank_values=True)
    return {name: value for name, value in query if name not in {"sample-rate", "sample_rate"}}


def _basic(credentials: str | None) -> list[tuple[str, str]]:
    if credentials is None:
        return []
    return [("Authorization", "Basic " + base64.b64encode(credentials.encode()).decode())]


# Passthru.

PASSTHRU_SECONDS = 15.0
"""The longest deadline that a page gives; others say 3 to 5 s (D31)."""

Method = Literal["GET", "POST form", "POST json"]


@frozen
class Applets:
    """The applets round a stream, as one call went through them: the answers of its Passthrus."""

    before: int | None = None
    """Status that the Passthru before the stream was answered with, if there was one."""
    after: int | None = None
    """The same after the stream."""

    @property
    def branch(self) -> Literal["A", "B"] | None:
        """Where the flow at Exotel goes on; None for the error path, or without a Passthru (exotel.md §12.2)."""
        match self.after:
            case 200:
                return "A"
            case 302:
                return "B"
            case _:
                return None


async def passthru(  # noqa: PLR0913 - what such a request has, all of it by keyword
    dial: Dial,
    *,
    call_sid: str,
    caller: str = "+910000000105",
    called: str = "00000000319",
    before: bool,
    stream: StreamRecord | None = None,
    method: Method = "GET",
    path: str = "/passthru",
    credentials: str | None = None,
    host: str = "bot.example.com",
) -> int:
    """Ask a Passthru, in one of the forms that Exotel's pages describe (exotel.md §12).

    Args:
        dial: Opens the connection; one request, then it is closed.
        call_sid: The call's identifier.
        caller: The number that rings.
        called: The number rung.
        before: Whether the stream is still to come.
        stream: How the stream ended (``Telephone.record()``); of one to come only its id and URL are told.
        method: ``GET`` and ``POST form`` have the keys in wide use, ``POST json`` those of the two pages that
            describe it, which differ before and after the stream.
        path: Path of the Passthru's URL, with its query if it has one.
        credentials: ``key:token`` of the URL, sent as Basic authorization.
        host: Name in the ``Host`` header.

    Returns:
        The status: 200 is branch A, 302 branch B.

    Raises:
        NotAnswered: There was no answer, or none in ``PASSTHRU_SECONDS``.

    Cancellation:
        Unknown: the server may have got the request.
    """
    asked = PassthruRequest(call_sid=call_sid, caller=caller, called=called, before=before, stream=stream)
    request, body = _http_request(asked, method, path, [("Host", host), *_basic(credentials)])
    try:
        with trio.fail_after(PASSTHRU_SECONDS):
            return await _status(PortStream(await dial()), request, body)
    except (OSError, trio.TooSlowError, trio.BrokenResourceError, h11.RemoteProtocolError) as failed:
        raise NotAnswered(f"the Passthru was not answered: {str(failed) or 'too slow'}") from failed


def _http_request(
    asked: PassthruRequest, method: Method, path: str, headers: list[tuple[str, str]]
) -> tuple[h11.Request, bytes]:
    if method == "GET":
        target = path + ("&" if "?" in path else "?") + urlencode(asked.fields())
        return h11.Request(method="GET", target=target, headers=headers), b""
    if method == "POST form":
        content_type, body = "application/x-www-form-urlencoded", urlencode(asked.fields()).encode()
    else:
        content_type, body = "application/json", msgspec.json.encode(asked.document())
    length = ("Content-Length", str(len(body)))
    return h11.Request(method="POST", target=path, headers=[*headers, ("Content-Type", content_type), length]), body


async def _status(stream: PortStream, request: h11.Request, body: bytes) -> int:
    """Send one request and read the status of its answer."""
    http = h11.Connection(h11.CLIENT)
    async with stream:
        head, data, end = http.send(request), http.send(h11.Data(data=body)), http.send(h11.EndOfMessage())
        await stream.send_all((head or b"") + (data or b"") + (end or b""))
        while not isinstance(event := http.next_event(), h11.Response):
            if event is h11.NEED_DATA:
                http.receive_data(await stream.receive_some())
    return event.status_code
