"""The caller's ear: takes in what the line hears and what the event feed tells, for the steps that wait for something.

Nothing here judges: what was taken in stands in a ``Conversation``, and ``until`` waits for what others make of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import trio

from callflow.errors import CallEnded
from callflow.line.oddities import Oddity
from callflow.line.playout import SAME, Playout
from callflow.line.recognise import Recogniser
from callflow.line.transcript import Conversation, Entered
from callflow.wire.audio import AudioFormat

T = TypeVar("T")

LINE_DELAY = 0.2
"""Seconds. What the line heard is known here after a frame or two; older than this it is known for certain."""


class Phone(Protocol):
    """What the player needs of a telephone; ``callflow.line.telephone.Telephone`` is one."""

    @property
    def form(self) -> AudioFormat: ...
    @property
    def playout(self) -> Playout: ...
    @property
    def ended(self) -> trio.Event: ...
    @property
    def ended_by(self) -> str | None: ...
    @property
    def close_code(self) -> int | None: ...
    @property
    def now(self) -> float: ...
    async def press(self, digits: str, *, gap: float, hold: float) -> None: ...
    async def play(self, pcm16: bytes) -> None: ...
    async def wait(self, seconds: float) -> None: ...
    async def changed(self) -> None: ...
    async def hang_up(self) -> None: ...
    def drop(self) -> None: ...
    def lose(self) -> None: ...
    def go_deaf(self) -> None: ...
    def freeze(self, seconds: float) -> None: ...
    def half_close(self) -> None: ...
    async def send_odd(self, oddity: Oddity) -> None: ...
    async def reconnect(self) -> None: ...
    async def take_over(self) -> None: ...


class Feed(Protocol):
    """Tells the states that the flow enters."""

    @property
    def entered(self) -> Sequence[Entered]:
        """The states so far, in order."""

    @property
    def problem(self) -> str:
        """Why it can tell no more; empty while it can."""

    async def changed(self) -> None:
        """Wait for the next state, or for a problem."""


class Ear:
    """Takes in what the line hears, as it comes, for the steps that wait for something."""

    def __init__(
        self, phone: Phone, recogniser: Recogniser, *, feed: Feed | None, watch: Callable[[Conversation], None]
    ) -> None:
        self.conversation = Conversation(heard=recogniser.heard)
        self.recogniser = recogniser
        self._phone = phone
        self._feed = feed
        self._watch = watch
        self._segment = 0  # the first segment of the line that was not taken in to its end
        self._taken = 0  # bytes of it that were
        self._news = trio.Event()

    async def listen(self) -> None:
        """Take in whatever comes, until cancelled."""
        while True:
            self.take_in()
            settles_in = self.recogniser.settles_at - self._phone.now
            with trio.move_on_at(trio.current_time() + settles_in):
                await self._line_changed()

    async def _line_changed(self) -> None:
        if self._phone.ended.is_set():
            await trio.sleep_forever()
        try:
            await self._phone.changed()
        except CallEnded:  # while the caller is hanging up
            await self._phone.ended.wait()

    async def read_along(self, feed: Feed) -> None:
        """Take in what the feed tells, until cancelled."""
        while True:
            self.take_in()
            await feed.changed()

    def take_in(self) -> None:
        """Take in what there is now, and wake whoever waits for news."""
        heard, form = self._phone.playout.heard, self._phone.form
        while self._segment < len(heard):
            segment = heard[self._segment]
            self.recogniser.feed(segment.start + form.seconds(self._taken), segment.audio[self._taken :])
            if self._segment == len(heard) - 1:
                self._taken = len(segment.audio)  # it may still grow
                break
            self._segment, self._taken = self._segment + 1, 0
        self.recogniser.settle(self._phone.now)
        self._tell(min(self.recogniser.open_since, self._phone.now - LINE_DELAY))
        self._news.set()
        self._news = trio.Event()

    def _tell(self, settled: float) -> None:
        conversation = self.conversation
        conversation.settled = settled
        if self._feed is not None:
            conversation.entered = self._feed.entered
        if self._phone.ended.is_set() and conversation.ended_at == math.inf:
            conversation.ended_at = self._phone.now
            conversation.ended = f"ended by the {self._phone.ended_by}, code {self._phone.close_code}"
        self._watch(conversation)

    def finish(self) -> None:
        """Take in the rest; nothing more will come."""
        self.take_in()
        self.recogniser.settle(math.inf)
        self._tell(math.inf)

    async def until(self, condition: Callable[[], T | None], deadline: float) -> T | None:
        """Wait until *condition* has an answer; None if it has none by *deadline*, in seconds since the answer."""
        while (found := condition()) is None and self._phone.now < deadline - SAME:
            with trio.move_on_at(trio.current_time() + deadline - self._phone.now):
                await self._news.wait()
        return found

    @property
    def nothing_more(self) -> bool:
        """Whether nothing more can be heard."""
        return self._phone.ended.is_set() and self.recogniser.open_since == math.inf
