"""A neighbour: a second, quiet caller beside an example's, whose call has to be the same as if nobody else had called.

It is rung first, so that what is drawn for it is drawn first; it has a good line, and services of its own. What it does
it does by the clock, at moments that no frame and no time-out falls on: what happens in one instant has no order.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from itertools import chain
from typing import Any

import trio
from attrs import define, field, frozen
from trio.testing import wait_all_tasks_blocked

from callflow.errors import CallEnded, NotAnswered
from callflow.flow.flow import Flow
from callflow.line.applets import passthru
from callflow.line.steps import Beside, HangUp, Header, Press
from callflow.line.telephone import Telephone
from callflow.testing.beside import beside
from callflow.testing.compared import Happened, trace_of
from callflow.testing.deeds import HERE, KEY_GAP, KEY_HOLD
from callflow.testing.doubles import Doubles, Steered, steer
from callflow.testing.reading import FlowReading
from callflow.testing.stage import Stage

NUMBER = "+910000000148"
"""Who is beside: no example's own caller."""

ONE_IN = 8
"""Of so many examples one has a neighbour."""

_MOMENTS = (1.513, 4.127, 8.351)
"""When keys are pressed."""

_LEAVES = (6.003, 12.003, 24.003)
"""When it hangs up."""


def neighbour_for(reading: FlowReading, number: int) -> tuple[Beside, ...]:
    """Think up what a neighbour does: a few keys that mean something to the flow, and the end.

    Args:
        reading: The flow's.
        number: Of an example; most have no neighbour.
    """
    number, rest = divmod(number, ONE_IN)
    if rest != ONE_IN - 1:
        return ()
    number, stays = divmod(number, len(_LEAVES))
    keys = "".join(dict.fromkeys(chain.from_iterable(state.keys for state in reading.states.values()))) or "1"
    deeds = list[Beside]()
    for at in _MOMENTS:
        number, key = divmod(number, len(keys))
        deeds.append(Beside(at=at, step=Press(digits=keys[key])))
    leaves = _LEAVES[stays]
    return (*(deed for deed in deeds if deed.at < leaves), Beside(at=leaves, step=HangUp()))


# The services behind it.


class Shared:
    """A service that there is one of for all calls. Notes whether the neighbour has asked it for anything.

    For ``isinstance`` it is what it stands for.
    """

    def __init__(self, service: object) -> None:
        self._inside = service
        self._asked = False

    @property  # type: ignore[misc]  # what isinstance looks at first
    def __class__(self) -> Any:
        return type(self._inside)

    def __getattr__(self, name: str) -> Any:
        self._asked = True
        return getattr(self._inside, name)


@frozen
class OwnServices:
    """What stands behind a neighbour's call: doubles of its own, and where there is one for all, that one."""

    doubles: tuple[Steered, ...]
    shared: tuple[Shared, ...]

    @classmethod
    def beside(cls, flow: Flow[Any], recipes: Doubles, doubles: Mapping[str, Steered]) -> OwnServices:
        """Make them.

        Args:
            flow: What is called. What it provides itself is one for all.
            recipes: How doubles are made.
            doubles: Those of the other call.
        """
        own = steer(recipes)
        shared = [name for name, double in own.items() if double.is_one_with(doubles[name])]
        return cls(
            doubles=tuple(double for name, double in own.items() if name not in shared),
            shared=tuple(map(Shared, (*(doubles[name] for name in shared), *flow.services))),
        )

    @property
    def all(self) -> tuple[object, ...]:
        return (*self.doubles, *self.shared)

    @property
    def are_apart(self) -> bool:
        """Whether nothing was asked that the other call may ask as well."""
        return not any(service._asked for service in self.shared)


# The caller.


@define(eq=False)
class Neighbour:
    """Rings, does what its header says, and hangs up.

    Args:
        stage: With these services for it; open when it rings.
        header: Of the example.
        services: What stands behind it.
    """

    stage: Stage
    header: Header
    services: OwnServices
    phone: Telephone | None = field(default=None, init=False)
    """None if its Passthru sent it elsewhere."""
    has_seen_trouble: bool = field(default=False, init=False)

    async def ring(self) -> None:
        """Place its call, and have it live by the clock.

        Cancellation:
            The call is dropped.
        """
        with beside():
            call_sid = self.stage.draw_sid()
            if await self._is_sent_here(call_sid):
                with suppress(NotAnswered):
                    self.phone = await self.stage.ring_beside(
                        self.header, self._live, call_sid=call_sid, caller=NUMBER, parameters=self.header.parameters
                    )
        await wait_all_tasks_blocked()

    async def _is_sent_here(self, call_sid: str) -> bool:
        if self.stage.flow.passthru is None:
            return True
        return await passthru(self.stage.network.dial, call_sid=call_sid, caller=NUMBER, before=True) == HERE

    async def _live(self, phone: Telephone) -> None:
        """Do everything at its moment, and hang up."""
        with suppress(CallEnded):
            for deed in sorted(self.header.beside, key=lambda deed: deed.at):
                await trio.sleep_until(phone.answered_at + deed.at)
                if isinstance(deed.step, HangUp):
                    break
                await phone.press(deed.step.digits, gap=KEY_GAP, hold=KEY_HOLD)
            await phone.hang_up()

    def see_trouble(self) -> None:
        """Take notice that the other call is in trouble, if this one is there."""
        self.has_seen_trouble |= self.phone is not None and not self.phone.ended.is_set()

    async def over(self) -> None:
        """Wait until it has hung up and nothing is left of it.

        Cancellation:
            It lives on.
        """
        if self.phone is not None:
            await self.phone.ended.wait()

    @property
    def trace(self) -> list[Happened] | None:
        """What happened to it, once it is over; None if it had no call, or asked a service that is not its own."""
        if self.phone is None or not self.services.are_apart:
            return None
        return trace_of(self.phone, self.stage.beside_call)
