"""Capacity: how many calls there may be, and who is told that the lines are busy.

A place is taken by a call, its line be there or lost, and kept for one that was announced and let in. Whoever is too
many is told before its stream, by the Passthru's other branch; else at the upgrade; and only where it could not be
known before, at its ``start``. The line of a call that runs is never too many: it has its place.
"""

from __future__ import annotations

import trio
from attrs import define

from callflow.call.call import CallTask
from callflow.server.announcements import Announcements
from callflow.server.calls import Calls
from callflow.session.table import S
from callflow.wire.passthru import PassthruReport

LOST_AFTER = 1.0
"""Seconds of silence after which a line may be a lost one, whose call comes back on another. Audio comes 50 times a
second; a line that only pauses costs nothing but a stream that is let in and turned away at its ``start``."""

_BUSY = "all lines are busy"


@define(eq=False)
class Capacity:
    """Who may come.

    Args:
        most: Calls at once; None for no limit.
        calls: Those that run.
        announcements: Those that were announced.
    """

    most: int | None
    calls: Calls
    announcements: Announcements
    closed: bool = False
    """Set when the server goes down: no call that is announced from now on is let in."""

    def at_announcement(self, report: PassthruReport) -> str | None:
        """Keep a place for a call that is announced; or say why there is none: ``draining`` or ``capacity``."""
        if self.announcements.has_place(report.call_sid):
            return None
        if self.closed:
            return "draining"
        if self.most is not None and self._places() >= self.most:
            return "capacity"
        self.announcements.keep_place(report)
        return None

    def at_upgrade(self, shown: str | None, without_start: int) -> str | None:
        """Let a stream in whose call is not known, or say why not.

        Args:
            shown: The ``CallSid`` of the token that it shows, which tells more.
            without_start: Streams that were let in and have not started.
        """
        if self.most is None or (shown is not None and self._has_place(shown)):
            return None
        there = len(self.calls.live) + without_start
        if there < self.most or there < self.most + self.announcements.places() + self._lost_lines():
            return None
        return _BUSY

    def at_start(self, call_sid: str) -> bool:
        """Say whether a new call may begin. One of its ``CallSid`` that runs has a place for itself and no other."""
        return self.most is None or self.announcements.has_place(call_sid) or self._places() < self.most

    def _has_place(self, call_sid: str) -> bool:
        return bool(self.calls.of(call_sid)) or self.announcements.has_place(call_sid)

    def _places(self) -> int:
        return len(self.calls.live) + self.announcements.places()

    def _lost_lines(self) -> int:
        now = trio.current_time()
        return sum(_may_be_lost(task, now) for task in self.calls.live)


def _may_be_lost(task: CallTask, now: float) -> bool:
    driver = task.driver
    return driver.session.state is S.DETACHED or now - driver.ledger.alive_at >= LOST_AFTER
