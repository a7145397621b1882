"""A telephone's recording as a wire log: what passed, as Exotel's side of the line saw it."""

from __future__ import annotations

import math

from callflow.line.telephone import Telephone
from callflow.testing.wirelog import Closed, OneWay, Opened, WireLog

_NO_CLOSE_FRAME = 1006


def recorded(telephone: Telephone, *, crossing: float = 0.0, one_way: bool = False) -> WireLog:
    """Make a wire log of what passed on a telephone's connections so far, each with its number.

    Times are seconds since the call was answered. Both sides can be judged by it: Exotel's rules exactly, the server's
    as far as they need no facts of its inside. What came when the line was gone is nobody's, and left out.

    Args:
        telephone: Whose connection it was.
        crossing: Seconds that a message may be under way (``WireLog.crossing``).
        one_way: Whether the flow declared the stream one-way.
    """
    log = WireLog(form=telephone.form, crossing=crossing)
    log.sent(0.0, Opened())
    if one_way:
        log.noted(0.0, OneWay())
    ended_at = math.inf if telephone.ended_by is None else telephone.record().duration
    for entry in telephone.log:
        if entry.at > ended_at:
            break
        put = log.arrived if entry.side == "in" else log.sent
        put(entry.at, entry.text, conn=entry.link)
    if telephone.close_code is not None:
        closed = Closed(code=telephone.close_code, clean=telephone.close_code != _NO_CLOSE_FRAME)
        put_close = log.sent if telephone.ended_by == "server" else log.arrived
        put_close(ended_at, closed, conn=telephone.links)
    return log
