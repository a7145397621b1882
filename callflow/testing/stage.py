"""The stage of the testing kit: the real server on a network in memory, and the telephones that call it.

Nothing is left out or stood in for: a call goes through door, handshake, link, session and flow as in production. What
chance decides is decided by the ``Circumstances``, so that the same ones and the same deeds give the same trace.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import Any

import attrs
import trio
from attrs import define, field, frozen

from callflow.call.call import CallTask
from callflow.call.record import CallRecord
from callflow.flow.flow import Flow
from callflow.line.memory import Conditions, MemoryNetwork
from callflow.line.placing import place_call
from callflow.line.profile import Profile
from callflow.line.steps import Fault, Header, Network, Service
from callflow.line.telephone import Telephone
from callflow.line.troubles import befall
from callflow.server.flows import Flows
from callflow.server.serve import Server
from callflow.server.settings import Settings
from callflow.session.timing import Timing
from callflow.testing.beside import is_beside

FOLDED_SILENCE = 4.0
"""Seconds from one frame of silence to the next: so few that an hour of waiting costs next to nothing, and enough that
nobody takes the line for dead, as nobody does while the silence of a real one keeps coming."""

LISTENED = 0.1
"""Seconds of a frame where silence is sent all the time, for those who listen: Exotel's pages know such frames as well,
and they are a fifth of the messages."""

FOLDED = Profile(keeps_sending_silence=False, silence_every=FOLDED_SILENCE)
"""An Exotel that leaves most of the silence out while the caller says nothing."""

CUTS = 0.25
"""How often a segment is cut on a bad network: were it every one, its parts would be most of what a run does."""

CONDITIONS: Mapping[Network, Conditions] = {
    Network.SMOOTH: Conditions(),
    Network.SPLIT: Conditions(split=True, cuts=CUTS),
    Network.PARTIAL: Conditions(partial_sends=True, would_block=0.2, cuts=CUTS),
    Network.ROUGH: Conditions(split=True, partial_sends=True, would_block=0.2, cuts=CUTS),
}
"""What the networks of a script's header are."""


@frozen(kw_only=True)
class Circumstances:
    """Everything about a run that nobody in it decides."""

    seed: int = 0
    """Of ids, of what line and network draw, and of the flow's own ``call.random``."""
    order: int = 0
    """Of the order of tasks that are ready at once; see ``task_order``."""
    conditions: Conditions = field(factory=Conditions)
    """Of every connection."""
    profile: Profile = FOLDED
    """Which Exotel calls."""
    faults: tuple[Fault, ...] = ()
    """What befalls the line of the first call."""

    @classmethod
    def of(cls, header: Header, flow: Flow[Any] | None = None) -> Circumstances:
        """Give those that a script's header asks for. What it says nothing of is as in every run without a word.

        Args:
            header: The header.
            flow: What is called. One that wants to hear the caller speak is sent silence, too, as on a real line: it
                could not tell that somebody has spoken otherwise. One for Exotel's Stream applet is called by that.
        """
        return cls(
            seed=header.seed or 0,
            order=header.order or 0,
            conditions=attrs.evolve(CONDITIONS[header.network], lag=header.lag),
            faults=header.faults,
            profile=_folded(header.profile, flow),
        )


def _folded(profile: Profile, flow: Flow[Any] | None) -> Profile:
    is_heard = flow is not None and flow.listens
    return attrs.evolve(
        profile,
        keeps_sending_silence=is_heard,
        frame_seconds=LISTENED if is_heard else profile.frame_seconds,
        silence_every=FOLDED_SILENCE,
        one_way=profile.one_way or (flow is not None and flow.one_way),
    )


@define(eq=False)
class NotingServer(Server):
    """The server, which also keeps hold of its calls: the registry forgets those that are over."""

    calls: list[CallTask] = field(factory=list, init=False)
    """Every call that started, oldest first."""
    begins: Callable[[CallTask], None] = field(default=lambda task: None, init=False)
    """Told of each call that begins, before anything is written of its states."""
    news: trio.Event = field(factory=trio.Event, init=False)
    """Set, and replaced, when a call has its record."""
    beside: CallTask | None = field(default=None, init=False)
    """The call of who is beside; it is none of the others."""

    def _begun(self, task: CallTask) -> None:
        if is_beside():
            self.beside = task
        else:
            self.calls.append(task)
            self.begins(task)
        super()._begun(task)

    def _recorded(self, record: CallRecord) -> None:
        super()._recorded(record)
        self.news.set()
        self.news = trio.Event()


@frozen
class _Apart:
    """Provides one flow, which has other services for who is beside."""

    flows: Flows
    beside: Flows

    @property
    def names(self) -> Sequence[str]:
        return self.flows.names

    def flow(self, name: str) -> Flow[Any] | None:
        return (self.beside if is_beside() else self.flows).flow(name)

    def load(self) -> None:
        self.flows.load()
        self.beside.load()


