"""What befalls a line: trouble that is no doing of the caller's, made at once or at moments of a script's header.

Trouble that cannot be is none: a line that is lost cannot be lost again, and on a call that is over nothing happens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import assert_never

import trio

from callflow.errors import CallEnded, NotAnswered
from callflow.line.steps import (
    Deafen,
    Drop,
    Fault,
    Freeze,
    HalfClose,
    Reconnect,
    SendOdd,
    Service,
    TakeOver,
    Trouble,
)
from callflow.line.telephone import Telephone


async def make_trouble(phone: Telephone, trouble: Trouble) -> None:
    """Make trouble on a telephone's line, if its call and its line are there for that.

    Raises:
        CallEnded: The call was over in the middle of it.
        NotAnswered: The server does not answer a line that comes back.

    Cancellation:
        In part.
    """
    if phone.ended.is_set():
        return
    there = not (phone.is_lost or phone.is_deaf)
    match trouble:
        case Drop() if not phone.is_lost:
            phone.lose()
        case HalfClose() if there:
            phone.half_close()
        case Freeze(seconds=seconds) if there:
            phone.freeze(seconds)
        case Deafen() if there:
            phone.go_deaf()
        case SendOdd(oddity=oddity) if there:
            await phone.send_odd(oddity)
        case Reconnect() if phone.is_lost:
            await phone.reconnect()
        case TakeOver() if not phone.is_lost:
            await phone.take_over()
        case Drop() | HalfClose() | Freeze() | Deafen() | SendOdd() | Reconnect() | TakeOver():
            return
        case _:
            assert_never(trouble)


async def befall(phone: Telephone, faults: Sequence[Fault], steer: Callable[[Service], None]) -> None:
    """Have faults happen at their moments, until the last one or the end of the call.

    Args:
        phone: Whose line it is; moments are seconds since it was answered.
        faults: In any order.
        steer: Has a service answer, fail or hang.

    Cancellation:
        In part.
    """
    for fault in sorted(faults, key=lambda fault: fault.at):
        await trio.sleep_until(phone.answered_at + fault.at)
        if isinstance(fault.step, Service):
            steer(fault.step)
            continue
        with suppress(CallEnded, NotAnswered):
            await make_trouble(phone, fault.step)
