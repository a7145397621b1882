"""The HTTP side: Exotel's requests, liveness, readiness and the live feed of a call, as a Starlette app over a desk.

The app decides nothing about calls: whoever keeps them is the ``Desk``. Exotel gets its answer in time, whatever
happens behind it (exotel.md R38), and nothing that a stranger sends is ever shown again.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Protocol, TypeVar

import msgspec
import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from callflow.server.limits import host_of
from callflow.wire.forms import UnreadableRequest
from callflow.wire.passthru import PassthruReport, read_passthru
from callflow.wire.status import StatusReport, read_status

log = logging.getLogger("callflow.server")

R = TypeVar("R")
T = TypeVar("T")

ANSWER_WITHIN = 2.0
"""Seconds that an answer may take; the caller hears nothing meanwhile, and Exotel waits 3 to 5 (D31)."""

BRANCHES = (200, 302)
"""The only answers to a Passthru: branch A and branch B of its applet (D30)."""


class Desk(Protocol):
    """Who keeps the calls, as the HTTP side sees it."""

    async def passthru(self, flow: str | None, report: PassthruReport) -> int:
        """Take a Passthru for the flow of that name, or for the only one; return 200 or 302.

        Cancellation:
            It took too long, and the fallback was answered.
        """

    async def stream_url(self, flow: str | None, report: PassthruReport, host: str | None) -> str | None:
        """Give the URL for the stream of a call, *host* being the one that was asked; None if there is none.

        Cancellation:
            It took too long, and ``spare_url`` was answered.
        """

    def spare_url(self, flow: str | None, report: PassthruReport, host: str | None) -> str | None:
        """Give the URL to answer in place of one that failed or is late. Never raises."""

    async def status(self, flow: str | None, report: StatusReport) -> None:
        """Take a status callback.

        Cancellation:
            It took too long; 200 was answered.
        """

    def ready(self) -> bool:
        """Say whether new calls are wanted."""

    def counts(self) -> Mapping[str, int]:
        """Give numbers for whoever watches; nothing about a caller."""

    def feed(self, call_sid: str) -> AsyncIterator[str] | None:
        """Follow a call's journal: one JSON text an item, from its first entry on. None where that is not allowed."""


def make_app(desk: Desk, *, fallback: int = 200) -> Starlette:
    """Make the app of the public port.

    Args:
        desk: Who keeps the calls.
        fallback: What a Passthru is answered when the desk fails or is late: 200 or 302.
    """
    if fallback not in BRANCHES:
        raise ValueError(f"a Passthru is answered 200 or 302, not {fallback!r}")
    side = _HttpSide(desk, fallback)
    doors = {"passthru": side.passthru, "stream-url": side.stream_url, "status": side.status}
    app = Starlette(
        routes=[
            *(
                Route(path, endpoint, methods=["GET", "POST"])
                for name, endpoint in doors.items()
                for path in (f"/{name}", f"/{name}/", f"/{name}/{{name}}")
            ),
            Route("/live", side.live, methods=["GET"]),
            Route("/ready", side.ready, methods=["GET"]),
            Route("/events/{call_sid}", side.events, methods=["GET"]),
        ],
    )
    app.router.redirect_slashes = False  # a redirect would be branch B to Exotel
    return app


