"""Several flows on one port: each call, Passthru and URL goes to the flow that its path names."""

from __future__ import annotations

from typing import Any

import pytest
from trio.testing import MockClock

from callflow import PassthruReport, Verdict
from callflow.server.flows import Flows
from tests.call.stage import serving
from tests.server.doors import SID, get, make_flow, refusal, ring_at

HOST = "wss://voice.example.in"


@pytest.mark.parametrize(
    ("path", "refused", "flows"),
    [
        ("/stream/bank", None, ["bank"]),
        ("/stream/shop", None, ["shop"]),
        ("/stream/shop/t0ken", None, ["shop"]),
        ("/stream", 404, []),
        ("/stream/none", 404, []),
        ("/stream/", 404, []),
    ],
)
async def test_a_stream_is_answered_by_the_flow_of_its_path(
    path: str, refused: int | None, flows: list[str], autojump_clock: MockClock
) -> None:
    async with serving([make_flow("bank"), make_flow("shop")]) as stage:
        answer = await refusal(stage, HOST + path)

    assert (answer, [record.flow for record in stage.server.records]) == (refused, flows)


async def test_who_asks_for_a_flow_that_is_not_there_is_logged_with_those_that_are(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving([make_flow("bank"), make_flow("shop")]) as stage:
        await refusal(stage, HOST + "/stream/canary")

    [record] = [record for record in caplog.records if record.message == "call refused"]
    assert (vars(record)["streams"], "canary" in str(vars(record))) == ("/stream/bank /stream/shop", False)


def judged_by(status: Any, asked: list[str], name: str) -> Any:
    def judge(report: PassthruReport) -> Verdict:
        asked.append(name)
        return Verdict(status, {"judge": name})

    return judge


async def test_a_passthru_is_judged_by_the_flow_of_its_path(autojump_clock: MockClock) -> None:
    asked: list[str] = []
    flows = [
        make_flow("bank", passthru=judged_by(200, asked, "bank")),
        make_flow("shop", passthru=judged_by(302, asked, "shop")),
    ]
    async with serving(flows) as stage:
        paths = ("/passthru/bank", "/passthru/shop", "/passthru", "/passthru/none")
        answers = [(await get(stage, path, CallSid=f"c{at}")).status for at, path in enumerate(paths)]

    assert (answers, asked, stage.server.registry.flagged["unknown flow"]) == (
        [200, 302, 200, 200],
        ["bank", "shop"],
        1,
    )


async def test_a_passthru_without_a_name_announces_to_whichever_flow_comes(autojump_clock: MockClock) -> None:
    notes: list[Any] = []
    async with serving([make_flow("bank"), make_flow("shop", notes)]) as stage:
        await get(stage, "/passthru", CustomField="order 7")
        async with ring_at(stage, f"{HOST}/stream/shop") as phone:
            await phone.wait(0.5)

    assert notes[0].passthru == {"CallSid": SID, "CustomField": "order 7"}


async def test_a_new_call_takes_new_code_while_a_live_one_finishes_on_the_old(autojump_clock: MockClock) -> None:
    old: list[Any] = []
    new: list[Any] = []
    flows = Flows.of(make_flow("bank", old))
    async with serving(flows) as stage, ring_at(stage) as first:
        await first.wait(0.5)
        flows.replace(make_flow("bank", new))
        async with ring_at(stage, call_sid="second") as second:
            await second.wait(0.5)
            both = [call.call_sid for call in (*old, *new)]
            await first.press("1")
            await first.ended.wait()

    assert (both, len(old), len(new), first.close_code) == ([SID, "second"], 1, 1, 1000)
