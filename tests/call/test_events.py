"""Posted events, activities and timers: who gets them, in which order, and when nobody does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import frozen
from trio.testing import MockClock

from callflow import (
    Call,
    CallEnded,
    Done,
    Dtmf,
    EndCause,
    Flow,
    FlowError,
    Hangup,
    Say,
    State,
    SubFlow,
    activity,
    on,
)
from callflow.call.journal import Kind
from callflow.call.timer import MOST_TIMERS, NamedTimers
from tests.call.stage import Stage, left_over, played, ringing

Notes = list[str]
C = Call[Notes]


@frozen
class Moved:
    """An event."""

    place: int


@frozen
class Ready(Moved):
    """A nearer class of it."""


class Bye(Hangup[Notes]):
    """The end."""


class Waiting(State[Notes], timeout=30.0):
    async def run(self, call: C) -> None:
        call.get(Holder).call = call

    @on(Moved)
    def moved(self, call: C, event: Moved) -> None:
        call.data.append(f"moved to {event.place} at {call.now():g}")

    @on(Ready)
    def ready(self, call: C, event: Ready) -> Bye:
        call.data.append("ready")
        return Bye()

    def on_timer(self, call: C, name: str) -> Bye | None:
        call.data.append(f"{name} at {call.now():g}")
        return Bye() if name == "last" else None

    def on_dtmf(self, call: C, key: Dtmf) -> Elsewhere | None:
        return Elsewhere() if key.digit == "2" else None

    def on_timeout(self, call: C) -> Bye:
        return Bye()


class Elsewhere(State[Notes], timeout=30.0):
    """Wants no event and no timer."""

    def on_timeout(self, call: C) -> Bye:
        return Bye()

    def on_dtmf(self, call: C, key: Dtmf) -> Waiting:
        return Waiting()


class Holder:
    """Gives a test the call."""

    call: C


def flow_of(start: type[State[Notes]], prompts: Path, **options: Any) -> tuple[Flow[Notes], Notes]:
    notes: Notes = []
    return Flow("bank", start=start, prompts=prompts, data=lambda: notes, provide=[Holder()], **options), notes


def events(stage: Stage) -> list[tuple[str, str]]:
    return [(entry.what, str(entry.details["name"])) for entry in stage.journal(Kind.EVENT)]


async def in_call(flow: Flow[Notes], act: Callable[[C], None], *, stays: float = 5.0) -> Stage:
    """Call a flow, do something to the call after a second, and hang up."""
    async with ringing(flow) as (phone, stage):
        await phone.wait(1.0)
        act(flow.services[0].call)
        with trio.move_on_after(stays):
            await phone.ended.wait()
    return stage


# Events.


async def test_an_event_goes_to_the_method_for_its_class(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Waiting, prompts)
    stage = await in_call(flow, lambda call: call.post(Moved(3)))

    assert (notes, events(stage)) == (["moved to 3 at 1"], [("event", "Moved")])


async def test_the_nearest_class_wins(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Waiting, prompts)
    await in_call(flow, lambda call: call.post(Ready(1)))

    assert notes == ["ready"]


async def test_a_base_class_takes_what_no_nearer_one_does(autojump_clock: MockClock, prompts: Path) -> None:
    class Farther(Moved):
        """Has no method of its own."""

    flow, notes = flow_of(Waiting, prompts)
    await in_call(flow, lambda call: call.post(Farther(2)))

    assert notes == ["moved to 2 at 1"]


async def test_events_keep_their_order(autojump_clock: MockClock, prompts: Path) -> None:
    def three(call: C) -> None:
        for place in (3, 2, 1):
            call.post(Moved(place))

    flow, notes = flow_of(Waiting, prompts)
    await in_call(flow, three)

    assert notes == ["moved to 3 at 1", "moved to 2 at 1", "moved to 1 at 1"]


async def test_an_event_that_no_state_wants_is_counted_and_written_down(
    autojump_clock: MockClock, prompts: Path
) -> None:
    flow, notes = flow_of(Waiting, prompts)
    stage = await in_call(flow, lambda call: call.post("hello"))

    assert (notes, events(stage), stage.record.unwanted) == ([], [("unwanted event", "str")], 1)


async def test_an_event_after_the_end_is_refused(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = flow_of(Waiting, prompts)
    await in_call(flow, lambda call: call.post(Ready(1)))

    with pytest.raises(CallEnded):
        flow.services[0].call.post(Moved(1))


async def test_more_events_than_there_is_room_for_are_refused_and_keys_have_theirs(
    autojump_clock: MockClock, prompts: Path
) -> None:
    flow, notes = flow_of(Waiting, prompts)
    async with ringing(flow) as (phone, stage):
        await phone.wait(1.0)
        call = flow.services[0].call
        for place in range(128):
            call.post(Moved(place))
        with pytest.raises(FlowError, match="128 events wait already"):
            call.post(Moved(128))
        await phone.press("2", hold=0.0)
        await phone.wait(0.5)
        state = stage.call.state

    assert (len(notes), state) == (128, "Elsewhere")


async def test_a_superstate_takes_what_its_states_have_in_common(autojump_clock: MockClock, prompts: Path) -> None:
    class Anywhere(State[Notes]):
        @on(Moved)
        def moved(self, call: C, event: Moved) -> None:
            call.data.append(f"anywhere: {event.place}")

    class Hello(Anywhere, Say[Notes], prompt="menu.wav"):
        async def run(self, call: C) -> None:
            call.get(Holder).call = call

        def then(self, call: C) -> Bye:
            return Bye()

    flow, notes = flow_of(Hello, prompts)
    await in_call(flow, lambda call: call.post(Moved(1)))

    assert notes == ["anywhere: 1"]


async def test_the_innermost_state_that_wants_an_event_gets_it(autojump_clock: MockClock, prompts: Path) -> None:
    class Inside(Elsewhere):
        @on(Ready)
        def ready(self, call: C, event: Ready) -> Done[int]:
            return Done(event.place)

        def on_timeout(self, call: C) -> Done[int]:  # type: ignore[override]  # an end in the place of the base's
            return Done(0)

        def on_dtmf(self, call: C, key: Dtmf) -> Done[int]:  # type: ignore[override]  # an end in the place of the base's
            return Done(0)

    class Around(SubFlow[Notes, int], start=Inside):
        @activity
        async def watch(self, call: C) -> None:
            call.post(Moved(7))
            await trio.sleep(1.0)
            call.post(Ready(8))

        @on(Moved)
        def moved(self, call: C, event: Moved) -> None:
            call.data.append(f"around: {event.place}")

        def on_done(self, call: C, result: int) -> Bye:
            call.data.append(f"inside: {result}")
            return Bye()

    flow, notes = flow_of(Around, prompts, scope=locals())
    await played(flow)

    assert notes == ["around: 7", "inside: 8"]


# Activities.


class Watched(Waiting):
    """Has company."""

    @activity
    async def watch(self, call: C) -> None:
        try:
            for place in (3, 2):
                await trio.sleep(1.5)
                call.post(Moved(place))
            await trio.sleep_forever()
        finally:
            call.data.append(f"watched until {call.now():g}")


async def test_an_activity_runs_beside_the_state_and_ends_with_it(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Watched, prompts)
    await played(flow, (4.0, "2"), stays=6.0)

    assert notes == ["moved to 3 at 1.5", "moved to 2 at 3", "watched until 4"]


async def test_an_activity_ends_with_the_call(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Watched, prompts)
    _, stage = await played(flow, stays=2.0)

    assert (notes, left_over(stage)) == (["moved to 3 at 1.5", "watched until 2"], {})


@pytest.mark.parametrize("spawned", [False, True])
async def test_an_activity_that_speaks_is_refused(
    autojump_clock: MockClock, prompts: Path, caplog: pytest.LogCaptureFixture, spawned: bool
) -> None:
    class Speaking(Waiting):
        @activity
        async def speak(self, call: C) -> None:
            if not spawned:
                await call.play("menu.wav")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(call.play, "menu.wav")

    flow, _ = flow_of(Speaking, prompts)
    _, stage = await played(flow)
    [record] = [record for record in caplog.records if record.getMessage() == "flow failed"]
    assert record.exc_info is not None

    assert (stage.record.cause, vars(record)["where"], str(record.exc_info[1])) == (
        EndCause.APP_ERROR,
        "Speaking.speak",
        "call.play in the activity Speaking.speak: an activity only posts; call.post(event) to an @on handler, and let "
        "the state that this leads to speak",
    )


# Timers.


def timed(call: C) -> None:
    call.every("place", 1.0)
    call.after("last", 3.5)


async def test_timers_beat_until_the_call_ends(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Waiting, prompts)
    await in_call(flow, timed)

    assert notes == ["place at 2", "place at 3", "place at 4", "last at 4.5"]


async def test_timers_outlive_the_state_that_set_them(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Waiting, prompts)
    async with ringing(flow) as (phone, stage):
        await phone.wait(1.0)
        flow.services[0].call.every("place", 1.0)
        await phone.press("2", hold=0.0)
        await phone.wait(1.5)
        await phone.press("2", hold=0.0)
        await phone.wait(1.0)

    assert (notes, events(stage), stage.record.unwanted) == (
        ["place at 3"],
        [("unwanted timer", "place"), ("timer", "place")],
        1,
    )


async def test_a_timer_that_is_cancelled_beats_no_more(autojump_clock: MockClock, prompts: Path) -> None:
    def act(call: C) -> None:
        timed(call)
        call.cancel_timer("place")
        call.cancel_timer("nobody's")

    flow, notes = flow_of(Waiting, prompts)
    await in_call(flow, act)

    assert notes == ["last at 4.5"]


async def test_a_timer_that_is_set_again_begins_anew(autojump_clock: MockClock, prompts: Path) -> None:
    def act(call: C) -> None:
        call.after("last", 0.5)
        call.after("last", 2.0)

    flow, notes = flow_of(Waiting, prompts)
    await in_call(flow, act)

    assert notes == ["last at 3"]


async def test_what_waits_in_the_mailbox_comes_before_a_timer(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Waiting, prompts)
    async with ringing(flow) as (phone, _):
        await phone.wait(1.0)
        flow.services[0].call.after("last", 1.0)
        await phone.wait(1.0)
        flow.services[0].call.post(Moved(5))
        await phone.ended.wait()

    assert notes == ["moved to 5 at 2", "last at 2"]


async def test_the_time_out_of_a_state_comes_before_a_timer_of_the_same_instant(
    autojump_clock: MockClock, prompts: Path
) -> None:
    class Short(Waiting, timeout=2.0):
        async def run(self, call: C) -> None:
            call.after("same", 2.0)

        def on_timeout(self, call: C) -> Elsewhere:  # type: ignore[override]  # goes on in the place of the base's end
            call.data.append("timed out")
            return Elsewhere()

    flow, notes = flow_of(Short, prompts)
    _, stage = await played(flow, stays=5.0)

    assert (notes, events(stage)) == (["timed out"], [("unwanted timer", "same")])


async def test_timers_need_no_task_and_end_with_the_call(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = flow_of(Waiting, prompts)
    async with ringing(flow) as (phone, stage):
        await phone.wait(1.0)
        before = trio.lowlevel.current_statistics().tasks_living
        for number in range(MOST_TIMERS):
            flow.services[0].call.every(f"timer {number}", 60.0)
        after = trio.lowlevel.current_statistics().tasks_living
        await phone.hang_up()

    assert (after - before, stage.call.driver.deadlines.names) == (0, frozenset())


@pytest.mark.parametrize("seconds", [0, -1.0, float("inf"), float("nan")])
async def test_no_time_at_all_is_refused(autojump_clock: MockClock, prompts: Path, seconds: float) -> None:
    flow, _ = flow_of(Waiting, prompts)
    async with ringing(flow) as (phone, _):
        await phone.wait(1.0)
        with pytest.raises(
            ValueError, match=r"call\.every\('place', .*\): write a number of seconds greater than zero"
        ):
            flow.services[0].call.every("place", seconds)


async def test_a_timer_that_beats_too_fast_for_other_calls_is_refused(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = flow_of(Waiting, prompts)
    async with ringing(flow) as (phone, _):
        await phone.wait(1.0)
        with pytest.raises(ValueError, match=r"call\.every\('place', 0\.001\): write 0\.1 seconds or more"):
            flow.services[0].call.every("place", 0.001)


async def test_more_timers_than_there_is_room_for_are_refused(autojump_clock: MockClock, prompts: Path) -> None:
    refused: list[str] = []

    def act(call: C) -> None:
        for number in range(MOST_TIMERS):
            call.every(f"timer {number}", 60.0)
        call.every("timer 0", 60.0)
        try:
            call.after("one more", 60.0)
        except FlowError as error:
            refused.append(str(error))

    flow, _ = flow_of(Waiting, prompts)
    await in_call(flow, act)

    assert refused == ["call.after('one more', …): 64 timers run already; cancel some, or use one for all"]


def test_beats_that_were_missed_come_as_one_and_the_next_keeps_the_time() -> None:
    timers = NamedTimers()
    timers.set("place", 20.0, 20.0)
    timers.beat("place", 75.0)

    assert list(timers) == [("place", 80.0)]


class Endless(State[Notes], timeout=60.0):
    """Posts what it handles, until somebody else has had a turn."""

    async def run(self, call: C) -> None:
        call.post("again")

    @on(str)
    def again(self, call: C, event: str) -> Bye | None:
        call.data.append(event)
        call.post(event)
        return Bye() if "another" in call.data or len(call.data) > 1_000 else None

    def on_timeout(self, call: C) -> Bye:
        return Bye()


async def test_a_handler_that_posts_what_it_handles_leaves_others_their_turn(
    autojump_clock: MockClock, prompts: Path
) -> None:
    flow, notes = flow_of(Endless, prompts)
    async with ringing(flow) as (phone, _):
        while not notes:
            await trio.lowlevel.checkpoint()
        notes.append("another")
        await phone.ended.wait()

    assert len(notes) < 500
