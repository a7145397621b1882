"""A performance: the steps of a call script taken on a stage, one at a time, by whoever thinks of the next.

``caller()`` and the replay of a script both stand on it, so that a call means the same in a test, in a file and on the
command line. Everything that it starts lives in the stage's nursery and none of it in the block that uses it: steps may
come from a test's own task, or as jobs of a ``Stepper``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import trio
from attrs import define, evolve, field, frozen

from callflow.call.call import CallTask
from callflow.call.journal import Entry, Kind
from callflow.call.record import CallRecord
from callflow.errors import CallflowError, NotAnswered
from callflow.line.applets import passthru
from callflow.line.player import Player, Surroundings, open_player
from callflow.line.recognise import Recogniser, prompts_in
from callflow.line.steps import Header, Reconnect, Ring, RingAgain, Script, Service, Step
from callflow.line.telephone import Telephone
from callflow.line.transcript import Conversation, Entered, Outcome, Teller
from callflow.testing.doubles import Steered, named
from callflow.testing.failure import Failure
from callflow.testing.judging import breaks_rules, fault_of, judge, longest_way, place_of
from callflow.testing.stage import Stage

SETTLES = 30.0
"""Seconds, beside the wait for a lost line, after which nothing of a call that is over may be left."""

_OFTEN = 0.1
"""Seconds. Nobody tells when the last task of a call has gone, so that is looked for; the time is virtual."""


@define(eq=False)
class StatesOf:
    """The states that one call enters, read off its journal."""

    phone: Telephone
    entered: list[Entered] = field(factory=list)
    problem: str = ""
    task: CallTask | None = None
    """The call on the server's side; None until its ``start`` was taken."""
    _news: trio.Event = field(factory=trio.Event)

    async def changed(self) -> None:
        """Wait for the next state."""
        await self._news.wait()

    def begin(self, task: CallTask) -> None:
        """Read along with a call, if it is this one. It has written nothing of states yet."""
        if self.task is None and task.start is not None and task.start.call_sid == self.phone.call_sid:
            self.task = task
            task.driver.journal.readers.append(self._read)

    def _read(self, entry: Entry) -> None:
        if entry.kind is Kind.STATE and entry.what == "entered":
            self.entered.append(Entered(self.phone.now, str(entry.details["state"])))
            self._news.set()
            self._news = trio.Event()


@frozen(eq=False)
class Leg:
    """One call of a performance: a telephone, who plays on it, and the states that its call enters."""

    phone: Telephone
    player: Player
    states: StatesOf
    listening: trio.CancelScope


