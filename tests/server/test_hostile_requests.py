"""Whatever strangers send to Exotel's paths, they get an answer that Exotel knows, or are told that it is none."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from callflow.server.settings import Settings
from tests.call.stage import in_virtual_time, serving
from tests.server.asking import Answer
from tests.server.doors import make_flow, send

PATHS = ("/passthru", "/passthru/bank", "/passthru/none", "/stream-url", "/stream-url/none", "/status", "/status/none")
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=between"

CANARY = "<script>canary</script>"

BODIES: dict[str, tuple[str, bytes]] = {
    "a megabyte": (FORM, b"CallSid=c&x=" + b"y" * (1024 * 1024 - 12)),
    "more than a body may have": (FORM, b"x" * (1024 * 1024 + 1)),
    "deep JSON": ("application/json", b'{"CallSid":"c","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "a deep stream": ("application/json", json.dumps({"CallSid": "c", "Stream": "[" * 10_000}).encode()),
    "deep legs": ("application/json", json.dumps({"CallSid": "c", "Legs": '[{"a":' * 5_000}).encode()),
    "a thousand keys": (FORM, b"CallSid=c&" + b"&".join(b"k%d=v" % n for n in range(1_000))),
    "a thousand members": (
        "application/json",
        json.dumps({"CallSid": "c"} | {f"k{n}": n for n in range(1_000)}).encode(),
    ),
    "a thousand parts": (MULTIPART, b"--between\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n" * 1_000),
    "NULs": (FORM, b"CallSid=c\0&From=\0\0&Stream[Status]=\0"),
    "NULs where they are allowed": (FORM, b"CallSid=c&From=%00&Stream[Status]=%00&Stream[Error]=%00%0d%0a"),
    "no UTF-8": (FORM, b"CallSid=c&CustomField=\xff\xfe%ff%fe"),
    "UTF-16": ("application/json; charset=utf-16", json.dumps({"CallSid": "c"}).encode("utf-16")),
    "half a surrogate": ("application/json", b'{"CallSid":"c","CustomField":"\\ud800"}'),
    "gzip": ("application/json", b"\x1f\x8b\x08\x00" + b"\0" * 64),
    "a multipart body without a boundary": ("multipart/form-data", b"--x\r\n\r\n--x--"),
    "a multipart body without an end": (
        MULTIPART,
        b'--between\r\nContent-Disposition: form-data; name="CallSid"\r\n\r\nc',
    ),
    "a boundary that is all there is": ("multipart/form-data; boundary=-", b"\r\n---" * 10_000),
    "a header of a part without an end": (
        MULTIPART,
        b"--between\r\nContent-Disposition: " + b";" * 500_000 + b"\r\n\r\n",
    ),
    "a form called JSON": ("application/json", b"CallSid=c"),
    "JSON called a form": (FORM, b'{"CallSid":"c"}'),
    "a long number": ("application/json", b'{"CallSid":"c","Duration":' + b"9" * 10_000 + b"}"),
    "a stream of no time": (FORM, b"CallSid=c&Stream[Duration]=1e999&Stream[Status]=nan"),
    "something to be shown": (FORM, f"CallSid=c&CustomField={quote(CANARY)}".encode()),
    "something to be shown as the call": (FORM, f"CallSid={quote(CANARY)}".encode()),
    "a way out of the folder": (FORM, b"CallSid=../../etc/passwd"),
}


async def post(path: str, content_type: str, body: bytes, query: str = "") -> Answer:
    """Post something to a server of its own."""
    lines = f"Host: voice.example.in\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
    async with serving(make_flow(), settings=Settings(announced_only=True)) as stage:
        answer = await send(stage, f"POST {path}{query} HTTP/1.1\r\n{lines}\r\n".encode() + body)
        assert stage.server.door.failed == 0
    return answer


def is_known(path: str, answer: Answer) -> bool:
    """Say whether Exotel knows what to make of an answer; 400 and 413 tell a stranger that it is not for us."""
    allowed = {"passthru": (200, 302), "stream-url": (200, 404), "status": (200,)}[path.split("/")[1]]
    return answer.status in (*allowed, 400, 413) and (not answer.body or "stream-url" in path or answer.status == 413)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("what", BODIES)
async def test_whatever_is_sent_the_answer_is_one_that_exotel_knows(
    what: str, path: str, autojump_clock: MockClock
) -> None:
    answer = await post(path, *BODIES[what])

    assert is_known(path, answer)
    assert b"canary" not in answer.body


@given(
    path=st.sampled_from(PATHS),
    content_type=st.sampled_from([FORM, MULTIPART, "application/json", "x", ""]),
    body=st.binary(max_size=64),
    query=st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#"), max_size=32),
)
def test_anything_is_answered(path: str, content_type: str, body: bytes, query: str) -> None:
    answer = in_virtual_time(post, path, content_type, body, f"?CallSid=c&{query}")

    assert is_known(path, answer)
