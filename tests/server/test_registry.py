"""Which calls there are, what a Passthru is answered before, during and after a stream, and who may read along."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from callflow import Call, Dtmf, Flow, Hangup, PassthruReport, State, Verdict
from callflow.call import journal as journals
from callflow.line import StreamRecord, Telephone, passthru, place_call
from callflow.server import calls as kept_calls
from callflow.server.settings import Settings
from callflow.wire.exotel import encode
from callflow.wire.messages import Connected, Start
from tests.call.far_end import dialled, text
from tests.call.stage import QUIET, Stage, ringing, serving
from tests.server.asking import read_answer, read_to_end

Notes = list[Any]
C = Call[Notes]

SID = "c0ffee"


class Listen(State[Notes], timeout=3000.0):
    """Notes what was known when the call began; a key chooses the branch behind it."""

    async def run(self, call: C) -> None:
        call.data.append(dict(call.passthru))

    def on_dtmf(self, call: C, key: Dtmf) -> Bye | Person | None:
        match key.digit:
            case "1":
                return Bye()
            case "2":
                return Person()
            case _:
                return None

    def on_timeout(self, call: C) -> Bye:
        return Bye()


class Bye(Hangup[Notes]):
    """Branch A."""


class Person(Hangup[Notes], branch="B"):
    """Branch B."""


def make_flow(judge: Callable[[PassthruReport], Any] | None = None, notes: Notes | None = None) -> Flow[Notes]:
    kept: Notes = [] if notes is None else notes
    return Flow("bank", start=Listen, passthru=judge, data=lambda: kept)


@asynccontextmanager
async def ring_at(stage: Stage, **line: Any) -> AsyncIterator[Telephone]:
    """Place one more call to a server; when it is over, the server knows."""
    async with place_call(stage.network.dial, profile=QUIET, **({"call_sid": SID} | line)) as phone:
        yield phone
    await wait_all_tasks_blocked()


async def ask(stage: Stage, **said: Any) -> int:
    """Ask the Passthru before the stream, unless *said* otherwise."""
    asked: dict[str, Any] = {"call_sid": SID, "before": True} | said
    return await passthru(stage.network.dial, **asked)


async def ask_after(stage: Stage, phone: Telephone | None = None, call_sid: str = SID) -> int:
    """Ask the Passthru behind the stream."""
    stream = StreamRecord() if phone is None else phone.record()
    return await passthru(stage.network.dial, call_sid=call_sid, before=False, stream=stream)


async def get(stage: Stage, path: str) -> bytes:
    """Ask for something from this machine; give the answer's body."""
    port = await stage.network.dial()
    port.try_send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    body = read_answer(await read_to_end(port), b"GET").body
    port.close()
    return body


async def counts(stage: Stage) -> dict[str, int]:
    told: dict[str, int] = json.loads(await get(stage, "/ready"))
    return told


async def end(phone: Telephone) -> None:
    with trio.fail_after(60):
        await phone.ended.wait()


# Before the stream.


def plainly(status: Any, data: dict[str, str] | None = None) -> Callable[[PassthruReport], Verdict]:
    return lambda _: Verdict(status, data or {})


def after_a_while(status: Any, data: dict[str, str] | None = None) -> Callable[[PassthruReport], Awaitable[Verdict]]:
    async def judge(_: PassthruReport) -> Verdict:
        await trio.sleep(1.5)
        return Verdict(status, data or {})

    return judge


@pytest.mark.parametrize("make", [plainly, after_a_while])
@pytest.mark.parametrize("status", [200, 302])
async def test_a_passthru_is_answered_by_the_flows_verdict(
    make: Callable[[int], Any], status: int, autojump_clock: MockClock
) -> None:
    async with serving(make_flow(make(status))) as stage:
        answer = await ask(stage)

    assert answer == status


async def test_without_a_function_every_call_is_wanted(autojump_clock: MockClock) -> None:
    async with serving(make_flow()) as stage:
        answer = await ask(stage)

    assert (answer, stage.server.registry.counts()) == (200, {"calls": 0, "announced": 1})


async def test_the_function_is_told_what_exotel_said(autojump_clock: MockClock) -> None:
    told: list[PassthruReport] = []

    def judge(report: PassthruReport) -> Verdict:
        told.append(report)
        return Verdict()

    async with serving(make_flow(judge)) as stage:
        await ask(stage, method="POST form", caller="+910000000107")

    assert [(report.call_sid, report.caller) for report in told] == [(SID, "+910000000107")]


