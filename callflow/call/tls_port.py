"""A byte port that speaks TLS over another byte port.

The standard library's TLS engine works on buffers in memory, so that nothing waits in here but the handshake: attempts
stay attempts, and a ``clear`` still leaves within the step that read the key.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Awaitable, Callable

import trio

from callflow.call.port import RECEIVE_BYTES, BytePort
from callflow.errors import RemoteProtocolError

_RECORD = 16_384
"""Most bytes that one TLS record carries (RFC 8446 §5.1)."""


class HandshakeFailed(RemoteProtocolError):
    """No common ground was found, or one side refused the other's certificate."""


class TlsPort:
    """TLS over *port*, which it owns from now on. Await ``shake_hands`` before anything else.

    Whoever sends a part offers the rest again, as with any byte port: a record that is encrypted and only partly out
    counts as sent when it is wholly out, and is not encrypted twice.

    Args:
        port: The transport.
        context: Certificates and what is allowed.
        server_hostname: Whom to expect at the far end, which makes this the client's side; None is the server's.
        received: Bytes that were read from *port* already.
    """

    def __init__(
        self, port: BytePort, context: ssl.SSLContext, *, server_hostname: str | None = None, received: bytes = b""
    ) -> None:
        self._port = port
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._incoming.write(received)
        is_server = server_hostname is None
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=is_server, server_hostname=server_hostname
        )
        self._unsent = b""  # encrypted, on its way out
        self._owed = b""  # what is in it, of which the sender was told that it is not sent yet
        self._decrypted = b""  # taken out of the engine ahead of time
        self._at_end = False  # of what the far end sends
        self._broken: trio.BrokenResourceError | None = None  # found while waiting, for the next try to raise
        self._ended = self._is_eof_due = self._closed = False

    @property
    def peer(self) -> str:
        return self._port.peer

    @peer.setter
    def peer(self, client: str) -> None:
        self._port.peer = client

    async def shake_hands(self) -> None:
        """Agree on keys. The one wait in here, for whoever opens the connection to bound.

        Raises:
            HandshakeFailed: There is no common ground, or the far end left.
            trio.BrokenResourceError: The far end reset the connection.

        Cancellation:
            The connection is of no use any more.
        """
        while not self._has_agreed():
            await self._send_unsent()
            while (data := self._port.try_receive()) is None:
                await self._port.wait_readable()
            if not data:
                raise HandshakeFailed("the far end left during the TLS handshake")
            self._incoming.write(data)
        await self._send_unsent()

    def _has_agreed(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as failed:
            self._flush_in_passing()  # the alert that says why
            raise HandshakeFailed(_reason(failed)) from failed
        return True

    async def _send_unsent(self) -> None:
        await trio.lowlevel.checkpoint()
        while not self._flush():
            await self._port.wait_writable()

    # Receiving.

    def try_receive(self, limit: int = RECEIVE_BYTES) -> bytes | None:
        self._check_open()
        if self._broken is not None:
            raise self._broken
        if not self._has_news():
            return None
        data, self._decrypted = self._decrypted[:limit], self._decrypted[limit:]
        return data

    def _has_news(self) -> bool:
        """Decrypt what has arrived, unless the last of it was not taken yet; say whether there is data, or the end."""
        if self._decrypted or self._at_end:
            return True
        data = self._read()
        if data is None and self._fetch():
            data = self._read()
        if data is not None:
            self._decrypted, self._at_end = data, not data
        return data is not None or self._at_end

    def _read(self) -> bytes | None:
        """Decrypt what is in the engine; None if there is no whole record of data."""
        try:
            return self._tls.read(_RECORD)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLZeroReturnError:
            return b""
        except ssl.SSLError as broken:
            raise trio.BrokenResourceError(f"TLS failed: {_reason(broken)}") from broken

    def _fetch(self) -> bool:
        """Move what has arrived to the engine: once, so that a flood of records without data cannot hold us.

        The engine is not told of an end without the farewell that TLS asks for: much of the world ends like that, and
        the engine would send nothing any more.
        """
        self._flush_in_passing()
        data = self._port.try_receive()
        if data:
            self._incoming.write(data)
        self._at_end = data == b""
        return bool(data)

    async def wait_readable(self) -> None:
        self._check_open()
        if self._can_tell():
            await trio.lowlevel.checkpoint()
            self._check_open()
        while not self._can_tell():
            await (self._wait_for_either() if self._is_eof_due else self._port.wait_readable())

    async def _wait_for_either(self) -> None:
        """Wait until something came, or our end, which did not fit, has room: the far end may wait for just that."""
        async with trio.open_nursery() as nursery:
            for wait in (self._port.wait_readable, self._port.wait_writable):
                nursery.start_soon(_cancel_after, wait, nursery.cancel_scope)

    def _can_tell(self) -> bool:
        try:
            return self._broken is not None or self._has_news()
        except trio.BrokenResourceError as broken:
            self._broken = broken  # the transport says so only once
            return True

    # Sending.

    def try_send(self, data: bytes) -> int:
        self._check_open()
        if self._ended:
            raise trio.ClosedResourceError("the end of the stream was sent")
        if not self._flush():
            return 0
        taken = len(self._owed) if data.startswith(self._owed) else 0
        self._owed = b""
        while taken < len(data):
            record = data[taken : taken + _RECORD]
            self._encrypt(record)
            if not self._flush():
                self._owed = record
                break
            taken += len(record)
        return taken

    def _encrypt(self, record: bytes) -> None:
        try:
            self._tls.write(record)
        except ssl.SSLError as broken:
            raise trio.BrokenResourceError(f"TLS failed: {_reason(broken)}") from broken

    def _flush(self) -> bool:
        """Send what is encrypted as far as the transport takes it; say whether all of it is out."""
        while self._unsent or self._outgoing.pending:
            self._unsent = self._unsent or self._outgoing.read()
            # Twice, since a transport may decline once though it has room.
            sent = self._port.try_send(self._unsent) or self._port.try_send(self._unsent)
            self._unsent = self._unsent[sent:]
            if not sent:
                return False
        if self._is_eof_due:
            self._is_eof_due = False
            self._port.send_eof()
        return True

    def _flush_in_passing(self) -> None:
        """Send what the engine itself has to say, and what was left of an end; whoever sends finds out what fails."""
        try:
            self._flush()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._is_eof_due = False  # there is nobody to tell

    async def wait_writable(self) -> None:
        self._check_open()
        await self._port.wait_writable()
        with contextlib.suppress(trio.BrokenResourceError):  # the next try finds out
            while not self._flush():
                await self._port.wait_writable()

    # Ending.

    def send_eof(self) -> None:
        if not self._ended:
            self._is_eof_due = True
            self._say_farewell()

    def _say_farewell(self) -> None:
        self._ended = True
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            self._read_ahead()
        with contextlib.suppress(ssl.SSLError):  # it wants the far end's farewell, which may never come
            self._tls.unwrap()
        self._flush_in_passing()

    def _read_ahead(self) -> None:
        """Decrypt all that is in the engine: behind its own farewell it would refuse it."""
        while data := self._read():
            self._decrypted += data
        self._at_end = self._at_end or data is not None

    def close(self, *, reset: bool = False) -> None:
        if self._closed:
            return
        if not (reset or self._ended):
            self._say_farewell()
        self._closed = True
        self._port.close(reset=reset)

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("the port is closed")


async def _cancel_after(wait: Callable[[], Awaitable[None]], scope: trio.CancelScope) -> None:
    with contextlib.suppress(trio.ClosedResourceError):  # whoever waits looks at the port next
        await wait()
    scope.cancel()


def _reason(failed: ssl.SSLError) -> str:
    """Name a failure in OpenSSL's words, which hold nothing of what was sent."""
    text = getattr(failed, "verify_message", "") or failed.reason or "the connection ended"
    return text.replace("_", " ").lower()
