"""Measures the property-testing machine. Numbers, and no verdict: ``python -m tests.bench.machine [EXAMPLES]``.

How many examples a second of processor time the bank IVR has, beside Hypothesis alone with empty rules and the same
settings, in turns in one process; how much faster than real time a plain call is; and where a run's time goes.
"""

from __future__ import annotations

import logging
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import trio
from attrs import define
from hypothesis import seed as with_seed
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    INITIALIZE_RULE_MARKER,
    RULE_MARKER,
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from callflow import Call, Flow, Hangup, State
from callflow.line.profile import CONFORMANT, Profile
from callflow.session.timing import Timing
from callflow.testing.clock import VirtualClock
from callflow.testing.doubles import Double
from callflow.testing.hunting import usual_settings
from callflow.testing.machine import CallMachine
from callflow.testing.rehearsal import long_run
from callflow.testing.stage import FOLDED, Circumstances, Stage
from examples.bank_ivr.bank import BankDown, FakeBank
from examples.bank_ivr.ivr import bank_ivr

PROMPTS = Path(__file__).parents[2] / "examples" / "prompts" / "queue"
TURNS = 4
"""Runs of each, in turns: other work on the computer then meets both."""

HOUR = 3_600.0


class Empty(RuleBasedStateMachine):
    """Hypothesis alone."""

    @rule(pick=st.integers(0, 1023))
    def one(self, pick: int) -> None:
        """Do nothing."""

    @rule(pick=st.integers(0, 1023))
    def another(self, pick: int) -> None:
        """Do nothing."""

    @rule()
    def a_third(self) -> None:
        """Do nothing."""


class Bank(
    CallMachine,
    flow=bank_ivr,
    services={"bank": Double(FakeBank, fails=BankDown)},
    answers={"pin": "4129"},
    callers=("+910000000105", "+910000000109"),
): ...


def emptied(machine: type[RuleBasedStateMachine]) -> type[RuleBasedStateMachine]:
    """Make a machine that draws the same as another one, and does nothing with it."""
    markers: Mapping[str, Any] = {RULE_MARKER: rule, INITIALIZE_RULE_MARKER: initialize}
    drawn = {
        name: again(**found.arguments)(_nothing(name))
        for name, member in vars(machine).items()
        for marker, again in markers.items()
        if (found := getattr(member, marker, None)) is not None
    }
    return type("Emptied", (RuleBasedStateMachine,), drawn)


def _nothing(name: str) -> Callable[..., None]:
    """Make a rule's function; Hypothesis tells rules apart, and what it draws of each, by their names."""

    def one(machine: RuleBasedStateMachine, **drawn: object) -> None:
        """Play nothing."""

    one.__name__ = name
    return one


SameDraws = emptied(CallMachine)
"""Hypothesis alone, with the draws of a machine that calls."""


def run(machine: type[RuleBasedStateMachine], seed: int, examples: int) -> float:
    """Run a machine; give the seconds of processor time."""
    chosen = settings(usual_settings(), max_examples=examples, database=None)
    began = time.process_time()
    run_state_machine_as_test(with_seed(seed)(machine), settings=chosen)
    return time.process_time() - began


# Examples a second.


@define
class Rate:
    """What some runs of both machines came to."""

    alone: float = 0.0
    """Seconds of processor time."""
    same_draws: float = 0.0
    machine: float = 0.0
    asked: int = 0
    played: int = 0
    """More than were asked for: Hypothesis does not count those that it gives up."""
    steps: int = 0
    seconds: float = 0.0

    def add(self, seed: int, examples: int) -> None:
        self.alone += run(Empty, seed, examples)
        self.same_draws += run(SameDraws, seed, examples)
        Bank.begin_run()
        with long_run():
            self.machine += run(Bank, seed, examples)
        coverage = Bank.so_far.coverage
        self.asked += examples
        self.played += coverage.examples
        self.steps += coverage.steps
        self.seconds += coverage.seconds

    def lines(self) -> Iterator[str]:
        yield f"Hypothesis alone      {self.asked / self.alone:8.1f} examples a CPU second"
        yield f"with the same draws   {self.asked / self.same_draws:8.1f}"
        yield f"the bank's machine    {self.asked / self.machine:8.1f}"
        yield f"ratio                 {self.alone / self.machine:8.3f}"
        yield f"ratio to those draws  {self.same_draws / self.machine:8.3f}"
        yield f"steps an example      {self.steps / self.played:8.1f}"
        yield f"virtual seconds       {self.seconds / self.played:8.1f} an example"
        yield f"virtual seconds       {self.seconds / self.machine:8.1f} a CPU second"
        yield f"played for each asked {self.played / self.asked:8.2f}"


