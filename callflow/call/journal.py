"""The journal of a call: one ordered list of what happened, written by the driver and never by user code.

Record, transcript, recording and metrics are views of it. An entry's order is its number, never its time. Keys that a
secret state took are not in it: they are masked before an entry is made, so no reader can leak them.
"""

from __future__ import annotations

import enum
import json
from collections import deque
from collections.abc import Callable, Mapping

from attrs import Factory, define, frozen

MOST_ENTRIES = 20_000
"""Entries kept in memory; the oldest go first and are counted. An hour of busy IVR makes under 2,000."""


class Kind(enum.Enum):
    """What an entry is about."""

    LINK = "link"
    MESSAGE = "message"
    STATE = "state"
    KEY = "key"
    SPEECH = "speech"
    PLAYBACK = "playback"
    RECORDING = "recording"
    TIMER = "timer"
    EVENT = "event"
    ODD = "odd"
    ERROR = "error"
    END = "end"


@frozen
class Entry:
    """One thing that happened."""

    n: int
    """Its place in the order, from 1."""
    at: float
    """Seconds since the call's first link was accepted."""
    kind: Kind
    what: str
    """The event in one word, such as ``entered``, ``cut`` or ``stop``."""
    details: Mapping[str, str | int | float]

    def line(self) -> str:
        """Write it as one line of JSON. Plain ASCII: nothing in it can be a line's end or a terminal's command (T8)."""
        fields = {"n": self.n, "t": round(self.at, 3), "kind": self.kind.value, "what": self.what, **self.details}
        return json.dumps(fields) + "\n"


@define
class Journal:
    """The entries of one call, oldest first, and those who read along."""

    entries: deque[Entry] = Factory(lambda: deque(maxlen=MOST_ENTRIES))
    readers: list[Callable[[Entry], None]] = Factory(list)
    """Plain functions called with each new entry. They must not raise and must not wait."""
    began: float | None = None
    """When the call began, on the clock that ``add`` is given."""
    closed: bool = False
    """Whether the call is over and nothing more comes."""
    _n: int = 0

    def add(self, at: float, kind: Kind, what: str, **details: str | int | float) -> None:
        """Write an entry; *at* is a moment of Trio's clock, in seconds."""
        if self.began is None:
            self.began = at
        self._n += 1
        entry = Entry(self._n, at - self.began, kind, what, details)
        self.entries.append(entry)
        for read in self.readers:
            read(entry)

    @property
    def forgotten(self) -> int:
        """How many entries were too many to keep."""
        return self._n - len(self.entries)
