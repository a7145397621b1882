"""Each law notices an engine in which one line is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
import trio
from attrs import evolve, frozen

import callflow.call.engine
import callflow.call.steps as call_steps
import callflow.call.tasks as call_tasks
from callflow import Flow
from callflow.call.call import CallTask
from callflow.call.delivery import Delivery
from callflow.call.driver import Driver
from callflow.call.journal import Kind
from callflow.call.level import Came, Left, Level, Next, Tell
from callflow.call.live import LiveCall
from callflow.call.moves import Moves
from callflow.call.playback import LivePlayback
from callflow.call.standstill import Standstill
from callflow.flow.conduct import WAIT, Deliver, Step
from callflow.flow.graph import Graph
from callflow.flow.keys import TypeAhead
from callflow.flow.menu import Menu
from callflow.flow.subflow import SubFlow
from callflow.line.memory import Conditions
from callflow.line.profile import Profile
from callflow.session.inputs import EndCause
from tests.properties.scenes import Scene, judge

Steps = tuple[tuple[float, str], ...]

END = (0.5, "hang up")
LONG = (9.0, "rest")
QUIET = Profile(keeps_sending_silence=False)


@frozen
class Fault:
    """What is wrong with the engine, and a call in which it shows."""

    law: str
    words: str
    owner: Any
    name: str
    wrong: Callable[..., Any]
    """Takes the place of the method; gets the original first."""
    steps: Steps
    flow: str = "talks"
    also: frozenset[str] = frozenset()
    """Rules and laws that cannot but break with it."""

    def scene(self) -> Scene:
        return Scene(
            flow=self.flow,
            steps=self.steps,
            conditions=Conditions(),
            profile=QUIET,
        )


def looks_aside(original: Any, moves: Any, level: Level, handler: str, result: object) -> Any:
    """Take a key while a handler decides."""
    moves._driver.note(Kind.KEY, "taken", key="1", state=level.name)
    return original(moves, level, handler, result)


def stays_in_itself(original: Any, doing: Any, level: Level, step: Any) -> Left | None:
    left: Left | None = original(doing, level, step)
    return None if left is not None and type(left.to) is type(level.state) else left


def takes_any_result(original: Any, delivery: Any, event: Any) -> Next:
    return WAIT if event.result is None else Came(delivery._levels[-1], event.result)


async def deadlines_first(original: Any, delivery: Any) -> Next:
    """Take a deadline that is near before the key that is there."""
    driver = delivery._driver
    while not driver.is_over:
        level, now = delivery._levels[-1], trio.current_time()
        if level.conduct.deadline is not None and level.conduct.deadline <= now + 0.2:
            driver.note(Kind.TIMER, "due", state=level.name)
            step: Next = level.conduct.due(level.conduct.deadline)
            return step
        if len(driver.mailbox):
            break
        delivery._wake_at(level.conduct.deadline)
        await driver.mailbox.wait()
    return await original(delivery)  # type: ignore[no-any-return]  # a Next


def waits_too_long(original: Any, *args: Any) -> Level:
    level: Level = original(*args)
    level.deadline = None if level.deadline is None else level.deadline + 1.0
    return level


def plays_on(original: Any, playback: Any) -> None:
    """Leave a state and not its sound."""


def newest_first(original: Any, ahead: Any) -> str | None:
    return ahead._keys.pop() if ahead._keys else None


def tells_twice(original: Any, *args: Any) -> None:
    original(*args)
    original(*args)


def hides_the_error(original: Any, driver: Any, cause: EndCause, code: int = 1000) -> None:
    original(driver, EndCause.FLOW if cause is EndCause.APP_ERROR else cause, code)


def allows_everything(original: Any, *_: object) -> bool:
    return True


def chooses_the_first(original: Any, menu: Any, digit: str) -> Step:
    return Deliver(next(iter(menu.choices().values())))


def writes_no_record(original: Any, task: Any) -> None:
    """End without the last entry."""


async def sits_on_nothing(original: Any, standstill: Any) -> Next:
    """Go on without a line."""
    return WAIT


def says_all_again(original: Any, standstill: Standstill) -> Step:
    """Begin a state anew that said in its class line that it wants to stay."""
    inner = standstill._levels[-1]
    standstill._driver.note(Kind.STATE, "resumed", state=inner.name)
    own, inner.own_prompt = inner.own_prompt, None
    assert own is not None
    standstill._playbacks.give_up(own)
    return inner.conduct.resumed(trio.current_time())


def takes_all_for_done(original: Any, moves: Any, tell: Tell) -> Left:
    of_subflow = isinstance(tell.level.state, SubFlow) and tell.handler == "on_failed"
    left: Left = original(moves, evolve(tell, handler="on_done") if of_subflow else tell)
    return left


def lets_it_speak(original: Any, call: Any, what: str) -> None:
    """Refuse no activity."""


async def lets_it_go(original: Any, *args: Any) -> None:
    """Have an activity run for itself, outside of its state's nursery."""
    trio.lowlevel.spawn_system_task(original, *args)
    await trio.lowlevel.checkpoint()


