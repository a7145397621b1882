"""One HTTP request of one connection, served to an ASGI app by h11.

One request a connection leaves little of a web server: no keep-alive, no pipelining, no other
protocol to change to. What is left is here, with an end to every wait: the body is read whole before the app runs, each
send has its time, and a peer that left takes its app along.
"""

from __future__ import annotations

from http.client import responses

import h11
import trio
from starlette.types import ASGIApp, Message, Scope

from callflow.call.port import BytePort, PortStream
from callflow.server.head import RequestHead
from callflow.server.limits import Limits, host_of


class RequestServer:
    """Serves requests to an ASGI app. There is no lifespan."""

    def __init__(self, app: ASGIApp, limits: Limits | None = None) -> None:
        self._app = app
        self._limits = limits or Limits()

    async def serve(self, head: RequestHead, port: BytePort, received: bytes) -> None:
        """Serve the request that begins with *received*, and leave the port open.

        Args:
            head: The request's head, checked by the door.
            port: The connection.
            received: Every byte read so far, the head first.

        Raises:
            ExceptionGroup: Of what the app raised; the peer was answered 500 if it had no answer yet.

        Cancellation:
            The app is cancelled; the answer may be out in part. Close the port.
        """
        exchange = _Exchange(head, port, self._limits)
        refused = await exchange.read(received)
        if refused is not None:
            await exchange.answer(refused)
        else:
            await self._run(exchange, _scope(head, port.peer))

    async def _run(self, exchange: _Exchange, scope: Scope) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(exchange.watch)
            nursery.start_soon(exchange.end_soon, nursery.cancel_scope)
            try:
                await self._app(scope, exchange.receive, exchange.send)
            finally:
                exchange.answer_failure()
            nursery.cancel_scope.cancel()


def _scope(head: RequestHead, peer: str) -> Scope:
    number = peer.rpartition(":")[2]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": head.version,
        "method": head.method,
        "scheme": "http",
        "path": head.path,
        "raw_path": head.target.partition("?")[0].encode("ascii"),
        "query_string": head.query_string.encode("ascii"),
        "root_path": "",
        "headers": [(name.encode("ascii"), value.encode("ascii")) for name, value in head.headers],
        "client": (host_of(peer), int(number) if number.isdecimal() else 0),
        "server": None,
        "state": {},
    }


class _Exchange:
    """A request and its answer on the wire."""

    def __init__(self, head: RequestHead, port: BytePort, limits: Limits) -> None:
        self._head = head
        self._port = port
        self._stream = PortStream(port)
        self._limits = limits
        self._wire = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head_bytes + 1)
        self._body = bytearray()
        self._is_delivered = False
        self._is_broken = False
        self.is_over = trio.Event()
        """Set when the peer has left or ended its direction, or when it has its answer."""

    # The request.

    async def read(self, received: bytes) -> int | None:
        """Read the body; give the status of a refusal, or None if it is whole."""
        self._wire.receive_data(received)
        with trio.move_on_after(self._limits.body):
            try:
                return await self._read_body()
            except h11.RemoteProtocolError:
                return 400  # chunks that are none, or an end in the middle
        return 408

    async def _read_body(self) -> int | None:
        while not isinstance(event := self._wire.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                await self._ask_for_more()
            elif isinstance(event, h11.Data):
                self._body += event.data
            if len(self._body) > self._limits.body_bytes:
                return 413
        return None

    async def _ask_for_more(self) -> None:
        if self._wire.they_are_waiting_for_100_continue:
            await self._write(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))
        self._wire.receive_data(await self._receive())

    async def _receive(self) -> bytes:
        """Receive some bytes; none at the end, be it by a reset, and ``is_over`` is set then."""
        try:
            data = await self._stream.receive_some()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            data = b""
        if not data:
            self.is_over.set()
        return data

    # While the app runs.

    async def receive(self) -> Message:
        """Give the app the whole body, then wait for the end."""
        if not self._is_delivered:
            self._is_delivered = True
            await trio.lowlevel.checkpoint()
            return {"type": "http.request", "body": bytes(self._body), "more_body": False}
        await self.is_over.wait()
        return {"type": "http.disconnect"}

    async def watch(self) -> None:
        """Wait until the peer ends its direction. What it says behind its request is nobody's."""
        while await self._receive():
            pass

    async def end_soon(self, app: trio.CancelScope) -> None:
        """Give the app, once nobody waits for it, as long as a send to finish."""
        await self.is_over.wait()
        await trio.sleep(self._limits.send)
        app.cancel()

    # The answer.

    async def send(self, message: Message) -> None:
        """Put a part of the app's answer on the wire. Without effect on a peer that is gone."""
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), (b"connection", b"close")]
            await self._write(_response(message["status"], headers))
            return
        body = message.get("body", b"")
        if body and self._head.method != "HEAD":
            await self._write(h11.Data(data=body))
        if not message.get("more_body", False):
            await self._write(h11.EndOfMessage())
            self.is_over.set()

    async def answer(self, status: int) -> None:
        """Answer a status without a body."""
        await self._write(_empty(status))
        await self._write(h11.EndOfMessage())

    def answer_failure(self) -> None:
        """Answer 500 if there was no answer: without waiting, since the app may have ended by cancellation."""
        if self._wire.our_state is h11.SEND_RESPONSE and not self._is_broken:
            try:
                self._port.try_send(self._wire.send(_empty(500)) or b"")
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self._is_broken = True

    async def _write(self, event: h11.Event) -> None:
        await trio.lowlevel.checkpoint()
        data = self._wire.send(event)
        if not data or self._is_broken:
            return
        with trio.move_on_after(self._limits.send) as sending:
            try:
                await self._stream.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self._is_broken = True
        if sending.cancelled_caught:
            self._is_broken = True  # a part is out; what followed would be read as its rest
        if self._is_broken:
            self.is_over.set()


def _response(status: int, headers: list[tuple[bytes, bytes]]) -> h11.Response:
    return h11.Response(status_code=status, headers=headers, reason=responses.get(status, "").encode("ascii"))


def _empty(status: int) -> h11.Response:
    return _response(status, [(b"content-length", b"0"), (b"connection", b"close")])