async def test_what_was_said_and_judged_arrives_with_the_call(autojump_clock: MockClock) -> None:
    notes: Notes = []
    async with serving(make_flow(plainly(200, {"queue": "gold"}), notes)) as stage:
        await ask(stage)
        async with ring_at(stage):
            await trio.sleep(1)

    [known] = notes
    assert (known["queue"], known["CallSid"], known["CallFrom"]) == ("gold", SID, "+910000000105")


async def test_of_another_call_nothing_arrives(autojump_clock: MockClock) -> None:
    notes: Notes = []
    async with serving(make_flow(plainly(200, {"queue": "gold"}), notes)) as stage:
        await ask(stage, call_sid="another")
        async with ring_at(stage):
            await trio.sleep(1)

    assert notes == [{}]


async def test_a_call_that_ended_is_announced_no_more(autojump_clock: MockClock) -> None:
    async with serving(make_flow()) as stage:
        await ask(stage)
        async with ring_at(stage):
            await wait_all_tasks_blocked()
            during = await counts(stage)
        after = await counts(stage)

    assert (during, after) == (
        {"ready": True, "calls": 1, "announced": 0},
        {"ready": True, "calls": 0, "announced": 0},
    )


async def test_the_first_passthru_of_a_call_wins(autojump_clock: MockClock) -> None:
    judged: list[str | None] = []

    def judge(report: PassthruReport) -> Verdict:
        judged.append(report.caller)
        return Verdict(302)

    notes: Notes = []
    async with serving(make_flow(judge, notes)) as stage:
        answers = [await ask(stage, caller=f"+91000000010{n}") for n in (5, 6)]
        async with ring_at(stage):
            await trio.sleep(1)

    assert (answers, judged, notes[0]["From"]) == ([302, 302], ["+910000000105"], "+910000000105")


async def test_a_passthru_that_is_repeated_while_it_is_judged_waits_for_the_same_verdict(
    autojump_clock: MockClock,
) -> None:
    judged: list[float] = []

    async def judge(_: PassthruReport) -> Verdict:
        judged.append(trio.current_time())
        await trio.sleep(1.0)
        return Verdict(302)

    answers: list[int] = []

    async def repeat(stage: Stage) -> None:
        answers.append(await ask(stage))

    async with serving(make_flow(judge)) as stage, trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(repeat, stage)

    assert (answers, len(judged), stage.server.registry.flagged["repeated"]) == ([302, 302, 302], 1, 2)


async def test_a_passthru_that_is_repeated_after_a_failure_is_judged_afresh(autojump_clock: MockClock) -> None:
    verdicts: list[Verdict | ValueError] = [ValueError("the database sleeps"), Verdict(302)]

    async def judge(_: PassthruReport) -> Verdict:
        await trio.sleep(0.5)
        verdict = verdicts.pop(0)
        if isinstance(verdict, ValueError):
            raise verdict
        return verdict

    answers: list[int] = []

    async def repeat(stage: Stage) -> None:
        answers.append(await ask(stage))

    async with serving(make_flow(judge)) as stage, trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(repeat, stage)

    assert sorted(answers) == [200, 302]


# A function that fails.


def raises(_: PassthruReport) -> Verdict:
    raise ValueError("the database sleeps")


async def raises_later(_: PassthruReport) -> Verdict:
    await trio.sleep(0.5)
    raise ValueError("the database sleeps")


async def sleeps(_: PassthruReport) -> Verdict:
    await trio.sleep(60)
    return Verdict()


def forgets(_: PassthruReport) -> None:
    """Return nothing."""


def answers_a_number(_: PassthruReport) -> int:
    return 302


@pytest.mark.parametrize(
    ("judge", "seconds"),
    [(raises, 0.0), (raises_later, 0.5), (sleeps, 2.0), (forgets, 0.0), (answers_a_number, 0.0)],
)
@pytest.mark.parametrize("fallback", [200, 302])
async def test_a_function_that_fails_has_the_fallback_answered_in_time(
    judge: Any, seconds: float, fallback: Any, autojump_clock: MockClock
) -> None:
    async with serving(make_flow(judge), settings=Settings(passthru_fallback=fallback)) as stage:
        asked_at = trio.current_time()
        answer = await ask(stage)
        took = trio.current_time() - asked_at

    assert (answer, round(took, 6)) == (fallback, seconds)


