"""Two flows in a process of their own: Exotel asks for a URL, calls it, and tells what became of the call."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trio

from callflow.errors import CallEnded, NotAnswered
from callflow.line import dial_socket, place_call
from tests.e2e.serving import process, wait_for

FLOW = """
from callflow import Call, Flow, Hangup, PassthruReport, State, StreamTo

def direct(report: PassthruReport) -> StreamTo:
    return StreamTo(parameters={"lang": "hi"})

class Wait(State[None], timeout=20.0):
    def on_dtmf(self, call: Call[None], key: object) -> "Bye":
        return Bye()
    def on_timeout(self, call: Call[None]) -> "Bye":
        return Bye()

class Bye(Hangup[None]):
    pass

answer = Flow("NAME", start=Wait, stream_url=direct)
"""


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Serve two flows that want tokens; give the port."""
    (tmp_path / "callflow.toml").write_text('tokens_required = true\naccounts = ["acme1"]\n')
    for name in ("bank", "shop"):
        (tmp_path / f"{name}_line.py").write_text(FLOW.replace("NAME", name))
    with process("serve", "bank_line.py", "shop_line.py", "--port", "0", cwd=tmp_path) as running:
        line = wait_for("/stream/bank", running)
        yield int(line.rpartition(":")[2].partition("/")[0])


def ask(port: int, path: str, body: bytes | None = None, content_type: str = "application/json") -> tuple[int, bytes]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, {"Content-Type": content_type})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status, answer.read()


async def ring(port: int, target: str, call_sid: str) -> int | None:
    """Call, press a key, and wait for the end; give the close code, or the status of a refusal."""
    try:
        async with place_call(partial(dial_socket, "127.0.0.1", port), target=target, call_sid=call_sid) as phone:
            with suppress(CallEnded):  # it may be refused before
                await phone.press("1")
            with trio.fail_after(10):
                await phone.ended.wait()
            return phone.close_code
    except NotAnswered as refused:
        return refused.status


def test_the_url_that_is_answered_leads_to_its_call_and_to_no_other(port: int) -> None:
    status, body = ask(port, "/stream-url/shop?CallSid=c1")
    url = urlsplit(json.loads(body)["url"])
    target = f"{url.path}?{url.query}"
    codes = [trio.run(ring, port, target, call_sid) for call_sid in ("c1", "c2")]
    refused = trio.run(ring, port, "/stream/shop", "c1")
    told = (ask(port, "/status", b"CallSid=c1&Status=completed", "text/plain"), ask(port, "/passthru?CallSid=c1"))

    assert (status, url.scheme, url.netloc, url.path.split("/")[2], url.query) == (
        200,
        "ws",
        f"127.0.0.1:{port}",
        "shop",
        "lang=hi",
    )
    assert (codes, refused, [status for status, _ in told]) == ([1000, 1008], 401, [200, 200])
