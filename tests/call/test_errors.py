"""What becomes of a call whose flow raises: where it goes the first time, and that the second time ends it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from callflow import Call, Done, Dtmf, EndCause, Flow, Hangup, Say, State, SubFlow, activity
from callflow.call.journal import Kind
from tests.call.stage import Stage, played

Notes = list[str]
C = Call[Notes]


class Bye(Hangup[Notes]):
    """The end."""


class Sorry(Say[Notes], prompt="sorry.wav"):
    """Where errors lead."""

    def then(self, call: C) -> Bye:
        return Bye()


class Wrong(State[Notes], timeout=20.0):
    """Raises at each key."""

    def on_dtmf(self, call: C, key: Dtmf) -> Bye:
        raise {"1": LookupError, "2": KeyError, "3": SystemExit}[key.digit]("nothing there")

    def on_timeout(self, call: C) -> Bye:
        return Bye()


class Minding(Wrong):
    """Knows where to go."""

    def on_error(self, call: C, error: Exception) -> Wrong | Bye:
        call.data.append(f"{error!r} at {call.now():g}")
        return Wrong() if isinstance(error, LookupError) else Bye()


def flow_of(start: type[State[Notes]], prompts: Path, **options: Any) -> tuple[Flow[Notes], Notes]:
    notes: Notes = []
    return Flow("bank", start=start, prompts=prompts, data=lambda: notes, **options), notes


def errors(stage: Stage) -> list[tuple[str, str, str]]:
    """What the journal says of errors: which, where, and what follows."""
    entries = stage.journal(Kind.ERROR)
    return [(e.what, str(e.details["where"]), str(e.details.get("next", ""))) for e in entries]


async def test_an_error_goes_where_the_state_says(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Minding, prompts)
    _, stage = await played(flow, (1.0, "1"), stays=5.0)

    assert (notes, errors(stage), stage.call.state, stage.record.cause) == (
        ["LookupError('nothing there') at 1"],
        [("LookupError", "Minding.on_dtmf", "Wrong")],
        "Wrong",
        EndCause.STOP,
    )


async def test_an_error_that_no_state_takes_goes_where_the_flow_says(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = flow_of(Wrong, prompts, error=Sorry)
    _, stage = await played(flow, (1.0, "1"))

    assert (errors(stage), stage.record.cause, stage.record.seconds) == (
        [("LookupError", "Wrong.on_dtmf", "Sorry")],
        EndCause.FLOW,
        1.5,
    )


async def test_the_second_error_of_a_call_ends_it(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Minding, prompts, error=Minding)
    phone, stage = await played(flow, (1.0, "1"), (2.0, "2"))

    assert (len(notes), errors(stage), stage.record.cause, phone.close_code) == (
        1,
        [("LookupError", "Minding.on_dtmf", "Wrong"), ("KeyError", "Wrong.on_dtmf", "")],
        EndCause.APP_ERROR,
        1011,
    )


async def test_both_errors_are_in_the_log(
    autojump_clock: MockClock, prompts: Path, caplog: pytest.LogCaptureFixture
) -> None:
    flow, _ = flow_of(Minding, prompts)
    await played(flow, (1.0, "1"), (2.0, "2"))
    records = [record for record in caplog.records if record.getMessage() == "flow failed"]

    assert [(vars(record)["where"], vars(record).get("next")) for record in records] == [
        ("Minding.on_dtmf", "Wrong"),
        ("Wrong.on_dtmf", None),
    ]


async def test_an_error_of_the_error_handler_ends_the_call(autojump_clock: MockClock, prompts: Path) -> None:
    class Sore(Wrong):
        def on_error(self, call: C, error: Exception) -> Bye:
            raise ValueError("worse")

    flow, _ = flow_of(Sore, prompts, error=Sorry)
    _, stage = await played(flow, (1.0, "1"))

    assert (errors(stage), stage.record.cause) == (
        [("LookupError", "Sore.on_dtmf", ""), ("ValueError", "Sore.on_error", "")],
        EndCause.APP_ERROR,
    )


async def test_leaving_the_process_is_no_error_of_the_flow(autojump_clock: MockClock, prompts: Path) -> None:
    flow, notes = flow_of(Minding, prompts, error=Sorry)
    _, stage = await played(flow, (1.0, "3"))

    assert (notes, errors(stage), stage.record.cause) == (
        [],
        [("SystemExit", "Minding.on_dtmf", "")],
        EndCause.APP_ERROR,
    )


async def test_an_error_handler_is_held_to_its_annotation(autojump_clock: MockClock, prompts: Path) -> None:
    class Sly(Wrong):
        def on_error(self, call: C, error: Exception) -> Bye:
            return Sorry()  # type: ignore[return-value]  # what is tested

    flow, _ = flow_of(Sly, prompts)
    _, stage = await played(flow, (1.0, "1"))

    assert [error[:2] for error in errors(stage)] == [
        ("LookupError", "Sly.on_dtmf"),
        ("UndeclaredMove", "Sly.on_error"),
    ]


@pytest.mark.parametrize("name", ["run", "listen"])
async def test_an_error_of_what_runs_beside_goes_the_same_way(
    autojump_clock: MockClock, prompts: Path, name: str
) -> None:
    class Running(Minding):
        async def run(self, call: C) -> None:
            await self.fail("run")

        @activity
        async def listen(self, call: C) -> None:
            await self.fail("listen")

        async def fail(self, here: str) -> None:
            await trio.sleep(1.0)
            if here == name:
                raise KeyError(here)

    flow, notes = flow_of(Running, prompts)
    _, stage = await played(flow)

    assert (notes, errors(stage)) == ([f"KeyError('{name}') at 1"], [("KeyError", f"Running.{name}", "Wrong")])


async def test_an_error_from_a_nursery_is_named_by_what_is_in_it(autojump_clock: MockClock, prompts: Path) -> None:
    class Nursing(Minding):
        async def run(self, call: C) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.fail)
                await self.fail()

        async def fail(self) -> None:
            await trio.lowlevel.checkpoint()
            raise KeyError("here")

    flow, _ = flow_of(Nursing, prompts)
    _, stage = await played(flow)

    assert errors(stage) == [("KeyError", "Nursing.run", "Wrong")]


async def test_an_error_inside_a_sub_flow_goes_to_the_nearest_that_takes_it(
    autojump_clock: MockClock, prompts: Path
) -> None:
    class Inside(Wrong):
        def on_timeout(self, call: C) -> Done[int]:  # type: ignore[override]  # an end in the place of the base's
            return Done(0)

    class Around(SubFlow[Notes, int], start=Inside):
        def on_done(self, call: C, result: int) -> Bye:
            return Bye()

        def on_error(self, call: C, error: Exception) -> Sorry:
            call.data.append(repr(error))
            return Sorry()

    flow, notes = flow_of(Around, prompts, scope=locals(), error=Bye)
    _, stage = await played(flow, (1.0, "1"))

    assert (notes, errors(stage), stage.record.last_state) == (
        ["LookupError('nothing there')"],
        [("LookupError", "Inside.on_dtmf", "Sorry")],
        "Bye",
    )


async def test_an_error_state_that_cannot_be_made_ends_the_call(autojump_clock: MockClock, prompts: Path) -> None:
    class Hopeless(Hangup[Notes]):
        def __attrs_post_init__(self) -> None:
            raise ValueError("worse")

    flow, _ = flow_of(Wrong, prompts, error=Hopeless)
    _, stage = await played(flow, (1.0, "1"))

    assert [error[:2] for error in errors(stage)] == [("LookupError", "Wrong.on_dtmf"), ("ValueError", "Wrong.error")]


class Cleans(State[Notes], timeout=9.0):
    """Takes its time to end."""

    async def run(self, call: C) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1.0)

    def on_dtmf(self, call: C, key: Dtmf) -> None:
        raise LookupError(key.digit)

    def on_timeout(self, call: C) -> Bye:
        return Bye()


async def test_whoever_hangs_up_while_a_state_is_left_by_an_error_comes_too_late(
    autojump_clock: MockClock, prompts: Path
) -> None:
    flow, _ = flow_of(Cleans, prompts)
    _, stage = await played(flow, (1.0, "1"), stays=1.5)

    assert stage.record.cause is EndCause.APP_ERROR
