"""A wire log: what passed between Exotel and a server, in order, with the facts that the rules need. Pure.

A log can come from the line simulator's recording of a link or from the server's own side of it.
``callflow.testing.rules`` judges it; nothing here knows a rule.
"""

from __future__ import annotations

import enum
import itertools
from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar, cast, get_args

from attrs import Factory, define, evolve, field, frozen

from callflow.line.messages import Malformed as Malformed  # noqa: PLC0414 - it is one of the words of a log
from callflow.line.messages import read
from callflow.session.inputs import Frame, Told
from callflow.wire.audio import AudioFormat, line_format
from callflow.wire.messages import Message, Start, Stop

T = TypeVar("T")

LIVE = " live"

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


# What is on the wire beside messages, and what is none.


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
    """Its name, which no other utterance of the stream has. Ends in ``LIVE`` where it is made while it is played."""
    audio: bytes = field(repr=_size)
    """In the line's own coding, before padding."""


@frozen
class Interrupted:
    """The server took back what it had queued, and owes Exotel one ``clear``."""

    generation: int = 0
    """Told by those who count them; no rule looks at it."""


@frozen
class Blocked:
    """The far end reads too slowly: what is sent from now on waits until it does."""


@frozen
class Held:
    """What a call has when its line is lost, or when there is another."""

    call: str
    data: int
    """Names the data: of two objects never the same."""


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


Fact = Told | Frame | Queued | Interrupted | Blocked | Held | TasksLeft | Ran | Reached | OneWay
"""Everything that the server may say of itself."""

Life = Asked | Opened | Closed | Dropped | Ping | Pong | Exchange
"""What passes and is no message: the connection's own life, and what goes beside it."""

_LIFE = frozenset(get_args(Life))

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
    """What passed on a connection, or on several, in the order in which the server saw and did it.

    It may grow, and is read as often as there are rules: what was found in it once is kept until it grows.
    """

    entries: list[Entry] = Factory(list)
    form: AudioFormat | None = None
    """The line's format; if None, what ``start`` says."""
    crossing: float = 0.0
    """Seconds. 0 for a journal. For a log that was taken at the far end: how long a message may be under way, so that
    what was sent before the server could know of a ``stop`` is no breach."""
    _found: dict[object, Any] = field(factory=dict, init=False, eq=False, repr=False)
    """What was asked for already, by question."""
    _size: int = field(default=0, init=False, eq=False, repr=False)
    """Entries that there were then."""

    def arrived(self, at: float, what: str | bytes | Arrival, *, conn: int = 1) -> None:
        """Add what came from Exotel; text is decoded here."""
        self.entries.append(Entry(at, Side.IN, _read(what), conn))

    def sent(self, at: float, what: str | bytes | Arrival, *, conn: int = 1) -> None:
        """Add what the server sent; text is decoded here."""
        self.entries.append(Entry(at, Side.OUT, _read(what), conn))

    def noted(self, at: float, fact: Fact, *, conn: int = 1) -> None:
        """Add a fact of the server's inside."""
        self.entries.append(Entry(at, Side.APP, fact, conn))

    def once(self, question: object, answer: Callable[[WireLog], T]) -> T:
        """Give what *answer* finds in this log; ask it but once, as long as the log does not grow."""
        if self._size != len(self.entries):
            self._found, self._size = {}, len(self.entries)
        if question not in self._found:
            self._found[question] = answer(self)
        found: T = self._found[question]
        return found

    def connections(self) -> list[WireLog]:
        """Give what passed on each connection, as a log of its own; HTTP is on none."""
        return self.once("connections", WireLog._connections)

    def _connections(self) -> list[WireLog]:
        parts = defaultdict[int, list[Entry]](list)
        for entry in self.entries:
            parts[entry.conn].append(entry)
        return [evolve(self, entries=part) for number, part in parts.items() if number]

    def places(self, *kinds: type) -> list[int]:
        """Give the places of the entries of these kinds, on whatever side."""
        return self.once(kinds, lambda log: log._places(kinds))

    def _places(self, kinds: tuple[type, ...]) -> list[int]:
        index = self.once("index", WireLog._index)
        lists = [index[kind] for kind in kinds if kind in index]
        return lists[0] if len(lists) == 1 else sorted(itertools.chain.from_iterable(lists))

    def _index(self) -> dict[type, list[int]]:
        """Find where things stand, so that each rule finds what it reads without a walk through all the rest."""
        index = defaultdict[type, list[int]](list)
        for place, entry in enumerate(self.entries):
            index[type(entry.what)].append(place)
        return index

    def of(self, *kinds: type) -> list[Entry]:
        """Give the entries of these kinds, on whatever side."""
        return self.once(("of", kinds), lambda log: [log.entries[place] for place in log.places(*kinds)])

    def each(self, side: Side, kind: type[T]) -> list[tuple[float, T]]:
        """Give the entries of one side and kind, with their times."""
        return [(entry.at, cast("T", entry.what)) for entry in self.of(kind) if entry.side is side]

    def has(self, *kinds: type) -> bool:
        """Say whether a fact of one of these kinds was noted."""
        return bool(self.places(*kinds))

    def arriving(self) -> list[Entry]:
        """Give all that came from Exotel."""
        return self.once(Side.IN, lambda log: [entry for entry in log.entries if entry.side is Side.IN])

    def outgoing(self) -> list[tuple[int, Entry]]:
        """Give the messages that the server sent, each with its place in the log."""
        return self.once(Side.OUT, WireLog._outgoing)

    def _outgoing(self) -> list[tuple[int, Entry]]:
        return [(n, e) for n, e in enumerate(self.entries) if e.side is Side.OUT and type(e.what) not in _LIFE]

    def starts(self) -> list[tuple[int, Start]]:
        """Find every ``start`` that arrived, each with its place in the log."""
        return self.once("starts", WireLog._starts)

    def _starts(self) -> list[tuple[int, Start]]:
        found = ((place, self.entries[place]) for place in self.places(Start))
        return [(place, cast("Start", entry.what)) for place, entry in found if entry.side is Side.IN]

    def end(self) -> tuple[int, Entry] | None:
        """Find what ended the stream on the wire: a ``stop``, or the first close of either side.

        One connection carries one stream (exotel.md §1), so any ``stop`` on it is this stream's.
        """
        return self.once("end", WireLog._end)

    def _end(self) -> tuple[int, Entry] | None:
        for place in self.places(Stop, Closed):
            entry = self.entries[place]
            if entry.side is Side.IN or isinstance(entry.what, Closed):
                return place, entry
        return None

    @property
    def line(self) -> AudioFormat:
        """The format of the line, from ``form``, else from ``start``, else the default."""
        return self.once("line", WireLog._line)

    def _line(self) -> AudioFormat:
        start = next((start for _, start in self.each(Side.IN, Start)), None)
        if self.form is not None or start is None:
            return self.form or AudioFormat()
        return line_format("auto", start.media_format.encoding, start.media_format.sample_rate, None)


def name_of(what: object) -> str:
    """Name an entry in the words of the wire."""
    return type(what).__name__.lower()


def _read(what: str | bytes | Arrival) -> Arrival:
    return read(what) if isinstance(what, str | bytes) else what
