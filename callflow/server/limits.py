"""What a stranger may take of the server, and the count of what is taken. Pure.

Every number is on by default and has its source beside it. They bound sockets, heads and bodies; what a call may do
once it has started is bounded by ``callflow.session.timing`` and ``callflow.wire``.
"""

from __future__ import annotations

from collections import Counter

from attrs import define, field, frozen


@frozen(kw_only=True)
class Limits:
    """The bounds of one listener. Sizes are bytes, times are seconds."""

    head_bytes: int = 16 * 1024
    """Bytes of one request head; h11's own default, and the least that common proxies allow."""
    head_lines: int = 100
    """Header lines of one head; Apache's ``LimitRequestFields`` default. Exotel sends fewer than ten."""
    query_fields: int = 256
    """Parameters of one query; Exotel's longest Passthru has about thirty (exotel.md §12)."""
    head: float = 10.0
    """Seconds for a whole head, not for a byte of it: Exotel's documented handshake time (exotel.md §4)."""
    body_bytes: int = 1024 * 1024
    """Bytes of one request body; nginx's ``client_max_body_size`` default. A Passthru has under 4 KiB."""
    body: float = 10.0
    """Seconds for a whole body (faults T3)."""
    send: float = 5.0
    """Seconds for one send of an HTTP answer; then its reader counts as gone (exotel.md §21)."""
    linger: float = 2.0
    """Seconds in which a peer that we are done with may read our answer before the connection goes (faults B17)."""
    linger_bytes: int = 32 * 1024 * 1024
    """Bytes that are thrown away meanwhile; more than any upload that a client sends before it looks at the answer."""
    sockets: int = 2_000
    """Connections at once, of any kind: half of 4,096 file descriptors, and about 30 MiB if idle (faults B15)."""
    sockets_per_address: int | None = None
    """Connections at once from one address; None for as many as ``sockets``.

    Exotel's addresses are few and not published, and behind a proxy every caller has the proxy's address: a small
    number here would refuse calls first. Set one where the server is reached directly and the addresses are known.
    """
    sockets_without_start: int = 200
    """Upgraded sockets that have not sent ``start`` yet. A real one needs under a second of its ten, so that this is
    room for more than 200 new calls a second; what fills it up is idle strangers."""
    calls: int | None = None
    """Calls at once; None for no limit but ``sockets``. The gate knows no calls: see ``callflow.server.capacity``."""


@define
class Gate:
    """Counts the sockets that are open and says when there is no room for one more.

    A socket is named by its peer, ``host:port``. The door calls ``admit``, ``upgrade`` and ``leave``; whoever reads
    the ``start`` of a call says ``started``.
    """

    limits: Limits = field(factory=Limits)
    sockets: int = field(default=0, init=False)
    """Connections now open."""
    _by_host: Counter[str] = field(init=False, factory=Counter)
    _upgraded: Counter[str] = field(init=False, factory=Counter)
    _waiting: Counter[str] = field(init=False, factory=Counter)

    @property
    def upgraded(self) -> int:
        """Sockets that were let through as streams."""
        return self._upgraded.total()

    @property
    def without_start(self) -> int:
        """Those of them that have not sent ``start`` yet."""
        return self._waiting.total()

    def admit(self, peer: str, *, is_proxy: bool = False) -> str | None:
        """Count a new connection, or give the reason why there is no room for it (then nothing was counted).

        A proxy may have as many as it likes: each is counted under its client's address once ``recognise`` tells it.
        """
        if self.sockets >= self.limits.sockets:
            return "all connections are in use"
        if not is_proxy and self._is_full_for(peer):
            return _FULL_FOR_ADDRESS
        self.sockets += 1
        self._by_host[host_of(peer)] += 1
        return None

    def recognise(self, peer: str, client: str) -> str | None:
        """Count an admitted connection under its client's name from now on, or give the reason why not.

        It is called before ``upgrade``; after it the connection goes by the new name.
        """
        if self._is_full_for(client):
            return _FULL_FOR_ADDRESS
        _take(self._by_host, host_of(peer))
        self._by_host[host_of(client)] += 1
        return None

    def _is_full_for(self, peer: str) -> bool:
        per_address = self.limits.sockets_per_address
        return per_address is not None and self._by_host[host_of(peer)] >= per_address

    def upgrade(self, peer: str) -> str | None:
        """Count an admitted connection as a stream that waits for its ``start``, or give the reason why not."""
        if self.without_start >= self.limits.sockets_without_start:
            return "too many streams wait for their start"
        self._upgraded[peer] += 1
        self._waiting[peer] += 1
        return None

    def started(self, peer: str) -> None:
        """Note that a stream's ``start`` came. Without effect where it came before."""
        _take(self._waiting, peer)

    def leave(self, peer: str) -> None:
        """Forget an admitted connection, whatever had become of it."""
        self.sockets -= 1
        _take(self._by_host, host_of(peer))
        _take(self._upgraded, peer)
        _take(self._waiting, peer)


_FULL_FOR_ADDRESS = "too many connections from this address"


def host_of(peer: str) -> str:
    """Take the host out of ``host:port``; brackets of an IPv6 address go with the port."""
    return peer.rpartition(":")[0].strip("[]") or peer


def _take(counter: Counter[str], name: str) -> None:
    """Count one down and keep no zeros, so that strangers' addresses do not pile up."""
    if counter[name] > 1:
        counter[name] -= 1
    else:
        del counter[name]
