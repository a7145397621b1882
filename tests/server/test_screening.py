"""Whose streams are let in: by token, by account, by announcement."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from callflow.server.announcements import MOST_ANNOUNCED, Announcements
from callflow.server.settings import Settings
from tests.call.stage import left_over, serving
from tests.server.doors import SID, basic, get, make_flow, refusal, ring_at, url_of

CLOSED = Settings(tokens_required=True)


def in_place(url: str, place: str) -> str:
    """Write a URL that has its token in the path with the token elsewhere."""
    base, _, token = url.rpartition("/")
    return {
        "path": url,
        "basic": base.replace("://", f"://anybody:{token}@"),
        "query": f"{base}?token={token}",
        "mangled path": f"{base}/x?token={token}",
    }[place]


@pytest.mark.parametrize("place", ["path", "basic", "query", "mangled path"])
async def test_a_token_is_taken_wherever_it_stands(place: str, autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=CLOSED) as stage:
        refused = await refusal(stage, in_place(await url_of(stage), place))

    assert (refused, len(stage.server.records)) == (None, 1)


@pytest.mark.parametrize("place", ["path", "basic", "query"])
async def test_a_token_stands_where_the_setting_says(place: Any, autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=Settings(tokens_required=True, token_in=place)) as stage:
        refused = await refusal(stage, await url_of(stage))

    assert (refused, len(stage.server.records)) == (None, 1)


@pytest.mark.parametrize(
    "url",
    [
        "wss://voice.example.in/stream",
        "wss://voice.example.in/stream/bank/" + "x" * 32,
        "wss://exotel:s3cret@voice.example.in/stream/bank",
        "wss://voice.example.in/stream/bank?token=x",
    ],
)
async def test_where_tokens_are_required_nothing_else_will_do(url: str, autojump_clock: MockClock) -> None:
    settings = Settings(tokens_required=True, credentials=("exotel:s3cret",))
    async with serving(make_flow(), settings=settings) as stage:
        refused = await refusal(stage, url)

    assert (refused, stage.server.records) == (401, [])


async def test_a_token_needs_no_credentials_beside_it(autojump_clock: MockClock) -> None:
    settings = Settings(credentials=("exotel:s3cret",))
    async with serving(make_flow(), settings=settings) as stage:
        answers = [await get(stage, "/stream-url"), await get(stage, "/stream-url", "Host: a", basic("exotel:s3cret"))]
        token = answers[1].body.decode().rstrip('"}').rpartition("/")[2]
        refused = [await refusal(stage, f"wss://voice.example.in/stream/bank/{shown}") for shown in (token, token[:-1])]

    assert ([answer.status for answer in answers], refused) == ([401, 200], [None, 401])


async def test_a_token_is_for_no_other_call(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(make_flow()) as stage:
        refused = await refusal(stage, await url_of(stage), call_sid="another")

    said = [(record.message, vars(record)["kind"]) for record in caplog.records if "refused" in record.message]
    assert (refused, said, stage.server.records, left_over(stage)) == (1008, [("start refused", "token")], [], {})


async def test_a_token_is_good_until_the_call_cannot_come_back(autojump_clock: MockClock) -> None:
    refused = []
    async with serving(make_flow(), settings=CLOSED) as stage:
        url = await url_of(stage)
        for pause in (59.0, 300.0, 9.0, 12.0):
            await trio.sleep(pause if pause != 300.0 else 0)
            async with trio.open_nursery():
                refused.append(await refusal(stage, url))

    assert refused == [None, None, None, 401]


async def test_a_token_that_was_not_used_in_time_is_none(autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=CLOSED) as stage:
        url = await url_of(stage)
        await trio.sleep(61)
        refused = await refusal(stage, url)

    assert refused == 401


async def test_a_token_is_in_no_log_and_no_parameter(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "callflow")
    notes: list[Any] = []
    async with serving(make_flow(notes=notes), settings=CLOSED) as stage:
        url = await url_of(stage)
        token = url.rpartition("/")[2]
        for place in ("path", "basic", "query"):
            await refusal(stage, in_place(url, place))
        await refusal(stage, in_place(url, "query"), call_sid="another")
        await refusal(stage, url.replace("/bank/", "/none/"))
    journals = [entry.line() for task in stage.server.calls for entry in task.driver.journal.entries]
    told = [*(str(vars(record)) for record in caplog.records), *journals, *(str(call.parameters) for call in notes)]

    assert (len(told) > 20, [text for text in told if token in text]) == (True, [])


# Accounts.


@pytest.mark.parametrize(("account", "code"), [("acme1", None), ("acme2", None), ("other", 1008), ("", 1008)])
async def test_only_named_accounts_may_call(account: str, code: int | None, autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=Settings(accounts=("acme1", "acme2"))) as stage:
        refused = await refusal(stage, account_sid=account)

    assert (refused, len(stage.server.records), dict(stage.server.screening.refused)) == (
        code,
        0 if code else 1,
        {"account": 1} if code else {},
    )


async def test_a_refused_start_disturbs_no_other_call(autojump_clock: MockClock) -> None:
    async with (
        serving(make_flow(), settings=Settings(accounts=("acme1",))) as stage,
        ring_at(stage) as phone,
    ):
        refused = await refusal(stage, call_sid="b2", account_sid="other")
        await phone.press("1")
        await phone.ended.wait()

    assert (refused, [record.call_sid for record in stage.server.records], left_over(stage)) == (1008, [SID], {})


# Announcements.


@pytest.mark.parametrize("path", ["/passthru", "/stream-url"])
async def test_a_call_that_was_announced_may_begin(path: str, autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=Settings(announced_only=True)) as stage:
        await get(stage, path)
        refused = [await refusal(stage, call_sid=call_sid) for call_sid in (SID, "unheard-of")]

    assert (refused, stage.server.screening.refused["announcement"]) == ([None, 1008], 1)


BEHIND = {"Stream[Status]": "completed", "Stream[DisconnectedBy]": "bot"}


@pytest.mark.parametrize("said", [{}, BEHIND])
@pytest.mark.parametrize(("pause", "code"), [(59.0, None), (61.0, 1008)])
async def test_a_passthru_between_two_streams_of_a_call_announces_the_second(
    said: dict[str, str], pause: float, code: int | None, autojump_clock: MockClock
) -> None:
    async with serving(make_flow(), settings=Settings(announced_only=True)) as stage:
        await get(stage, "/passthru")
        refused = [await refusal(stage)]
        await stage.server.registry.wait_no_calls()
        await get(stage, "/passthru", **said)
        await trio.sleep(pause)
        refused.append(await refusal(stage))

    assert (refused, stage.server.registry.counts()["announced"]) == ([None, code], 0)


async def test_calls_that_are_named_again_do_not_pile_up(autojump_clock: MockClock) -> None:
    announcements = Announcements(Counter(), orphan=60.0)
    for number in range(MOST_ANNOUNCED + 1):
        announcements.renew(f"c{number}")

    assert ["c0" in announcements, "c1" in announcements, len(announcements)] == [False, True, 0]


async def test_an_announcement_lasts_as_long_as_any_call_of_its_name(autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=Settings(announced_only=True, idle=3600.0)) as stage:
        await get(stage, "/passthru")
        async with ring_at(stage) as first:
            async with ring_at(stage) as second:
                await second.press("1")
                await second.ended.wait()
            await first.wait(300.0)
            announced = stage.server.registry.is_announced(SID)
        await stage.server.registry.wait_no_calls()

    assert (announced, stage.server.registry.is_announced(SID)) == (True, False)


async def test_an_announcement_is_for_one_call(autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=Settings(announced_only=True)) as stage:
        await get(stage, "/passthru")
        refused = []
        for _ in range(2):
            refused.append(await refusal(stage))
            await stage.server.registry.wait_no_calls()

    assert refused == [None, 1008]


# A line that was lost.


async def test_a_call_that_waits_for_its_line_is_given_to_no_other_token(autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=CLOSED) as stage:
        url, other = await url_of(stage), await url_of(stage, CallSid="another")
        async with ring_at(stage, url) as lost:
            await lost.wait(1.0)
            lost.drop()
            await trio.sleep(0.5)
            refused = [await refusal(stage, other), await refusal(stage, url)]
        await stage.server.registry.wait_no_calls()

    assert (refused, stage.record.links) == ([1008, None], 2)


async def test_a_call_that_waits_for_its_line_needs_no_other_announcement(autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=Settings(announced_only=True)) as stage:
        await get(stage, "/passthru")
        async with ring_at(stage) as lost:
            await lost.wait(1.0)
            lost.drop()
            await trio.sleep(0.5)
            refused = await refusal(stage)
        await stage.server.registry.wait_no_calls()

    assert (refused, stage.record.links) == (None, 2)
