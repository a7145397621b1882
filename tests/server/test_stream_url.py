"""The dynamic URL: what Exotel is answered when it asks where to open the stream of a call (exotel.md §13)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import trio
from trio.testing import MockClock

from callflow import PassthruReport, StreamTo, Verdict
from callflow.server.settings import Settings
from tests.call.stage import serving
from tests.conformance.stored import stored
from tests.server.doors import SID, get, make_flow, post, refusal, ring_at, send, url_of

HINDI = StreamTo(parameters={"lang": "hi", "who": "a b"}, rate=16000, data={"plan": "gold"})


def directs(to: Any) -> Any:
    """Make a function of a flow that says where to."""
    return lambda report: to


async def waits(report: PassthruReport) -> StreamTo:
    await trio.sleep(1.5)
    return HINDI


async def sleeps(report: PassthruReport) -> StreamTo:
    await trio.sleep(60)
    return HINDI


def raises(report: PassthruReport) -> StreamTo:
    raise RuntimeError("canary")


async def test_the_url_leads_to_the_flow_with_a_token(autojump_clock: MockClock) -> None:
    async with serving(make_flow()) as stage:
        url = await url_of(stage)

    base, _, token = url.rpartition("/")
    assert (base, len(token)) == ("wss://voice.example.in/stream/bank", 32)


@pytest.mark.parametrize("to", [directs(HINDI), waits])
async def test_the_flows_function_adds_parameters(to: Any, autojump_clock: MockClock) -> None:
    async with serving(make_flow(stream_url=to)) as stage:
        query = urlsplit(await url_of(stage)).query

    assert parse_qsl(query) == [("lang", "hi"), ("who", "a b"), ("sample-rate", "16000")]


async def test_a_call_knows_what_its_url_was_given(autojump_clock: MockClock) -> None:
    notes: list[Any] = []
    async with serving(make_flow(notes=notes, stream_url=directs(HINDI))) as stage:
        url = await url_of(stage, CustomField="order 7")
        async with ring_at(stage, url) as phone:
            await phone.wait(0.5)

    call = notes[0]
    assert (call.parameters, call.passthru) == (
        {"lang": "hi", "who": "a b"},
        {"CallSid": SID, "CustomField": "order 7", "plan": "gold"},
    )


async def test_the_rate_of_a_flow_is_asked_for(autojump_clock: MockClock) -> None:
    async with serving(make_flow(rate=24000)) as stage:
        assert urlsplit(await url_of(stage)).query == "sample-rate=24000"


async def test_the_flows_function_chooses_a_flow(autojump_clock: MockClock) -> None:
    notes: list[Any] = []
    desk, shop = make_flow("desk", stream_url=directs(StreamTo(flow="shop"))), make_flow("shop", notes)
    async with serving([desk, shop]) as stage:
        url = await url_of(stage, "/stream-url/desk")
        async with ring_at(stage, url) as phone:
            await phone.wait(0.5)

    assert (url.split("/")[4], len(notes)) == ("shop", 1)


@pytest.mark.parametrize("fallback", [None, "wss://other.example/stream"])
@pytest.mark.parametrize(
    ("function", "seconds"),
    [
        (sleeps, 2.0),
        (raises, 0.0),
        (directs(None), 0.0),
        (directs({"url": "wss://x"}), 0.0),
        (directs(StreamTo(flow="nobody")), 0.0),
    ],
)
async def test_a_function_that_fails_or_is_late_is_answered_for(
    function: Any, seconds: float, fallback: str | None, autojump_clock: MockClock
) -> None:
    async with serving(make_flow(stream_url=function), settings=Settings(stream_url_fallback=fallback)) as stage:
        asked_at = trio.current_time()
        url = await url_of(stage)
        took = trio.current_time() - asked_at

    plain = fallback or "wss://voice.example.in/stream/bank/"
    assert (url.startswith(plain), round(took, 6), stage.server.door.failed) == (True, seconds, 0)


async def test_a_function_that_chose_no_flow_of_the_server_is_told_which_there_are(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving([make_flow("desk", stream_url=directs(StreamTo(flow="none"))), make_flow("shop")]) as stage:
        await url_of(stage, "/stream-url/desk")

    assert "stream_url= of Flow('desk') chose 'none'; the flows served are desk, shop" in caplog.text


@pytest.mark.parametrize("first", ["/passthru", "/stream-url"])
async def test_of_two_functions_the_first_that_was_asked_has_the_word(first: str, autojump_clock: MockClock) -> None:
    notes: list[Any] = []
    parts: dict[str, Any] = {
        "passthru": lambda _: Verdict(data={"by": "/passthru", "CallSid": "mine", "p": "1"}),
        "stream_url": lambda _: StreamTo(data={"by": "/stream-url", "CallSid": "mine", "s": "1"}),
    }
    async with serving(make_flow(notes=notes, **parts)) as stage:
        for path in (first, "/passthru", "/stream-url"):
            await get(stage, path)
        async with ring_at(stage) as phone:
            await phone.wait(0.5)

    assert notes[0].passthru == {"CallSid": "mine", "by": first, "p": "1", "s": "1"}


async def test_a_url_is_not_judged_again_while_its_call_lives(autojump_clock: MockClock) -> None:
    judged: list[str] = []

    def judge(report: PassthruReport) -> StreamTo:
        judged.append(report.call_sid)
        return HINDI

    async with serving(make_flow(stream_url=judge), settings=Settings(idle=3600.0)) as stage:
        url = await url_of(stage)
        async with ring_at(stage, url) as phone:
            await phone.wait(300.0)
            again = await url_of(stage)

    assert (again, judged) == (url, [SID])


async def test_a_call_whose_function_failed_is_let_in_all_the_same(autojump_clock: MockClock) -> None:
    settings = Settings(tokens_required=True, announced_only=True)
    async with serving(make_flow(stream_url=raises), settings=settings) as stage:
        refused = await refusal(stage, await url_of(stage))

    assert refused is None


async def test_a_server_that_goes_down_sends_callers_to_the_other(autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=Settings(stream_url_fallback="wss://other.example/stream")) as stage:
        stage.server.registry.is_ready = False
        assert await url_of(stage) == "wss://other.example/stream"


async def test_a_repeated_request_is_answered_the_same(autojump_clock: MockClock) -> None:
    judged: list[str] = []

    def judge(report: PassthruReport) -> StreamTo:
        judged.append(report.call_sid)
        return HINDI

    async with serving(make_flow(stream_url=judge)) as stage:
        urls = {await url_of(stage) for _ in range(3)}

    assert (len(urls), judged) == (1, [SID])


async def test_the_public_url_wins_over_the_host(autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=Settings(public_url="https://calls.example.com/a")) as stage:
        assert (await url_of(stage)).startswith("wss://calls.example.com/a/stream/bank/")


@pytest.mark.parametrize("host", ["a b", "x/y", "x@y", ""])
async def test_a_host_that_is_none_gives_no_url(host: str, autojump_clock: MockClock) -> None:
    async with serving(make_flow()) as stage:
        answer = await get(stage, "/stream-url", f"Host: {host}")

    assert answer.status in (400, 404)


async def test_a_flow_that_is_not_served_has_no_url(autojump_clock: MockClock) -> None:
    async with serving([make_flow("bank"), make_flow("shop")]) as stage:
        answers = [await get(stage, path) for path in ("/stream-url/none", "/stream-url", "/stream-url/shop")]

    assert [answer.status for answer in answers] == [404, 404, 200]


async def test_it_may_be_asked_by_post(autojump_clock: MockClock) -> None:
    async with serving(make_flow()) as stage:
        answer = await post(stage, "/stream-url", json.dumps({"CallSid": SID}).encode())

    assert (answer.status, answer.headers["content-type"], answer.headers["cache-control"]) == (
        200,
        "application/json",
        "no-store",
    )


async def test_the_stored_request_is_answered(autojump_clock: MockClock) -> None:
    async with serving(make_flow()) as stage:
        statuses = [(await send(stage, request.wire)).status for request in stored("stream-url")]

    assert statuses == [200]