# Plain calls.


class Over(Hangup[None]):
    """Nobody stays as long as that."""


class Music(State[None], timeout=2 * HOUR):
    """Plays as long as somebody listens."""

    async def run(self, call: Call[None]) -> Over:
        call.start("music.wav", loop=True)
        await trio.sleep_forever()

    def on_timeout(self, call: Call[None]) -> Over:
        return Over()


class Wait(State[None], timeout=2 * HOUR):
    """Says nothing, and waits."""

    def on_timeout(self, call: Call[None]) -> Over:
        return Over()


def times_real_time(profile: Profile, state: type[Music | Wait], seconds: float) -> tuple[float, int]:
    """Play one call without a witness; say how much faster than real time it was, and how many messages passed."""
    flow = Flow("bench", start=state, prompts=PROMPTS)
    messages = 0

    async def call() -> None:
        nonlocal messages
        stage = Stage(flow, Circumstances(profile=profile), timing=Timing(call=2 * HOUR))
        async with trio.open_nursery() as nursery:
            await stage.open(nursery)
            phone = await stage.ring()
            await phone.wait(seconds)
            await phone.hang_up()
            messages = len(phone.log)
            nursery.cancel_scope.cancel()

    began = time.process_time()
    trio.run(call, clock=VirtualClock())
    return seconds / (time.process_time() - began), messages


# Where the time goes.

PARTS: Mapping[str, tuple[str, ...]] = {
    "rules and laws": ("callflow/testing/rules/", "callflow/testing/laws/", "testing/lawbook", "testing/wirelog"),
    "witness": ("callflow/testing/witness",),
    "the rest of the kit": ("callflow/testing/",),
    "the line (callflow.line)": ("callflow/line/",),
    "the call (callflow.call, session, wire)": ("callflow/call/", "callflow/session/", "callflow/wire/"),
    "server and flow": ("callflow/server/", "callflow/flow/", "examples/"),
    "Trio": ("/trio/", "/outcome/"),
    "wsproto and h11": ("/wsproto/", "/h11/", "/trio_websocket/"),
    "Hypothesis": ("/hypothesis/",),
}
"""By what stands in the path of a file; the first that fits. What is in none, such as the library, is its caller's."""


def part_of(frame: FrameType | None) -> str:
    while frame is not None:
        path = frame.f_code.co_filename
        for part, names in PARTS.items():
            if any(name in path for name in names):
                return part
        frame = frame.f_back
    return "the rest"


@contextmanager
def sampled(every: float = 0.001) -> Iterator[Counter[str]]:
    """Look now and then whose code runs: that disturbs less than a profiler, which counts every call."""
    found = Counter[str]()

    def look(number: int, frame: FrameType | None) -> None:
        found[part_of(frame)] += 1

    before = signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, every, every)
    try:
        yield found
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def where_it_goes(examples: int) -> Iterator[str]:
    Bank.begin_run()
    with long_run(), sampled() as found:
        run(Bank, 99, examples)
    for part, count in found.most_common():
        yield f"{part:<42}{100 * count / found.total():5.1f} %"


def main(examples: int) -> None:
    logging.disable(logging.CRITICAL)
    Bank.begin_run()
    run(Bank, 0, 10)  # what is loaded once is no example's
    rate = Rate()
    for turn in range(TURNS):
        rate.add(turn + 1, max(1, examples // TURNS))
    print(*rate.lines(), sep="\n")
    times_real_time(CONFORMANT, Music, 20.0)  # what is loaded once is no call's
    speed, messages = times_real_time(CONFORMANT, Music, 120.0)
    print(f"a plain call          {speed:8.0f} x real time, with {messages / 120:.0f} messages a second")
    print(f"an hour, folded       {HOUR / times_real_time(FOLDED, Wait, HOUR)[0]:8.3f} CPU seconds")
    print("\nwhere the time of a run goes", *where_it_goes(examples), sep="\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
