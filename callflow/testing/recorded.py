"""A telephone's recording as a wire log: what passed, as Exotel's side of the line saw it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from callflow.line.telephone import LineEntry, Telephone
from callflow.testing.wirelog import Closed, OneWay, Opened, WireLog

_NO_CLOSE_FRAME = 1006


def recorded(telephone: Telephone, *, crossing: float = 0.0, one_way: bool = False) -> WireLog:
    """Make a wire log of what passed on a telephone's connections so far.

    Times are seconds since the call was answered. Both sides can be judged by it: Exotel's rules exactly, the server's
    as far as they need no facts of its inside. What came when the line was gone is nobody's, and left out. Each stream
    of a call that was lost and came back is a connection of the log, numbered as ``LineEntry.link`` is.

    Args:
        telephone: Whose connections they were.
        crossing: Seconds that a message may be under way (``WireLog.crossing``).
        one_way: Whether the flow declared the stream one-way.
    """
    log = WireLog(form=telephone.form, crossing=crossing)
    ended_at = math.inf if telephone.ended_by is None else telephone.record().duration
    for link in range(1, telephone.links + 1):
        passed = [entry for entry in telephone.log if entry.link == link and entry.at <= ended_at]
        _add_opening(log, link, passed[0].at if link > 1 and passed else 0.0, one_way=one_way)
        lost_at = telephone.lost_at.get(link, math.inf)
        _add(log, [entry for entry in passed if entry.at <= lost_at])
        if link in telephone.lost_at:
            log.arrived(lost_at, Closed(), conn=link)
        _add(log, [entry for entry in passed if entry.at > lost_at])
    if telephone.links not in telephone.lost_at:
        _add_end(log, telephone, ended_at)
    return log


def _add_opening(log: WireLog, link: int, at: float, *, one_way: bool) -> None:
    log.sent(at, Opened(), conn=link)
    if one_way:
        log.noted(at, OneWay(), conn=link)


def _add(log: WireLog, passed: Sequence[LineEntry]) -> None:
    for entry in passed:
        put = log.arrived if entry.side == "in" else log.sent
        put(entry.at, entry.text, conn=entry.link)


def _add_end(log: WireLog, telephone: Telephone, at: float) -> None:
    if telephone.close_code is not None:
        closed = Closed(code=telephone.close_code, clean=telephone.close_code != _NO_CLOSE_FRAME)
        put = log.sent if telephone.ended_by == "server" else log.arrived
        put(at, closed, conn=telephone.links)
