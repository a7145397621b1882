"""The engine: where handlers move the call, how long a state lives, and what becomes of one that is wrong."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import frozen
from trio.testing import MockClock

from callflow import Call, EndCause, EndedCall, Failed, Flow, Hangup, Menu, Say, Started, State, UndeclaredMove, key
from callflow.call.journal import Kind
from callflow.call.mailbox import KeyCame
from callflow.line.profile import Profile
from callflow.testing.seeding import task_order
from callflow.wire.exotel import encode
from callflow.wire.messages import Clear, Dtmf, Media, Stop
from tests.call.far_end import OPENING, closing, dialled, text
from tests.call.stage import PROMPTS, Stage, in_virtual_time, played, ringing, said, serving

Notes = list[str]
C = Call[Notes]


class Done(Hangup[Notes]):
    """The end, at once."""

    def on_hangup(self, call: EndedCall[Notes]) -> None:
        call.data.append(f"hung up: {call.reason}")


def flow_of(start: type[State[Notes]], prompts: Path, **options: Any) -> tuple[Flow[Notes], Notes]:
    """Make a flow whose calls write into one list."""
    notes: Notes = []
    return Flow("bank", start=start, prompts=prompts, **({"data": lambda: notes} | options)), notes


def states(stage: Stage) -> list[str]:
    return [str(entry.details["state"]) for entry in stage.journal(Kind.STATE) if entry.what == "entered"]


def failure(caplog: pytest.LogCaptureFixture) -> tuple[str, str]:
    """Where the flow failed, and by what."""
    [record] = [record for record in caplog.records if record.getMessage() == "flow failed"]
    assert record.exc_info is not None
    return vars(record)["where"], repr(record.exc_info[1])


# Moves.


class Counting(State[Notes], timeout=20.0):
    """Counts itself up; a state's data are its fields."""

    count: int = 1

    def on_dtmf(self, call: C, key: Dtmf) -> Counting | Done | None:
        call.data.append(f"{self.count}: {key.digit}")
        match key.digit:
            case "*":
                return Counting(count=self.count + 1)
            case "#":
                return Done()
            case _:
                return None

    def on_timeout(self, call: C) -> Done:
        return Done()


async def test_a_state_that_a_handler_returns_is_entered_with_its_data(
    autojump_clock: MockClock, prompts: Path
) -> None:
    flow, notes = flow_of(Counting, prompts)
    _, stage = await played(flow, (1.0, "*"), (2.0, "*"), (3.0, "#"))

    assert (notes, states(stage)) == (["1: *", "2: *", "3: #", "hung up: flow"], ["Counting"] * 3 + ["Done"])


async def test_none_stays(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Counting, prompts)
    _, stage = await played(flow, (1.0, "1"), (2.0, "2"), stays=3.0)

    assert (notes, states(stage)) == (["1: 1", "1: 2"], ["Counting"])


