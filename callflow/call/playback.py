"""Playbacks of a live call: those that run, pause, or wait for their fate."""

from __future__ import annotations

from collections.abc import Callable

import trio
from attrs import define, field

from callflow.call.driver import Driver
from callflow.call.journal import Kind
from callflow.call.writer import Running
from callflow.errors import FlowError
from callflow.flow.playback import BargeIn, Playback
from callflow.session.playout import Entry, Fate, Heard


@define(eq=False)
class LivePlayback(Playback):
    """A playback of the call's ledger.

    When a line goes, what played on it is lost to the ledger, but not to the flow: if it can be played again it has no
    result until that was done on another line, or until it is given up.
    """

    entry: Entry
    """Its account in the ledger; another one each time it is played again."""
    barge_in: BargeIn
    _playbacks: Playbacks
    _again: Callable[[LivePlayback], None] | None = None
    """Plays it from its beginning; None for what cannot be had twice."""
    was_sent: bool = field(default=False, init=False)
    """Whether it ever had a line to be played on."""
    _settled: trio.Event = field(factory=trio.Event, init=False)
    _rest: Running | None = field(default=None, init=False)
    """What is left of it to send, while it pauses."""
    _is_held: bool = field(default=False, init=False)
    """Whether it pauses; there may be nothing left to send, and then what comes next follows behind it."""

    @property
    def result(self) -> Heard | None:
        return None if self.is_waiting else self.entry.result

    @property
    def is_waiting(self) -> bool:
        """Whether it was lost with its line, or begun without one, and may be played when there is one."""
        result = self.entry.result
        is_lost = result is not None and result.fate is Fate.LOST
        return is_lost and self._again is not None and not self._settled.is_set()

    @property
    def is_sounding(self) -> bool:
        """Whether the caller hears it, or is about to."""
        return self.result is None and not (self.entry.paused or self._is_held)

    async def heard(self) -> Heard:
        await self._settled.wait()
        assert self.entry.result is not None
        return self.entry.result

    def stop(self) -> None:
        if self.is_waiting:
            self._playbacks.give_up(self)
        elif self.entry.result is None:
            self._playbacks.cut(self)

    def pause(self) -> None:
        if self.is_waiting:
            self.entry.paused = True
        elif self.is_sounding:
            self._rest, self._is_held = self._playbacks.pause(self), True

    def resume(self) -> None:
        if self.is_waiting:
            self._playbacks.unpause(self)
        elif self.entry.result is None and self._is_held:
            self._playbacks.resume(self, self._rest)
            self._rest, self._is_held = None, False

    def gives_way(self, cuts: tuple[BargeIn, ...]) -> bool:
        """Say whether it is silent, or is one that may be cut: then whoever speaks or presses is answered now."""
        return not self.is_sounding or self.barge_in in cuts

    def play_again(self) -> None:
        """Play it from its beginning, on the line that there is now."""
        assert self._again is not None
        self._rest, self._is_held = None, False
        self._again(self)

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
        """Cut one. Of one that pauses nothing plays, so that nothing else is cut with it; maybe all of it was sent."""
        if playback.entry.paused:
            self._driver.settle(self._driver.ledger.drop(playback.entry, trio.current_time()))
        elif playback is self.playing or self.playing is None or self.playing.result is not None:
            self._driver.cut()

    def barge_in(self, cuts: tuple[BargeIn, ...], by: str) -> None:
        """Cut the one that sounds, if the caller may: called inside the reader's step.

        One that waits to be said again is not on the line yet: of that nothing is cut.
        """
        playing = self.playing
        if playing is not None and playing.is_sounding and not playing.is_waiting and playing.barge_in in cuts:
            self._note("barge-in", playing, by=by)
            self._driver.cut()

    def pause(self, playback: LivePlayback) -> Running | None:
        """Hold the one that sounds back."""
        rest = self._driver.writer.pause()
        playback.entry.paused = rest is not None
        self._note("paused", playback)
        return rest

    def resume(self, playback: LivePlayback, rest: Running | None) -> None:
        """Let one that pauses go on."""
        self.check_free(" ".join(playback.entry.names))
        playback.entry.paused = False
        self.playing = playback
        self._note("resumed", playback)
        if rest is not None:
            self._driver.writer.resume(rest)

    def _note(self, what: str, playback: LivePlayback, **details: str) -> None:
        self._driver.note(Kind.PLAYBACK, what, prompt=" ".join(playback.entry.names), **details)

    def settled(self, entry: Entry) -> LivePlayback | None:
        """Wake whoever waits for a playback that has its fate; return it, or None if it has none or was told."""
        playback = self._unsettled.get(entry)
        if playback is None or playback.is_waiting:
            return None
        del self._unsettled[entry]
        playback.settled()
        return playback

    # What a line took with it.

    def renew(self, playback: LivePlayback, entry: Entry) -> None:
        """Take note of one that is played, on this entry of the ledger."""
        self._unsettled.pop(playback.entry, None)
        playback.entry, playback.was_sent = entry, True
        self._unsettled[entry] = playback

    def give_up(self, playback: LivePlayback) -> None:
        """Have one that waits be lost for good. Only its own waiters are told."""
        if playback.is_waiting:
            self._unsettled.pop(playback.entry, None)
            playback.settled()

    def give_up_lost(self) -> None:
        """Have all be lost for good that were heard in part; those that were begun without a line still wait."""
        for playback in list(self._unsettled.values()):
            if playback.was_sent:
                self.give_up(playback)

    def play_waiting(self) -> bool:
        """Play the one that waits for a line and does not pause; say whether there is one."""
        waiting = [each for each in self._unsettled.values() if each.is_waiting and each.is_sounding]
        for playback in waiting:
            self.playing = playback
            playback.play_again()
        return bool(waiting)

    def unpause(self, playback: LivePlayback) -> None:
        """Let one that waits be played; at once if there is a line."""
        playback.entry.paused = True
        self.check_free(" ".join(playback.entry.names))
        playback.entry.paused = False
        self.playing = playback
        if not self._driver.is_detached:
            playback.play_again()

    def release(self) -> None:
        """Wake whoever still waits for a playback: all have their fate, and nobody handles the events that say so."""
        for playback in self._unsettled.values():
            playback.settled()
        self._unsettled.clear()

    def silence(self) -> None:
        """Cut all of them: their state is left."""
        for playback in list(self._unsettled.values()):
            playback.stop()
