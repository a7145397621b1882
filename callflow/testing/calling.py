"""``caller``: a simulated caller for tests of a flow, in virtual time, against the real server.

Every method is one step of a call script, taken by the same player: what a test does can be saved as a ``.call`` file.
The call is judged when it is over, by the rules of the wire and the laws of a call; and nothing of it may be left then.
"""

from __future__ import annotations

import difflib
import math
import sys
import wave
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import trio
from attrs import define, evolve, field
from trio.testing import MockClock

from callflow.call.record import CallRecord
from callflow.errors import CallflowError
from callflow.flow.facts import D
from callflow.flow.flow import Flow
from callflow.flow.state import State
from callflow.line.dialling import alone
from callflow.line.heard import HeardPrompt
from callflow.line.oddities import Oddity
from callflow.line.profile import EchoesClearedMarks
from callflow.line.recording import read_wav
from callflow.line.script import render
from callflow.line.steps import (
    CALLED,
    CALLER,
    Act,
    Branch,
    Deafen,
    Drop,
    Ended,
    Ender,
    Ending,
    Enter,
    Freeze,
    HalfClose,
    HangUp,
    Header,
    Hear,
    Network,
    Play,
    Press,
    Quiet,
    Reach,
    Reconnect,
    RingAgain,
    Script,
    SendOdd,
    Step,
    TakeOver,
    Wait,
)
from callflow.line.transcript import expected
from callflow.server.flow_argument import argument_of
from callflow.server.settings import Settings
from callflow.testing.clock import VirtualClock
from callflow.testing.doubles import by_name, steer
from callflow.testing.failure import CallFailed
from callflow.testing.performance import Performance
from callflow.testing.plan import Plan
from callflow.testing.seeding import order_for, task_order
from callflow.testing.sounds import murmur
from callflow.testing.stage import Circumstances, Stage
from callflow.wire.messages import KEYS

T = TypeVar("T")


class NeedsVirtualTime(CallflowError):
    """A simulated caller was asked for in a run whose clock is real."""


@asynccontextmanager
async def caller(  # noqa: PLR0913 - what a call has, all of it by keyword and with a default
    flow: Flow[D],
    *,
    number: str = CALLER,
    called: str = CALLED,
    parameters: Mapping[str, str] | None = None,
    services: Sequence[object] = (),
    answers: Mapping[str, str] | None = None,
    seed: int = 0,
    lag: float = 0.0,
    echoes: EchoesClearedMarks = "at once",
    network: Network = Network.SMOOTH,
    begins: Oddity | str | None = None,
    faults: Plan | Iterable[str] = (),
    announced: bool = False,
    settings: Settings | None = None,
    may_fail: bool = False,
) -> AsyncIterator[Caller[D]]:
    """Be somebody who calls a flow, in ``async with``; the block is the call.

    Args:
        flow: What is called. Door, link and all that is behind them are the real ones, over a network in memory.
        number: Who rings.
        called: The number rung.
        parameters: Custom parameters of the stream.
        services: Doubles; they stand before the flow's own services of the same types.
        answers: Secrets by name: ``c.type("$pin")`` types one, and no script and no failure shows it.
        seed: Of ids, of the flow's ``call.random``, and of the order of tasks that are ready at once; where schedules
            are tried, each is the order instead.
        lag: Seconds that a message takes, each way.
        echoes: When marks that a ``clear`` overtook come back; Exotel does not say.
        network: How the network hands bytes on.
        begins: What is odd about how each stream of the call begins, such as ``"early-media"``.
        faults: What goes wrong on the line: a plan that ``faults.plans()`` drew, or lines such as ``"at 3s drop"``. A
            plan's lag, echoes and network stand for the three above. ``service`` in it is one of *services*, by its
            class's name in small letters.
        announced: Whether Exotel asks the Passthru before the stream.
        settings: The server's.
        may_fail: Whether user code of the flow may raise; else a call that ends by that fails the test.

    Raises:
        NeedsVirtualTime: The run's clock is real.
        NotAnswered: The server refuses the call.
        CallFailed: At the end of the block: the call was not awaited to its end, broke a rule or a law, or left
            something behind. It is an ``AssertionError``.

    Cancellation:
        The call is dropped.
    """
    _check_clock()
    order = order_for(seed)
    header = Header(
        caller=number,
        called=called,
        parameters=dict(parameters or {}),
        seed=seed or None,  # a script that says nothing means 0
        order=order or None,
        lag=lag,
        echoes=echoes,
        network=network,
        begins=None if begins is None else Oddity(begins),
        rate=flow.rate,
        one_way=flow.one_way,
    )
    plan = faults if isinstance(faults, Plan) else Plan.read(faults)
    header = plan.of(header)
    doubles = steer(by_name(services)) if plan.steers else {}
    stage = Stage(flow, Circumstances.of(header, flow), tuple(doubles.values()) or services, settings or Settings())
    with task_order(order), alone():
        async with trio.open_nursery() as nursery:
            await stage.open(nursery)
            performance = Performance(
                stage=stage, nursery=nursery, header=header, answers=dict(answers or {}), services=doubles
            )
            await performance.ring(asks=announced)
            on_the_phone: Caller[D] = Caller(performance, may_fail=may_fail)
            yield on_the_phone
            await on_the_phone._conclude()
            nursery.cancel_scope.cancel()


