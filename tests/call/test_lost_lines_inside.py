"""A lost line while a call is in a sub-flow, has timers, or has events: who hears of it, and what stands still."""

from __future__ import annotations

from pathlib import Path

import trio
from trio.testing import MockClock

from callflow import Call, CollectDigits, Done, Failed, GaveUp, Resumed, Secret, State, SubFlow, activity, on
from callflow.call.journal import Kind
from tests.call.stage import serving
from tests.call.test_lost_lines import Bye, Caller, flow_of, lost

C = Call[Caller]


class AskPin(CollectDigits[Caller], prompt="pin.wav", length=2, tries=1, first_digit=20.0):
    """Inside."""

    def on_digits(self, call: C, digits: Secret) -> Done[str]:
        return Done(digits.reveal())

    def on_failed(self, call: C, why: Failed) -> GaveUp:
        return GaveUp(why)

    def on_detached(self, call: C) -> None:
        call.data.notes.append("inner detached")

    def on_resumed(self, call: C, gap: Resumed) -> None:
        call.data.notes.append("inner resumed")


class Pin(SubFlow[Caller, str], start=AskPin, timeout=8.0):
    """Around."""

    def on_done(self, call: C, result: str) -> Bye:
        call.data.notes.append(f"done: {result}")
        return Bye()

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()

    def on_timeout(self, call: C) -> Bye:
        call.data.notes.append(f"timed out at {call.now():g}")
        return Bye()

    def on_detached(self, call: C) -> None:
        call.data.notes.append("outer detached")

    def on_resumed(self, call: C, gap: Resumed) -> Bye | None:
        call.data.notes.append(f"outer resumed after {gap.seconds:g}")
        return None


async def test_the_innermost_state_hears_first_and_asks_again(autojump_clock: MockClock, prompts: Path) -> None:
    flow, data = flow_of(Pin, prompts)
    async with serving(flow) as stage, lost(stage, 3.0) as second:
        await trio.sleep(2.0)
        await second.press("41")
        await trio.sleep(2.0)

    assert (data.notes, [e.details["prompt"] for e in stage.journal(Kind.PLAYBACK) if e.what == "queued"][:2]) == (
        ["inner detached", "outer detached", "inner resumed", "outer resumed after 3", "done: 41"],
        ["pin.wav", "pin.wav"],
    )


async def test_the_time_of_the_sub_flow_stands_still(autojump_clock: MockClock, prompts: Path) -> None:
    flow, data = flow_of(Pin, prompts)
    async with serving(flow) as stage, lost(stage, 3.0):
        await trio.sleep(12.0)

    assert data.notes[-1] == "timed out at 11"


async def test_a_sub_flow_may_go_elsewhere_when_the_line_is_back(autojump_clock: MockClock, prompts: Path) -> None:
    class Leaving(Pin):
        def on_resumed(self, call: C, gap: Resumed) -> Bye:
            return Bye()

    flow, data = flow_of(Leaving, prompts)
    async with serving(flow) as stage, lost(stage, 3.0):
        await trio.sleep(3.0)

    assert (data.notes, stage.record.last_state) == (["inner detached", "outer detached", "inner resumed"], "Bye")


class Waiting(State[Caller], timeout=60.0):
    async def run(self, call: C) -> None:
        call.every("beat", 1.5)

    @activity
    async def watch(self, call: C) -> None:
        await trio.sleep(0.5)
        for second in range(4):
            call.post(second)
            await trio.sleep(1.0)

    @on(int)
    def second(self, call: C, event: int) -> None:
        call.data.notes.append(f"{event} at {call.now():g}")

    def on_timer(self, call: C, name: str) -> None:
        call.data.notes.append(f"{name} at {call.now():g}")

    def on_timeout(self, call: C) -> Bye:
        return Bye()


async def test_events_and_beats_wait_for_the_line_and_missed_beats_come_as_one(
    autojump_clock: MockClock, prompts: Path
) -> None:
    flow, data = flow_of(Waiting, prompts)
    async with serving(flow) as stage, lost(stage, 4.0):
        await trio.sleep(1.5)

    assert data.notes == ["0 at 0.5", "1 at 5", "2 at 5", "3 at 5", "beat at 5", "beat at 6"]
