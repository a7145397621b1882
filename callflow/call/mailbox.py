"""The mailbox of a call: what the driver has for the flow, in the order in which it happened.

Audio never passes through here (it goes to taps by plain calls). The box is bounded, and overflowing is a fault: what
comes in are keys, words and fates, and no telephone has that many of them.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import trio
from attrs import Factory, define, frozen

from callflow.flow.listening import Speech
from callflow.session.playout import Entry
from callflow.wire.messages import Dtmf

MOST_EVENTS = 256
"""Events that may wait for the flow (states-and-testing, law ``mailbox-bounded``)."""


MOST_POSTED = 128
"""Posted events among those: whoever posts without end must not push the caller's keys out."""


@frozen
class KeyCame:
    """The caller pressed a key. If it cut a prompt, that prompt's fate stands before it."""

    key: Dtmf
    at: float
    """When it was read, on Trio's clock."""


@frozen
class SpeechCame:
    """The caller began to speak, or has spoken. If it cut a prompt, that prompt's fate stands before it."""

    speech: Speech
    ended: bool


@frozen
class PlaybackSettled:
    """A playback has its fate."""

    entry: Entry


@frozen
class RunEnded:
    """A state's ``run`` returned, or it or an activity raised."""

    state: object
    """The state whose it was; dropped if that was left meanwhile (L3)."""
    result: Any = None
    error: BaseException | None = None
    method: str = "run"


@frozen
class TapFailed:
    """A tap of the current state raised."""

    error: BaseException


@frozen
class Posted:
    """Somebody posted an event to the call."""

    event: object


@frozen
class LineLost:
    """The line is gone. What stands before it came in time and is handled; what stands behind it waits for a line."""


Handled = KeyCame | SpeechCame | PlaybackSettled | RunEnded | TapFailed | Posted
"""What the engine handles one at a time."""

Event = LineLost | Handled


@define(eq=False)
class Mailbox:
    """A bounded queue with one reader, the engine."""

    overflowed: bool = False
    _events: deque[Event] = Factory(deque)
    _news: trio.Event = Factory(trio.Event)

    def __len__(self) -> int:
        return len(self._events)

    @property
    def posted(self) -> int:
        """How many posted events wait."""
        return sum(isinstance(event, Posted) for event in self._events)

    def put(self, event: Event) -> None:
        """Leave an event and wake the engine. Never waits; an overflow is noted and the event dropped."""
        if len(self._events) >= MOST_EVENTS:
            self.overflowed = True
        else:
            self._events.append(event)
        self._news.set()

    def wake(self) -> None:
        """Wake the engine for something that is not an event: a deadline, the end."""
        self._news.set()

    def take(self) -> Event | None:
        """Take the oldest event, or None."""
        return self._events.popleft() if self._events else None

    @property
    def next_key(self) -> KeyCame | None:
        """The oldest event, if it is a key."""
        oldest = self._events[0] if self._events else None
        return oldest if isinstance(oldest, KeyCame) else None

    def swap(self, event: Event) -> None:
        """Put an event that was taken back in the place of the oldest, which is taken for it."""
        self._events[0] = event

    def take_keys(self) -> list[KeyCame]:
        """Take all keys that wait, oldest first, and leave the rest in its order."""
        keys = [event for event in self._events if isinstance(event, KeyCame)]
        if keys:
            self._events = deque(event for event in self._events if not isinstance(event, KeyCame))
        return keys

    async def wait(self) -> None:
        """Wait for news since the last wait began.

        Cancellation:
            Nothing is taken.
        """
        if not self._events:
            await self._news.wait()
        self._news = trio.Event()
