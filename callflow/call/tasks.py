"""What a state starts: its ``run`` and its activities, as tasks of the state's nursery."""

from __future__ import annotations

from typing import Any

import trio

from callflow.call.driver import Driver
from callflow.call.handlers import only
from callflow.call.journal import Kind
from callflow.call.level import Level
from callflow.call.live import ACTIVITY
from callflow.call.mailbox import RunEnded
from callflow.flow.marks import ACTIVITY_ATTRIBUTE, marked


def start_tasks(level: Level, driver: Driver, nursery: trio.Nursery, visit: int) -> None:
    """Start what an entered state does by itself. What comes of it goes to the mailbox."""
    if level.has("run"):
        nursery.start_soon(_run, level, driver, visit)
    for name, _ in marked(type(level.state), ACTIVITY_ATTRIBUTE):
        nursery.start_soon(_be_active, level, name, driver, visit)


async def _run(level: Level, driver: Driver, visit: int) -> None:
    result: Any
    await trio.lowlevel.checkpoint_if_cancelled()  # the state may be left before its tasks had their first turn
    try:
        result = await level.state.run(level.call)
    except* (Exception, SystemExit) as raised:  # noqa: BLE001  # user code; the flow or the end takes it
        driver.mailbox.put(RunEnded(level.state, error=only(raised)))
    else:
        to = "" if result is None else type(result).__name__
        driver.note(Kind.STATE, "run returned", state=level.name, visit=visit, to=to)
        driver.mailbox.put(RunEnded(level.state, result))


async def _be_active(level: Level, name: str, driver: Driver, visit: int) -> None:
    await trio.lowlevel.checkpoint_if_cancelled()  # as above
    ACTIVITY.set(f"{level.name}.{name}")  # for this task and those that it starts
    driver.note(Kind.STATE, "activity began", state=level.name, visit=visit, activity=name)
    try:
        await getattr(level.state, name)(level.call)
    except* (Exception, SystemExit) as raised:  # noqa: BLE001  # user code; the flow or the end takes it
        driver.mailbox.put(RunEnded(level.state, error=only(raised), method=name))
    finally:
        driver.note(Kind.STATE, "activity ended", state=level.name, visit=visit, activity=name)
