"""When a call is over: its states are told, and then its flow does what has to wait."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import trio

from callflow.call.driver import Driver
from callflow.call.handlers import Failed, failed
from callflow.call.journal import Kind
from callflow.call.level import Level
from callflow.call.live import LiveCall, ended_by
from callflow.flow.facts import EndedCall
from callflow.flow.flow import Afterwards

logger = logging.getLogger("callflow.flow")

AFTER_LIMIT = 5.0
"""Seconds for what a flow does when a call is over (L9)."""


def ended_call(call: LiveCall[Any], driver: Driver, services: tuple[Any, ...]) -> EndedCall[Any]:
    """Give what remains of a call for those who come after it."""
    assert driver.session.cause is not None
    return EndedCall(
        data=call.data,
        call_id=call.call_id,
        call_sid=call.call_sid,
        caller=call.caller,
        called=call.called,
        cause=driver.session.cause,
        ended_by=ended_by(driver.session.cause),
        seconds=driver.seconds,
        services=services,
    )


Remains = Callable[[LiveCall[Any]], EndedCall[Any]]
"""Gives what remains of a call, with the data that a level sees."""


def tell_hangup(levels: Sequence[Level], remains: Remains, driver: Driver, report: Callable[[Failed], None]) -> None:
    """Tell every level, the innermost first. What one of them raises is reported, and the others are told all the same.

    Args:
        levels: Where the call was when it ended.
        remains: What they are given.
        driver: Of the call.
        report: Takes what a hook raised.
    """
    for level in reversed(levels):
        more = level.conduct.hung_up()
        told = [] if more is None else [(more.handler, more.args)]
        if level.has("on_hangup"):
            told.append(("on_hangup", ()))
        for hook, args in told:
            driver.note(Kind.STATE, "asked", state=level.name, handler=hook)
            try:
                getattr(level.state, hook)(remains(level.call), *args)
            except (Exception, SystemExit) as raised:  # noqa: BLE001  # user code; the call is over anyway
                report(failed(level, hook, raised))


async def run_after(after: Afterwards[Any], ended: EndedCall[Any]) -> None:
    """Do what a flow does when a call is over. What it raises is logged, and what takes too long is cancelled.

    Cancellation:
        In part: what the function did until then is not undone.
    """
    names = {"call_id": ended.call_id, "call_sid": ended.call_sid}
    limit = trio.move_on_after(AFTER_LIMIT)
    try:
        with limit:
            await after(ended)
    except* (Exception, SystemExit):  # user code; the call is over, and others go on
        logger.exception("after failed", extra=names)
    if limit.cancelled_caught:
        logger.warning("after late", extra=names)