FAULTS = [
    Fault(
        "L1",
        "looks aside while a handler decides",
        Moves,
        "moved",
        looks_aside,
        ((4.0, "2"), (3.0, "12"), LONG, END),
        also=frozenset({"L7", "L8"}),
    ),
    Fault(
        "L2",
        "does not enter the state it is in",
        call_steps.Steps,
        "carry_out",
        stays_in_itself,
        ((4.0, "9"), LONG, END),
    ),
    Fault("L3", "takes any result", Delivery, "_run_ended", takes_any_result, ((4.0, "4"), (0.3, "1"), LONG, END)),
    Fault(
        "L4",
        "takes a deadline before a key",
        Delivery,
        "next",
        deadlines_first,
        ((5.2, "9"), END),
        also=frozenset({"L5"}),
    ),
    Fault("L5", "waits too long", callflow.call.engine, "enter", waits_too_long, ((4.0, "2"), LONG, END)),
    Fault("L6", "goes on", Standstill, "sit_out", sits_on_nothing, ((4.0, "2"), (1.0, "lost for 8"), END)),
    Fault("L7", "leaves a state and not its sound", LivePlayback, "stop", plays_on, ((4.0, "2"), LONG, END)),
    Fault("L8", "gives the newest key first", TypeAhead, "take", newest_first, ((4.0, "2"), (3.0, "12"), LONG, END)),
    Fault("L9", "tells the state twice", callflow.call.engine, "tell_hangup", tells_twice, ((4.0, "4"), END)),
    Fault(
        "L10", "hides an error", Driver, "hang_up", hides_the_error, ((4.0, "5"), LONG, END), also=frozenset({"R36"})
    ),
    Fault("L11", "allows every move", Graph, "allows", allows_everything, ((4.0, "7"), END)),
    Fault("L12", "asks another handler", Menu, "_chosen", chooses_the_first, ((4.0, "9"), END)),
    Fault(
        "L13",
        "says all again",
        Standstill,
        "_say_again",
        says_all_again,
        ((4.0, "8"), (1.0, "lost for 0.2"), LONG, END),
        "errands",
    ),
    Fault("L14", "takes all for done", Moves, "move", takes_all_for_done, ((3.0, "1"), LONG, END), "errands"),
    Fault("L15", "lets an activity speak", LiveCall, "_check_no_activity", lets_it_speak, ((4.0, "4"), END), "errands"),
    Fault("L15", "lets an activity go", call_tasks, "_be_active", lets_it_go, ((4.0, "3"), (0.1, "2"), END), "errands"),
    Fault("L16", "writes no record", CallTask, "_write_record", writes_no_record, (END,)),
]


def found(fault: Fault, flow: Flow[Any], *, planted: bool) -> set[str]:
    """Play the scene and give the rules and laws that it breaks."""
    original = getattr(fault.owner, fault.name)

    def replaced(*args: Any, **kwargs: Any) -> Any:
        return (fault.wrong if planted else lambda original, *a, **k: original(*a, **k))(original, *args, **kwargs)

    with patch.object(fault.owner, fault.name, replaced):
        return {breach.rule for breach in judge(fault.scene(), flow).breaches}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.law}: {fault.words}")
def test_a_law_notices_alone_an_engine_that(fault: Fault, flows: dict[str, Flow[None]]) -> None:
    assert found(fault, flows[fault.flow], planted=True) == {fault.law} | fault.also


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.law}: {fault.words}")
def test_the_same_call_keeps_every_law_without_the_fault(fault: Fault, flows: dict[str, Flow[None]]) -> None:
    assert found(fault, flows[fault.flow], planted=False) == set()


@pytest.mark.parametrize("seed", range(4))
def test_a_line_that_comes_back_only_to_end_asks_no_state(seed: int, flows: dict[str, Flow[None]]) -> None:
    steps = ((0.04, "lost for 0.2"), (0.0, "hang up"))
    scene = Scene(flow="talks", steps=steps, conditions=Conditions(), profile=QUIET, seed=seed)

    assert judge(scene, flows["talks"]).breaches == ()