@define(eq=False)
class Stage:
    """A server in memory, and those who call it. ``open`` it in a nursery of Trio's before anything else.

    Args:
        flow: What answers.
        circumstances: What chance decides.
        services: Stand before the flow's own of the same types: doubles.
        settings: The server's.
        timing: Its waits; a test may scale them.
        beside: The services for who is beside; None where nobody is.
    """

    flow: Flow[Any]
    circumstances: Circumstances = Circumstances()
    services: Sequence[object] = ()
    settings: Settings = field(factory=Settings)
    timing: Timing | None = None
    beside: Sequence[object] | None = None
    server: NotingServer = field(init=False)
    network: MemoryNetwork = field(init=False)
    steer: Callable[[Service], None] = field(default=lambda step: None, init=False)
    """Has a service answer, fail or hang: whoever has the doubles sets it, for the circumstances' faults."""
    _chance: Random = field(init=False)
    _befalls: tuple[Fault, ...] = field(init=False)
    _nursery: trio.Nursery | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._chance = Random(self.circumstances.seed)
        self._befalls = self.circumstances.faults
        self.server = NotingServer(self._served(), self.settings, self.timing, self._draw())
        self.network = MemoryNetwork(self.circumstances.conditions, self._draw())

    def _served(self) -> Flow[Any] | _Apart:
        flow = self.flow.providing(*self.services)
        return flow if self.beside is None else _Apart(Flows.of(flow), Flows.of(self.flow.providing(*self.beside)))

    def _draw(self) -> Random:
        return Random(self._chance.getrandbits(64))

    def draw_sid(self) -> str:
        """Draw the ``CallSid`` of a call that is announced before it comes."""
        return f"{self._chance.getrandbits(128):032x}"

    async def open(self, nursery: trio.Nursery) -> None:
        """Load the flow's prompts and take calls, in tasks of *nursery*.

        Raises:
            AudioError: A prompt is absent or cannot be played.
        """
        self.server.load()
        self.network.listen(self.server.connect, nursery)
        self._nursery = nursery

    async def ring(self, **who: Any) -> Telephone:
        """Place a call, which goes on in a task of its own until somebody ends it.

        Args:
            who: As for ``place_call``: ``caller``, ``called``, ``call_sid``, ``parameters`` and so on.

        Raises:
            NotAnswered: The server refuses it.

        Cancellation:
            The call is dropped.
        """
        assert self._nursery is not None, "open the stage first"
        phone: Telephone = await self._nursery.start(self._hold, who)
        return phone

    async def _hold(self, who: dict[str, Any], *, task_status: trio.TaskStatus[Telephone]) -> None:
        async with place_call(
            self.network.dial, profile=self.circumstances.profile, random=self._draw(), **who
        ) as phone:
            task_status.started(phone)
            await self._bear(phone)

    async def _bear(self, phone: Telephone) -> None:
        """Have its faults happen to the first call, and wait for its end."""
        faults, self._befalls = self._befalls, ()
        async with trio.open_nursery() as nursery:
            if faults:
                nursery.start_soon(befall, phone, faults, self.steer)
            await phone.ended.wait()
            nursery.cancel_scope.cancel()

    async def ring_beside(self, header: Header, lives: Callable[[Telephone], Awaitable[None]], **who: Any) -> Telephone:
        """Place the call of who is beside: by a line as the others have it, but a good one, which nothing befalls.

        Args:
            header: Of the script.
            lives: Does everything that this caller does, and hangs up.
            who: As for ``ring``.

        Raises:
            NotAnswered: The server refuses it.

        Cancellation:
            The call is dropped.
        """
        assert self._nursery is not None, "open the stage first"
        kind = Header(rate=header.rate, coding=header.coding, one_way=header.one_way)
        profile = _folded(kind.profile, self.flow)
        conditions, self.network.conditions = self.network.conditions, Conditions()
        try:
            phone: Telephone = await self._nursery.start(self._hold_beside, profile, lives, who)
        finally:
            self.network.conditions = conditions
        return phone

    async def _hold_beside(
        self,
        profile: Profile,
        lives: Callable[[Telephone], Awaitable[None]],
        who: dict[str, Any],
        *,
        task_status: trio.TaskStatus[Telephone],
    ) -> None:
        async with place_call(self.network.dial, profile=profile, random=self._draw(), **who) as phone:
            task_status.started(phone)
            await lives(phone)

    @property
    def calls(self) -> Sequence[CallTask]:
        """Every call that reached ``start``, oldest first, without that of who is beside."""
        return self.server.calls

    @property
    def beside_call(self) -> CallTask | None:
        """The call of who is beside."""
        return self.server.beside

    @property
    def records(self) -> Sequence[CallRecord]:
        """The records of those that are over, oldest first."""
        return self.server.records

    def leftovers(self) -> dict[str, int]:
        """Count what is there beside the server itself: of a call that is over nothing may be left.

        Returns:
            By kind, without those of which there are none.
        """
        assert self._nursery is not None, "open the stage first"
        calls = [*self.calls, *([] if self.beside_call is None else [self.beside_call])]
        drivers = [call.driver for call in calls]
        there = {
            "tasks": len(self._nursery.child_tasks),
            "live calls": len(self.server.registry.live),
            "sockets": self.server.door.gate.sockets,
            "sockets without start": self.server.door.gate.without_start,
            "timers": sum(len(driver.deadlines.names) for driver in drivers),
            "taps": sum(len(driver.taps.all) for driver in drivers),
            "playbacks": sum(len(driver.ledger.entries) for driver in drivers),
            "calls without a record": sum(call.record is None for call in calls),
        }
        return {kind: count for kind, count in there.items() if count}