def run(main: Callable[..., Awaitable[T]], *args: object, seed: int = 0) -> T:
    """Run an async function in virtual time, as ``trio.run`` does in real time.

    Args:
        main: The function.
        args: Given to it.
        seed: Of the order of tasks that are ready at once.
    """
    with task_order(seed), alone():
        return trio.run(main, *args, clock=VirtualClock())


def _check_clock() -> None:
    clock = trio.lowlevel.current_clock()
    jumps = isinstance(clock, VirtualClock) or (isinstance(clock, MockClock) and clock.autojump_threshold < math.inf)
    if not jumps:
        raise NeedsVirtualTime(
            "caller() plays its call in virtual time, and this run has another clock; run it by "
            "callflow.testing.run(main), or under pytest by pytest-trio: in a module that imports caller by its name "
            "the tests get the right clock, elsewhere take the fixture autojump_clock"
        )


@define(eq=False)
class Caller(Generic[D]):
    """Somebody on the telephone. Made by ``caller``.

    A method that expects something raises ``CallFailed`` where it does not come; its text says what came instead.
    Times are seconds, in virtual time.
    """

    _performance: Performance
    _may_fail: bool = field(kw_only=True)
    _awaited: bool = field(default=False, init=False)
    """Whether the test waited for the end of the call."""

    # What the bot is expected to say and do.

    async def hears(
        self,
        prompt: str,
        *,
        at_least: float | None = None,
        complete: bool = False,
        cut: bool = False,
        within: float | None = None,
    ) -> None:
        """Wait until the bot is heard to begin a prompt.

        Args:
            prompt: A prompt's file, such as ``"welcome.wav"``; or words that are said, also across several prompts.
            at_least: Wait until so many seconds of it were heard.
            complete: Wait until it was heard to its end.
            cut: Wait until it stopped before its end.
            within: Seconds to wait at most; 10 unless given.
        """
        ending = Ending.COMPLETE if complete else Ending.CUT if cut else None
        spoken = not prompt.endswith(".wav")
        name = prompt if spoken else self._known(prompt.removesuffix(".wav"))
        await self._take(Hear(prompt=name, spoken=spoken, at_least=at_least, ending=ending, within=within))

    def _known(self, name: str) -> str:
        names = self._performance.prompt_names
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            cure = f"did you mean {near[0]}.wav?" if near else f"they are {', '.join(sorted(names)) or 'none'}"
            raise ValueError(f"the flow has no prompt {name}.wav; {cure}")
        return name

    async def reaches(self, state: type[State[Any]] | str, *, within: float | None = None) -> None:
        """Wait until the flow enters a state, 5 seconds unless *within* is given; states before it are passed over."""
        await self._take(Reach(name=state if isinstance(state, str) else state.__name__, within=within))

    async def quiet(self, *, within: float, of: Act | None = None) -> None:
        """Expect that what the bot was saying when the caller last pressed or spoke stopped that soon."""
        await self._take(Quiet(within=within, of=of))

    async def ended(self, *, by: Literal["flow", "caller"] | None = None, within: float | None = None) -> CallRecord:
        """Wait until the call is over and the server has drawn up its record.

        Args:
            by: Who is expected to end it.
            within: Seconds to wait at most; 10 unless given.
        """
        self._performance.give_up_line()
        await self._take(Ended(by=None if by is None else Ender(by), within=within))
        return await self._record()

    async def branch(self, name: str) -> None:
        """Expect Exotel's Passthru behind the stream to send the call down this branch, ``A``, ``B`` or another."""
        await self._take(Branch(name=name))

    # What the caller does.

    async def press(self, keys: str, *, gap: float | None = None) -> None:
        """Press keys, from ``0-9 * #``, with *gap* seconds (0.3) from one to the next."""
        await self._take(Press(digits=_keys(keys), gap=gap))

    async def type(self, digits: str, *, gap: float | None = None) -> None:
        """Type an entry: digits, or ``"$pin"`` for the answer of that name."""
        await self._take(self._entry(digits, gap))

    def _entry(self, digits: str, gap: float | None) -> Enter:
        answers = self._performance.answers
        named = digits[1:] if digits.startswith("$") else next((n for n, d in answers.items() if d == digits), "")
        if named and named not in answers:
            raise ValueError(f"nobody knows {digits}; give caller(answers={{{named!r}: …}})")
        _keys(answers[named] if named else digits)
        return Enter(answer=named, digits="" if named else digits, gap=gap)

    async def speaks(self, sound: str | Path | bytes | float) -> None:
        """Say something, and wait for its end.

        Args:
            sound: A WAV file of the line's rate; 16-bit PCM; or so many seconds of something that counts as a voice.
        """
        await self._take(Play(file=self._performance.learn(*_sound(sound, self._performance.header.rate))))

    async def silent(self, seconds: float) -> None:
        """Do nothing for a while."""
        await self._take(Wait(seconds=seconds))

    async def drops(self, *, for_: float | None = None) -> None:
        """Lose the line without a word; with *for_*, come back after so many seconds."""
        await self._take(Drop(), comes_back=True)
        if for_ is not None:
            await self.silent(for_)
            await self.reconnects()

    async def reconnects(self) -> None:
        """Come back after ``drops``: the same call, on another stream."""
        await self._take(Reconnect())

    async def takes_over(self) -> None:
        """Come on another line while the first is there and silent."""
        await self._take(TakeOver())

    async def goes_deaf(self) -> None:
        """Become a half-open line: nothing is sent, read or answered any more, and nobody is told."""
        await self._take(Deafen())

    async def freezes(self, seconds: float) -> None:
        """Be on a line that stands still, both ways; then everything comes that was held up."""
        await self._take(Freeze(seconds=seconds))

    async def half_closes(self) -> None:
        """Lose the line by half: this side of the connection ends without a word. ``reconnects`` comes back."""
        await self._take(HalfClose())

    async def sends_odd(self, oddity: Oddity | str) -> None:
        """Have Exotel do what it should not do; see ``odd`` in the page on call scripts."""
        await self._take(SendOdd(oddity=Oddity(oddity)))

    async def hangs_up(self) -> CallRecord:
        """Hang up, and wait for the record of the call."""
        self._performance.give_up_line()
        await self._take(HangUp())
        return await self._record()

    async def rings_again(self) -> None:
        """Call once more with the same ``CallSid``, when the call before is over: an Exotel flow with two applets."""
        self._awaited = False
        await self._take(RingAgain())

    # What can be looked at.

    @property
    def state(self) -> State[Any]:
        """The current state of the flow, or the one that it ended in; in a sub-flow the innermost one."""
        engine = self._performance.task.engine
        assert engine is not None, "a call that has begun has an engine"
        return engine.state

    @property
    def data(self) -> D:
        """The flow's data of this call."""
        engine = self._performance.task.engine
        assert engine is not None, "a call that has begun has an engine"
        data: D = engine.data
        return data

    @property
    def heard(self) -> Sequence[HeardPrompt]:
        """What was heard so far, prompt by prompt."""
        return self._performance.conversation.heard

    @property
    def now(self) -> float:
        """Seconds since the call was answered."""
        return self._performance.leg.phone.now

    def script(self) -> Script:
        """Give what was done and expected so far, as a call script."""
        return self._performance.script

    def save(self, path: str | Path) -> Path:
        """Write the call so far as a ``.call`` file, with the sounds that it needs; ``callflow replay`` plays it.

        Raises:
            CallflowError: The flow has no name in a module, so no file can say what is called.
        """
        path, script = Path(path), self.script()
        argument = argument_of(self._performance.stage.flow, path.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render(evolve(script, header=evolve(script.header, flow=argument))), "utf-8")
        for name, pcm in self._performance.sounds.items():
            with wave.open(str(path.parent / name), "wb") as file:
                file.setparams((1, 2, script.header.rate, 0, "NONE", ""))
                file.writeframes(pcm)
        return path

    # How it is done.

    async def _take(self, step: Step, *, comes_back: bool = False) -> None:
        outcome = await self._performance.take(step, comes_back=comes_back)
        if not outcome.held:
            raise CallFailed(self._performance.failure(f"expected {expected(step)}", outcome.came, _asked_at()))

    async def _record(self) -> CallRecord:
        self._awaited = True
        record = await self._performance.record()
        if record is None:
            raise CallFailed(self._performance.failure("a call that was answered has a record", "the server has none"))
        return record

    async def _conclude(self) -> None:
        """Hold the call to what every call has to keep; for the end of the block.

        Raises:
            CallFailed: It does not.
        """
        if not self._awaited:
            came = f"the test did not wait for its end, {self.now:.1f} s after the answer"
            cure = "await c.ended() where the flow hangs up, or c.hangs_up()"
            raise CallFailed(self._performance.failure("a call is awaited to its end", f"{came}; {cure}"))
        found = await self._performance.close(may_fail=self._may_fail)
        if found is not None:
            raise CallFailed(found)


def _keys(keys: str) -> str:
    if not keys or set(keys) - set(KEYS):
        raise ValueError(f"what is pressed has to be keys 0-9 * # and nothing else ({len(keys)} signs were given)")
    return keys


def _sound(sound: str | Path | bytes | float, rate: int) -> tuple[str, bytes]:
    """Give a sound's name in the script, and its PCM."""
    match sound:
        case bytes():
            return "said.wav", sound
        case str() | Path():
            return Path(sound).name, read_wav(Path(sound), rate)
        case _:
            return f"murmur-{round(1000 * sound)}.wav", murmur(sound, rate)


def _asked_at() -> str:
    """Find the line outside of callflow that asked: the test's."""
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("callflow."):
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
