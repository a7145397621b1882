"""``CallMachine``: a flow's callers, as a rule-based state machine of Hypothesis that drives the real server.

Its rules are ordinary functions: each makes one step of a call script out of what was drawn, and has the rehearsal take
it. So what was done is a script, and a failing example one that can be replayed. Whoever draws chooses by number from
what the current state offers, what means most first: shrinking leads there.

The laws are judged when an example is over; properties of one's own after every step.
"""

from __future__ import annotations

import unittest
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from callflow.flow.flow import Flow
from callflow.line.oddities import BEGINNINGS, STEPS
from callflow.line.profile import EchoesClearedMarks
from callflow.line.steps import (
    Deafen,
    Drop,
    Freeze,
    HalfClose,
    HangUp,
    Header,
    Network,
    Play,
    Press,
    Reconnect,
    RingAgain,
    SendOdd,
    Service,
    ServiceWay,
    Step,
    TakeOver,
    Wait,
)
from callflow.testing.doubles import Doubles
from callflow.testing.example import Example
from callflow.testing.hunting import make_test_case
from callflow.testing.lawbook import NEIGHBOURS, laws_for
from callflow.testing.neighbour import neighbour_for
from callflow.testing.reading import FRAME, StateReading, read_flow
from callflow.testing.rehearsal import Cast
from callflow.testing.sounds import sayings
from callflow.wire.messages import KEYS

LAGS = (0.0, 0.05, 0.4)
ECHOES: tuple[EchoesClearedMarks, ...] = ("at once", "late", "never")
NETWORKS = (Network.SMOOTH, Network.SPLIT, Network.SMOOTH, Network.PARTIAL, Network.SMOOTH, Network.ROUGH)
"""Half of the examples have a good line: a rough one costs several times as much, and changes little."""

BEGINS = (*[None] * 12, *BEGINNINGS.values())
"""How streams begin; most as they should."""

NEAR = (0, -1, 1, -5, -6, -4)
"""Frames beside a moment at which something is due; a key is let go five frames after it is pressed."""

TROUBLES: tuple[Step, ...] = (
    Drop(), Deafen(), TakeOver(), HalfClose(), Freeze(seconds=0.5), Freeze(seconds=2.0), Freeze(seconds=6.0)
)  # fmt: skip
"""What befalls a line. One that stands still for longer than the stall time may be taken over meanwhile."""

LONGEST = 50
"""Frames that are waited for no reason, at most. Who waits for something waits until it is due."""

picks = st.integers(0, 1023)
"""A choice by number."""

T = TypeVar("T")


def _chosen(options: tuple[T, ...], pick: int) -> T:
    return options[pick % len(options)]


class _TestCase:
    """Makes the test of each machine once."""

    def __get__(self, machine: object, owner: type[CallMachine]) -> type[unittest.TestCase]:
        made = vars(owner).get("_test_case")
        if made is None:
            made = owner._test_case = make_test_case(owner)
        found: type[unittest.TestCase] = made
        return found


