"""Playbacks of a live call: those that run, pause, or wait for their fate."""

from __future__ import annotations

import trio
from attrs import define, field

from callflow.call.driver import Driver
from callflow.call.writer import Running
from callflow.errors import FlowError
from callflow.flow.call import BargeIn, Playback
from callflow.session.playout import Entry, Heard


@define(eq=False)
class LivePlayback(Playback):
    """A playback of the call's ledger."""

    entry: Entry
    barge_in: BargeIn
    _playbacks: Playbacks
    _settled: trio.Event = field(factory=trio.Event, init=False)
    _rest: Running | None = field(default=None, init=False)
    """What is left of it to send, while it pauses."""

    @property
    def result(self) -> Heard | None:
        return self.entry.result

    @property
    def is_sounding(self) -> bool:
        """Whether the caller hears it, or is about to."""
        return self.entry.result is None and not self.entry.paused

    async def heard(self) -> Heard:
        await self._settled.wait()
        assert self.entry.result is not None
        return self.entry.result

    def stop(self) -> None:
        if self.entry.result is None:
            self._playbacks.cut(self)

    def pause(self) -> None:
        if self.is_sounding:
            self._rest = self._playbacks.pause(self)

    def resume(self) -> None:
        if self.entry.result is None and self._rest is not None:
            self._playbacks.resume(self, self._rest)
            self._rest = None

    def gives_way(self, cuts: tuple[BargeIn, ...]) -> bool:
        """Say whether it is silent, or is one that may be cut: then whoever speaks or presses is answered now."""
        return not self.is_sounding or self.barge_in in cuts

    def settled(self) -> None:
        """Wake whoever waits; the ledger has the fate."""
        self._settled.set()


@define(eq=False)
class Playbacks:
    """All playbacks of a call that are not over. One sounds at a time; others may pause."""

    _driver: Driver
    playing: LivePlayback | None = field(default=None, init=False)
    """The one that sounds, or sounded last."""
    _unsettled: dict[Entry, LivePlayback] = field(factory=dict, init=False)
    """Those whose waiters were not woken yet."""

    def check_free(self, what: str) -> None:
        """Refuse a second sound beside the first.

        Raises:
            FlowError: A playback sounds.
        """
        if self.playing is not None and self.playing.is_sounding:
            names = " ".join(self.playing.entry.names)
            raise FlowError(
                f"{what} was started while another playback runs ({names}); await its heard(), or pause() or stop() it"
            )

    def add(self, playback: LivePlayback) -> None:
        """Take note of one that begins."""
        self.playing = self._unsettled[playback.entry] = playback

    def cut(self, playback: LivePlayback) -> None:
        """Cut one. Of one that pauses nothing plays, so that nothing else is cut with it."""
        if playback.entry.paused:
            self._driver.settle(self._driver.ledger.drop(playback.entry, trio.current_time()))
        else:
            self._driver.cut()

    def pause(self, playback: LivePlayback) -> Running | None:
        """Hold the one that sounds back."""
        rest = self._driver.writer.pause()
        playback.entry.paused = rest is not None
        return rest

    def resume(self, playback: LivePlayback, rest: Running) -> None:
        """Let one that pauses go on."""
        self.check_free(" ".join(playback.entry.names))
        playback.entry.paused = False
        self.playing = playback
        self._driver.writer.resume(rest)

    def settled(self, entry: Entry) -> LivePlayback | None:
        """Wake whoever waits for a playback that has its fate; return it, or None if that was done already."""
        playback = self._unsettled.pop(entry, None)
        if playback is not None:
            playback.settled()
        return playback

    def release(self) -> None:
        """Wake whoever still waits for a playback: all have their fate, and nobody handles the events that say so."""
        for entry in list(self._unsettled):
            self.settled(entry)

    def silence(self) -> None:
        """Cut all of them: their state is left."""
        for playback in list(self._unsettled.values()):
            playback.stop()
