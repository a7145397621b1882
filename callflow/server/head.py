"""Request heads: reading one from a stranger's bytes, and judging whether it may become a WebSocket. Pure.

The head is read here, before any library sees it: what comes out is ASCII, short, and framed in one way only. Libraries
below may then assume it, and those that do not check cannot be made to fail by it (faults T13). h11 does
the parsing; the checks before it are the ones that h11 leaves to its user.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote_to_bytes

import h11
from attrs import Factory, field, frozen

from callflow.errors import RemoteProtocolError
from callflow.server.limits import Limits

Headers = tuple[tuple[str, str], ...]


class BadHead(RemoteProtocolError):
    """What came is no request that we take. The reason holds nothing of what was sent."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        """The HTTP status to answer: 400, 408, 431, 501 or 505."""
        self.reason = reason
        """What is wrong, for the answer's body."""


@frozen(kw_only=True)
class RequestHead:
    """The head of one request: plain ASCII, its framing unambiguous.

    Its repr shows the method alone, since paths, queries and headers carry credentials and telephone numbers.
    """

    method: str
    target: str = field(repr=False)
    """As sent; begins with ``/``."""
    path: str = field(repr=False)
    """Of the target, percent-decoded."""
    query: Mapping[str, str] = field(repr=False, default=Factory(dict))
    """Of the target, percent-decoded; of equal names the last."""
    version: str = "1.1"
    """``1.0`` or ``1.1``."""
    headers: Headers = field(repr=False, default=())
    """Names in lower case, in the order sent."""
    raw: bytes = field(repr=False, default=b"")
    """The head as it came, with the empty line that ends it."""

    def header(self, name: str) -> str | None:
        """Give the value of a header, by its lower-case name; several are joined as HTTP says, by ``", "``."""
        found = [value for key, value in self.headers if key == name]
        return ", ".join(found) if found else None

    def tokens(self, name: str) -> frozenset[str]:
        """Read a header that is a comma-separated list, in lower case."""
        return frozenset(token.strip().lower() for token in (self.header(name) or "").split(","))

    @property
    def query_string(self) -> str:
        """What stands behind the first ``?`` of the target, as sent."""
        return self.target.partition("?")[2]

    @property
    def content_length(self) -> int | None:
        """Bytes of the body where the head says so; None for no body and for a chunked one."""
        length = self.header("content-length")
        return None if length is None else int(length)

    @property
    def wants_upgrade(self) -> bool:
        """Whether the request asks to become a WebSocket; whether it may is for ``check_upgrade`` to say."""
        return "websocket" in self.tokens("upgrade")


_TLS_HANDSHAKE = b"\x16"
"""First byte of a client that means wss or https; without a look at it, it would wait for ten seconds."""


