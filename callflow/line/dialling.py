"""Opening the connection of a call: from a byte port to a WebSocket, with Exotel's patience and its second attempt.

``connect`` dials until a handshake succeeds (exotel.md §4) and gives a ``Link``.
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from random import Random
from urllib.parse import parse_qsl, quote, urlencode

import trio
from attrs import frozen

from callflow.call.port import BytePort, SocketPort
from callflow.call.tls_port import HandshakeFailed, TlsPort
from callflow.errors import NotAnswered
from callflow.line.profile import Profile
from callflow.line.websocket import WebSocket

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


@frozen
class Link:
    """One WebSocket, and what was asked for it."""

    socket: WebSocket
    url: str


# How it is opened.


async def connect(dial: Dial, upgrade: Upgrade, profile: Profile) -> Link:
    """Dial until a handshake succeeds or the attempts are used up (exotel.md §4).

    Args:
        dial: Opens a connection, for each attempt a new one.
        upgrade: What to ask for.
        profile: How long an attempt may take, and how many there are.

    Returns:
        A link whose port is to be closed by whoever holds it.

    Raises:
        NotAnswered: No attempt succeeded; says why the last one did not.

    Cancellation:
        Nothing is connected.
    """
    refusal = NotAnswered("no attempt was made")
    for _ in range(1 + profile.retries):
        try:
            with trio.fail_after(profile.handshake_seconds):
                return Link(await _open(dial, upgrade), upgrade.url)
        except NotAnswered as refused:
            refusal = refused
        except (OSError, trio.TooSlowError) as failed:
            refusal = NotAnswered(str(failed) or f"no answer within {profile.handshake_seconds:g} s")
            refusal.__cause__ = failed
    raise refusal


async def _open(dial: Dial, upgrade: Upgrade) -> WebSocket:
    socket = WebSocket(await dial())
    with ExitStack() as on_failure:
        on_failure.callback(socket.port.close)
        await socket.ask(upgrade.host, upgrade.resource, upgrade.headers)
        on_failure.pop_all()
    return socket


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


def draw_sid(random: Random) -> str:
    """Draw an identifier: 32 letters and digits, not always hexadecimal (exotel.md §5)."""
    return "".join(random.choices("0123456789abcdefghijklmnopqrstuvwxyz", k=32))
