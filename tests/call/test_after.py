"""What a flow does when a call is over, and the longest time of a call with its warning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from callflow import Call, EndCause, EndedCall, Flow, FlowDefinitionError, Hangup, LimitNear, State, on
from callflow.call.journal import Kind
from callflow.server.settings import Settings
from tests.call.stage import played, ringing, serving

Notes = list[str]
C = Call[Notes]


TALKATIVE = Settings(idle=600.0)
"""The callers here are silent for long."""


class Bye(Hangup[Notes], prompt="bye.wav"):
    """The end."""

    def on_hangup(self, call: EndedCall[Notes]) -> None:
        call.data.append(f"hung up at {trio.current_time():g}")


class Waiting(State[Notes], timeout=7200.0):
    def on_timeout(self, call: C) -> Bye:
        return Bye()


class Warned(Waiting):
    @on(LimitNear)
    def near(self, call: C, event: LimitNear) -> Bye:
        call.data.append(f"{event.seconds_left:g} s left at {call.now():g}")
        return Bye()


def flow_of(start: type[State[Notes]], prompts: Path, **options: Any) -> tuple[Flow[Notes], Notes]:
    notes: Notes = []
    return Flow("bank", start=start, prompts=prompts, **({"data": lambda: notes} | options)), notes


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records if "after" in record.getMessage()]


# After the call.


async def test_what_comes_after_runs_when_the_call_is_over(autojump_clock: MockClock, prompts: Path) -> None:
    async def after(call: EndedCall[Notes]) -> None:
        await trio.sleep(2.0)
        call.data.append(f"{call.cause.value} after {call.seconds:g} s, saved at {trio.current_time():g}")

    flow, notes = flow_of(Bye, prompts, after=after)
    _, stage = await played(flow)

    assert (notes, stage.record.cause) == (["hung up at 1", "flow after 1 s, saved at 3"], EndCause.FLOW)


async def test_what_comes_after_is_not_told_to_the_far_end(autojump_clock: MockClock, prompts: Path) -> None:
    async def after(call: EndedCall[Notes]) -> None:
        await trio.sleep(4.0)

    flow, _ = flow_of(Bye, prompts, after=after)
    phone, _ = await played(flow)

    assert (phone.close_code, phone.record().duration) == (1000, 1.0)


async def test_what_comes_after_has_five_seconds(
    autojump_clock: MockClock, prompts: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ended: list[float] = []

    async def after(call: EndedCall[Notes]) -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append(trio.current_time())

    flow, _ = flow_of(Bye, prompts, after=after)
    await played(flow)

    assert (ended, logged(caplog)) == ([6.0], [("WARNING", "after late")])


@pytest.mark.parametrize("error", [LookupError("nothing there"), SystemExit("that was it")])
async def test_what_raises_after_a_call_is_logged_and_hurts_nobody(
    autojump_clock: MockClock, prompts: Path, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    async def after(call: EndedCall[Notes]) -> None:
        raise error

    flow, _ = flow_of(Bye, prompts, after=after)
    _, stage = await played(flow)

    assert (logged(caplog), stage.server.door.failed, stage.record.cause) == (
        [("ERROR", "after failed")],
        0,
        EndCause.FLOW,
    )


async def test_no_other_call_waits_for_what_comes_after(autojump_clock: MockClock, prompts: Path) -> None:
    async def after(call: EndedCall[Notes]) -> None:
        await trio.sleep(4.0)

    flow, _ = flow_of(Bye, prompts, after=after)
    async with ringing(flow, settings=Settings(max_calls=1)) as (phone, stage):
        await phone.ended.wait()
        await trio.sleep(0.1)
        at_once = (
            stage.server.door.gate.upgraded,
            len(stage.server.registry.live),
            stage.server.registry.afterwards.count,
        )

    assert at_once == (0, 0, 1)


async def test_a_server_that_goes_down_waits_for_what_comes_after(
    autojump_clock: MockClock, prompts: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def after(call: EndedCall[Notes]) -> None:
        await trio.sleep(4.0)
        call.data.append(f"saved at {trio.current_time():g}")

    flow, notes = flow_of(Waiting, prompts, after=after)
    async with ringing(flow, settings=Settings(drain=2.0)) as (_, stage):
        await stage.server.drain()
        when_it_was_down = list(notes)

    assert when_it_was_down == ["saved at 6"]


async def test_nothing_comes_after_a_call_that_never_had_data(autojump_clock: MockClock, prompts: Path) -> None:
    called: list[str] = []

    async def after(call: EndedCall[Notes]) -> None:
        called.append(call.call_sid)

    def no_data() -> Notes:
        raise LookupError("nothing there")

    flow, _ = flow_of(Bye, prompts, after=after, data=no_data)
    _, stage = await played(flow)

    assert (called, stage.record.cause) == ([], EndCause.APP_ERROR)


async def test_nothing_comes_after_a_socket_that_was_no_call(autojump_clock: MockClock, prompts: Path) -> None:
    called: list[str] = []

    async def after(call: EndedCall[Notes]) -> None:
        called.append(call.call_sid)

    flow, _ = flow_of(Bye, prompts, after=after)
    async with serving(flow) as stage:
        port = await stage.network.dial()
        port.close()

    assert called == []


# The limit.


async def test_a_call_ends_at_the_limit_of_its_flow(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = flow_of(Waiting, prompts, max_seconds=90.0)
    _, stage = await played(flow, stays=200.0, settings=TALKATIVE)

    assert (stage.record.seconds, stage.record.cause) == (90.0, EndCause.LIMIT)


async def test_a_flow_is_told_of_the_limit_a_minute_before(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Warned, prompts, max_seconds=90.0)
    _, stage = await played(flow, stays=200.0, settings=TALKATIVE)

    assert (notes[0], stage.record.seconds, stage.record.cause) == ("60 s left at 30", 31.0, EndCause.FLOW)


async def test_the_servers_limit_counts_where_it_is_the_shorter_one(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = flow_of(Waiting, prompts, max_seconds=900.0)
    _, stage = await played(flow, stays=200.0, settings=Settings(call_limit=70.0, idle=600.0))

    assert (stage.record.seconds, stage.record.cause) == (70.0, EndCause.LIMIT)


async def test_a_warning_that_no_state_wants_is_none_of_its_unwanted_events(
    autojump_clock: MockClock, prompts: Path
) -> None:
    flow, _ = flow_of(Waiting, prompts, max_seconds=90.0)
    _, stage = await played(flow, stays=200.0, settings=TALKATIVE)

    assert (stage.record.unwanted, [(e.what, e.details["name"]) for e in stage.journal(Kind.EVENT)]) == (
        0,
        [("unwanted event", "LimitNear")],
    )


async def test_a_call_of_a_minute_or_less_is_not_warned(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Warned, prompts, max_seconds=60.0)
    _, stage = await played(flow, stays=200.0, settings=TALKATIVE)

    assert (notes, stage.record.cause, stage.record.seconds) == ([], EndCause.LIMIT, 60.0)


# Mistakes.


def plain(call: EndedCall[Notes]) -> None:
    """Is no async function."""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"after": plain}, r"Flow\('bank'\): after=<function plain .*> is no async function; write 'async def'"),
        ({"max_seconds": 0}, r"Flow\('bank'\): max_seconds=0; write a number of seconds greater than zero"),
        ({"max_seconds": float("inf")}, r"Flow\('bank'\): max_seconds=inf; write a number of seconds"),
    ],
)
def test_a_mistake_is_refused_when_the_flow_is_made(prompts: Path, options: Any, message: str) -> None:
    with pytest.raises(FlowDefinitionError, match=message):
        flow_of(Bye, prompts, **options)
