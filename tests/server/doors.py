"""Ask a server in memory what Exotel asks it over HTTP, and place calls that the answers lead to."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit

import trio
from trio.testing import wait_all_tasks_blocked

from callflow import Call, Dtmf, Flow, Hangup, State
from callflow.errors import NotAnswered
from callflow.line import Telephone, place_call
from tests.call.stage import QUIET, Stage
from tests.server.asking import Answer, read_answer, read_to_end, send_on

Notes = list[Any]

SID = "c0ffee"
HOST = "Host: voice.example.in"


class Listen(State[Notes], timeout=3000.0):
    """Notes the call; 1 ends it."""

    async def run(self, call: Call[Notes]) -> None:
        call.data.append(call)

    def on_dtmf(self, call: Call[Notes], key: Dtmf) -> Bye | None:
        return Bye() if key.digit == "1" else None

    def on_timeout(self, call: Call[Notes]) -> Bye:
        return Bye()


class Bye(Hangup[Notes]):
    """The end."""


def make_flow(name: str = "bank", notes: Notes | None = None, **parts: Any) -> Flow[Notes]:
    """Make a flow whose calls are noted."""
    kept: Notes = [] if notes is None else notes
    return Flow(name, start=Listen, data=lambda: kept, **parts)


async def send(stage: Stage, request: bytes) -> Answer:
    """Send a whole request, and read the answer."""
    port = await stage.network.dial()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(send_on, port, request, len(request), 0.0)
        received = await read_to_end(port)
        nursery.cancel_scope.cancel()
    port.close()
    return read_answer(received, request.split(b" ")[0])


async def get(stage: Stage, path: str, *headers: str, **fields: str) -> Answer:
    """Ask by GET."""
    query = urlencode({"CallSid": SID} | fields)
    lines = "".join(f"{header}\r\n" for header in headers or (HOST,))
    return await send(stage, f"GET {path}?{query} HTTP/1.1\r\n{lines}\r\n".encode())


async def post(stage: Stage, path: str, body: bytes, content_type: str = "application/json") -> Answer:
    """Ask by POST."""
    lines = f"{HOST}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
    return await send(stage, f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body)


async def url_of(stage: Stage, path: str = "/stream-url", **fields: str) -> str:
    """Ask for the URL of a stream."""
    answer = await get(stage, path, **fields)
    url: str = json.loads(answer.body)["url"]
    return url


@asynccontextmanager
async def ring_at(stage: Stage, url: str = "wss://voice.example.in/stream", **line: Any) -> AsyncIterator[Telephone]:
    """Place a call to a URL of the server, as Exotel does: credentials in the URL become a header."""
    parts = urlsplit(url)
    credentials = f"{parts.username}:{parts.password}" if parts.username else None
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    asked: dict[str, Any] = {"call_sid": SID, "target": target, "credentials": credentials} | line
    async with place_call(stage.network.dial, profile=QUIET, **asked) as phone:
        yield phone
    await wait_all_tasks_blocked()  # the server knows that it is over


async def refusal(stage: Stage, url: str = "wss://voice.example.in/stream", **line: Any) -> int | None:
    """Place a call; give the status with which it was refused, or the code with which it was closed at once."""
    try:
        async with ring_at(stage, url, **line) as phone:
            await phone.wait(0.5)
            return phone.close_code if phone.ended.is_set() else None
    except NotAnswered as refused:
        return refused.status


def basic(pair: str) -> str:
    """Write a header of Basic authorization."""
    return f"Authorization: Basic {base64.b64encode(pair.encode()).decode()}"
