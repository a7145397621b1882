"""The opening of a connection: what comes ahead of the request, a proxy's header and the handshake of TLS.

Nothing in here ends by itself if the far end is silent: the door gives all of it the time of one request head.
"""

from __future__ import annotations

import ssl

import trio

from callflow.call.port import BytePort
from callflow.call.tls_port import HandshakeFailed, TlsPort
from callflow.errors import RemoteProtocolError
from callflow.server.head import Refusal
from callflow.server.proxy_protocol import MOST_BYTES, BadProxyHeader, ProxyHeader, ProxyHeaderReader

_HANDSHAKE = 0x16
"""First byte of every client that speaks TLS."""

_PLAIN = Refusal(400, "this port speaks TLS; use https:// and wss://")


class NotOpened(RemoteProtocolError):
    """A connection never got as far as a request."""

    def __init__(self, kind: str, refusal: Refusal, *, is_told: bool = False) -> None:
        super().__init__(refusal.reason)
        self.kind = kind
        """For the count: ``proxy`` or ``tls``."""
        self.refusal = refusal
        self.is_told = is_told
        """Whether the far end could read an answer."""


async def read_proxy_header(port: BytePort) -> tuple[ProxyHeader, bytes]:
    """Read the header that a proxy sends first; return what came behind it, too.

    Raises:
        NotOpened: There is none.
    """
    reader = ProxyHeaderReader()
    try:
        while (header := reader.feed(await _receive_some(port))) is None:
            pass
    except BadProxyHeader as bad:
        raise NotOpened("proxy", Refusal(400, str(bad))) from bad
    return header, reader.rest


async def start_tls(port: BytePort, context: ssl.SSLContext, received: bytes) -> TlsPort:
    """Speak TLS over a port from now on.

    Args:
        port: The connection.
        context: The server's.
        received: What was read from it already.

    Raises:
        NotOpened: The far end speaks something else, or the handshake failed.
    """
    received = received or await _receive_some(port)
    if received[0] != _HANDSHAKE:
        raise NotOpened("tls", _PLAIN, is_told=True)
    secure = TlsPort(port, context, received=received)
    try:
        await secure.shake_hands()
    except HandshakeFailed as failed:
        raise NotOpened("tls", Refusal(400, str(failed))) from failed
    except trio.BrokenResourceError as gone:
        raise Left from gone
    return secure


class Left(RemoteProtocolError):
    """The far end went before it said anything: a port scan or a health check, which is no fault of anybody."""


async def _receive_some(port: BytePort) -> bytes:
    """Receive at least one byte.

    Raises:
        Left: There are no more.
    """
    data = await receive(port, MOST_BYTES)
    if not data:
        raise Left
    return data


async def receive(port: BytePort, limit: int) -> bytes:
    """Receive some bytes; none at the end, be it by a reset or because the port was closed from elsewhere.

    Cancellation:
        Nothing was received.
    """
    await trio.lowlevel.checkpoint()  # a peer that always has something to say must not keep others waiting
    try:
        while (data := port.try_receive(limit)) is None:
            await port.wait_readable()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return b""
    return data
