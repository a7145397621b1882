"""A wire log: what passed between Exotel and a server, in order, with the facts that the rules need. Pure.

A log can come from the line simulator's recording of a link or from the server's own side of it.
``callflow.testing.rules`` judges it; nothing here knows a rule.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Iterator
from typing import TypeVar

from attrs import Factory, define, evolve, field, frozen

from callflow.errors import MalformedMessage
from callflow.session.inputs import Frame, Told
from callflow.wire.audio import AudioFormat, line_format
from callflow.wire.exotel import decode
from callflow.wire.messages import Message, Start, Stop

T = TypeVar("T")

RESTART = 1012
"""Close code of a link whose call goes on elsewhere, and of a server that goes down."""


class Side(enum.Enum):
    """Where an entry of a log comes from."""

    IN = "in"
    """From Exotel to the server."""
    OUT = "out"
    """From the server to Exotel."""
    APP = "app"
    """A fact of the server's inside; it is on no wire."""


# What is on the wire beside messages.


@frozen
class Malformed:
    """A WebSocket message that is no AgentStream message."""

    reason: str


@frozen
class Asked:
    """The request for an upgrade came, whole."""


@frozen
class Opened:
    """The WebSocket is there: 101 was sent."""


@frozen(kw_only=True)
class Closed:
    """One side closed; the entry's side says which. An end without a close frame is Exotel's, with code 1006."""

    code: int = 1006
    clean: bool = False
    """Whether there was a close frame."""


@frozen
class Dropped:
    """The server gave the transport back: nothing passes any more."""


@frozen
class Ping:
    """A control frame that wants an answer, on either side."""

    payload: bytes = b""


@frozen
class Pong:
    """The answer to a ping, or a word without one."""

    payload: bytes = b""


class Applet(enum.Enum):
    """Who asks over HTTP."""

    PASSTHRU = "passthru"
    STREAM_URL = "stream url"
    STATUS = "status callback"


@frozen(kw_only=True)
class Request:
    """What Exotel asked over HTTP. Equal requests are repetitions of one."""

    applet: Applet
    call_sid: str
    stream_sid: str = ""
    status: str = ""
    """What it reports; empty before the stream."""


@frozen(kw_only=True)
class Exchange:
    """A request and its answer. The entry stands where the answer went out, or was given up."""

    request: Request
    seconds: float = 0.0
    """From the whole request to the answer."""
    answer: int | None = None
    """HTTP status; None if there was none."""
    failed: bool = False
    """Whether user code failed or was late, so that the answer is the fallback."""


# Facts. What the session tells and the frames that it orders are facts as they are; these are the others.


def _size(audio: bytes) -> str:
    return f"<{len(audio)} bytes>"


@frozen
class Queued:
    """Audio was handed to the playout. Several in a row of one utterance are joined; one mark follows an utterance."""

    utterance: str
    """Its name, which no other utterance of the stream has."""
    audio: bytes = field(repr=_size)
    """In the line's own coding, before padding."""


@frozen
class Interrupted:
    """The server took back what it had queued, and owes Exotel one ``clear``."""

    generation: int = 0
    """Told by those who count them; no rule looks at it."""


@frozen
class TasksLeft:
    """How many tasks of the call run. Noted when the call ends, and again when the count reaches 0."""

    count: int


@frozen
class Ran:
    """User code ran for the call of this connection."""

    what: str = ""
    """Which, for people."""


@frozen(kw_only=True)
class Reached:
    """A request of Exotel's reached user code."""

    request: Request
    repeated: bool = False
    """Whether it was said to be a repetition."""


@frozen
class OneWay:
    """The flow declared the stream one-way: Exotel plays nothing that is sent on it (ruling 19)."""


Fact = Told | Frame | Queued | Interrupted | TasksLeft | Ran | Reached | OneWay
"""Everything that the server may say of itself."""

Life = Asked | Opened | Closed | Dropped | Ping | Pong | Exchange
"""What passes and is no message: the connection's own life, and what goes beside it."""

