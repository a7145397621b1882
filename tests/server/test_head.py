"""Request heads: what is read, what is refused, and that no bytes do anything else."""

from __future__ import annotations

import base64
import itertools

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wsproto import ConnectionType, WSConnection
from wsproto.events import Request

from callflow.server.head import (
    UPGRADE_REQUIRED,
    BadHead,
    HeadReader,
    Refusal,
    RequestHead,
    check_upgrade,
    refusal_bytes,
)
from callflow.server.limits import Limits

GET = b"GET /live HTTP/1.1\r\nHost: example\r\n\r\n"
UPGRADE = (
    b"GET /stream HTTP/1.1\r\nHost: example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def read(data: bytes) -> RequestHead:
    head = HeadReader().feed(data)
    assert head is not None
    return head


def outcome(pieces: list[bytes]) -> object:
    """Feed pieces until there is a result: the head with what followed it, a refusal, or None for "go on"."""
    reader, head = HeadReader(), None
    for at, piece in enumerate(pieces):
        try:
            head = reader.feed(piece)
        except BadHead as bad:
            return bad.status, bad.reason
        if head is not None:
            return head, head.raw, reader.rest + b"".join(pieces[at + 1 :])
    return None


# What is read.


def test_a_head_is_read_with_its_path_query_and_headers() -> None:
    head = read(b"POST /pass%74hru?CallSid=a&CallSid=b&Empty= HTTP/1.0\r\nX-One: 1\r\nx-one:  2 \r\n\r\n")

    assert head == RequestHead(
        method="POST",
        target="/pass%74hru?CallSid=a&CallSid=b&Empty=",
        path="/passthru",
        query={"CallSid": "b", "Empty": ""},
        version="1.0",
        headers=(("x-one", "1"), ("x-one", "2")),
        raw=b"POST /pass%74hru?CallSid=a&CallSid=b&Empty= HTTP/1.0\r\nX-One: 1\r\nx-one:  2 \r\n\r\n",
    )


def test_repeated_headers_are_joined() -> None:
    assert read(b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nx: 2\r\n\r\n").header("x") == "1, 2"


def test_an_absent_header_is_none() -> None:
    assert read(GET).header("authorization") is None


def test_what_follows_the_head_is_kept() -> None:
    reader = HeadReader()
    reader.feed(GET + b"\xff\x00 anything")

    assert reader.rest == b"\xff\x00 anything"


def test_the_length_of_a_body_is_read() -> None:
    assert read(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0012\r\n\r\n").content_length == 12


def test_a_repr_shows_nothing_that_could_be_secret() -> None:
    head = read(b"GET /stream/token?pin=1234 HTTP/1.1\r\nHost: a\r\nAuthorization: Basic QQ==\r\n\r\n")

    assert repr(head) == "RequestHead(method='GET', version='1.1')"


def test_as_many_lines_as_the_limit_are_taken() -> None:
    lines = b"".join(b"X-%d: 1\r\n" % n for n in range(99))

    assert len(read(b"GET / HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n").headers) == 100


def test_a_head_of_exactly_the_limit_is_taken() -> None:
    start = b"GET / HTTP/1.1\r\nHost: a\r\nX: "
    fill = b"a" * (16 * 1024 - len(start) - 4)

    assert len(read(start + fill + b"\r\n\r\n").raw) == 16 * 1024


# What is refused.


def with_line(line: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: example\r\n" + line + b"\r\n\r\n"


ODD_HEADS = {
    "no request line": (b"\r\nGET / HTTP/1.1\r\n\r\n", 400),
    "one word": (b"GARBAGE\r\n\r\n", 400),
    "two words": (b"GET /\r\n\r\n", 400),
    "two blanks": (b"GET  / HTTP/1.1\r\n\r\n", 400),
    "a blank in the target": (b"GET /a b HTTP/1.1\r\n\r\n", 400),
    "an odd method": (b"G(T / HTTP/1.1\r\n\r\n", 400),
    "a long method": (b"G" * 33 + b" / HTTP/1.1\r\n\r\n", 400),
    "an absolute target": (b"GET http://example/ HTTP/1.1\r\nHost: example\r\n\r\n", 400),
    "an asterisk": (b"OPTIONS * HTTP/1.1\r\nHost: example\r\n\r\n", 400),
    "a tunnel": (b"CONNECT example:80 HTTP/1.1\r\nHost: example\r\n\r\n", 400),
    "no version": (b"GET / FTP/1.1\r\n\r\n", 400),
    "version 0.9": (b"GET / HTTP/0.9\r\n\r\n", 505),
    "version 2": (b"PRI * HTTP/2.0\r\n\r\n", 505),
    "version 1.2": (b"GET / HTTP/1.2\r\nHost: example\r\n\r\n", 505),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (with_line(b"Host: other"), 400),
    "a bare LF": (b"GET / HTTP/1.1\nHost: example\r\n\r\n", 400),
    "a bare LF at the end": (b"GET / HTTP/1.1\r\nHost: example\r\n\n", 400),
    "a bare CR": (with_line(b"X: a\rb"), 400),
    "a NUL": (with_line(b"X: a\x00b"), 400),
    "an escape": (with_line(b"X: \x1b[31m"), 400),
    "DEL": (with_line(b"X: \x7f"), 400),
    "a folded line": (with_line(b"X: a\r\n b"), 400),
    "a folded line by a tab": (with_line(b"X: a\r\n\tb"), 400),
    "a header without a colon": (with_line(b"nothing"), 400),
    "a header without a name": (with_line(b": nothing"), 400),
    "a blank before the colon": (with_line(b"X : a"), 400),
    "length and coding": (with_line(b"Content-Length: 5\r\nTransfer-Encoding: chunked"), 400),
    "two lengths": (with_line(b"Content-Length: 5\r\nContent-Length: 6"), 400),
    "two equal lengths": (with_line(b"Content-Length: 5\r\nContent-Length: 5"), 400),
    "a list of lengths": (with_line(b"Content-Length: 5, 6"), 400),
    "a list of equal lengths": (with_line(b"Content-Length: 5, 5"), 400),
    "a negative length": (with_line(b"Content-Length: -4"), 400),
    "a length with a sign": (with_line(b"Content-Length: +4"), 400),
    "a hexadecimal length": (with_line(b"Content-Length: 0x4"), 400),
    "a length of 5,000 digits": (with_line(b"Content-Length: " + b"9" * 5000), 400),
    "two codings": (with_line(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), 501),
    "another coding": (with_line(b"Transfer-Encoding: gzip"), 501),
    "a coding in HTTP/1.0": (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "a path that is no text": (b"GET /%ff HTTP/1.1\r\nHost: example\r\n\r\n", 400),
    "too many parameters": (b"GET /?" + b"a&" * 300 + b" HTTP/1.1\r\nHost: example\r\n\r\n", 400),
    "200 KiB": (with_line(b"X: " + b"a" * 200 * 1024), 431),
    "200 KiB without an end": (b"GET / HTTP/1.1\r\nX: " + b"a" * 200 * 1024, 431),
    "200 KiB without a line": (b"a" * 200 * 1024, 431),
    "3,000 headers": (with_line(b"X: 1\r\n" * 3000), 431),
    "101 headers": (with_line(b"\r\n".join([b"X: 1"] * 100)), 431),
}


@pytest.mark.parametrize("odd", ODD_HEADS)
def test_odd_heads_are_refused(odd: str) -> None:
    data, status = ODD_HEADS[odd]

    with pytest.raises(BadHead) as refused:
        HeadReader().feed(data)

    assert refused.value.status == status


@pytest.mark.parametrize("odd", ODD_HEADS)
def test_odd_heads_are_refused_alike_byte_by_byte(odd: str) -> None:
    data, _ = ODD_HEADS[odd]

    assert outcome([bytes([byte]) for byte in data]) == outcome([data])


HEADERS = (
    b"Host", b"Connection", b"Upgrade", b"Sec-WebSocket-Key", b"Sec-WebSocket-Version", b"Sec-WebSocket-Protocol",
    b"Sec-WebSocket-Extensions", b"Origin", b"Authorization", b"Cookie", b"User-Agent", b"X-Anything",
)  # fmt: skip


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("odd", [b"\x80", b"\xe9", b"\xff", "ü".encode()])
def test_bytes_beyond_ascii_are_refused_in_every_header(name: bytes, odd: bytes) -> None:
    assert outcome([with_line(name + b": a" + odd)]) == (400, "the head is not printable ASCII")


@pytest.mark.parametrize("name", [b"X-\xe9", b"\xff"])
def test_bytes_beyond_ascii_are_refused_in_a_header_name(name: bytes) -> None:
    assert outcome([with_line(name + b": a")]) == (400, "the head is not printable ASCII")


def test_a_reason_holds_nothing_of_what_was_sent() -> None:
    with pytest.raises(BadHead) as refused:
        HeadReader().feed(with_line(b"a secret"))

    assert "secret" not in str(refused.value)


# Whatever the bytes.

pieces_of_heads = st.sampled_from(
    [b"GET ", b"/", b"/stream?a=b", b" HTTP/1.1", b"\r\n", b"\n", b"\r", b"Host: a", b"Content-Length: 4",
     b"Transfer-Encoding: chunked", b" ", b"\t", b": ", b"\x80", b"\x00", b"X: y", b"\r\n\r\n", b"a" * 9000]
)  # fmt: skip
like_heads = st.lists(pieces_of_heads | st.binary(max_size=4), max_size=24).map(b"".join)
mutated = st.tuples(st.sampled_from([GET, UPGRADE]), st.integers(0, 250), st.binary(max_size=3)).map(
    lambda cut: cut[0][: cut[1]] + cut[2] + cut[0][cut[1] + 1 :]
)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


@given(data=st.binary(max_size=400) | like_heads | mutated, places=st.lists(st.integers(0, 40_000), max_size=12))
@example(data=b"a" * 16384 + b"\xff\r\n", places=[16384])  # too long or no ASCII, whichever byte comes first
def test_any_bytes_give_a_head_or_a_refusal_however_they_are_cut(data: bytes, places: list[int]) -> None:
    assert outcome(cut(data, places)) == outcome([data])


@given(data=like_heads | mutated)
def test_whatever_is_let_through_is_short_plain_and_framed_once(data: bytes) -> None:
    head = HeadReader()
    try:
        found = head.feed(data)
    except BadHead:
        return
    if found is not None:
        framings = [name for name, _ in found.headers if name in {"content-length", "transfer-encoding"}]
        assert (found.raw.isascii(), len(found.raw) <= 16384, len(framings) <= 1) == (True, True, True)


# Upgrades.


def upgrade(*changes: tuple[bytes, bytes]) -> RequestHead:
    data = UPGRADE
    for old, new in changes:
        assert old in data
        data = data.replace(old, new)
    return read(data)


def test_a_good_upgrade_is_let_through() -> None:
    assert check_upgrade(upgrade()) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Upgrade: websocket", b"upgrade: WebSocket"),
        (b"Connection: Upgrade", b"connection: keep-alive, upgrade"),
        (b"Connection: Upgrade", b"Connection: keep-alive\r\nConnection: Upgrade"),
        (b"\r\n\r\n", b"\r\nContent-Length: 0\r\n\r\n"),
    ],
)
def test_spellings_of_an_upgrade_do_not_matter(old: bytes, new: bytes) -> None:
    assert check_upgrade(upgrade((old, new))) is None


BAD_UPGRADES: dict[str, tuple[bytes, bytes, int]] = {
    "a POST": (b"GET ", b"POST ", 405),
    "HTTP/1.0": (b"HTTP/1.1", b"HTTP/1.0", 400),
    "no Upgrade": (b"Upgrade: websocket\r\n", b"", 400),
    "another protocol": (b"Upgrade: websocket", b"Upgrade: h2c", 400),
    "no Connection": (b"Connection: Upgrade\r\n", b"", 400),
    "no token in Connection": (b"Connection: Upgrade", b"Connection: keep-alive", 400),
    "part of a token": (b"Connection: Upgrade", b"Connection: no-upgrade", 400),
    "no version": (b"Sec-WebSocket-Version: 13\r\n", b"", 426),
    "version 12": (b"Version: 13", b"Version: 12", 426),
    "two versions": (b"Version: 13", b"Version: 13, 8", 426),
    "no key": (b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n", b"", 400),
    "a short key": (b"AAAAAAAAAAAAAAAAAAAAAA==", base64.b64encode(bytes(15)), 400),
    "a long key": (b"AAAAAAAAAAAAAAAAAAAAAA==", base64.b64encode(bytes(17)), 400),
    "a key that is no base64": (b"AAAAAAAAAAAAAAAAAAAAAA==", b"A" * 22, 400),
    "a key with a blank": (b"AAAAAAAAAAAAAAAAAAAAAA==", b"AAAAAAAAAAA AAAAAAAAAAA==", 400),
    "two keys": (b"\r\n\r\n", b"\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", 400),
    "a body": (b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\n", 400),
    "a chunked body": (b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "an odd host": (b"Host: example", b"Host: xn--", 400),
    "a long host": (b"Host: example", b"Host: " + b"a." * 200, 400),
}


@pytest.mark.parametrize("bad", BAD_UPGRADES)
def test_bad_upgrades_are_refused(bad: str) -> None:
    old, new, status = BAD_UPGRADES[bad]

    refusal = check_upgrade(upgrade((old, new)))

    assert refusal is not None
    assert refusal.status == status


def test_another_version_is_told_which_one_is_spoken() -> None:
    refusal = check_upgrade(upgrade((b"Version: 13", b"Version: 8")))

    assert refusal is not None
    assert ("Sec-WebSocket-Version", "13") in refusal.headers


@pytest.mark.parametrize(
    ("old", "new", "wants"),
    [(b"GET", b"GET", True), (b"Upgrade: websocket", b"Upgrade: h2c", False), (b"Upgrade: websocket\r\n", b"", False)],
)
def test_a_request_wants_an_upgrade_only_to_a_websocket(old: bytes, new: bytes, wants: bool) -> None:
    assert upgrade((old, new)).wants_upgrade is wants


values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40).map(lambda text: text.encode())


@given(name=st.sampled_from(HEADERS), value=values | st.sampled_from([b"xn--a-", b"xn--99999", b'a;b="c', b",,", b";"]))
def test_whatever_is_let_through_is_a_request_to_the_websocket_engine(name: bytes, value: bytes) -> None:
    lines = [line for line in UPGRADE.split(b"\r\n")[:-2] if not line.lower().startswith(name.lower() + b":")]
    data = b"\r\n".join([*lines, name + b": " + value, b"", b""])
    try:
        head = read(data)
    except BadHead:
        return
    if check_upgrade(head) is not None:
        return
    engine = WSConnection(ConnectionType.SERVER)
    engine.receive_data(head.raw)

    assert [type(event) for event in engine.events()] == [Request]


# Refusals.


@pytest.mark.parametrize("refusal", [Refusal(404, "no"), UPGRADE_REQUIRED, Refusal(431, "long", (("X", "y"),))])
def test_a_refusal_is_a_whole_response(refusal: Refusal) -> None:
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "example")]))
    client.send(h11.EndOfMessage())
    client.receive_data(refusal_bytes(refusal))
    events = [client.next_event() for _ in range(3)]

    match events:
        case [h11.Response() as response, h11.Data() as body, h11.EndOfMessage()]:
            shown = (response.status_code, bytes(body.data), client.their_state)
        case _:
            pytest.fail(f"no response: {events}")
    assert shown == (refusal.status, f"{refusal.reason}\n".encode(), h11.MUST_CLOSE)


@pytest.mark.parametrize(
    ("refusal", "connection"), [(Refusal(404, "no"), b"close"), (UPGRADE_REQUIRED, b"close, upgrade")]
)
def test_a_refusal_says_what_becomes_of_the_connection(refusal: Refusal, connection: bytes) -> None:
    assert b"\r\nConnection: " + connection + b"\r\n" in refusal_bytes(refusal)


def test_limits_can_be_lowered() -> None:
    reader = HeadReader(Limits(head_bytes=30))

    with pytest.raises(BadHead, match="longer than 30 bytes"):
        reader.feed(GET)


def test_a_tls_hello_is_refused_at_its_first_byte() -> None:
    with pytest.raises(BadHead, match="speaks no TLS"):
        HeadReader().feed(b"\x16")