@pytest.mark.parametrize("judge", [raises, sleeps, forgets])
async def test_the_call_of_a_function_that_failed_goes_on_without_it(judge: Any, autojump_clock: MockClock) -> None:
    notes: Notes = []
    async with serving(make_flow(judge, notes)) as stage:
        await ask(stage)
        async with ring_at(stage):
            await trio.sleep(1)

    assert ([told["CallSid"] for told in notes], stage.server.door.failed) == ([SID], 0)


async def test_a_function_that_returns_no_verdict_is_told_what_to_return(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(make_flow(forgets)) as stage:
        await ask(stage)

    assert ("passthru= of Flow('bank') returned None; return Verdict(200), or Verdict(302) for branch B") in caplog.text


# Calls that never come.


@pytest.mark.parametrize(("seconds", "announced"), [(59.9, 1), (60.1, 0)])
async def test_an_announced_call_is_waited_for_a_minute(
    seconds: float, announced: int, autojump_clock: MockClock
) -> None:
    async with serving(make_flow()) as stage:
        await ask(stage)
        await trio.sleep(seconds)
        told = await counts(stage)

    assert (told["announced"], stage.server.registry.flagged["orphan"]) == (announced, 1 - announced)


@pytest.mark.parametrize(("seconds", "known"), [(59.9, True), (60.1, False)])
async def test_a_call_that_comes_after_a_minute_is_not_known(
    seconds: float, known: bool, autojump_clock: MockClock
) -> None:
    notes: Notes = []
    async with serving(make_flow(plainly(200, {"queue": "gold"}), notes)) as stage:
        await ask(stage)
        await trio.sleep(seconds)
        async with ring_at(stage):
            await trio.sleep(1)

    assert ("queue" in notes[0]) == known


async def test_a_forgotten_call_that_is_announced_again_is_judged_again(autojump_clock: MockClock) -> None:
    verdicts = [Verdict(302, {"queue": "old"}), Verdict(200, {"queue": "new"})]
    notes: Notes = []
    async with serving(make_flow(lambda _: verdicts.pop(0), notes)) as stage:
        first = await ask(stage)
        await trio.sleep(61)
        second = await ask(stage)
        async with ring_at(stage):
            await trio.sleep(1)

    assert (first, second, notes[0]["queue"]) == (302, 200, "new")


async def test_a_thousand_calls_may_be_announced_and_then_the_oldest_is_forgotten(autojump_clock: MockClock) -> None:
    async with serving(make_flow(plainly(200, {"queue": "gold"}))) as stage:
        registry = stage.server.registry
        for number in range(1_001):
            await registry.passthru(None, PassthruReport(call_sid=f"c{number}"))

    known = [bool(registry.announced(f"c{number}")) for number in (0, 1, 1_000)]
    assert (registry.counts()["announced"], known, registry.flagged["orphan"]) == (1_000, [False, True, True], 1)


# Other flows.


@pytest.mark.parametrize(("path", "answer", "flagged"), [("/passthru/bank", 302, 0), ("/passthru/shop", 200, 1)])
async def test_a_passthru_for_another_flow_is_no_business_of_ours(
    path: str, answer: int, flagged: int, autojump_clock: MockClock
) -> None:
    async with serving(make_flow(plainly(302))) as stage:
        answered = await ask(stage, path=path)

    assert (answered, stage.server.registry.flagged["unknown flow"]) == (answer, flagged)


# After the stream.


@pytest.mark.parametrize(("keys", "answer"), [("1", 200), ("2", 302), ("7", 200)])
async def test_behind_the_stream_the_last_state_says_the_branch(
    keys: str, answer: int, autojump_clock: MockClock
) -> None:
    async with serving(make_flow(plainly(302))) as stage:
        async with ring_at(stage) as phone:
            await phone.press(keys)
            await trio.sleep(1)
        answers = [await ask_after(stage, phone) for _ in range(2)]

    assert answers == [answer, answer]


async def test_a_call_that_ended_is_not_judged_again(autojump_clock: MockClock) -> None:
    judged: list[PassthruReport] = []

    def judge(report: PassthruReport) -> Verdict:
        judged.append(report)
        return Verdict()

    async with serving(make_flow(judge)) as stage:
        async with ring_at(stage) as phone:
            await phone.press("2")
            await end(phone)
        answer = await ask(stage)

    assert (answer, judged) == (302, [])


async def test_the_branch_is_known_while_the_call_is_closing(autojump_clock: MockClock) -> None:
    """The far end answers no close frame, so that the link stays for its 5 seconds."""
    start = Start(stream_sid="s1", call_sid=SID)
    async with serving(make_flow()) as stage:
        peer = await dialled(stage.network, text(encode(Connected())), text(encode(start)))
        await peer.send(text(encode(Dtmf(digit="2", stream_sid="s1"))))
        closing = (peer.codes, len(stage.server.registry.live))
        answer = await ask_after(stage)
        peer.port.close()

    assert (closing, answer) == (([1000], 1), 302)


async def test_a_call_under_way_goes_on_with_branch_a(autojump_clock: MockClock) -> None:
    async with serving(make_flow(plainly(302))) as stage, ring_at(stage):
        await trio.sleep(1)
        answer = await ask(stage)

    assert answer == 200


async def test_a_call_that_was_never_there_goes_on_with_branch_a(autojump_clock: MockClock) -> None:
    async with serving(make_flow(plainly(302))) as stage:
        async with ring_at(stage) as phone:
            await phone.press("2")
            await end(phone)
        answer = await ask_after(stage, phone, call_sid="another")

    assert (answer, stage.server.registry.flagged["unknown call"]) == (200, 1)


async def test_of_ended_calls_the_oldest_is_forgotten_first(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_calls, "MOST_ENDED", 2)
    async with serving(make_flow()) as stage:
        for call_sid in ("one", "two", "one", "three"):
            async with ring_at(stage, call_sid=call_sid) as phone:
                await phone.press("2")
                await end(phone)
        answers = {call_sid: await ask_after(stage, call_sid=call_sid) for call_sid in ("one", "two", "three")}

    assert answers == {"one": 302, "two": 200, "three": 302}


async def test_of_two_calls_of_one_name_a_passthru_means_the_stream_that_it_names(autojump_clock: MockClock) -> None:
    async with serving(make_flow()) as stage:
        async with ring_at(stage) as ended:
            await ended.press("2")
            await end(ended)
        async with ring_at(stage) as first, ring_at(stage) as second:
            await wait_all_tasks_blocked()
            named = [StreamRecord(stream_sid=phone.stream_sid, ended_by="server") for phone in (ended, first, second)]
            answers = [
                await passthru(stage.network.dial, call_sid=SID, before=False, stream=stream)
                for stream in (*named, StreamRecord())
            ]

    assert answers == [302, 200, 200, 200]


async def test_two_calls_of_one_name_are_both_there(autojump_clock: MockClock) -> None:
    async with serving(make_flow()) as stage, ring_at(stage), ring_at(stage):
        await wait_all_tasks_blocked()
        told = await counts(stage)

    assert (told["calls"], len(stage.server.records)) == (2, 2)


# Reading along.

FEED = Settings(feed=True)


async def read(feed: AsyncIterator[str] | None, pause: float = 0.0) -> list[dict[str, Any]]:
    """Read a feed to its end, with a pause behind each entry."""
    assert feed is not None
    entries = []
    async for line in feed:
        entries.append(json.loads(line))
        await trio.sleep(pause)
    return entries


async def play(phone: Telephone) -> None:
    """Make a call with something in its journal."""
    await trio.sleep(1)
    await phone.press("7777")
    await trio.sleep(1)
    await phone.press("2")
    await end(phone)


def whole(entries: list[dict[str, Any]]) -> tuple[list[int], str, str]:
    """Numbers of the entries, and what the first and the last say."""
    return [entry["n"] for entry in entries], entries[0]["what"], entries[-1]["what"]


async def followed(before: float, pause: float = 0.0, notice: float = 2.0) -> tuple[list[dict[str, Any]], Stage]:
    """Ask for a journal *before* seconds before its call begins; read it with a pause behind each entry."""
    read_entries: list[dict[str, Any]] = []

    async def follow(stage: Stage) -> None:
        await trio.sleep(max(0.0, -before))
        read_entries.extend(await read(stage.server.registry.feed(SID), pause))

    async with serving(make_flow(), settings=FEED) as stage, trio.open_nursery() as nursery:
        nursery.start_soon(follow, stage)
        await trio.sleep(max(0.0, before))
        async with ring_at(stage) as phone:
            await play(phone)
        await trio.sleep(notice)
    return read_entries, stage


@pytest.mark.parametrize(
    ("before", "pause"),
    [(9.0, 0.0), (0.0, 0.0), (-1.5, 0.0), (-60.0, 0.0), (0.0, 30.0)],
    ids=["before the call", "as it begins", "while it runs", "after it", "slowly"],
)
async def test_a_journal_is_read_whole_whenever_it_is_asked_for(
    before: float, pause: float, autojump_clock: MockClock
) -> None:
    entries, stage = await followed(before, pause)

    written = stage.call.driver.journal.entries
    assert whole(entries) == ([entry.n for entry in written], "accepted", "ended")


async def test_who_reads_a_journal_leaves_nothing_in_it(autojump_clock: MockClock) -> None:
    _, stage = await followed(1.0)

    assert stage.call.driver.journal.readers == []


async def test_who_stops_reading_leaves_nothing_in_it(autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=FEED) as stage, ring_at(stage):
        await trio.sleep(1)
        feed: Any = stage.server.registry.feed(SID)
        await anext(feed)
        reading = len(stage.call.driver.journal.readers)
        await feed.aclose()

    assert (reading, stage.call.driver.journal.readers) == (1, [])


async def test_who_hangs_up_while_reading_leaves_nothing_in_it(autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=FEED) as stage, ring_at(stage):
        port = await stage.network.dial()
        port.try_send(f"GET /events/{SID} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await trio.sleep(1)
        reading = len(stage.call.driver.journal.readers)
        port.close(reset=True)
        await trio.sleep(8)
        left = len(stage.call.driver.journal.readers)

    assert (reading, left) == (1, 0)


async def test_who_reads_too_slowly_is_cut_off_where_something_would_be_missing(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "MOST_ENTRIES", 6)
    entries, stage = await followed(0.0, pause=20.0)

    numbers = [entry["n"] for entry in entries]
    assert (numbers == [*range(1, len(numbers) + 1)], numbers[-1] < stage.call.driver.journal.entries[-1].n) == (
        True,
        True,
    )


async def test_of_a_long_call_what_is_kept_is_read(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "MOST_ENTRIES", 6)
    entries, stage = await followed(-60.0)

    assert whole(entries)[0] == [entry.n for entry in stage.call.driver.journal.entries]


async def test_a_call_that_does_not_begin_is_waited_for_as_long_as_a_handshake_takes(autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=FEED) as stage:
        began = trio.current_time()
        entries = await read(stage.server.registry.feed(SID))
        waited = trio.current_time() - began

    assert (entries, waited) == ([], 10.0)


async def test_of_ended_calls_few_journals_are_kept(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_calls, "MOST_JOURNALS", 2)
    async with serving(make_flow(), settings=FEED) as stage:
        for call_sid in ("one", "two", "one", "three"):
            async with ring_at(stage, call_sid=call_sid):
                await wait_all_tasks_blocked()
        kept = {call_sid: await read(stage.server.registry.feed(call_sid)) for call_sid in ("one", "two", "three")}

    assert [bool(kept[call_sid]) for call_sid in ("one", "two", "three")] == [True, False, True]


async def test_another_call_is_not_mistaken_for_it(autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=FEED) as stage:
        with trio.move_on_after(5):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(read, stage.server.registry.feed(SID))
                async with ring_at(stage, call_sid="another"):
                    await trio.sleep(60)
        following = stage.call.driver.journal.readers

    assert following == []


async def test_without_leave_no_journal_is_kept_or_read(autojump_clock: MockClock) -> None:
    async with ringing(make_flow(), line={"call_sid": SID}) as (phone, stage):
        during = stage.server.registry.feed(SID)
        await phone.press("1")
        await end(phone)

    registry = stage.server.registry
    assert (during, registry.feed(SID), dict(registry.calls._journals)) == (None, None, {})


async def test_a_journal_is_read_over_http(autojump_clock: MockClock) -> None:
    bodies: list[bytes] = []

    async def follow(stage: Stage) -> None:
        bodies.append(await get(stage, f"/events/{SID}"))

    async with serving(make_flow(), settings=FEED) as stage, trio.open_nursery() as nursery:
        nursery.start_soon(follow, stage)
        async with ring_at(stage) as phone:
            await play(phone)

    written = [entry.line() for entry in stage.call.driver.journal.entries]
    assert bodies == ["".join(written).encode()]