class _HttpSide:
    def __init__(self, desk: Desk, fallback: int) -> None:
        self._desk = desk
        self._fallback = fallback

    async def passthru(self, request: Request) -> Response:
        report = await _read(request, read_passthru)
        if report is None:
            return Response(status_code=400)
        answer = self._desk.passthru(_flow_of(request), report)
        status = await _in_time("passthru", report.call_sid, answer, lambda: self._fallback)
        if status not in BRANCHES:
            extra = {"path": "passthru", "call_sid": report.call_sid, "status": status}
            log.error("request failed", extra=extra)
            status = self._fallback
        return Response(status_code=status)

    async def stream_url(self, request: Request) -> Response:
        report = await _read(request, read_passthru)
        if report is None:
            return Response(status_code=400)
        asked = (_flow_of(request), report, request.headers.get("host"))
        answer = self._desk.stream_url(*asked)
        url = await _in_time("stream-url", report.call_sid, answer, lambda: self._desk.spare_url(*asked))
        if url is None:
            return Response(status_code=404)
        return _json(200, {"url": url}, {"Cache-Control": "no-store"})  # it holds a token

    async def status(self, request: Request) -> Response:
        report = await _read(request, read_status)
        if report is None:
            return Response(status_code=400)
        await _in_time("status", report.call_sid, self._desk.status(_flow_of(request), report), lambda: None)
        return Response(status_code=200)

    async def live(self, _: Request) -> Response:
        return _json(200, {"live": True})

    async def ready(self, _: Request) -> Response:
        ready = self._desk.ready()
        return _json(200 if ready else 503, {"ready": ready, **self._desk.counts()})

    async def events(self, request: Request) -> Response:
        feed = self._desk.feed(request.path_params["call_sid"]) if is_local(request) else None
        return Response(status_code=404) if feed is None else _Lines(feed)


def _json(status: int, body: Mapping[str, object], headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(body), status, headers, media_type="application/json")


def _flow_of(request: Request) -> str | None:
    name: str | None = request.path_params.get("name")
    return name


async def _read(request: Request, read: Callable[[str, str, bytes], R]) -> R | None:
    """Read what Exotel says, in whatever form; None for what names no call."""
    content_type = request.headers.get("content-type", "")
    try:
        return read(request.url.query, content_type, await request.body())
    except UnreadableRequest:
        return None


async def _in_time(path: str, call_sid: str, answer: Awaitable[T], fallback: Callable[[], T]) -> T:
    """Wait for an answer; give the fallback if it fails or is late. The caller hears nothing meanwhile.

    Cancellation:
        What was waited for is cancelled.
    """
    extra = {"path": path, "call_sid": call_sid}
    answered: list[T] = []
    with trio.move_on_after(ANSWER_WITHIN) as waiting:
        try:
            answered.append(await answer)
        except* Exception as group:
            # The firewall's other door: Exotel is owed an answer, which an exception out of here could not give.
            log.exception("request failed", exc_info=group, extra=extra)
    if waiting.cancelled_caught:
        log.warning("request late", extra=extra)
    return answered[0] if answered else fallback()


_FORWARDED = ("forwarded", "x-forwarded-for", "via")


def is_local(request: Request) -> bool:
    """Say whether somebody on this machine asks, by its own name.

    A proxy on this machine comes from loopback too, and a page whose name was pointed at 127.0.0.1 makes its reader's
    browser ask: neither is somebody here (faults T7).
    """
    peer = request.client.host if request.client else ""
    host = request.headers.get("host", "")
    named = host_of(host) if host.rpartition(":")[2].isdecimal() else host.strip("[]")
    forwarded = any(name in request.headers for name in _FORWARDED)
    return _is_loopback(peer) and (named == "localhost" or _is_loopback(named)) and not forwarded


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Lines(StreamingResponse):
    """A feed as JSON lines, each sent as it comes. The feed is closed when its reader leaves."""

    def __init__(self, feed: AsyncIterator[str]) -> None:
        super().__init__(_Terminated(feed), media_type="application/jsonl")
        self._feed = feed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            close = getattr(self._feed, "aclose", None)  # a generator has it, and would else end at no known time
            if close is not None:
                with trio.move_on_after(ANSWER_WITHIN, shield=True):
                    await close()


class _Terminated:
    """Puts the newline behind each item. No generator, so that there is nothing to close."""

    def __init__(self, feed: AsyncIterator[str]) -> None:
        self._feed = feed

    def __aiter__(self) -> _Terminated:
        return self

    async def __anext__(self) -> str:
        return f"{(await anext(self._feed)).rstrip()}\n"
