"""A wire log: what passed on one link, in order, with the facts about the server that the rules need. Pure.

A log can come from the line simulator's recording of a link or from the server's own side of it.
``callflow.testing.rules`` judges it; nothing here knows a rule.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import TypeVar

from attrs import Factory, define, field, frozen

from callflow.errors import MalformedMessage
from callflow.session.inputs import Frame, Told
from callflow.wire.audio import AudioFormat, line_format
from callflow.wire.exotel import decode
from callflow.wire.messages import Message, Start, Stop

T = TypeVar("T")


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
class Opened:
    """The WebSocket is there: 101 was sent."""


@frozen(kw_only=True)
class Closed:
    """One side closed; the entry's side says which. An end without a close frame is Exotel's, with code 1006."""

    code: int = 1006
    clean: bool = False
    """Whether there was a close frame."""


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
class OneWay:
    """The flow declared the stream one-way: Exotel plays nothing that is sent on it (ruling 19)."""


Fact = Told | Frame | Queued | Interrupted | TasksLeft | OneWay
"""Everything that the server may say of itself."""

Arrival = Message | Malformed | Opened | Closed
"""Everything that passes on a link."""


@frozen
class Entry:
    """One line of a log."""

    at: float
    """Seconds, on any clock that does not jump."""
    side: Side
    what: Arrival | Fact


@define
class WireLog:
    """What passed on one connection, in the order in which the server saw and did it."""

    entries: list[Entry] = Factory(list)
    form: AudioFormat | None = None
    """The line's format; if None, what ``start`` says."""
    crossing: float = 0.0
    """Seconds. 0 for a journal. For a log that was taken at the far end: how long a message may be under way, so that
    what was sent before the server could know of a ``stop`` is no breach."""

    def arrived(self, at: float, what: str | bytes | Arrival) -> None:
        """Add what came from Exotel; text is decoded here."""
        self.entries.append(Entry(at, Side.IN, _read(what)))

    def sent(self, at: float, what: str | bytes | Arrival) -> None:
        """Add what the server sent; text is decoded here."""
        self.entries.append(Entry(at, Side.OUT, _read(what)))

    def noted(self, at: float, fact: Fact) -> None:
        """Add a fact of the server's inside."""
        self.entries.append(Entry(at, Side.APP, fact))

    def each(self, side: Side, kind: type[T]) -> Iterator[tuple[float, T]]:
        """Give the entries of one side and kind, with their times."""
        for entry in self.entries:
            if entry.side is side and isinstance(entry.what, kind):
                yield entry.at, entry.what

    def has(self, *kinds: type) -> bool:
        """Say whether a fact of one of these kinds was noted."""
        return any(isinstance(entry.what, kinds) for entry in self.entries)

    def outgoing(self) -> Iterator[tuple[int, Entry]]:
        """Give what the server sent but its close, each with its place in the log."""
        for place, entry in enumerate(self.entries):
            if entry.side is Side.OUT and not isinstance(entry.what, Opened | Closed):
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
    if not isinstance(what, str | bytes):
        return what
    try:
        return decode(what)
    except MalformedMessage as broken:
        return Malformed(broken.reason)
