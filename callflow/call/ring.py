"""The ring: the caller's audio for somebody who takes it at his own pace. It never waits and never grows."""

from __future__ import annotations

from collections import deque

import trio
from attrs import define, field

from callflow.flow.listening import CallerAudio
from callflow.wire.audio import AudioFormat

RING_SECONDS = 5.0
"""What is kept for a slow listener: a service that answers later than that has lost the thread anyway."""


@define(eq=False)
class Ring(CallerAudio):
    """The last seconds of the caller's audio that its listener has not taken."""

    form: AudioFormat
    _pieces: deque[bytes] = field(factory=deque, init=False)
    _bytes: int = field(default=0, init=False)
    _dropped: int = field(default=0, init=False)
    _is_over: bool = field(default=False, init=False)
    _news: trio.Event = field(factory=trio.Event, init=False)

    @property
    def dropped(self) -> float:
        return self.form.seconds(self._dropped)

    def feed(self, audio: bytes) -> None:
        """Take audio in the line's own coding; drop the oldest if that is too much."""
        self._pieces.append(audio)
        self._bytes += len(audio)
        most = self.form.size(RING_SECONDS)
        while self._bytes > most:
            oldest = len(self._pieces.popleft())
            self._bytes -= oldest
            self._dropped += oldest
        self._news.set()

    def close(self) -> None:
        """Nothing more comes."""
        self._is_over = True
        self._news.set()

    async def __anext__(self) -> bytes:
        await trio.lowlevel.checkpoint()
        while not self._pieces:
            if self._is_over:
                raise StopAsyncIteration
            self._news = trio.Event()
            await self._news.wait()
        piece = self._pieces.popleft()
        self._bytes -= len(piece)
        return self.form.to_pcm16(piece)
