"""The speaker: a playback that grows while it is played."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import trio

from callflow.call.driver import Driver
from callflow.call.playback import LivePlayback, Playbacks
from callflow.errors import FlowError
from callflow.flow.playback import BargeIn, Speaker
from callflow.session.playout import Entry
from callflow.wire.audio import AudioFormat, WholeSamples, pad


class LiveSpeaker(LivePlayback, Speaker):
    """Cuts what is written into chunks, and makes whoever writes wait for the line.

    Args:
        entry: Its account in the ledger.
        barge_in: What cuts it.
        playbacks: Those of the call.
        driver: The call's.
        size: Bytes of a chunk.
    """

    def __init__(self, entry: Entry, barge_in: BargeIn, playbacks: Playbacks, driver: Driver, size: int) -> None:
        super().__init__(entry, barge_in, playbacks)
        self._driver = driver
        self._form = driver.form
        self._size = size
        self._most = driver.form.size(driver.writer.lead)
        self._whole = WholeSamples(AudioFormat(driver.form.rate))
        self._ready: deque[bytes] = deque()
        self._kept = bytearray()
        """What does not fill a chunk yet."""
        self._finished = False
        self._room = trio.Event()

    @property
    def gaps(self) -> int:
        return self.entry.gaps

    async def write(self, pcm: bytes) -> bool:
        if self._finished:
            raise FlowError("speaker.write was called after its finish; open another speaker")
        self._queue(pcm)
        await trio.lowlevel.checkpoint()
        while self.entry.result is None and self._waiting > self._most:
            self._room = trio.Event()
            await self._room.wait()
        return self.entry.result is None

    def flush(self) -> None:
        if self._kept:
            self._ready.append(pad(bytes(self._kept), self._form))
            self._kept.clear()
            self._sent_more()

    def finish(self) -> None:
        if not self._finished:
            self.flush()
            self._finished = True
            self._sent_more()

    async def __aenter__(self) -> LiveSpeaker:
        await trio.lowlevel.checkpoint()
        return self

    async def __aexit__(self, *raised: object) -> None:
        try:
            if raised[0] is None:
                self.finish()
                await self.heard()
        finally:
            self.stop()

    def settled(self) -> None:
        self._ready.clear()
        self._room.set()
        super().settled()

    def chunks(self) -> Iterator[bytes]:
        """Give the writer what there is; empty while there is nothing."""
        while self._ready or not self._finished:
            yield self._ready.popleft() if self._ready else b""
            self._room.set()

    @property
    def _waiting(self) -> int:
        """Bytes that were written and not sent."""
        return sum(map(len, self._ready)) + len(self._kept)

    def _queue(self, pcm: bytes) -> None:
        if self.entry.result is not None:
            return
        audio = self._form.from_pcm16(self._whole.feed(pcm))
        self.entry.queued += self._form.seconds(len(audio))
        self._kept += audio
        while len(self._kept) >= self._size:
            self._ready.append(bytes(self._kept[: self._size]))
            del self._kept[: self._size]
        self._sent_more()

    def _sent_more(self) -> None:
        if self.is_sounding:
            self._driver.writer.more()