Arrival = Message | Malformed | Life
"""Everything that passes."""


@frozen
class Entry:
    """One line of a log."""

    at: float
    """Seconds, on any clock that does not jump."""
    side: Side
    what: Arrival | Fact
    conn: int = 1
    """Number of the connection; 0 for HTTP beside the streams."""


@define
class WireLog:
    """What passed on a connection, or on several, in the order in which the server saw and did it."""

    entries: list[Entry] = Factory(list)
    form: AudioFormat | None = None
    """The line's format; if None, what ``start`` says."""
    crossing: float = 0.0
    """Seconds. 0 for a journal. For a log that was taken at the far end: how long a message may be under way, so that
    what was sent before the server could know of a ``stop`` is no breach."""

    def arrived(self, at: float, what: str | bytes | Arrival, *, conn: int = 1) -> None:
        """Add what came from Exotel; text is decoded here."""
        self.entries.append(Entry(at, Side.IN, _read(what), conn))

    def sent(self, at: float, what: str | bytes | Arrival, *, conn: int = 1) -> None:
        """Add what the server sent; text is decoded here."""
        self.entries.append(Entry(at, Side.OUT, _read(what), conn))

    def noted(self, at: float, fact: Fact, *, conn: int = 1) -> None:
        """Add a fact of the server's inside."""
        self.entries.append(Entry(at, Side.APP, fact, conn))

    def connections(self) -> list[WireLog]:
        """Give what passed on each connection, as a log of its own; HTTP is on none."""
        numbers = dict.fromkeys(entry.conn for entry in self.entries)
        return [evolve(self, entries=[e for e in self.entries if e.conn == n]) for n in numbers if n]

    def each(self, side: Side, kind: type[T]) -> Iterator[tuple[float, T]]:
        """Give the entries of one side and kind, with their times."""
        for entry in self.entries:
            if entry.side is side and isinstance(entry.what, kind):
                yield entry.at, entry.what

    def has(self, *kinds: type) -> bool:
        """Say whether a fact of one of these kinds was noted."""
        return any(isinstance(entry.what, kinds) for entry in self.entries)

    def outgoing(self) -> Iterator[tuple[int, Entry]]:
        """Give the messages that the server sent, each with its place in the log."""
        for place, entry in enumerate(self.entries):
            if entry.side is Side.OUT and not isinstance(entry.what, Life):
                yield place, entry

    def starts(self) -> list[tuple[int, Start]]:
        """Find every ``start`` that arrived, each with its place in the log."""
        found = enumerate(self.entries)
        return [(place, e.what) for place, e in found if e.side is Side.IN and isinstance(e.what, Start)]

    def end(self) -> tuple[int, Entry] | None:
        """Find what ended the stream on the wire: a ``stop``, or the first close of either side.

        One connection carries one stream (exotel.md §1), so any ``stop`` on it is this stream's.
        """
        for place, entry in enumerate(self.entries):
            stopped = entry.side is Side.IN and isinstance(entry.what, Stop)
            if stopped or isinstance(entry.what, Closed):
                return place, entry
        return None

    @property
    def line(self) -> AudioFormat:
        """The format of the line, from ``form``, else from ``start``, else the default."""
        start = next((start for _, start in self.each(Side.IN, Start)), None)
        if self.form is not None or start is None:
            return self.form or AudioFormat()
        return line_format("auto", start.media_format.encoding, start.media_format.sample_rate, None)


def name_of(what: object) -> str:
    """Name an entry in the words of the wire."""
    return type(what).__name__.lower()


def _read(what: str | bytes | Arrival) -> Arrival:
    return _decoded(what) if isinstance(what, str | bytes) else what


@functools.lru_cache(maxsize=4096)  # the same message is read at both ends of a link
def _decoded(text: str | bytes) -> Arrival:
    try:
        return decode(text)
    except MalformedMessage as broken:
        return Malformed(broken.reason)