@define(eq=False, kw_only=True)
class Performance:
    """Takes steps on a stage. ``ring`` first; ``close`` when nothing more is to be done.

    Args:
        stage: Was opened in *nursery*.
        nursery: Holds everything.
        header: Who calls whom; its circumstances are the stage's.
        answers: What ``type $name`` types.
        sounds: What the caller may say, by name: 16-bit PCM.
        services: Doubles that ``service`` steps are about, by name.
    """

    stage: Stage
    nursery: trio.Nursery
    header: Header
    answers: Mapping[str, str] = field(factory=dict, repr=False)
    sounds: dict[str, bytes] = field(factory=dict, repr=False)
    services: Mapping[str, Steered] = field(factory=dict)
    legs: list[Leg] = field(factory=list, init=False)
    outcomes: list[Outcome] = field(factory=list, init=False)
    """Of the steps so far."""

    @property
    def leg(self) -> Leg:
        """The call that steps are taken on now."""
        return self.legs[-1]

    @property
    def conversation(self) -> Conversation:
        return self.leg.player.conversation

    @property
    def script(self) -> Script:
        """What was done so far, as a script."""
        return Script(header=self.header, steps=tuple(outcome.step for outcome in self.outcomes))

    async def ring(self, *, asks: bool = False) -> None:
        """Place a call, and listen.

        Args:
            asks: Whether Exotel asks the Passthru before the stream. Only for the first call.

        Raises:
            NotAnswered: The server refuses it, or the Passthru sends it another way.
        """
        header, self.stage.steer = self.header, self.steer
        call_sid = self.legs[0].phone.call_sid if self.legs else None
        if asks:
            call_sid = self.stage.draw_sid()
            self.outcomes.append(Outcome(step=Ring(), start=0.0, end=0.0))
            await self._ask(call_sid)
        phone = await self.stage.ring(
            caller=header.caller, called=header.called, parameters=header.parameters, call_sid=call_sid
        )
        states = StatesOf(phone)
        self.stage.server.begins = states.begin
        for task in self.stage.calls[len(self.legs) :]:  # without a lag it may have begun already
            states.begin(task)
        self.legs.append(await self.nursery.start(self._listen, phone, states))

    async def _ask(self, call_sid: str) -> None:
        status = await self._passthru(call_sid)
        if status != 200:
            raise NotAnswered(f"the Passthru before the stream was answered {status}", status)

    async def _passthru(self, call_sid: str, phone: Telephone | None = None, branch: str | None = None) -> int:
        return await passthru(
            self.stage.network.dial,
            call_sid=call_sid,
            caller=self.header.caller,
            called=self.header.called,
            before=phone is None,
            stream=None if phone is None else phone.record(),
            path="/passthru" if branch is None else f"/passthru?branch={branch}",
        )

    async def _listen(self, phone: Telephone, states: StatesOf, *, task_status: trio.TaskStatus[Leg]) -> None:
        library = self.stage.flow.library

        async def ask_after(branch: str | None) -> int:
            return await self._passthru(phone.call_sid, phone, branch)

        async def announce() -> int:
            return await self._passthru(phone.call_sid)

        with trio.CancelScope() as listening:
            async with open_player(
                phone,
                recogniser=Recogniser(prompts_in(library), phone.form),
                answers=self.answers,
                sounds=self.sounds,
                surroundings=Surroundings(feed=states, passthru=ask_after, announce=announce),
            ) as player:
                task_status.started(Leg(phone, player, states, listening))
                await trio.sleep_forever()

    async def take(self, step: Step, *, comes_back: bool = False) -> Outcome:
        """Take one step; see ``Player.take``."""
        if isinstance(step, RingAgain):
            outcome = await self._ring_again(step)
        elif isinstance(step, Service):
            self.steer(step)
            outcome = Outcome(step=step, start=self.leg.phone.now, end=self.leg.phone.now)
        else:
            outcome = await self.leg.player.take(step, comes_back=comes_back)
        self.outcomes.append(outcome)
        return outcome

    def steer(self, step: Service) -> None:
        """Have a service answer, fail or hang from now on.

        Raises:
            ScriptError: There is none of that name.
        """
        named(self.services, step).behave(step.way)

    async def _ring_again(self, step: RingAgain) -> Outcome:
        leg, start = self.leg, self.leg.phone.now
        if not leg.phone.ended.is_set():
            return Outcome(step=step, start=start, end=start, came="the call before goes on")
        await self.ring()
        return Outcome(step=step, start=start, end=start)

    # What whoever takes the steps may want to know.

    @property
    def task(self) -> CallTask:
        """The call on the server's side.

        Raises:
            CallflowError: It has not begun: what the caller sent first is still under way, or the server refused it.
        """
        task = self.leg.states.task
        if task is None:
            raise CallflowError("the call has not begun on the server's side; hear something of it first")
        return task

    @property
    def prompt_names(self) -> frozenset[str]:
        """What may be heard: file names without ``.wav``; those of a language also without their folder."""
        names = {prompt.name for prompt in prompts_in(self.stage.flow.library)}
        return frozenset(names | {name.rpartition("/")[2] for name in names})

    def learn(self, name: str, pcm: bytes) -> str:
        """Have the caller be able to say something; give the name that a step says it by."""
        path, count = Path(name), 2
        while self.sounds.get(name, pcm) != pcm:
            name, count = f"{path.stem}-{count}.wav", count + 1
        self.sounds[name] = pcm
        return name

    async def record(self) -> CallRecord | None:
        """Wait for the record of a call that is over; None if the server has none."""
        task = self.leg.states.task
        if task is not None:
            with trio.move_on_after(SETTLES + task.driver.timing.resume):
                while task.record is None:
                    await self.stage.server.news.wait()
        return None if task is None else task.record

    # The end.

    def give_up_line(self) -> None:
        """Leave the telephone where a line is lost and nobody will come back."""
        phone = self.leg.phone
        faults = self.header.faults if len(self.legs) == 1 else ()
        to_come = any(fault.at >= phone.now and isinstance(fault.step, Reconnect) for fault in faults)
        if phone.is_lost and not (to_come or phone.is_coming_back):
            phone.drop()

    async def close(self, *, may_fail: bool = False) -> Failure | None:
        """Leave the telephone, wait until nothing is left of the calls, and judge them.

        Args:
            may_fail: Whether the flow's own code may raise.

        Returns:
            What is wrong, if something is.
        """
        for leg in self.legs:
            if leg.phone.is_lost:
                leg.phone.drop()
            await leg.phone.hang_up()
            leg.listening.cancel()
        left = await self._settle()
        if left:
            what = ", ".join(f"{count} {kind}" for kind, count in left.items())
            return self.failure("of a call that is over nothing is left", f"left are {what}")
        return next(filter(None, (self._judge(leg, may_fail=may_fail) for leg in self.legs)), None)

    async def _settle(self) -> dict[str, int]:
        wait = max((task.driver.timing.resume for task in self.stage.calls), default=0.0)
        deadline = trio.current_time() + SETTLES + wait
        while (left := self.stage.leftovers()) and trio.current_time() < deadline:  # noqa: ASYNC110 - see _OFTEN
            await trio.sleep(_OFTEN)
        return left

    def _judge(self, leg: Leg, *, may_fail: bool) -> Failure | None:
        task = leg.states.task
        if task is None:
            return None
        if not may_fail and (fault := fault_of(task)):
            return self.failure("the flow's own code does not raise", fault)
        odd = breaks_rules(self.script)
        verdict = judge(leg.phone, task, crossing=longest_way(self.script), odd=odd)
        if not verdict.breaches:
            return None
        breach = verdict.breaches[0]
        rule = next(rule for rule in verdict.rules if rule.id == breach.rule)
        return self.failure(f"{breach.rule}: {rule.sentence}", f"{breach.words}, at {breach.at:.3f} s", law=breach.rule)

    def failure(self, sentence: str, came: str, *where: str, law: str = "") -> Failure:
        """Tell of the call so far that it broke something."""
        task = self.leg.states.task
        fault = fault_of(task)
        return Failure(
            sentence=sentence,
            came=f"{came}; {fault}" if fault and fault not in came else came,
            where=[place for place in (*where, place_of(task)) if place],
            script=self.script,
            timeline=self.timeline(),
            law=law,
            flow=self.stage.flow,
        )

    def timeline(self) -> list[str]:
        """Tell all calls so far, a line for each thing that happened."""
        return [line for leg in self.legs for line in Teller().lines(evolve(leg.player.conversation, settled=math.inf))]

    def trace(self) -> list[tuple[float, str, str | bytes]]:
        """Give every message of all calls so far: seconds since the answer, ``in`` or ``out``, and its text."""
        return [(entry.at, entry.side, entry.text) for leg in self.legs for entry in leg.phone.log]
