"""The longest time of a call: its end, and a word to its flow before."""

from __future__ import annotations

import trio

from callflow.call.driver import Driver
from callflow.call.mailbox import Posted
from callflow.flow.facts import LimitNear
from callflow.session.inputs import EndCause

WARNING = 60.0
"""Seconds before the longest time of a call at which its flow is told; a shorter call is not."""


def set_limit(driver: Driver, seconds: float) -> None:
    """Have a call end in so many seconds, and its flow told a minute before."""
    now, deadlines = trio.current_time(), driver.deadlines
    deadlines.set("call limit", now + seconds, lambda: driver.hang_up(EndCause.LIMIT))
    if seconds > WARNING:
        near = Posted(LimitNear(WARNING))
        deadlines.set("limit near", now + seconds - WARNING, lambda: driver.mailbox.put(near))
