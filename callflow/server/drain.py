"""The orderly end of a server: no call is cut that could have ended by itself, and each end has its bound.

Stages, each logged with what is there: **not ready**, but taking calls, for as long as a balancer needs to notice;
**refusing** new calls while running ones end; an **apology** to those that are still there; **closing**, by 1012.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import Enum

import trio
from attrs import define, field

from callflow.call.afterwards import AFTER_LIMIT
from callflow.call.call import CallTask
from callflow.call.last_words import LastWords
from callflow.flow.flow import LONGEST_APOLOGY
from callflow.server.door import Door
from callflow.server.present import Present
from callflow.server.registry import Registry
from callflow.session.inputs import EndCause
from callflow.session.timing import Timing

log = logging.getLogger("callflow.server")

RESTART = 1012
"""The close code of a call that the server's end has ended: "service restart"."""


LAST_ANSWERS = 1.0
"""Seconds for requests that are being answered when the last call is over."""


class Stage(Enum):
    """How far a server has gone down."""

    SERVING = "serving"
    NOT_READY = "not ready"
    REFUSING = "refusing"
    APOLOGY = "apology"
    CLOSING = "closing"
    STOPPED = "stopped"


def _nobody_told(stage: Stage, within: float) -> None:
    """Stand in until somebody wants to know."""


@define(eq=False, kw_only=True)
class Drain:
    """Takes a server down, once.

    Args:
        door: Refuses new calls.
        registry: Has the running ones.
        streams: Counts those that have not started yet, too.
        connections: Counts those of any kind.
        delay: Seconds in which the server is not ready and takes calls all the same.
        patience: Seconds in which running calls may end by themselves.
        timing: Of calls.
    """

    door: Door
    registry: Registry
    streams: Present
    connections: Present
    delay: float
    patience: float
    timing: Timing
    leave: Callable[[], None] | None = field(default=None, init=False)
    """Leaves the port to the process that comes next; None where there is none, so that callers must be refused."""
    told: Callable[[Stage, float], None] = field(default=_nobody_told, init=False)
    """Called as each stage begins, with the seconds that it may take."""
    stage: Stage = field(default=Stage.SERVING, init=False)
    _patience: trio.CancelScope = field(factory=trio.CancelScope, init=False)

    @property
    def longest(self) -> float:
        """Seconds that it takes at most, the patience for running calls included."""
        return self.delay + self.patience + self._for_apology + self._for_closing + LAST_ANSWERS

    @property
    def _for_apology(self) -> float:
        timing = self.timing
        return timing.leave + LONGEST_APOLOGY + timing.mark_slack + timing.close

    @property
    def _for_closing(self) -> float:
        return self.timing.close + self.timing.leave

    async def run(self) -> None:
        """Go down: when this returns, no call is left that could be ended in order.

        Cancellation:
            Running calls are dropped by whoever cancelled.
        """
        with self._patience:
            await self._be_not_ready()
            self._refuse()
            with trio.move_on_after(self.patience):
                await self._let_in()
                await self._wait_empty()
            await self._apologise()
        self._refuse()  # again, for a second signal may have come before
        await self._close()
        with trio.move_on_after(AFTER_LIMIT):
            await self.registry.afterwards.wait_none()
        with trio.move_on_after(LAST_ANSWERS):
            await self.connections.wait_none()
        self.stage = Stage.STOPPED

    def hurry(self) -> None:
        """Wait for nobody: go on with the last stage."""
        self._patience.cancel()

    async def _be_not_ready(self) -> None:
        self.registry.is_ready = False
        if self.delay > 0:
            self._enter(Stage.NOT_READY, within=self.delay)
            await trio.sleep(self.delay)

    def _refuse(self) -> None:
        if self.stage not in (Stage.SERVING, Stage.NOT_READY):
            return
        self._enter(Stage.REFUSING, within=self.patience)
        if self.leave is None:
            self.door.draining = self.registry.capacity.closed = True
        else:
            self.leave()

    async def _let_in(self) -> None:
        """Let those become calls who had come when the port was left: nobody told them to try again."""
        if self.leave is not None:
            with trio.move_on_after(self.door.limits.head):
                await self.connections.wait_none()

    async def _apologise(self) -> None:
        if all(task.flow.apology is None for task in self.registry.live):
            return
        self._enter(Stage.APOLOGY, within=self._for_apology)
        for task in self.registry.live:
            _take_leave(task)
        with trio.move_on_after(self._for_apology):
            await self.registry.wait_no_calls()

    async def _close(self) -> None:
        if not self.registry.live and not self.streams.count:
            return
        self._enter(Stage.CLOSING, within=self._for_closing)
        for task in self.registry.live:
            task.hang_up(EndCause.DRAIN, RESTART)
        with trio.move_on_after(self._for_closing):
            await self.registry.wait_no_calls()

    async def _wait_empty(self) -> None:
        while self.registry.live or self.streams.count:
            await self.streams.wait_none()
            await self.registry.wait_no_calls()

    def _enter(self, stage: Stage, *, within: float) -> None:
        self.stage = stage
        self.told(stage, within)
        there = {"calls": len(self.registry.live), "streams": self.streams.count}
        log.info("server draining", extra={"stage": stage.value, **there, "within": within})


def _take_leave(task: CallTask) -> None:
    apology = task.flow.apology
    if apology is None:
        task.hang_up(EndCause.DRAIN, RESTART)
    else:
        task.interrupt(LastWords(apology, EndCause.DRAIN, RESTART))