class CallMachine(Example):
    """Hunts for the call that breaks a flow. Subclass it, and let pytest find its ``TestCase``.

    Class keywords:
        flow: What is called.
        services: Doubles of the services behind it, by name: a class or function that makes one, or a ``Double``.
        answers: Entries that mean something to the flow, by name; scripts tell the name and never the digits.
        laws: By name, False for a law that is not to be checked.
        require_edges: The share of the flow's edges that a run has to take, from 0 to 1.
        callers: Numbers that ring; the first one most.
    """

    TestCase = _TestCase()  # type: ignore[assignment]  # Hypothesis says which test it makes itself
    """The test of the machine: ``TestPinLine = PinLine.TestCase``. Its ``settings`` are Hypothesis's."""
    _test_case: ClassVar[type[unittest.TestCase] | None] = None

    def __init_subclass__(
        cls,
        *,
        flow: Flow[Any] | None = None,
        services: Doubles | None = None,
        answers: Mapping[str, str] | None = None,
        laws: Mapping[str, bool] | None = None,
        require_edges: float | None = None,
        callers: tuple[str, ...] | None = None,
        **others: Any,
    ) -> None:
        super().__init_subclass__(**others)
        if flow is not None:
            flow.library  # noqa: B018  # loaded once, and not for each example
            cls.cast = Cast(
                flow=flow, services=services or {}, answers=answers or {}, sounds=sayings(Header().profile.sample_rate)
            )
            cls.reading = read_flow(flow, answers)
            cls.bound = laws_for(flow, laws)
            cls.begin_run()
        if require_edges is not None:
            cls.require_edges = require_edges
        if callers is not None:
            cls.callers = callers

    # The beginning and the end.

    @initialize(order=st.integers(0, 2**16 - 1), line=picks, caller=st.integers(0, 7), trouble=st.integers(0, 31))
    def begin(self, order: int, line: int, caller: int, trouble: int) -> None:
        """Open the stage, and ring. Few draws: each has to be shrunk."""
        order = self.so_far.order_of((order, line, caller, trouble))
        number, lag = divmod(line, len(LAGS))
        number, echoes = divmod(number, len(ECHOES))
        number, network = divmod(number, len(NETWORKS))
        header = Header(
            caller=_chosen(self.callers, max(0, caller - 4)),
            seed=order,
            order=order,
            lag=LAGS[lag],
            echoes=ECHOES[echoes],
            network=NETWORKS[network],
            begins=_chosen(BEGINS, number),
            beside=neighbour_for(self.reading, order) if NEIGHBOURS in self.bound.laws else (),
        )
        self.start(header, before=self._troubled(trouble))

    def _troubled(self, pick: int) -> tuple[Service, ...]:
        """Have a service fail or hang from the beginning, once in four examples: a call's first state may need it."""
        names = tuple(self.cast.services)
        if not names or pick < 24:
            return ()
        way = ServiceWay.HANGS if pick % 2 else ServiceWay.FAILS
        return (Service(name=_chosen(names, pick // 2), way=way),)

    # Rules: what callers do. Each takes one number and is there at any time, so that what is drawn hangs on nothing
    # that the call does: Hypothesis makes most examples by altering others, and would give up those that do not fit.

    @rule(pick=picks)
    def answer(self, pick: int) -> None:
        """Do what the state asks for: an entry, a key that leads somewhere, or patience."""
        self._while_live(self._fitting, pick)

    @rule(pick=picks)
    def press(self, pick: int) -> None:
        """Press a key or two, those that mean something more often."""
        self._while_live(lambda pick: Press(digits=_chosen(self.here.presses, pick)), pick)

    @rule(pick=picks)
    def type(self, pick: int) -> None:
        """Type whatever comes to mind."""
        self._while_live(_typing, pick)

    @rule(pick=picks)
    def speak(self, pick: int) -> None:
        """Say a word or a sentence, where somebody listens; else do what the state asks for."""
        heard = self.cast.flow.listens or self.cast.flow.raw
        self._while_live(self._words if heard else self._fitting, pick)

    @rule(pick=picks)
    def wait(self, pick: int) -> None:
        """Do nothing for a number of frames, or for a time-out of the state, give or take a frame."""
        exact, number = pick % 2, pick // 2
        self.take(Wait(seconds=_chosen(self.here.waits, number) if exact else _frames(number % LONGEST + 1)))

    @rule(pick=picks)
    def be_silent(self, pick: int) -> None:
        """Do nothing until something is due, give or take a frame."""
        self._while_live(self._patience, pick)

    @rule(pick=picks)
    def hang_up(self, pick: int) -> None:
        """Hang up now and then: whoever always does soon never gets far."""
        self._while_live(lambda pick: self._fitting(pick // 4) if pick % 4 else HangUp(), pick)

    @rule(pick=picks)
    def lose_line(self, pick: int) -> None:
        """Lose the line by a reset, by half or without a sign, have it stand still, or come on another beside it."""
        self._while_live(lambda pick: _chosen(TROUBLES, pick), pick)

    @rule(pick=picks)
    def send_odd(self, pick: int) -> None:
        """Do what Exotel should not do."""
        self._while_live(lambda pick: SendOdd(oddity=_chosen(tuple(STEPS.values()), pick)), pick)

    @rule(pick=picks)
    def serve(self, pick: int) -> None:
        """Have a service answer, fail or hang from now on; without services, do nothing for a while."""
        number, way = divmod(pick, len(ServiceWay))
        names = tuple(self.cast.services)
        self.take(
            Service(name=_chosen(names, number), way=_chosen(tuple(ServiceWay), way))
            if names
            else Wait(seconds=_frames(number % LONGEST + 1))
        )

    def _while_live(self, step: Callable[[int], Step], pick: int) -> None:
        """Take a step that needs a line; without one, wait a little, come back or call again."""
        if self.is_live:
            self.take(step(pick))
        elif pick % 2:
            self.take(Wait(seconds=_frames(pick % LONGEST + 1)))
        elif self.is_over:
            self.take(RingAgain())
        else:
            self.take(Reconnect() if self.is_lost else TakeOver())

    def _fitting(self, pick: int) -> Step:
        state = self.here
        if state.entries:
            return _chosen(state.entries, pick)
        if state.listens and pick % 2 == 0:
            return self._words(pick // 2)
        return Press(digits=_chosen(tuple(state.keys), pick)) if state.keys else self._patience(pick)

    def _words(self, pick: int) -> Step:
        return Play(file=_chosen(tuple(self.cast.sounds), pick))

    def _patience(self, pick: int) -> Step:
        frames = round(self.played.seconds_to_next / FRAME) + _chosen(NEAR, pick)
        return Wait(seconds=_frames(max(1, frames)))

    # What the rules read. Between two steps nothing moves, so it is the same whenever it is asked.

    @property
    def is_over(self) -> bool:
        return self.played.is_over

    @property
    def is_lost(self) -> bool:
        return self.played.is_lost

    @property
    def is_deaf(self) -> bool:
        return self.played.is_deaf

    @property
    def is_live(self) -> bool:
        return not (self.is_over or self.is_lost or self.is_deaf)

    @property
    def here(self) -> StateReading:
        """What the current state tells."""
        return self.reading.of(self.played.state)


_GAPS = (None, FRAME, 0.5)


def _typing(pick: int) -> Step:
    """Make some keys of a number."""
    number, gap = divmod(pick, len(_GAPS))
    draw = Random(number)
    return Press(digits="".join(draw.choices(KEYS, k=1 + number % 6)), gap=_GAPS[gap])


def _frames(count: int) -> float:
    return round(count * FRAME, 2)