async def test_a_state_that_is_entered_again_begins_anew(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = flow_of(Counting, prompts)
    phone, _ = await played(flow, (15.0, "*"), stays=60.0)

    assert phone.record().duration == 35.0


class Lost(Hangup[Notes]):
    """A state to which nothing leads."""


class Sly(State[Notes], timeout=60.0):
    """Goes where its annotations do not say."""

    def on_dtmf(self, call: C, key: Dtmf) -> Done:
        wrong: Any = {"1": Lost(), "2": Done, "3": "Done"}[key.digit]
        return wrong  # type: ignore[no-any-return]  # which a type checker would have found

    def on_timeout(self, call: C) -> Done:
        return Done()


@pytest.mark.parametrize(
    ("pressed", "target"), [("1", "Lost"), ("2", "Done, the class; return Done()"), ("3", "'Done'")]
)
async def test_a_move_that_is_not_declared_ends_the_call(
    autojump_clock: MockClock, prompts: Path, caplog: pytest.LogCaptureFixture, pressed: str, target: str
) -> None:
    flow, _ = flow_of(Sly, prompts)
    phone, stage = await played(flow, (1.0, pressed))

    assert (stage.record.cause, phone.close_code, failure(caplog)) == (
        EndCause.APP_ERROR,
        1011,
        ("Sly.on_dtmf", repr(UndeclaredMove("Sly.on_dtmf", target, "Done"))),
    )


class Undecided(State[Notes], timeout=3.0):
    """Its time-out leads nowhere."""

    def on_timeout(self, call: C) -> Done | None:
        call.data.append(f"timed out at {call.now():g}")
        return None


async def test_a_time_out_comes_once(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Undecided, prompts)
    await played(flow, stays=20.0)

    assert notes == ["timed out at 3"]


async def test_a_key_of_the_same_instant_comes_before_the_time_out(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Counting, prompts)
    async with ringing(flow) as (phone, stage):
        await trio.sleep_until(phone.answered_at + 20.0)
        stage.call.driver.mailbox.put(KeyCame(Dtmf(digit="5"), trio.current_time()))
        await phone.ended.wait()

    assert notes == ["1: 5", "hung up: flow"]


# What run does.


class Scripted(State[Notes], timeout=5.0):
    """Its script is the test's."""

    async def run(self, call: C) -> Done | None:
        return await call.get(Script).script()

    def on_dtmf(self, call: C, key: Dtmf) -> Done:
        return Done()

    def on_timeout(self, call: C) -> Done:
        call.data.append("timed out")
        return Done()


@frozen
class Script:
    """Gives a state what its ``run`` does."""

    script: Callable[[], Awaitable[Done | None]]


def scripted(script: Callable[[], Awaitable[Done | None]], prompts: Path) -> tuple[Flow[Notes], Notes]:
    return flow_of(Scripted, prompts, provide=[Script(script)])


async def test_what_run_returns_is_where_the_call_goes(autojump_clock: MockClock, prompts: Path) -> None:
    async def script() -> Done:
        await trio.sleep(2.0)
        return Done()

    flow, notes = scripted(script, prompts)
    phone, _ = await played(flow)

    assert (notes, phone.record().duration) == (["hung up: flow"], 2.0)


async def test_a_run_that_returns_none_leaves_the_state_waiting(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = scripted(trio.lowlevel.checkpoint, prompts)
    phone, _ = await played(flow)

    assert (notes, phone.record().duration) == (["timed out", "hung up: flow"], 5.0)


async def test_a_run_that_never_returns_is_left_by_the_time_out(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = scripted(trio.sleep_forever, prompts)
    phone, _ = await played(flow)

    assert (notes, phone.record().duration) == (["timed out", "hung up: flow"], 5.0)


async def test_a_run_that_never_returns_is_ended_by_the_callers_hanging_up(
    autojump_clock: MockClock, prompts: Path
) -> None:
    flow, _ = scripted(trio.sleep_forever, prompts)
    _, stage = await played(flow, stays=1.0)

    assert (stage.record.cause, stage.record.seconds) == (EndCause.STOP, 1.0)


async def test_what_a_state_returns_that_was_left_meanwhile_is_dropped(
    autojump_clock: MockClock, prompts: Path
) -> None:
    class Waiting(State[Notes], timeout=5.0):
        async def run(self, call: C) -> Done | None:
            try:
                await trio.sleep_forever()
            finally:
                return Done()  # noqa: B012  # that is what is tested: it swallows the cancellation

        def on_dtmf(self, call: C, key: Dtmf) -> Undecided:
            return Undecided()

        def on_timeout(self, call: C) -> Done:
            return Done()

    flow, notes = flow_of(Waiting, prompts)
    _, stage = await played(flow, (1.0, "1"), stays=10.0)

    assert (states(stage), notes, stage.record.cause) == (
        ["Waiting", "Undecided"],
        ["timed out at 4"],
        EndCause.STOP,
    )


# A state that is wrong.


async def raising() -> None:
    raise LookupError("nothing there")


async def raising_in_a_nursery() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        nursery.start_soon(raising)


async def raising_twice() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(raising)
        nursery.start_soon(raising)


async def leaving() -> None:
    raise SystemExit("that was it")


ONE = "LookupError('nothing there')"


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (raising, ONE),
        (raising_in_a_nursery, ONE),
        (raising_twice, f"ExceptionGroup('Exceptions from Trio nursery', [{ONE}, {ONE}])"),
        (leaving, "SystemExit('that was it')"),
    ],
)
async def test_a_run_that_raises_ends_the_call(
    autojump_clock: MockClock,
    prompts: Path,
    caplog: pytest.LogCaptureFixture,
    script: Any,
    error: str,
) -> None:
    flow, _ = scripted(script, prompts)
    phone, stage = await played(flow)

    assert (stage.record.cause, phone.close_code, failure(caplog)) == (
        EndCause.APP_ERROR,
        1011,
        ("Scripted.run", error),
    )


class Broken(Menu[Notes], prompt="menu.wav", tries=1):
    """Each of its handlers raises."""

    @key("1")
    def wrong(self, call: C) -> Done:
        raise LookupError("nothing there")

    @key("2")
    def leaving(self, call: C) -> Done:
        raise SystemExit("that was it")

    def on_failed(self, call: C, why: Failed) -> Done:
        raise ValueError(why.name)

    def on_hangup(self, call: EndedCall[Notes]) -> None:
        call.data.append(f"hung up: {call.reason} in {call.seconds:g} s, by {call.ended_by.value}")


@pytest.mark.parametrize(
    ("pressed", "where", "error"),
    [
        ("1", "wrong", ONE),
        ("2", "leaving", "SystemExit('that was it')"),
        ("3", "on_failed", "ValueError('no match')"),
    ],
)
async def test_a_handler_that_raises_ends_the_call(
    autojump_clock: MockClock, prompts: Path, caplog: pytest.LogCaptureFixture, pressed: str, where: str, error: str
) -> None:
    flow, notes = flow_of(Broken, prompts)
    phone, stage = await played(flow, (1.0, pressed))

    assert (stage.record.cause, phone.close_code, failure(caplog), notes) == (
        EndCause.APP_ERROR,
        1011,
        (f"Broken.{where}", error),
        ["hung up: app_error in 1 s, by server"],
    )


async def test_the_journal_says_where_a_flow_failed_but_not_why(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = flow_of(Broken, prompts)
    _, stage = await played(flow, (1.0, "1"))

    assert [(e.what, e.details) for e in stage.journal(Kind.ERROR)] == [("LookupError", {"where": "Broken.wrong"})]


def no_data(started: Started) -> Notes:
    raise LookupError(f"nothing about {len(started.caller)} figures")


async def test_data_that_cannot_be_made_end_the_call(
    autojump_clock: MockClock, prompts: Path, caplog: pytest.LogCaptureFixture
) -> None:
    flow, _ = flow_of(Broken, prompts, data=no_data)
    phone, stage = await played(flow)

    assert (stage.record.cause, phone.close_code, states(stage), failure(caplog)) == (
        EndCause.APP_ERROR,
        1011,
        [],
        ("Broken.data", "LookupError('nothing about 13 figures')"),
    )


async def test_a_first_state_that_cannot_be_made_ends_the_call(
    autojump_clock: MockClock, prompts: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Hopeless(Hangup[Notes]):
        def __attrs_post_init__(self) -> None:
            raise LookupError("nothing there")

    flow, _ = flow_of(Hopeless, prompts)
    phone, stage = await played(flow)

    assert (stage.record.cause, stage.record.last_state, phone.close_code, failure(caplog)) == (
        EndCause.APP_ERROR,
        "Hopeless",
        1011,
        ("Hopeless.start", ONE),
    )


@pytest.mark.parametrize("error", [LookupError("nothing there"), SystemExit("that was it")])
async def test_a_tap_that_raises_ends_the_call_and_hears_no_more(
    autojump_clock: MockClock, prompts: Path, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    heard: list[bytes] = []

    class Listening(State[Notes], timeout=5.0):
        async def run(self, call: C) -> None:
            call.tap(self.listen)

        def listen(self, audio: bytes) -> None:
            heard.append(audio)
            raise error

        def on_timeout(self, call: C) -> Done:
            return Done()

    flow, _ = flow_of(Listening, prompts)
    async with serving(flow) as stage:
        peer = await dialled(stage.network, OPENING)
        await peer.send(text(encode(Media(payload=bytes(320)))) * 2)
        await peer.read()

    assert (len(heard), stage.record.cause, peer.codes, failure(caplog)) == (
        1,
        EndCause.APP_ERROR,
        [1011],
        ("Listening.tap", repr(error)),
    )


async def test_prompts_of_another_rate_than_the_lines_end_the_call(
    autojump_clock: MockClock, prompts: Path, caplog: pytest.LogCaptureFixture
) -> None:
    flow, _ = flow_of(Broken, prompts)
    _, stage = await played(flow, line={"profile": Profile(sample_rate=16_000)})
    where, error = failure(caplog)

    assert (stage.record.cause, where, "expected 16000 Hz, the rate of this line, found 8000 Hz" in error) == (
        EndCause.APP_ERROR,
        "Broken.prompt",
        True,
    )


async def test_an_end_handler_that_raises_changes_nothing_of_the_end(
    autojump_clock: MockClock, prompts: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Sore(Hangup[Notes], prompt="bye.wav"):
        def on_hangup(self, call: EndedCall[Notes]) -> None:
            raise LookupError("nothing there")

    flow, _ = flow_of(Sore, prompts)
    phone, stage = await played(flow)

    assert (stage.record.cause, phone.close_code, failure(caplog)) == (EndCause.FLOW, 1000, ("Sore.on_hangup", ONE))


# A state that does not end.


class Clinging(State[Notes], timeout=60.0):
    """Speaks, and takes its time when it is left."""

    async def run(self, call: C) -> None:
        call.start("menu.wav")
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(call.get(float))
            call.data.append(f"cleaned up at {call.now():g}")

    def on_timeout(self, call: C) -> Counting:
        return Counting()

    def on_hangup(self, call: EndedCall[Notes]) -> None:
        call.data.append(f"hung up: {call.reason} in {call.seconds:g} s")


class Impatient(Clinging, timeout=1.0):
    """Is left while it speaks."""


async def test_a_slow_clean_up_does_not_delay_the_clear(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Impatient, prompts, provide=[1.5])
    phone, stage = await played(flow, stays=10.0)
    [cleared_at] = [entry.at for entry in phone.log if entry.side == "out" and isinstance(entry.message, Clear)]
    entered = [entry.at for entry in stage.journal(Kind.STATE) if entry.what == "entered"]

    assert (cleared_at, entered, notes) == (1.0, [0.0, 2.5], ["cleaned up at 2.5"])


async def test_a_state_that_is_left_is_timed_no_more(autojump_clock: MockClock, prompts: Path) -> None:
    class Pressed(Clinging, timeout=60.0):
        def on_dtmf(self, call: C, key: Dtmf) -> Done:
            return Done()

        async def run(self, call: C) -> None:
            with trio.CancelScope(shield=True):
                await trio.sleep(1.5)

    flow, _ = flow_of(Pressed, prompts)
    async with ringing(flow) as (phone, stage):
        await phone.wait(0.5)
        await phone.press("1", hold=0.0)
        await phone.wait(0.5)
        names = stage.call.driver.deadlines.names

    assert ("leaving a state" in names, "state" in names) == (True, False)


async def test_a_state_that_does_not_end_in_time_ends_the_call(
    autojump_clock: MockClock, prompts: Path, caplog: pytest.LogCaptureFixture
) -> None:
    flow, notes = flow_of(Impatient, prompts, provide=[9.0])
    phone, stage = await played(flow)

    assert (
        phone.record().duration,
        phone.close_code,
        stage.record.cause,
        stage.record.last_state,
        states(stage),
        notes,
    ) == (
        3.0,
        1011,
        EndCause.APP_TIMEOUT,
        "Impatient",
        ["Impatient"],
        ["cleaned up at 3", "hung up: app_timeout in 3 s"],
    )


async def test_a_state_that_does_not_end_is_logged(
    autojump_clock: MockClock, prompts: Path, caplog: pytest.LogCaptureFixture
) -> None:
    flow, _ = flow_of(Impatient, prompts, provide=[9.0])
    _, stage = await played(flow)
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]

    assert (record.getMessage(), vars(record)["state"], [e.what for e in stage.journal(Kind.ERROR)]) == (
        "state does not end",
        "Impatient",
        ["does not end"],
    )


async def test_a_call_that_is_over_does_not_wait_longer_for_its_state(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = flow_of(Clinging, prompts, provide=[9.0])
    async with ringing(flow) as (phone, stage):
        await phone.wait(1.0)
        await phone.hang_up()
        await trio.sleep(1.9)
        before = stage.call.record
        await trio.sleep(0.2)
        after = stage.call.record

    assert (before, after and after.cause) == (None, EndCause.STOP)


async def test_the_link_of_a_call_that_is_over_does_not_wait_for_its_state(
    autojump_clock: MockClock, prompts: Path
) -> None:
    flow, _ = flow_of(Clinging, prompts, provide=[9.0])
    async with serving(flow) as stage:
        peer = await dialled(stage.network, OPENING)
        await peer.send(text(encode(Stop())) + closing(1000))
        await peer.read()
        ended_at = trio.current_time()

    assert (peer.codes, peer.ended, ended_at) == ([1000], "end", 0.0)


async def test_a_clean_up_that_waits_for_a_playback_does_not_wait_in_vain(
    autojump_clock: MockClock, prompts: Path
) -> None:
    class Careful(State[Notes], timeout=1.5):
        async def run(self, call: C) -> None:
            playback = call.start("menu.wav")
            try:
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    call.data.append(f"{(await playback.heard()).fate.value} at {call.now():g}")

        def on_timeout(self, call: C) -> Done:
            return Done()

    flow, notes = flow_of(Careful, prompts)
    await played(flow)
    await played(flow, stays=1.0)

    assert notes == ["cut at 1.5", "hung up: flow", "ended at 1"]


# The end.


async def test_hanging_up_is_told_once(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Broken, prompts)
    await played(flow, stays=1.5)

    assert notes == ["hung up: stop in 1.5 s, by unknown"]


async def test_a_state_that_hears_of_the_end_has_its_services(autojump_clock: MockClock, prompts: Path) -> None:
    class Saving(Hangup[Notes], prompt="bye.wav"):
        def on_hangup(self, call: EndedCall[Notes]) -> None:
            call.data.append(f"{call.get(float)} of {call.caller} and {call.called}")

    flow, notes = flow_of(Saving, prompts, provide=[2.5])
    await played(flow)

    assert notes == ["2.5 of +910000000105 and 00000000319"]


async def test_a_state_that_was_left_does_not_hear_of_the_end(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Impatient, prompts, provide=[0.0])
    await played(flow, stays=5.0)

    assert notes == ["cleaned up at 1"]


async def test_a_key_in_the_segment_of_the_end_is_not_handled(
    autojump_clock: MockClock, prompts: Path, caplog: pytest.LogCaptureFixture
) -> None:
    flow, notes = flow_of(Broken, prompts)
    async with serving(flow) as stage:
        peer = await dialled(stage.network, OPENING)
        await peer.send(text(encode(Dtmf(digit="1"))) + text(encode(Stop())))
        peer.port.close()

    assert (notes, stage.record.cause, [r for r in caplog.records if r.levelno == logging.ERROR]) == (
        ["hung up: stop in 0 s, by unknown"],
        EndCause.STOP,
        [],
    )


async def test_a_call_that_ends_in_the_segment_of_its_start_has_its_end(
    autojump_clock: MockClock, prompts: Path
) -> None:
    flow, notes = flow_of(Broken, prompts)
    async with serving(flow) as stage:
        peer = await dialled(stage.network, OPENING + text(encode(Stop())))
        peer.port.close()

    assert (notes, stage.record.cause, states(stage)) == (
        ["hung up: stop in 0 s, by unknown"],
        EndCause.STOP,
        [],
    )


async def test_last_words_are_heard_to_their_end_before_the_call_is_closed(
    autojump_clock: MockClock, prompts: Path
) -> None:
    class Farewell(Hangup[Notes], prompt="bye.wav"):
        pass

    flow, _ = flow_of(Farewell, prompts)
    phone, stage = await played(flow, (0.5, "1"))

    assert (phone.record().duration, phone.close_code, stage.journal(Kind.PLAYBACK)[-1].what, said(phone, Clear)) == (
        PROMPTS["bye"][1],
        1000,
        "heard",
        [],
    )


async def test_an_announcement_that_leads_to_itself_goes_on_for_a_caller_who_pressed_a_key(
    autojump_clock: MockClock, prompts: Path
) -> None:
    class Hold(Say[Notes], prompt="welcome.wav"):
        def then(self, call: C) -> Hold | Done:
            return Hold()

    flow, _ = flow_of(Hold, prompts, scope=locals())
    phone, _ = await played(flow, (1.0, "1"), stays=9.0)

    assert sum(len(media.payload) for media in said(phone, Media)) == pytest.approx(9.4 * 16_000, abs=8_000)


class Leaving(State[Notes], timeout=60.0):
    """Is left by a key, at a moment at which the process is stopped for a while."""

    async def run(self, call: C) -> None:
        try:
            await trio.sleep_forever()
        finally:
            call.data.append("ended")

    def on_dtmf(self, call: C, key: Dtmf) -> Done:
        return Done()

    def on_timeout(self, call: C) -> Done:
        return Done()


async def left_while_the_process_stands_still(prompts: Path) -> tuple[Notes, EndCause]:
    flow, notes = flow_of(Leaving, prompts)
    clock = trio.lowlevel.current_clock()
    assert isinstance(clock, MockClock)
    async with ringing(flow) as (phone, stage):
        await phone.wait(1.0)
        await phone.press("1", hold=0.0)
        for _ in range(100):
            if "leaving a state" in stage.call.driver.deadlines.names:
                clock.jump(5.0)
                break
            await trio.lowlevel.checkpoint()
        await phone.ended.wait()
    return notes, stage.record.cause


@pytest.mark.parametrize("order", range(10))
def test_a_process_that_stands_still_is_no_state_that_does_not_end(order: int, prompts: Path) -> None:
    with task_order(order):
        assert in_virtual_time(left_while_the_process_stands_still, prompts) == (
            ["ended", "hung up: flow"],
            EndCause.FLOW,
        )