class HeadReader:
    """Takes bytes as they come until they make a head.

    It goes by whole lines, so that the outcome is the same however the bytes were cut.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._received = bytearray()
        self._line_start = 0
        self._lines = 0
        self.rest = b""
        """After a head: what came behind it."""

    def feed(self, data: bytes) -> RequestHead | None:
        """Take bytes; return the head once it is whole. Feed no more after that, nor after an error.

        Raises:
            BadHead: It cannot become a head that we take.
        """
        self._received += data
        if self._received[:1] == _TLS_HANDSHAKE:
            raise BadHead(400, "this port speaks no TLS; put a proxy that does in front, or use ws:// and http://")
        while (end := self._received.find(b"\n", self._line_start)) >= 0:
            line = self._received[self._line_start : end + 1]
            self._line_start = end + 1
            self._check_size(self._line_start)
            _check_line(line)
            if line == b"\r\n":
                self.rest = bytes(self._received[self._line_start :])
                return _parse(bytes(self._received[: self._line_start]), self._limits)
            self._count_line(line)
        self._check_size(len(self._received))
        return None

    def _check_size(self, size: int) -> None:
        if size > self._limits.head_bytes:
            raise BadHead(431, f"the head is longer than {self._limits.head_bytes} bytes")

    def _count_line(self, line: bytearray) -> None:
        if not self._lines:
            _check_request_line(bytes(line))
        self._lines += 1
        if self._lines > self._limits.head_lines + 1:  # the request line is not a header line
            raise BadHead(431, f"the head has more than {self._limits.head_lines} header lines")


_ODD_BYTE = re.compile(rb"[^\t\x20-\x7e]")


def _check_line(line: bytearray) -> None:
    if not line.endswith(b"\r\n"):
        raise BadHead(400, "a line of the head does not end in CR LF")
    if _ODD_BYTE.search(line, 0, len(line) - 2):
        raise BadHead(400, "the head is not printable ASCII")
    if line.startswith((b" ", b"\t")):
        raise BadHead(400, "a header line is folded")


_REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32} ([\x21-\x7e]+) HTTP/([0-9]\.[0-9])\r\n")


def _check_request_line(line: bytes) -> None:
    parts = _REQUEST_LINE.fullmatch(line)
    if parts is None:
        raise BadHead(400, "the request line is malformed")
    if parts.group(2) not in {b"1.0", b"1.1"}:
        raise BadHead(505, "only HTTP/1.0 and HTTP/1.1 are spoken here")
    if not parts.group(1).startswith(b"/"):
        # The absolute form is for proxies, which we are not; "*" and host:port name nothing that we have.
        raise BadHead(400, "the request target does not begin with a slash")


def _parse(raw: bytes, limits: Limits) -> RequestHead:
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head_bytes + 1)
    parser.receive_data(raw)
    try:
        request = parser.next_event()
    except h11.RemoteProtocolError as broken:
        # h11's own words quote the head, so they stay out of ours.
        raise BadHead(broken.error_status_hint, "the head is malformed") from broken
    if not isinstance(request, h11.Request):  # pragma: no cover - a whole head without an error is a request
        raise BadHead(400, "the head is malformed")
    _check_framing(raw, request)
    target = request.target.decode("ascii")
    path, _, query = target.partition("?")
    return RequestHead(
        method=request.method.decode("ascii"),
        target=target,
        path=_decode_path(path),
        query=_decode_query(query, limits.query_fields),
        version=request.http_version.decode("ascii"),
        headers=tuple((name.decode("ascii"), value.decode("ascii")) for name, value in request.headers),
        raw=raw,
    )


_LENGTH = re.compile(rb"^content-length:[^,\r]*(,?)", re.IGNORECASE | re.MULTILINE)


def _check_framing(raw: bytes, request: h11.Request) -> None:
    """Refuse every head whose body two readers could measure differently (faults T13).

    h11 makes one of lengths that are equal, and lets a Transfer-Encoding win over a Content-Length.
    """
    lengths = _LENGTH.findall(raw)
    is_coded = any(name == b"transfer-encoding" for name, _ in request.headers)
    if len(lengths) + is_coded > 1 or b"," in lengths:
        raise BadHead(400, "the length of the body is given twice")
    if is_coded and request.http_version == b"1.0":
        raise BadHead(400, "HTTP/1.0 has no Transfer-Encoding")


def _decode_path(path: str) -> str:
    try:
        return unquote_to_bytes(path).decode("utf-8")
    except UnicodeDecodeError as broken:
        raise BadHead(400, "the path is not UTF-8") from broken


def _decode_query(query: str, most: int) -> dict[str, str]:
    try:
        return dict(parse_qsl(query, keep_blank_values=True, max_num_fields=most))
    except ValueError as broken:
        raise BadHead(400, f"the query has more than {most} parameters") from broken


@frozen
class Refusal:
    """An answer that ends a connection before it became a call or a request."""

    status: int
    reason: str
    """One line for people; holds nothing of what was sent."""
    headers: Headers = ()


_UPGRADE_HEADERS: Headers = (("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"))

UPGRADE_REQUIRED = Refusal(426, "this path takes WebSocket connections, version 13", _UPGRADE_HEADERS)
"""What a plain request to a stream's path gets."""


def check_upgrade(head: RequestHead) -> Refusal | None:
    """Say what is wrong with an upgrade, or None if it can be answered by 101 (RFC 6455 §4.2.1)."""
    return next((refusal for has_fault, refusal in _UPGRADE_FAULTS if has_fault(head)), None)


def _has_no_key(head: RequestHead) -> bool:
    try:
        return len(base64.b64decode(head.header("sec-websocket-key") or "", validate=True)) != 16
    except binascii.Error:
        return True


def _has_odd_host(head: RequestHead) -> bool:
    """Whether the host is no name at all; a DNS name has at most 255 characters, and its labels are IDNA."""
    host = head.header("host") or ""
    try:
        host.encode("ascii").decode("idna")
    except UnicodeError:
        return True
    return len(host) > 255 + len(":65535")


_UPGRADE_FAULTS: tuple[tuple[Callable[[RequestHead], bool], Refusal], ...] = (
    (lambda head: head.method != "GET", Refusal(405, "a WebSocket is asked for by GET", (("Allow", "GET"),))),
    (lambda head: head.version != "1.1", Refusal(400, "a WebSocket needs HTTP/1.1")),
    (
        lambda head: "websocket" not in head.tokens("upgrade") or "upgrade" not in head.tokens("connection"),
        Refusal(400, "the Connection and Upgrade headers do not ask for a WebSocket"),
    ),
    (lambda head: head.header("sec-websocket-version") != "13", UPGRADE_REQUIRED),
    (_has_no_key, Refusal(400, "Sec-WebSocket-Key is not 16 bytes in base64")),
    (_has_odd_host, Refusal(400, "the Host header is no host name")),
    (
        lambda head: bool(head.content_length or head.header("transfer-encoding")),
        Refusal(400, "an upgrade has no body"),
    ),
)
"""What can be wrong, in the order in which it is looked for."""


def refusal_bytes(refusal: Refusal) -> bytes:
    """Write a refusal as a whole response, after which the connection is closed."""
    body = f"{refusal.reason}\n".encode("ascii")
    connection = "close, upgrade" if any(name == "Upgrade" for name, _ in refusal.headers) else "close"
    lines = [
        f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        f"Connection: {connection}",
        *(f"{name}: {value}" for name, value in refusal.headers),
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body
