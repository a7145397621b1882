"""Opening the connection of a call: from a byte port to a WebSocket, with Exotel's patience and its second attempt.

``connect`` dials until a handshake succeeds (exotel.md §4) and gives a ``Link``, which lives in the caller's nursery.
"""

from __future__ import annotations

import base64
import math
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from urllib.parse import parse_qsl, quote, urlencode

import h11
import trio
import wsproto.utilities
from attrs import define, frozen
from trio_websocket import ConnectionClosed, HandshakeError, WebSocketConnection, wrap_client_stream

from callflow.call.port import RECEIVE_BYTES, BytePort, PortStream, SocketPort
from callflow.call.tls_port import HandshakeFailed, TlsPort
from callflow.errors import NotAnswered
from callflow.line.profile import Profile

Dial = Callable[[], Awaitable[BytePort]]
"""Opens one connection to the server."""


async def dial_socket(host: str, port: int) -> SocketPort:
    """Connect by TCP.

    Raises:
        OSError: Nobody listens there.

    Cancellation:
        Nothing was connected.
    """
    return SocketPort(await trio.open_tcp_stream(host, port))


async def dial_tls(host: str, port: int, context: ssl.SSLContext, *, name: str | None = None) -> TlsPort:
    """Connect by TCP, and speak TLS.

    Args:
        host: Where.
        port: Where.
        context: Whom to trust.
        name: The name that the certificate must be for; *host* unless given.

    Raises:
        ConnectionAbortedError: The far end is not trusted, or speaks no TLS.
        OSError: Nobody listens there, or the far end reset the connection.

    Cancellation:
        Nothing was connected.
    """
    wire = TlsPort(await dial_socket(host, port), context, server_hostname=name or host)
    with ExitStack() as on_failure:
        on_failure.callback(wire.close, reset=True)
        try:
            await wire.shake_hands()
        except trio.BrokenResourceError as gone:
            raise ConnectionResetError(str(gone)) from gone
        except HandshakeFailed as failed:
            raise ConnectionAbortedError(f"TLS failed: {failed}") from failed
        on_failure.pop_all()
    return wire


# What is asked for.


@frozen(kw_only=True)
class Upgrade:
    """The upgrade that is asked for."""

    host: str
    resource: str
    """Path of the stream URL, with its query."""
    credentials: str | None
    """``key:token`` of the URL."""

    @property
    def url(self) -> str:
        return f"wss://{self.host}{self.resource}"

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        headers = [("User-Agent", "Go-http-client/1.1"), *authorization(self.credentials)]
        return [(name.encode(), value.encode()) for name, value in headers]

    @property
    def parameters(self) -> dict[str, str]:
        """What ``start`` tells again: the query of the URL, but not the rate that it asks for."""
        query = parse_qsl(self.resource.partition("?")[2], keep_blank_values=True)
        return {name: value for name, value in query if name not in {"sample-rate", "sample_rate"}}


def with_query(path: str, parameters: Mapping[str, str]) -> str:
    """Add parameters to a path that may have a query already."""
    if not parameters:
        return path
    return path + ("&" if "?" in path else "?") + urlencode(parameters, quote_via=quote)


def authorization(credentials: str | None) -> list[tuple[str, str]]:
    """Write the header that carries the credentials of a URL, if it has any."""
    if credentials is None:
        return []
    return [("Authorization", "Basic " + base64.b64encode(credentials.encode()).decode())]


# What is given.


@define
class Link:
    """One WebSocket and what is under it."""

    socket: WebSocketConnection
    wire: Wire
    url: str


class Wire(PortStream):
    """The stream under the WebSocket. It can go deaf or stand still, and gives up opening when the far end is gone.

    trio-websocket waits for the answer to its upgrade even when the connection ends before one; hence ``opening``.
    """

    def __init__(self, port: BytePort) -> None:
        super().__init__(port)
        self.deaf = False
        self.frozen_until = -math.inf
        """Moment of Trio's clock up to which nothing passes, either way."""
        self.opening = trio.CancelScope()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        try:
            data = await super().receive_some(max_bytes)
        except trio.BrokenResourceError:
            self.opening.cancel()
            raise
        if not data:
            self.opening.cancel()
        await self._thaw()
        if self.deaf:
            await trio.sleep_forever()
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._thaw()
        # No checkpoint where all is taken: trio-websocket's lock was one, and a frame has few task switches to spare.
        taken = self.port.try_send(bytes(data))
        if taken < len(data):
            await super().send_all(memoryview(data)[taken:])

    async def _thaw(self) -> None:
        while self.frozen_until > trio.current_time():  # noqa: ASYNC110 - it may be frozen again meanwhile
            await trio.sleep_until(self.frozen_until)


# How it is opened.


async def connect(nursery: trio.Nursery, dial: Dial, upgrade: Upgrade, profile: Profile) -> Link:
    """Dial until a handshake succeeds or the attempts are used up (exotel.md §4).

    Args:
        nursery: Holds the link until it is over.
        dial: Opens a connection, for each attempt a new one.
        upgrade: What to ask for.
        profile: How long an attempt may take, and how many there are.

    Raises:
        NotAnswered: No attempt succeeded; says why the last one did not.

    Cancellation:
        Nothing is connected.
    """
    refusal = NotAnswered("no attempt was made")
    for _ in range(1 + profile.retries):
        try:
            with trio.fail_after(profile.handshake_seconds):
                link: Link = await nursery.start(_hold, dial, upgrade)
                return link
        except NotAnswered as refused:
            refusal = refused
        except (OSError, trio.TooSlowError) as failed:
            refusal = NotAnswered(str(failed) or f"no answer within {profile.handshake_seconds:g} s")
            refusal.__cause__ = failed
    raise refusal


async def _hold(dial: Dial, upgrade: Upgrade, *, task_status: trio.TaskStatus[Link] = trio.TASK_STATUS_IGNORED) -> None:
    """Open one WebSocket, hand it out, and stay until it is over."""
    wire = Wire(await dial())
    link = None
    try:
        with alone():
            async with trio.open_nursery() as nursery:
                link = Link(await _open(nursery, wire, upgrade), wire, upgrade.url)
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


async def _open(nursery: trio.Nursery, wire: Wire, upgrade: Upgrade) -> WebSocketConnection:
    connection = None
    with wire.opening:
        connection = await wrap_client_stream(
            nursery,
            wire,  # type: ignore[arg-type]  # annotated for sockets; any trio.abc.Stream does
            upgrade.host,
            upgrade.resource,
            extra_headers=upgrade.headers,
            message_queue_size=64,
            receive_buffer_size=RECEIVE_BYTES,
        )
    if connection is None:
        raise NotAnswered("the server closed the connection before it answered")
    return connection


@contextmanager
def alone() -> Iterator[None]:
    """Let a single exception out of a nursery as itself, not as a group of one."""
    try:
        yield
    except BaseExceptionGroup as group:
        inner: BaseException = group
        while isinstance(inner, BaseExceptionGroup) and len(inner.exceptions) == 1:
            inner = inner.exceptions[0]
        raise inner from inner.__cause__
