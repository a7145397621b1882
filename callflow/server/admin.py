"""The admin listener: what is for operators and not for Exotel, on an address of its own.

It has a door of its own, so that a flood on the public port leaves it answering.
"""

from __future__ import annotations

import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from callflow.call.port import BytePort
from callflow.server.addresses import is_loopback, read_listener
from callflow.server.asgi import RequestServer
from callflow.server.credentials import Credentials
from callflow.server.door import Door
from callflow.server.entry import Entry
from callflow.server.head import RequestHead
from callflow.server.http import is_local
from callflow.server.limits import Gate, Limits
from callflow.server.listening import open_listeners
from callflow.server.metrics import CONTENT_TYPE, Metrics
from callflow.server.settings import Settings

ADMIN_SOCKETS = 20
"""Connections to the admin listener at once: a scraper and some operators. They are among the spare descriptors."""


def read_admin_entry(settings: Settings, public: Entry) -> Entry:
    """Make the entry of the admin listener: credentials of its own, and the public port's TLS where others reach it."""
    is_here = settings.admin is None or is_loopback(read_listener(settings.admin)[0])
    pairs = settings.admin_credentials
    return Entry(
        credentials=Credentials.of(pairs) if pairs else None,
        tls=None if is_here else public.tls,
    )


def make_admin_app(metrics: Metrics) -> Starlette:
    """Make the app of the admin listener."""

    async def answer(_: Request) -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    return Starlette(routes=[Route("/metrics", answer, methods=["GET"])])


def make_admin_door(app: ASGIApp, entry: Entry) -> Door:
    """Make the door of the admin listener: requests alone, and without credentials only from this machine."""
    limits = Limits(sockets=ADMIN_SOCKETS)
    door = Door(
        limits=limits,
        gate=Gate(limits),
        entry=entry,
        streams=lambda _: False,
        answer=_no_streams,
        requests=RequestServer(lambda *call: _guarded(app, door, *call), limits).serve,
    )
    return door


async def open_admin(settings: Settings) -> list[trio.SocketListener]:
    """Open the listeners for operators; none where the settings name no address for them.

    Raises:
        ListenError: The port cannot be had.

    Cancellation:
        Nothing is open.
    """
    if settings.admin is None:
        return []
    host, port = read_listener(settings.admin)
    return await open_listeners(host, port, flag="--admin")


async def _guarded(app: ASGIApp, door: Door, scope: Scope, receive: Receive, send: Send) -> None:
    """Keep out the pages of a browser whose name was pointed here, where no credentials do (faults T7)."""
    may = door.entry.credentials is not None or is_local(Request(scope))
    await (app if may else Response(status_code=403))(scope, receive, send)


async def _no_streams(
    _: RequestHead, __: BytePort, ___: bytes
) -> None:  # pragma: no cover - the door lets none through
    raise AssertionError("no stream is served here")
