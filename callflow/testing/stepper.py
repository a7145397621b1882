"""A Trio run that moves only when it is told to, so that ordinary functions can drive it.

Hypothesis calls the rules of a state machine one after another and thinks between them. The run is a guest of a loop
that is nothing but a queue: while nobody takes from the queue the world stands still, virtual time included. One
thread, no copy of Hypothesis's runner, and the code under test is what production runs.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from types import FrameType
from typing import Any, TypeVar

import outcome
import trio
from attrs import field, frozen

from callflow.errors import CallflowError
from callflow.testing.clock import VirtualClock

T = TypeVar("T")

_doze = time.sleep
"""The real one: who drives a flow refuses that to the flow."""

PATIENCE = 3_600.0
"""Virtual seconds that a job may take. What waits longer waits for something that never comes."""

MOST_TICKS = 2_000_000
"""Steps of the loop that one job may take: a loop that never lets time pass would go round for ever."""


class NeverSettles(CallflowError):
    """A job of the run goes round in circles, waits for what never comes, or works in a thread."""


class WorksInThread(NeverSettles):
    """Some task works in a thread, where no virtual time passes."""


Stage = Callable[[trio.Nursery], Awaitable[None]]
"""Sets up what is tested; its tasks go into the nursery that it is given, which is cancelled at the end."""


class Stepper:
    """One run, parked between jobs.

    Args:
        stage: Awaited first.
        most_ticks: As ``MOST_TICKS``.
        too_long: Asked at each of them; whether this has taken too long.

    Raises:
        NeverSettles: The stage does not come to an end.
        BaseException: Whatever the stage raises. The run is over then.
    """

    def __init__(
        self, stage: Stage, *, most_ticks: int = MOST_TICKS, too_long: Callable[[], bool] = lambda: False
    ) -> None:
        self._todo: deque[Callable[[], object]] = deque()
        self._clock = VirtualClock()
        self._inside: _Inside | None = None
        self._end: outcome.Outcome[None] | None = None
        self._gate: trio.Event | None = None
        self._job: Callable[[], Awaitable[Any]] | None = None
        self._result: outcome.Outcome[Any] | None = None
        self._most_ticks = most_ticks
        self._too_long = too_long
        self._patience_ends = math.inf
        trio.lowlevel.start_guest_run(
            self._main,
            stage,
            clock=self._clock,
            run_sync_soon_threadsafe=self._todo.append,
            run_sync_soon_not_threadsafe=self._todo.append,
            done_callback=self._over,
            host_uses_signal_set_wakeup_fd=True,
            restrict_keyboard_interrupt_to_checkpoints=True,
        )
        self._turn(lambda: self._gate is not None)

    @property
    def over(self) -> bool:
        """Whether the run has ended: closed, or broken by an error."""
        return self._end is not None

    def do(self, job: Callable[[], Awaitable[T]]) -> T:
        """Run one job to its end; then the world stands still again.

        Raises:
            NeverSettles: It does not come to an end in ``PATIENCE``, runs in circles, or some task works in a thread.
                The run is over then.
            BaseException: Whatever the job raises; or a task of the stage, which ends the run.
        """
        assert self._gate is not None, "one job at a time, and none after the end"
        gate, self._gate, self._job, self._result = self._gate, None, job, None
        gate.set()
        self._turn(lambda: self._gate is not None)
        assert self._result is not None
        result: T = self._result.unwrap()
        return result

    def close(self) -> None:
        """Cancel what still runs and end the run; without effect when it is over.

        Raises:
            BaseException: Whatever a task of the stage raised while it was cancelled.
        """
        if self._end is None:
            self._cancel()
            assert self._end is not None
            self._end.unwrap()

    # Inside the run.

    async def _main(self, stage: Stage) -> None:
        async with trio.open_nursery() as nursery:
            self._inside = _Inside(nursery)
            await stage(nursery)
            while True:
                self._gate = gate = trio.Event()
                self._clock.stands = True
                await gate.wait()
                self._clock.stands = False
                if self._job is None:
                    break
                self._result = await outcome.acapture(self._patiently, self._job)
            nursery.cancel_scope.cancel()

    async def _patiently(self, job: Callable[[], Awaitable[T]]) -> T:
        # The deadline gives virtual time somewhere to jump to; whoever turns the loop sees that it has come.
        self._patience_ends = trio.current_time() + PATIENCE
        with trio.CancelScope(deadline=self._patience_ends):
            return await job()
        raise NeverSettles("the job swallowed its cancellation")

    def _over(self, end: outcome.Outcome[None]) -> None:
        self._end = end

    # The loop.

    def _turn(self, ready: Callable[[], bool]) -> None:
        """Turn the loop until *ready*; whatever prevents that ends the run."""
        ticks = 0
        while not ready():
            if (trouble := self._trouble(ticks)) is not None:
                self._cancel()
                raise trouble
            self._todo.popleft()()
            ticks += 1

    def _trouble(self, ticks: int) -> NeverSettles | None:
        """Say why the world will never be ready, if that is so.

        Raises:
            BaseException: The run has ended by it.
        """
        if self._end is not None:
            self._end.unwrap()
            return NeverSettles("the run was cancelled from inside")
        if self._inside is not None and self._inside.threads.borrowed_tokens:
            return WorksInThread(self._inside.in_threads())
        if self._clock.now >= self._patience_ends:
            return NeverSettles(f"nothing can ever happen again: {self._who_waits()}")
        if ticks >= self._most_ticks or self._too_long():
            return NeverSettles(f"time does not pass: {self._who_waits()}")
        return None

    def _cancel(self) -> None:
        gate, self._gate, self._job = self._gate, None, None
        if gate is not None:
            gate.set()  # parked: it runs before virtual time can jump
        elif self._inside is not None:
            self._inside.token.run_sync_soon(self._inside.nursery.cancel_scope.cancel)
        for _ in range(self._most_ticks):
            if self._end is not None:
                return
            if self._todo:
                self._todo.popleft()()
            else:
                _doze(0.001)  # a thread's work cannot be cancelled; it puts its end into the queue

    def _who_waits(self) -> str:
        return "nobody" if self._inside is None else self._inside.who_waits()


@frozen
class _Inside:
    """What is known of the run once it has begun."""

    nursery: trio.Nursery
    root: trio.lowlevel.Task = field(factory=trio.lowlevel.current_task)
    token: trio.lowlevel.TrioToken = field(factory=trio.lowlevel.current_trio_token)
    threads: trio.CapacityLimiter = field(factory=trio.to_thread.current_default_thread_limiter)

    def in_threads(self) -> str:
        work = [frame.f_locals["sync_fn"] for task in self._tasks() for frame in _frames(task) if _is_thread(frame)]
        names = ", ".join(getattr(one, "__qualname__", repr(one)) for one in work) or "a function"
        return f"{names} runs in a thread, where no virtual time passes; give the test a double of it"

    def who_waits(self) -> str:
        places = [(task.name, _own(task)) for task in self._tasks()]
        return ", ".join(f"{name} in {frames[-1].f_code.co_qualname}" for name, frames in places if frames)

    def _tasks(self) -> Iterator[trio.lowlevel.Task]:
        waiting = [self.root]
        while waiting:
            task = waiting.pop()
            yield task
            waiting += [child for nursery in task.child_nurseries for child in nursery.child_tasks]


def _is_thread(frame: FrameType) -> bool:
    return frame.f_code.co_name == "to_thread_run_sync" and "sync_fn" in frame.f_locals


def _frames(task: trio.lowlevel.Task) -> list[FrameType]:
    return [frame for frame, _ in task.iter_await_frames()]


def _own(task: trio.lowlevel.Task) -> list[FrameType]:
    """Leave out Trio's own frames: where in the code under test a task waits."""
    return [frame for frame in _frames(task) if not str(frame.f_globals.get("__name__", "")).startswith("trio.")]
