"""Listening: whose sockets, the loops that take connections from them, and how they are left to another process.

A socket can be handed down by systemd (``LISTEN_FDS``), or share its port with the process that comes next
(``SO_REUSEPORT``). In both cases there is a successor, and the loops end without a refusal: ``leave``.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import Awaitable, Callable, MutableMapping, Sequence

import trio
from attrs import define, field

from callflow.call.port import BytePort, SocketPort
from callflow.errors import ListenError
from callflow.server.present import Present

log = logging.getLogger("callflow.server")

HANDED_DOWN = 3
"""The first descriptor that systemd hands down (sd_listen_fds(3))."""

PAUSE = 0.1
"""Seconds without accepting after the system had no descriptor left: others end meanwhile."""

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})

_CURES = {
    errno.EADDRINUSE: "stop what listens there, or give another --port",
    errno.EACCES: "ports below 1024 need a privilege (CAP_NET_BIND_SERVICE); give a higher --port",
    errno.EPERM: "ports below 1024 need a privilege (CAP_NET_BIND_SERVICE); give a higher --port",
    errno.EADDRNOTAVAIL: "give an address of this machine as --host, or 0.0.0.0 for all of them",
}

Take = Callable[[trio.SocketStream], Awaitable[None]]


async def open_listeners(
    host: str, port: int, *, shared: bool = False, flag: str = "--port"
) -> list[trio.SocketListener]:
    """Open a TCP port.

    Args:
        host: An address or a name of this machine.
        port: 0 for any free one.
        shared: Let other processes of this user listen on it, too.
        flag: What to change if it cannot be had.

    Raises:
        ListenError: It cannot be had. The message has the cure.

    Cancellation:
        Nothing is open.
    """
    try:
        return await _open_shared(host, port) if shared else await trio.open_tcp_listeners(port, host=host)
    except OSError as refused:
        cure = _CURES.get(refused.errno or 0, "give another --host or --port").replace("--port", flag)
        raise ListenError(f"{host}:{port}", refused.strerror or str(refused), cure) from refused


async def _open_shared(host: str, port: int) -> list[trio.SocketListener]:
    found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = found[0]  # one address: a port of 0 would be another for each
    sock = trio.socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        await sock.bind(address)
        sock.listen(socket.SOMAXCONN)
    except OSError:
        sock.close()
        raise
    return [trio.SocketListener(sock)]


def take_handed_down(environ: MutableMapping[str, str]) -> list[trio.SocketListener]:
    """Take the sockets that systemd, or another parent, opened for this process; none where there are none.

    The variables are taken out of *environ*: they are not for processes that this one starts.

    Raises:
        ListenError: What was handed down is no TCP socket that listens.
    """
    process, count = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", "")
    environ.pop("LISTEN_FDNAMES", None)
    if process != str(os.getpid()) or not count.isdecimal():
        return []
    return [_handed_down(number) for number in range(HANDED_DOWN, HANDED_DOWN + int(count))]


def _handed_down(number: int) -> trio.SocketListener:
    where = f"descriptor {number}"
    try:
        os.set_inheritable(number, False)
        sock = socket.socket(fileno=number)
        listens = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as wrong:
        raise ListenError(where, str(wrong), "hand down an open socket: ListenStream= of a systemd socket") from wrong
    if not listens or sock.family not in (socket.AF_INET, socket.AF_INET6):
        sock.close()
        raise ListenError(where, "it is no TCP socket that listens", "write ListenStream=PORT in the socket's unit")
    return trio.SocketListener(trio.socket.from_stdlib_socket(sock))


async def serve_as_port(serve: Callable[[BytePort], Awaitable[None]], stream: trio.SocketStream) -> None:
    """Have a connection served; one that is gone before we looked is nobody.

    Cancellation:
        That of *serve*.
    """
    try:
        port = SocketPort(stream)
    except OSError:
        stream.socket.close()
        return
    await serve(port)


@define(eq=False)
class Listening:
    """The loops that take connections, one for each socket.

    Args:
        listeners: The sockets; closed when the loops end.
        take: Serves a connection. What it raises goes to the nursery of the connections.
        present: Counts connections from the moment that they are accepted.
    """

    listeners: Sequence[trio.SocketListener]
    take: Take
    present: Present
    _loops: trio.CancelScope = field(factory=trio.CancelScope, init=False)
    _connections: trio.Nursery | None = field(default=None, init=False)
    _told_at: float = field(default=float("-inf"), init=False)

    @property
    def port(self) -> int:
        """The first socket's port."""
        number: int = self.listeners[0].socket.getsockname()[1]
        return number

    async def run(self, connections: trio.Nursery) -> None:
        """Take connections until cancelled, or until ``leave``; each is served by a task of *connections*.

        Cancellation:
            The sockets are closed. Connections belong to their nursery.
        """
        self._connections = connections
        try:
            with self._loops:
                async with trio.open_nursery() as loops:
                    for listener in self.listeners:
                        loops.start_soon(self._accept_from, listener, connections)
        finally:
            for listener in self.listeners:
                listener.socket.close()

    async def _accept_from(self, listener: trio.SocketListener, connections: trio.Nursery) -> None:
        while True:
            try:
                stream = await listener.accept()
            except trio.ClosedResourceError:
                # ``leave`` closed it in the instant in which somebody came, too late to cancel us; it took them.
                if not self._loops.cancel_called:
                    raise
                return
            except OSError as failed:
                if failed.errno not in _EXHAUSTED:
                    raise
                self._tell(failed)
                await trio.sleep(PAUSE)
            else:
                self._start(stream, connections)

    def _start(self, stream: trio.SocketStream, connections: trio.Nursery) -> None:
        self.present.come()
        connections.start_soon(self._serve, stream)

    async def _serve(self, stream: trio.SocketStream) -> None:
        try:
            await self.take(stream)
        finally:
            self.present.go()

    def _tell(self, failed: OSError) -> None:
        """Log that nobody can come in: once a second, since it is tried ten times in one."""
        now = trio.current_time()
        if now >= self._told_at + 1.0:
            self._told_at = now
            log.error("cannot accept", extra={"reason": os.strerror(failed.errno or 0)})

    def leave(self) -> None:
        """Leave the sockets to the successor: take what waits in them, and close them. Never waits."""
        if self._connections is None or self._loops.cancel_called:
            return
        self._loops.cancel()
        for listener in self.listeners:
            for stream in _waiting(listener):
                self._start(stream, self._connections)
            listener.socket.close()


def _waiting(listener: trio.SocketListener) -> list[trio.SocketStream]:
    """Accept what waits in a socket. One that others listen on too would throw it away when it is closed."""
    streams: list[trio.SocketStream] = []
    with socket.socket(fileno=os.dup(listener.socket.fileno())) as sock:
        sock.setblocking(False)
        while True:
            try:
                connection, _ = sock.accept()
            except OSError:  # nobody waits, or no descriptor is left
                return streams
            streams.append(trio.SocketStream(trio.socket.from_stdlib_socket(connection)))
