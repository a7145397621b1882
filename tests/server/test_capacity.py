"""How many calls there may be: who is told that the lines are busy, when, and who has a place in any case."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from callflow import PassthruReport, Verdict
from callflow.line import passthru
from callflow.server import capacity
from callflow.server.announcements import PLACE_KEPT
from callflow.server.settings import Settings
from callflow.wire.exotel import encode
from callflow.wire.messages import Connected
from tests.call.far_end import OPENING, dialled, opening, text
from tests.call.stage import Stage, serving
from tests.server.doors import make_flow, refusal, ring_at, url_of

ONE = Settings(max_calls=1, public_url="wss://voice.example.in", stream_url_fallback="wss://spare.example.in/stream")
TWO = Settings(max_calls=2)


async def announce(stage: Stage, call_sid: str) -> int:
    """Announce a call by a Passthru; give the answer."""
    return await passthru(stage.network.dial, call_sid=call_sid, before=True)


def judge(verdict: Verdict) -> Any:
    def passthru(report: PassthruReport) -> Verdict:
        return verdict

    return passthru


# At the announcement.


async def test_when_all_lines_are_busy_an_announced_call_goes_another_way(autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=ONE) as stage:
        async with ring_at(stage, call_sid="one") as phone:
            await phone.wait(0.5)
            while_busy = await announce(stage, "two")
            repeated = await announce(stage, "two")
        afterwards = await announce(stage, "three")

    assert (while_busy, repeated, afterwards) == (302, 302, 200)


async def test_a_flow_says_which_way_that_is(autojump_clock: MockClock) -> None:
    async with serving(make_flow(full=Verdict(200), passthru=judge(Verdict(302))), settings=ONE) as stage:
        free = await announce(stage, "zero")
        async with ring_at(stage, call_sid="one") as phone:
            await phone.wait(0.5)
            while_busy = await announce(stage, "two")

    assert (free, while_busy) == (302, 200)


async def test_a_flow_that_is_full_judges_nobody(autojump_clock: MockClock) -> None:
    judged: list[str] = []

    def note(report: PassthruReport) -> Verdict:
        judged.append(report.call_sid)
        return Verdict()

    async with serving(make_flow(passthru=note), settings=ONE) as stage:
        answers = [await announce(stage, call_sid) for call_sid in ("one", "two", "one")]

    assert (answers, judged) == ([200, 302, 200], ["one"])


async def test_announced_calls_that_are_let_in_are_no_more_than_there_are_places(autojump_clock: MockClock) -> None:
    answers: list[int] = []

    async def slowly(report: PassthruReport) -> Verdict:
        await trio.sleep(1.0)
        return Verdict()

    async def ask(stage: Stage, call_sid: str) -> None:
        answers.append(await announce(stage, call_sid))

    async with serving(make_flow(passthru=slowly), settings=TWO) as stage, trio.open_nursery() as nursery:
        for n in range(5):
            nursery.start_soon(ask, stage, f"c{n}")

    assert sorted(answers) == [200, 200, 302, 302, 302]


@pytest.mark.parametrize("answer", [judge(Verdict(302)), None])
async def test_a_call_that_goes_another_way_gives_its_place_up(answer: Any, autojump_clock: MockClock) -> None:
    def fails(report: PassthruReport) -> Verdict:
        raise RuntimeError("no")

    async with serving(make_flow(passthru=answer or fails), settings=ONE) as stage:
        await announce(stage, "one")

        assert stage.server.registry.announcements.places() == 0


@pytest.mark.parametrize(("after", "answer"), [(PLACE_KEPT - 0.1, 302), (PLACE_KEPT + 0.1, 200)])
async def test_a_place_is_kept_for_a_time(after: float, answer: int, autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=ONE) as stage:
        await announce(stage, "one")
        await trio.sleep(after)

        assert await announce(stage, "two") == answer


async def test_a_stream_url_leads_elsewhere_when_all_lines_are_busy(autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=ONE) as stage:
        first, second = [await url_of(stage, CallSid=call_sid) for call_sid in ("one", "two")]

    assert (first.partition("/stream/")[0], second) == ("wss://voice.example.in", "wss://spare.example.in/stream")


async def test_without_a_limit_every_announced_call_is_let_in(autojump_clock: MockClock) -> None:
    async with serving(make_flow()) as stage:
        assert [await announce(stage, f"c{n}") for n in range(50)] == [200] * 50


# At the upgrade, and at the start.


async def test_a_place_that_is_kept_is_not_taken_by_a_call_that_nobody_announced(autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=ONE) as stage:
        await announce(stage, "one")
        stranger = await refusal(stage, call_sid="stranger")
        async with ring_at(stage, call_sid="one") as phone:
            await phone.wait(0.5)
            busy = await refusal(stage, call_sid="stranger")

    assert (stranger, busy, [call.start and call.start.call_sid for call in stage.server.calls]) == (1008, 503, ["one"])


async def test_an_announced_call_gets_in_past_a_stream_that_does_not_start(autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=ONE) as stage:
        await announce(stage, "one")
        idle = await dialled(stage.network, text(encode(Connected())))
        announced = await refusal(stage, call_sid="one")
        idle.port.close()

    assert announced is None


async def test_streams_that_do_not_start_take_the_lines_for_as_long_as_they_may(autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=TWO) as stage:
        idle = [await dialled(stage.network, text(encode(Connected()))) for _ in range(2)]
        busy = await refusal(stage)
        for peer in idle:
            peer.port.close()
        afterwards = await refusal(stage)

    assert (busy, afterwards) == (503, None)


async def test_the_line_of_a_call_that_is_silent_may_be_lost_so_that_another_is_let_in(
    autojump_clock: MockClock,
) -> None:
    async with serving(make_flow(), settings=ONE) as stage:
        silent = await dialled(stage.network, OPENING)
        await trio.sleep(capacity.LOST_AFTER - 0.1)
        before = await refusal(stage, call_sid="another")
        await trio.sleep(0.2)
        another = await refusal(stage, call_sid="another")  # no line of that call: it has no place either
        silent.port.close()

    assert (before, another, len(stage.server.calls)) == (503, 1008, 1)


async def test_the_line_of_a_call_comes_back_though_all_lines_are_busy(autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=ONE) as stage, ring_at(stage, call_sid="one") as phone:
        await phone.wait(0.5)
        phone.drop()
        await trio.sleep(0.1)
        another = await refusal(stage, call_sid="another")
        async with ring_at(stage, call_sid="one") as again:
            await again.wait(0.5)
            live = len(stage.server.registry.live)
            await again.press("1")
            await again.ended.wait()

    assert (another, live, len(stage.server.records)) == (1008, 1, 1)


async def test_a_call_that_runs_has_a_place_for_itself_and_for_no_other_call_of_its_name(
    autojump_clock: MockClock,
) -> None:
    async with serving(make_flow(), settings=ONE) as stage:
        silent = await dialled(stage.network, opening(call_sid="one"))
        await trio.sleep(capacity.LOST_AFTER)
        others = [await refusal(stage, call_sid="one", caller=f"+91000000020{n}") for n in range(3)]
        silent.port.close()

    assert (others, len(stage.server.calls), stage.server.screening.refused) == ([1008] * 3, 1, {"full": 3})


async def test_a_token_of_a_call_with_a_place_is_let_in_and_another_is_not(autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=ONE) as stage:
        url = await url_of(stage, CallSid="one")
        other = url.rpartition("/")[0] + "/" + stage.server.registry.tokens.mint("other")
        async with ring_at(stage, url, call_sid="one") as phone:
            await phone.wait(0.5)
            refused = await refusal(stage, other, call_sid="other")

    assert (refused, len(stage.server.calls)) == (503, 1)


# Going down, and what is told.


async def test_a_server_that_goes_down_sends_announced_calls_another_way(autojump_clock: MockClock) -> None:
    settings = Settings(drain_delay=3.0, drain=20.0)
    async with (
        serving(make_flow(), settings=settings) as stage,
        ring_at(stage, call_sid="one") as phone,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(stage.server.drain)
        await phone.wait(1.0)
        early = await announce(stage, "early")
        await phone.wait(3.0)
        late, again = await announce(stage, "late"), await announce(stage, "early")
        await phone.press("1")

    assert (early, late, again, stage.server.door.refused) == (200, 302, 200, {"announced draining": 1})


async def test_a_server_that_goes_down_keeps_its_word_to_calls_that_it_let_in(autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=Settings(drain=20.0)) as stage:
        await announce(stage, "early")
        async with trio.open_nursery() as nursery, ring_at(stage, call_sid="one") as phone:
            await phone.wait(0.5)
            nursery.start_soon(stage.server.drain)
            await phone.wait(0.5)
            stranger = await refusal(stage, call_sid="stranger")
            async with ring_at(stage, call_sid="early") as let_in:
                await let_in.wait(0.5)
                live = len(stage.server.registry.live)
                afterwards = await refusal(stage, call_sid="stranger")

    assert (stranger, live, afterwards) == (1012, 2, 503)


async def test_refusals_are_counted_and_one_a_second_is_told(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "callflow.server")
    async with serving(make_flow(), settings=ONE) as stage, ring_at(stage, call_sid="one") as phone:
        await phone.wait(0.5)
        for n in range(30):
            await announce(stage, f"c{n}")
            await trio.sleep(0.1)

    told = [vars(record) for record in caplog.records if record.getMessage() == "call refused"]
    assert (stage.server.door.refused["announced capacity"], len(told) in (3, 4)) == (30, True)
    assert {name: told[0][name] for name in ("kind", "call_sid", "status", "count")} == {
        "kind": "announced capacity",
        "call_sid": "c0",
        "status": 302,
        "count": 1,
    }
