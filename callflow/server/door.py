"""The door: one connection from its first byte to its last, and the firewall round it.

The door reads the request's head itself, under one deadline, decides who may come in, and hands on: a good upgrade to
``answer``, any other request to ``requests``. Whatever goes wrong in there, and whatever a stranger sends, ends this
connection and no other: no exception leaves ``serve``. Who is sent away is told why in a form that it can read.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable

import trio
from attrs import define, field

from callflow.call.port import RECEIVE_BYTES, BytePort
from callflow.server.addresses import UnreadableForwarding, client_behind
from callflow.server.entry import Entry
from callflow.server.head import (
    UPGRADE_REQUIRED,
    BadHead,
    HeadReader,
    Refusal,
    RequestHead,
    check_upgrade,
    refusal_bytes,
)
from callflow.server.limits import Gate, Limits, host_of
from callflow.server.opening import Left, NotOpened, read_proxy_header, receive, start_tls

log = logging.getLogger("callflow.server")

OPEN_PATHS = frozenset({"/live", "/ready"})
"""What answers everybody, from everywhere, since load balancers ask without credentials and from addresses of their
own; it says nothing about callers."""

Handler = Callable[[RequestHead, BytePort, bytes], Awaitable[None]]

_UNKNOWN = Refusal(401, "credentials are missing or wrong", (("WWW-Authenticate", 'Basic realm="callflow"'),))
_NOT_LISTED = Refusal(403, "this address is not let in")
_FOREIGN = Refusal(403, "connections from other sites' pages are not taken")
_NO_STREAM = Refusal(404, "no stream is served on this path")
_TOO_BIG = Refusal(413, "the body is too large")
_LATER = (("Retry-After", "1"),)
"""A failed handshake is tried once more (exotel.md §18), and then may reach another server."""
_DRAINING = Refusal(503, "the server is going down", _LATER)


@define(kw_only=True)
class Door:
    """Who comes in. One for all connections of a listener."""

    limits: Limits
    gate: Gate
    entry: Entry
    """Whom to let in. May be replaced at any time: a connection goes by the one that it found when it came."""
    vouched: Callable[[RequestHead], bool] = lambda _: False
    """Says whether an upgrade shows a token; it then needs no credentials."""
    tokens_required: bool = False
    """Whether credentials alone let no upgrade in."""
    streams: Callable[[str], bool]
    """Says whether a path is one of a stream."""
    answer: Handler
    """Takes a good, authenticated upgrade, its port, and the bytes that came behind its head. It sends the 101
    itself, and the call is over when it returns."""
    requests: Handler
    """Takes every other request, its port, and all bytes read so far (head first). The answer is out when it returns;
    the port is left open."""
    origins: frozenset[str] = frozenset()
    """Pages that may open streams, as ``https://host``, beside those of this server. Exotel names no origin; a
    browser always does, and so gives away a page that uses its reader's place in the network (faults T7)."""
    served: Callable[[], str] = lambda: ""
    """Names the paths of streams, for the log line of who asks for another."""
    admits: Callable[[RequestHead], str | None] = lambda _: None
    """Says why there is no line for one more stream, or None if there is."""
    draining: bool = False
    """Set when the server goes down: new upgrades are refused by 503."""
    awaited: Callable[[], bool] = lambda: False
    """Says whether a running call waits for its line, or an announced one was let in before: then upgrades are let in
    while draining, for it is not known before their ``start`` whose they are."""
    _inside: dict[int, BytePort] = field(init=False, factory=dict)
    """Connections that are counted: the port that was admitted, by it and by what it is spoken through."""
    refused: Counter[str] = field(init=False, factory=Counter)
    """Who was sent away, by reason: ``proxy``, ``tls``, ``head_timeout``, ``bad_request``, ``too_big``, ``address``,
    ``auth``, ``origin``, ``not_found``, ``capacity``, ``draining``."""
    failed: int = field(init=False, default=0)
    """Connections that the firewall ended."""
    _warned: dict[str, float] = field(init=False, factory=dict)

    async def serve(self, port: BytePort) -> None:
        """Serve one connection, whatever comes; the port is closed when this returns.

        Raises nothing but what is not an ``Exception``: cancellation and the interrupts of the process.

        Cancellation:
            The connection is closed at once.
        """
        try:
            await self._admit(port, self.entry)
        except* Exception as group:
            # The firewall of a connection, one of the two places that catch Exception (the engine is the other).
            self.failed += 1
            log.exception("connection failed", exc_info=_only(group), extra={"peer": port.peer})
        finally:
            port.close()

    async def _admit(self, port: BytePort, entry: Entry) -> None:
        full = self.gate.admit(port.peer, is_proxy=host_of(port.peer) in entry.proxies)
        if full is not None:
            # Before the head is read: reading it would cost what we do not have.
            await self._refuse(port, "capacity", Refusal(503, full, _LATER), is_told=entry.tls is None)
            return
        self._inside[id(port)] = port
        try:
            await self._open(port, entry)
        finally:
            self.leave(port)

    def leave(self, port: BytePort) -> None:
        """Count a connection no longer: it is closed, though what it was for may go on. Once is enough."""
        admitted = self._inside.pop(id(port), None)
        if admitted is None:
            return
        if admitted is port or self._inside.pop(id(admitted), None) is not None:
            self.gate.leave(admitted.peer)

    async def _open(self, port: BytePort, entry: Entry) -> None:
        """Get as far as a request, in the time of one head."""
        give_up = trio.current_time() + self.limits.head
        try:
            with trio.fail_at(give_up):
                inner, received = await self._opened(port, entry)
        except Left:
            return
        except NotOpened as failed:
            await self._refuse(port, failed.kind, failed.refusal, is_told=failed.is_told)
            return
        except trio.TooSlowError:
            await self._refuse(port, "head_timeout", self._late, is_told=False)
            return
        self._inside[id(inner)] = port
        try:
            await self._read_and_route(inner, entry, received, give_up)
        finally:
            if inner is not port:
                self.leave(inner)
            inner.close()

    @property
    def _late(self) -> Refusal:
        return Refusal(408, f"no request came within {self.limits.head:g} seconds")

    async def _opened(self, port: BytePort, entry: Entry) -> tuple[BytePort, bytes]:
        received = b""
        if entry.proxy_protocol and host_of(port.peer) in entry.proxies:
            header, received = await read_proxy_header(port)
            full = None if header.client is None else self._recognise(port, header.client)
            if full is not None:
                raise NotOpened("capacity", full, is_told=entry.tls is None)
        if entry.tls is None:
            return port, received
        return await start_tls(port, entry.tls, received), b""

    def _recognise(self, port: BytePort, client: str) -> Refusal | None:
        """Take the client that a proxy names for the far end from now on, in limits and logs."""
        full = self.gate.recognise(port.peer, client)
        if full is not None:
            return Refusal(503, full, _LATER)
        port.peer = client
        return None

    async def _read_and_route(self, port: BytePort, entry: Entry, received: bytes, give_up: float) -> None:
        reader = HeadReader(self.limits)
        try:
            head = await self._read_head(port, reader, received, give_up)
        except BadHead as bad:
            await self._refuse(port, _KINDS.get(bad.status, "bad_request"), Refusal(bad.status, bad.reason))
        else:
            if head is not None:
                await self._route(head, port, entry, reader.rest)

    async def _read_head(self, port: BytePort, reader: HeadReader, data: bytes, give_up: float) -> RequestHead | None:
        """Read a head; None if the peer left before it was whole."""
        with trio.move_on_at(give_up):
            while True:
                head = reader.feed(data) if data else None
                if head is not None:
                    return head
                # No more than a head's length at once, so that frames sent ahead of the 101 stay few (faults F19).
                data = await receive(port, self.limits.head_bytes)
                if not data:
                    return None
        raise BadHead(408, self._late.reason)

    async def _route(self, head: RequestHead, port: BytePort, entry: Entry, rest: bytes) -> None:
        refused = self._refusal_of(head, port, entry)
        if refused is not None:
            await self._refuse(port, *refused)
        elif head.wants_upgrade:
            await self.answer(head, port, rest)
        else:
            await self.requests(head, port, head.raw + rest)
            await self._let_read(port)

    def _refusal_of(self, head: RequestHead, port: BytePort, entry: Entry) -> tuple[str, Refusal] | None:
        """Decide about a request, before any answer to it."""
        refused = self._refusal_of_proxy(head, port, entry) or self._refusal_of_stranger(head, port, entry)
        if refused is not None:
            return refused
        return self._refusal_of_upgrade(head, port) if head.wants_upgrade else self._refusal_of_request(head)

    def _refusal_of_proxy(self, head: RequestHead, port: BytePort, entry: Entry) -> tuple[str, Refusal] | None:
        """Find out for whom a proxy asks, before anything is decided about him."""
        number = port.peer.rpartition(":")[2]
        forwarded = (head.header("x-forwarded-for"), head.header("forwarded"))
        try:
            client = client_behind(host_of(port.peer), forwarded, entry.proxies)
        except UnreadableForwarding as bad:
            return "bad_request", Refusal(400, str(bad))
        if client == host_of(port.peer):
            return None
        # The connection's own port number keeps two connections of one client apart.
        full = self._recognise(port, f"[{client}]:{number}" if ":" in client else f"{client}:{number}")
        return None if full is None else ("capacity", full)

    def _refusal_of_stranger(self, head: RequestHead, port: BytePort, entry: Entry) -> tuple[str, Refusal] | None:
        if head.path in OPEN_PATHS and not head.wants_upgrade:
            return None
        if entry.allow is not None and host_of(port.peer) not in entry.allow:
            return "address", _NOT_LISTED
        return None if self._is_known(head, entry) else ("auth", _UNKNOWN)

    def _is_known(self, head: RequestHead, entry: Entry) -> bool:
        if head.wants_upgrade and self.vouched(head):
            return True
        if head.wants_upgrade and self.tokens_required:
            return False
        return entry.credentials is None or entry.credentials.allow(head.header("authorization"))

    def _refusal_of_request(self, head: RequestHead) -> tuple[str, Refusal] | None:
        if self.streams(head.path):
            return "bad_request", UPGRADE_REQUIRED
        if (head.content_length or 0) > self.limits.body_bytes:
            return "too_big", _TOO_BIG
        return None

    def _refusal_of_upgrade(self, head: RequestHead, port: BytePort) -> tuple[str, Refusal] | None:
        if not self.streams(head.path):
            return "not_found", _NO_STREAM
        malformed = check_upgrade(head)
        if malformed is not None:
            return "bad_request", malformed
        if not self._is_origin_known(head):
            return "origin", _FOREIGN
        if self.draining and not self.awaited():
            return "draining", _DRAINING
        full = self.admits(head) or self.gate.upgrade(port.peer)
        return None if full is None else ("capacity", Refusal(503, full, _LATER))

    def _is_origin_known(self, head: RequestHead) -> bool:
        origin = head.header("origin")
        return origin is None or origin in self.origins or origin.partition("://")[2] == head.header("host")

    async def _refuse(self, port: BytePort, kind: str, refusal: Refusal, *, is_told: bool = True) -> None:
        extra = {"streams": self.served()} if refusal is _NO_STREAM else {}  # not what was asked for: it may be a token
        self.note_refused(kind, peer=port.peer, status=refusal.status, reason=refusal.reason, **extra)
        if not is_told:
            return
        with trio.move_on_after(self.limits.linger):
            rest = refusal_bytes(refusal)
            try:
                while rest := rest[port.try_send(rest) :]:
                    await port.wait_writable()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return  # nobody is there to read it
        await self._let_read(port)

    def note_refused(self, kind: str, **said: str | int) -> None:
        """Count a refusal and log it: at most one warning a second of each kind, since strangers cause any number."""
        self.refused[kind] += 1
        now = trio.current_time()
        quiet = now < self._warned.get(kind, -1.0) + 1.0
        if not quiet:
            self._warned[kind] = now
        extra = {**said, "kind": kind, "count": self.refused[kind]}
        log.log(logging.DEBUG if quiet else logging.WARNING, "call refused", extra=extra)

    async def _let_read(self, port: BytePort) -> None:
        """Give the peer time to read our answer: closing on unread bytes would reset it (faults B17)."""
        port.send_eof()
        left = self.limits.linger_bytes
        with trio.move_on_after(self.limits.linger):
            while left > 0:
                data = await receive(port, RECEIVE_BYTES)
                if not data:
                    return
                left -= len(data)


_KINDS = {408: "head_timeout", 431: "too_big"}


def _only(error: Exception) -> Exception:
    """Take an exception out of the groups where it is alone, so that its traceback reads as it happened."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
