"""What Exotel says of a call that is over: kept beside its record, once, and believed of no live call."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from callflow import Call, Flow, State, StatusReport
from callflow.call.journal import Kind
from callflow.server.reports import MOST_CALLS, MOST_REPORTS, CallReport, Reports, Source
from callflow.session.inputs import EndCause, EndedBy
from tests.call.stage import serving
from tests.conformance.stored import StoredRequest, stored
from tests.server.doors import SID, Bye, Notes, get, make_flow, post, ring_at, send


def after(stream_sid: str, **said: str) -> dict[str, str]:
    """Write what a Passthru behind a stream says."""
    every = {"Status": "cancelled", "Duration": "7", "DisconnectedBy": "user"} | said
    return {"Stream[StreamSID]": stream_sid, **{f"Stream[{name}]": text for name, text in every.items()}}


async def test_a_late_passthru_says_who_ended_the_call(autojump_clock: MockClock) -> None:
    async with serving(make_flow()) as stage:
        async with ring_at(stage) as phone:
            await phone.wait(1.0)
            await phone.hang_up()
        await stage.server.registry.wait_no_calls()
        await get(stage, "/passthru", **after(phone.stream_sid))

    assert (stage.record.ended_by, stage.server.reports.of(SID)) == (
        EndedBy.UNKNOWN,
        [
            CallReport(
                source=Source.PASSTHRU,
                call_sid=SID,
                call_ids=(stage.record.call_id,),
                stream_sid=phone.stream_sid,
                status="cancelled",
                ended_by=EndedBy.CALLER,
                seconds=7.0,
            )
        ],
    )


class Lingers(State[Notes], timeout=60.0):
    """Takes its time when the call is over."""

    async def run(self, call: Call[Notes]) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.move_on_after(1.0, shield=True):
                await trio.sleep_forever()

    def on_timeout(self, call: Call[Notes]) -> Bye:
        return Bye()


@pytest.mark.parametrize(
    ("ends", "word", "cause", "who"),
    [
        ("caller", "user", EndCause.STOP, EndedBy.CALLER),
        ("caller", "NA", EndCause.STOP, EndedBy.UNKNOWN),
        ("caller", "bot", EndCause.STOP, EndedBy.UNKNOWN),
        ("server", "user", EndCause.DRAIN, EndedBy.SERVER),
    ],
)
async def test_a_passthru_in_time_completes_the_record_where_we_do_not_know_better(
    ends: str, word: str, cause: EndCause, who: EndedBy, autojump_clock: MockClock
) -> None:
    async with serving(Flow("lingers", start=Lingers, data=list[Any])) as stage, ring_at(stage) as phone:
        await phone.wait(0.5)
        [task] = stage.server.registry.live
        if ends == "caller":
            await phone.hang_up()
        else:
            task.hang_up(EndCause.DRAIN, 1012)
        await trio.sleep(0.2)
        await get(stage, "/passthru", **after(phone.stream_sid, DisconnectedBy=word))
        await stage.server.registry.wait_no_calls()

    assert (stage.record.cause, stage.record.ended_by) == (cause, who)


@pytest.mark.parametrize(
    ("word", "who"),
    [("user", EndedBy.CALLER), ("bot", EndedBy.FLOW), ("system", EndedBy.NETWORK), ("NA", EndedBy.UNKNOWN)],
)
async def test_the_words_of_exotel_are_those_of_the_record(word: str, who: EndedBy, autojump_clock: MockClock) -> None:
    async with serving(make_flow()) as stage:
        await get(stage, "/passthru", **after("5eed", DisconnectedBy=word))

    assert [report.ended_by for report in stage.server.reports.of(SID)] == [who]


async def test_a_report_is_logged_without_numbers_and_addresses(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "callflow")
    error = "3009 failed to establish ws conn wss://user:canary@bot.example/stream\r\n"
    async with serving(make_flow()) as stage:
        await get(stage, "/passthru", CallFrom="00000000105", **after("5eed", Status="failed", Error=error))

    [record] = [record for record in caplog.records if record.message == "call reported"]
    told = vars(record)["report"]
    assert (told["error"], "00000000105" in str(told)) == ("3009 failed to establish ws conn …", False)


async def test_a_forged_passthru_changes_no_live_call(autojump_clock: MockClock) -> None:
    async with serving(make_flow()) as stage:
        async with ring_at(stage) as phone:
            await phone.wait(1.0)
            await get(stage, "/passthru", **after(phone.stream_sid))
            await phone.wait(1.0)
            lives = not phone.ended.is_set()
            odd = [entry.what for entry in stage.journal(Kind.ODD)]
        await stage.server.registry.wait_no_calls()
        [report] = stage.server.reports.of(SID)

    assert (lives, odd, report.live, stage.record.ended_by, stage.server.registry.flagged["live"]) == (
        True,
        ["Passthru"],
        True,
        EndedBy.UNKNOWN,
        1,
    )


async def test_one_about_another_stream_of_the_call_is_not_forged(autojump_clock: MockClock) -> None:
    async with serving(make_flow()) as stage, ring_at(stage) as phone:
        await phone.wait(1.0)
        await get(stage, "/passthru", **after("another"))
        odd = stage.journal(Kind.ODD)
        [report] = stage.server.reports.of(SID)

    assert (odd, report.live) == ([], False)


async def test_every_stored_passthru_is_answered_and_kept_once(autojump_clock: MockClock) -> None:
    requests = stored("passthru")
    async with serving(make_flow()) as stage:
        statuses = {(await send(stage, request.wire)).status for request in requests * 2}
        registry = stage.server.registry

    reported = [(request.said["call_sid"], request.said["after_stream"]) for request in requests]
    kept = sum(len(registry.reports.of(str(call_sid))) for call_sid in {call_sid for call_sid, _ in reported})
    assert (statuses, len(reported) > 7, kept) == ({200}, True, len(distinct(requests)))


def distinct(requests: list[StoredRequest]) -> set[tuple[str, ...]]:
    """Say which of them say something of their own."""
    said: list[Any] = [request.said for request in requests if request.said["after_stream"]]
    return {(each["call_sid"], each["stream"].get("stream_sid", ""), each["stream"]["status"]) for each in said}


# Status callbacks.


def status(**said: str) -> dict[str, str]:
    return {"EventType": "terminal", "Status": "completed", "ConversationDuration": "28"} | said


async def test_a_status_callback_is_kept_beside_every_call_of_its_sid(autojump_clock: MockClock) -> None:
    async with serving(make_flow()) as stage:
        for _ in range(2):
            async with ring_at(stage) as phone:
                await phone.wait(0.5)
            await stage.server.registry.wait_no_calls()
        answer = await get(stage, "/status", **status())

    [report] = stage.server.reports.of(SID)
    assert (answer.status, report.call_ids, report.event, report.seconds) == (
        200,
        tuple(record.call_id for record in stage.server.records),
        "terminal",
        28.0,
    )


async def test_one_that_comes_before_the_call_is_found_by_its_sid(autojump_clock: MockClock) -> None:
    async with serving(make_flow()) as stage:
        await get(stage, "/status", **status(EventType="ringing"))
        async with ring_at(stage) as phone:
            await phone.wait(0.5)

    assert [report.event for report in stage.server.reports.of(stage.record.call_sid)] == ["ringing"]


async def test_the_flow_is_told_once_of_each(autojump_clock: MockClock) -> None:
    told: list[StatusReport] = []
    async with serving(make_flow(status=told.append)) as stage:
        for event in ("answered", "terminal", "answered", "terminal"):
            await get(stage, "/status", **status(EventType=event))

    assert ([report.event for report in told], stage.server.registry.flagged["repeated"]) == (
        ["answered", "terminal"],
        2,
    )


async def sleeps(report: StatusReport) -> None:
    await trio.sleep(60)


def raises(report: StatusReport) -> None:
    raise RuntimeError("a mistake in the flow")


@pytest.mark.parametrize(("function", "seconds"), [(sleeps, 2.0), (raises, 0.0)])
async def test_exotel_is_answered_whatever_the_flow_does(
    function: Any, seconds: float, autojump_clock: MockClock
) -> None:
    async with serving(make_flow(status=function)) as stage:
        asked_at = trio.current_time()
        answer = await get(stage, "/status", **status())
        took = trio.current_time() - asked_at

    assert (answer.status, round(took, 6), stage.server.door.failed) == (200, seconds, 0)


async def test_of_several_flows_the_one_of_the_path_is_told_else_the_one_of_the_call(
    autojump_clock: MockClock,
) -> None:
    told: list[str] = []
    flows = [make_flow(name, status=lambda _, name=name: told.append(name)) for name in ("bank", "shop")]
    async with serving(flows) as stage:
        async with ring_at(stage, "wss://voice.example.in/stream/shop") as phone:
            await phone.wait(0.5)
        for path, event in (("/status", "a"), ("/status/bank", "b"), ("/status/none", "c")):
            await get(stage, path, **status(EventType=event))
        await get(stage, "/status", CallSid="unknown", **status())

    assert told == ["shop", "bank"]


async def test_every_stored_callback_is_answered(autojump_clock: MockClock) -> None:
    async with serving(make_flow()) as stage:
        statuses = [(await send(stage, request.wire)).status for request in stored("status")]

    assert statuses == [200, 200, 200, 200]


async def test_one_that_names_no_call_is_refused(autojump_clock: MockClock) -> None:
    async with serving(make_flow()) as stage:
        assert (await post(stage, "/status", b"{}")).status == 400


# What is kept.


def test_reports_and_calls_do_not_pile_up() -> None:
    reports = Reports()
    for number in range(MOST_REPORTS + 5):
        reports.begun(f"c{number}", f"id{number}", "bank")
        reports.add(CallReport(source=Source.STATUS, call_sid=f"c{number}"))

    assert (len(reports), reports.of("c4"), reports.calls_of("c4"), reports.calls_of("c5")) == (
        MOST_REPORTS,
        [],
        (),
        ("id5",),
    )


def test_the_calls_of_one_sid_do_not_pile_up() -> None:
    reports = Reports()
    for number in range(MOST_CALLS + 1):
        reports.begun("c", f"id{number}", "bank")

    assert (len(reports.calls_of("c")), reports.calls_of("c")[-1]) == (MOST_CALLS, f"id{MOST_CALLS}")


# A call that waits for its line.


@pytest.mark.parametrize(
    ("named", "seconds", "who"),
    [("its own", 1.0, EndedBy.CALLER), ("another", 10.0, EndedBy.NETWORK)],
)
async def test_a_call_that_waits_for_its_line_is_over_when_its_stream_is_reported(
    named: str, seconds: float, who: EndedBy, autojump_clock: MockClock
) -> None:
    async with serving(make_flow()) as stage, ring_at(stage) as phone:
        await phone.wait(1.0)
        phone.drop()
        lost_at = trio.current_time()
        await trio.sleep(1.0)
        await get(stage, "/passthru", **after(phone.stream_sid if named == "its own" else "another"))
        await stage.server.registry.wait_no_calls()
        waited = round(trio.current_time() - lost_at, 3)

    assert (stage.record.cause, stage.record.ended_by, waited) == (EndCause.PEER_GONE, who, seconds)
