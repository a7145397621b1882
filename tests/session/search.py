"""Walks every configuration that a session can get into, and holds each step to the model's opinion.

Breadth first over everything that decides what a session does next: its state, how many marks are out before and after
the last clear (up to three), what it knows of the call, the audio kept, the malformed messages in a row. Names of marks
decide nothing by themselves, so that configurations which differ in names alone are walked once. At every step all that
the session answered and all that it became is compared; what holds for every step so holds for every call.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attrs import Factory, define, frozen

from callflow.session.inputs import (
    EndCause,
    Hangup,
    Input,
    Outcome,
    PassthruCame,
    Reattach,
    SendClear,
    SendMark,
    SendMedia,
    SocketClosed,
    SocketOpened,
    Timer,
    TimerDue,
    Undecodable,
    Verdict,
)
from callflow.session.machine import Session
from callflow.session.table import TABLE, Cell, In, S, kind_of
from callflow.wire.messages import Clear, Connected, Dtmf, Mark, Media, Start, Stop, Unknown
from tests.session.protocol_model import Model

Table = Mapping[tuple[S, In], Cell]
Place = tuple[S, In, int]
"""A row: its cell, and how many stand before it there."""

MOST_MARKS = 3
MOST_KEPT = 2
MALFORMED_LIMIT = 3

ONE, OTHER = Start(stream_sid="one", call_sid="call"), Start(stream_sid="other", call_sid="call")
SIDS = ("", ONE.stream_sid, OTHER.stream_sid)
BLOCK = bytes(320)

LINK: tuple[Input, ...] = (
    *(PassthruCame(stream_sid=sid) for sid in SIDS),
    SocketOpened(),
    SocketClosed(),
    SocketClosed(EndCause.TOO_BIG),
    Reattach(ONE),
    Reattach(OTHER),
)
MESSAGES: tuple[Input, ...] = (
    Connected(),
    ONE,
    OTHER,
    *(Dtmf(digit="5", stream_sid=sid) for sid in SIDS),
    Mark(name="never sent"),
    Clear(),
    Stop(),
    Unknown(event="silence"),
    Undecodable("no JSON"),
)
SIZES = (0, 1, 319, 320, 321, 640, 99_840, 100_160)
OURS: tuple[Input, ...] = (
    *(SendMedia(bytes(size)) for size in SIZES),
    SendClear(),
    Hangup(EndCause.FLOW),
    Hangup(EndCause.DRAIN, 1001),
    *map(TimerDue, Timer),
)
CALLERS_AUDIO = tuple(Media(payload=BLOCK, stream_sid=sid) for sid in SIDS)

UNCHANGING = (Verdict.REFUSED, Verdict.IGNORED, Verdict.ODD)
"""Verdicts that leave everything as it is, timers included."""

CRASHES = (StopIteration, AssertionError, ValueError, IndexError, KeyError)
"""What a wrong table makes the machine raise."""


@frozen
class Setup:
    """What a session is made with."""

    resumes: bool
    raw: bool

    def twin(self, table: Table) -> Twin:
        session = Session(resumes=self.resumes, raw=self.raw, malformed_limit=MALFORMED_LIMIT, table=table)
        return Twin(session, Model(self.resumes, self.raw, MALFORMED_LIMIT))


SETUPS = tuple(Setup(resumes, raw) for resumes in (False, True) for raw in (False, True))


@define
class Twin:
    """A session with the model beside it, and the timers that its driver would keep."""

    session: Session
    model: Model
    running: frozenset[Timer] = frozenset()
    outcome: Outcome | None = None
    """What the session answered last."""

    def fork(self) -> Twin:
        return Twin(fork(self.session), self.model.fork(), self.running)

    def feed(self, event: Input) -> str:
        """Feed both; say in words what they disagree about, if anything."""
        fast = self._heard(event) if isinstance(event, Media) else ""
        due = {event.timer} if isinstance(event, TimerDue) else set()
        try:
            self.outcome = outcome = self.session.feed(event)
        except CRASHES as crash:
            return f"{event}: {crash!r}"
        answer = self.model.feed(event)
        started = frozenset(timer for timer, starts in outcome.arm.items() if starts)
        self.running = (self.running - due - outcome.arm.keys()) | started
        touched = outcome.arm.keys() if answer.verdict in UNCHANGING else ()
        got = (outcome.verdict, outcome.told, outcome.frames, outcome.close, started, [*touched])
        wanted: tuple[Any, ...] = (answer.verdict, answer.told, answer.frames, answer.close, answer.afresh, [])
        return fast or differ(event, (*got, *self._became()), (*wanted, *self._should_be()))

    def _became(self) -> tuple[Any, ...]:
        it = self.session
        known = (it.state, it.announced, it.stream_sid, it.epoch, it.malformed_in_row, it.cause, it.stale, it.fresh)
        return (*known, self.running, [*facts(it)["_early"]])

    def _should_be(self) -> tuple[Any, ...]:
        it = self.model
        known = (it.state, it.announced, it.stream_sid, it.links, it.malformed, it.cause, it.stale, it.fresh)
        return (*known, it.timers, it.early)

    def _heard(self, event: Media) -> str:
        """The fast path takes audio of our own stream on a live link, as ``feed`` would, and nothing else."""
        fast, slow = fork(self.session), fork(self.session)
        try:
            outcome = fast.heard(event)
            if outcome is not None:
                slow.feed(event)
        except CRASHES as crash:
            return f"{event}: {crash!r}"
        takes = self.model.live and event.stream_sid == self.model.stream_sid
        got = (outcome is not None and outcome.verdict, facts(fast))
        return differ(event, got, (takes and Verdict.KEPT, facts(slow)))


_GROWING = (list, deque, Counter)


def fork(session: Session) -> Session:
    """Copy a session, with its queues and counters."""
    other = Session.__new__(Session)
    for name, value in vars(session).items():
        vars(other)[name] = value.copy() if type(value) in _GROWING else value
    return other


def facts(session: Session) -> dict[str, Any]:
    """Give all that a session holds, what it kept for itself included."""
    return vars(session)


def differ(event: Input, got: tuple[Any, ...], wanted: tuple[Any, ...]) -> str:
    """Say where two opinions on an input differ."""
    pairs = [f"{a} instead of {b}" for a, b in zip(got, wanted, strict=True) if a != b]
    return f"{event}: {', '.join(pairs)}" if pairs else ""


def inputs(model: Model) -> Iterator[Input]:
    """Give every input that the guards can tell apart here."""
    yield from LINK
    yield from MESSAGES
    yield from OURS
    if len(model.early) < MOST_KEPT:
        yield from CALLERS_AUDIO
    out = [mark.name for mark in model.marks]
    for name in out:
        yield Mark(name=name)
        yield SendMark(name)
    if len(out) < MOST_MARKS:
        yield SendMark(next(name for name in "abc" if name not in out))


Configuration = tuple[object, ...]


def configuration(setup: Setup, model: Model) -> Configuration:
    """Everything that decides what can still happen."""
    kept = tuple(media.stream_sid for media in model.early)
    marks = (len(model.stale), len(model.fresh))
    return (setup, model.state, marks, model.announced, model.stream_sid, model.malformed, model.cause, kept)


@frozen
class Way:
    """How to get somewhere: a new session, and what to feed it."""

    setup: Setup
    events: tuple[Input, ...] = ()


@define
class Findings:
    """What a search has seen."""

    configurations: set[Configuration] = Factory(set)
    steps: int = 0
    ways: dict[Place, list[Way]] = Factory(dict)
    """All ways to each row that was taken, shortest first; their last input takes it."""
    breach: str = ""
    """The first disagreement with the model; the search ended there."""


Watch = Callable[[Twin, Input, Twin], None]
"""Sees a step: what was, what came, what is."""


def search(table: Table = TABLE, watch: Watch | None = None) -> Findings:
    """Walk through everything, until the session and the model disagree."""
    found = Findings()
    waiting = deque((setup.twin(table), Way(setup)) for setup in SETUPS)
    found.configurations.update(configuration(way.setup, twin.model) for twin, way in waiting)
    while waiting and not found.breach:
        twin, way = waiting.popleft()
        for event in inputs(twin.model):
            onward, further = twin.fork(), Way(way.setup, (*way.events, event))
            found.ways.setdefault(place(table, twin.session, event), []).append(further)
            found.steps += 1
            found.breach = onward.feed(event)
            if found.breach:
                break
            if watch is not None:
                watch(twin, event, onward)
            reached = configuration(way.setup, onward.model)
            if reached not in found.configurations:
                found.configurations.add(reached)
                waiting.append((onward, further))
    return found


def place(table: Table, session: Session, event: Input) -> Place:
    """Say which row an input takes; -1 where the table has none."""
    state, kind = session.state, kind_of(event)
    rows = (number for number, row in enumerate(table[state, kind]) if row.guard(session, event))
    return state, kind, next(rows, -1)


def replay(way: Way, table: Table) -> str:
    """Go a way with another table; say what the model disagrees about first, if anything."""
    twin = way.setup.twin(table)
    return next((breach for event in way.events if (breach := twin.feed(event))), "")
