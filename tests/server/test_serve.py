"""The server in memory: who is let in, which limits end a call, what remains of it, and how the server goes down."""

from __future__ import annotations

import base64
import json
import logging
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from callflow import AudioError, Call, Dtmf, Flow, Hangup, Say, State
from callflow.errors import CallEnded, NotAnswered
from callflow.line import MemoryNetwork, Telephone, passthru, place_call
from callflow.server.limits import Limits
from callflow.server.serve import Server
from callflow.server.settings import Settings
from callflow.session.inputs import EndCause
from callflow.session.timing import Timing
from callflow.wire.exotel import encode
from callflow.wire.messages import Connected, Start
from tests.call.far_end import OPENING, UPGRADE, Peer, dialled, text
from tests.call.stage import QUIET, Stage, ringing, serving
from tests.server.asking import Answer, read_answer, read_to_end

Notes = list[Any]
C = Call[Notes]


class Listen(State[Notes], timeout=7000.0):
    """Notes what is known of the line; the key 1 ends the call."""

    async def run(self, call: C) -> None:
        call.data.append(call)

    def on_dtmf(self, call: C, key: Dtmf) -> Bye | None:
        return Bye() if key.digit == "1" else None

    def on_timeout(self, call: C) -> Bye:
        return Bye()


class Bye(Hangup[Notes]):
    """The end."""


class Greet(Say[None], prompt="nobody_recorded_this.wav"):
    def then(self, call: Call[None]) -> Gone:
        return Gone()


class Gone(Hangup[None]):
    """The end."""


def make_flow(notes: Notes | None = None) -> Flow[Notes]:
    kept: Notes = [] if notes is None else notes
    return Flow("bank", start=Listen, data=lambda: kept)


async def get(network: MemoryNetwork, path: str, *headers: str) -> Answer:
    """Ask for something, and read the answer."""
    port = await network.dial()
    lines = "".join(f"{header}\r\n" for header in ("Host: localhost", *headers))
    port.try_send(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
    answer = read_answer(await read_to_end(port), b"GET")
    port.close()
    return answer


async def upgraded(network: MemoryNetwork, target: str, *pieces: bytes) -> Peer:
    """Ask for a WebSocket by hand, and send more."""
    peer = Peer(await network.dial())
    await peer.send(UPGRADE.replace(b" /stream ", f" {target} ".encode()), *pieces)
    peer.read_now()
    return peer


async def refusal(network: MemoryNetwork, **line: Any) -> int | None:
    """Place a call that is expected to be refused; give the status."""
    try:
        async with place_call(network.dial, profile=QUIET, **line):
            return None
    except NotAnswered as refused:
        return refused.status


async def over(phone: Telephone) -> float:
    """Wait for the end of a call; give the seconds that it took since it was answered."""
    await phone.ended.wait()
    return round(phone.now, 3)


# Ready or not.


async def test_a_server_is_ready_when_its_prompts_are_loaded(autojump_clock: MockClock) -> None:
    server = Server(make_flow())
    network = MemoryNetwork()
    async with trio.open_nursery() as nursery:
        network.listen(server.connect, nursery)
        before = await get(network, "/ready")
        server.load()
        after = await get(network, "/ready")

    assert [(answer.status, json.loads(answer.body)) for answer in (before, after)] == [
        (503, {"ready": False, "calls": 0, "announced": 0}),
        (200, {"ready": True, "calls": 0, "announced": 0}),
    ]


def test_a_prompt_that_is_missing_stops_the_server_and_no_call(tmp_path: Path) -> None:
    server = Server(Flow("bank", start=Greet, prompts=tmp_path))

    with pytest.raises(AudioError, match=r"nobody_recorded_this\.wav"):
        server.load()

    assert not server.registry.ready()


async def test_a_server_says_that_it_lives(autojump_clock: MockClock) -> None:
    async with serving(make_flow()) as stage:
        answer = await get(stage.network, "/live")

    assert (answer.status, answer.body) == (200, b'{"live":true}')


# Where streams are.


@pytest.mark.parametrize(
    ("target", "status"), [("/stream", None), ("/stream/bank", None), ("/stream/shop", 404), ("/", 404)]
)
async def test_a_stream_is_served_under_its_path_and_under_the_flows_name(
    target: str, status: int | None, autojump_clock: MockClock
) -> None:
    async with serving(make_flow()) as stage:
        refused = await refusal(stage.network, target=target)

    assert (refused, len(stage.server.calls)) == (status, 1 if status is None else 0)


@pytest.mark.parametrize(("path", "status"), [("/stream", 426), ("/stream/bank", 426), ("/other", 404), ("/", 404)])
async def test_a_plain_request_is_told_what_is_there(path: str, status: int, autojump_clock: MockClock) -> None:
    async with serving(make_flow()) as stage:
        answer = await get(stage.network, path)

    assert answer.status == status


# Credentials.

LOCKED = Settings(credentials=("exotel:s3cret", "exotel:next"))


@pytest.mark.parametrize(
    ("credentials", "status"), [("exotel:s3cret", None), ("exotel:next", None), ("exotel:wrong", 401), (None, 401)]
)
async def test_credentials_are_asked_before_the_upgrade(
    credentials: str | None, status: int | None, autojump_clock: MockClock
) -> None:
    async with serving(make_flow(), settings=LOCKED) as stage:
        refused = await refusal(stage.network, credentials=credentials)

    assert (refused, len(stage.server.calls)) == (status, 1 if status is None else 0)


@pytest.mark.parametrize(("credentials", "status"), [("exotel:s3cret", 200), ("exotel:wrong", 401), (None, 401)])
async def test_credentials_are_asked_of_a_passthru(
    credentials: str | None, status: int, autojump_clock: MockClock
) -> None:
    async with serving(make_flow(), settings=LOCKED) as stage:
        answer = await passthru(stage.network.dial, call_sid="c1", before=True, credentials=credentials)

    assert (answer, stage.server.registry.counts()["announced"]) == (status, int(status == 200))


async def test_credentials_are_asked_of_who_reads_along(autojump_clock: MockClock) -> None:
    settings = Settings(credentials=("exotel:s3cret",), feed=True)
    basic = base64.b64encode(b"exotel:s3cret").decode()
    async with serving(make_flow(), settings=settings) as stage:
        answers = [
            await get(stage.network, "/events/c1", *header) for header in ((), (f"Authorization: Basic {basic}",))
        ]

    assert [answer.status for answer in answers] == [401, 200]


@pytest.mark.parametrize("path", ["/live", "/ready"])
async def test_a_load_balancer_needs_no_credentials(path: str, autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=LOCKED) as stage:
        answer = await get(stage.network, path)

    assert answer.status == 200


# Time limits.


async def test_a_socket_whose_call_does_not_start_is_closed_and_was_no_call(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "callflow")
    async with serving(make_flow()) as stage:
        began = trio.current_time()
        peer = await dialled(stage.network, text(encode(Connected())))
        await peer.read()
        peer.port.close()

    closes = [(round(frame.at - began, 3), frame.payload[:2]) for frame in peer.frames]
    told = {"call started", "call ended"} & set(caplog.messages)
    assert (closes, stage.server.records, told) == ([(10.0, (1008).to_bytes(2, "big"))], [], set())


async def test_how_long_a_start_is_waited_for_can_be_set(autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=Settings(start_within=3.0)) as stage:
        began = trio.current_time()
        peer = await dialled(stage.network)
        await peer.read()
        peer.port.close()

    assert [round(frame.at - began, 3) for frame in peer.frames] == [3.0]


@pytest.mark.parametrize(("settings", "seconds"), [(Settings(), 30.0), (Settings(idle=8.0), 8.0)])
async def test_a_line_that_is_silent_too_long_is_cut(
    settings: Settings, seconds: float, autojump_clock: MockClock
) -> None:
    async with serving(make_flow(), settings=settings) as stage:
        peer = await dialled(stage.network, OPENING)
        await peer.read()
        peer.port.close()

    assert (peer.codes, stage.record.cause, stage.record.seconds) == ([1001], EndCause.IDLE, seconds)


@pytest.mark.parametrize(("settings", "seconds"), [(Settings(), 3480.0), (Settings(call_limit=60.0), 60.0)])
async def test_a_call_that_lasts_too_long_is_ended(
    settings: Settings, seconds: float, autojump_clock: MockClock
) -> None:
    async def keep_talking(phone: Telephone) -> None:
        while not phone.ended.is_set():
            with suppress(CallEnded):  # in the very instant
                await phone.press("7", gap=0.0)
            await trio.sleep(20)

    async with ringing(make_flow(), settings=settings) as (phone, stage), trio.open_nursery() as nursery:
        nursery.start_soon(keep_talking, phone)
        took = await over(phone)
        nursery.cancel_scope.cancel()

    assert (took, phone.close_code, stage.record.cause) == (seconds, 1000, EndCause.LIMIT)


async def test_timing_that_is_given_is_what_counts(autojump_clock: MockClock) -> None:
    async with ringing(make_flow(), timing=Timing(call=5.0), settings=Settings(call_limit=60.0)) as (phone, _):
        took = await over(phone)

    assert took == 5.0


# What the URL says.


@pytest.mark.parametrize(
    ("query", "rate"),
    [
        ("", 8_000),
        ("?sample-rate=16000", 16_000),
        ("?sample_rate=24000", 24_000),
        ("?sample-rate=11025", 8_000),
        ("?sample-rate=1e4", 8_000),
        ("?sample-rate=", 8_000),
        ("?sample-rate=%D9%A1%D9%A6", 8_000),
        ("?sample-rate=99999999999999999999", 8_000),
    ],
)
async def test_the_url_names_the_rate_where_start_does_not(query: str, rate: int, autojump_clock: MockClock) -> None:
    notes: Notes = []
    async with serving(make_flow(notes)) as stage:
        peer = await upgraded(stage.network, f"/stream{query}", OPENING)
        peer.port.close()

    assert notes[0].form.rate == rate


async def test_the_rate_of_start_wins(autojump_clock: MockClock) -> None:
    notes: Notes = []
    async with ringing(make_flow(notes), line={"target": "/stream?sample-rate=16000"}):
        await trio.sleep(1)

    assert notes[0].form.rate == 8_000


async def test_parameters_of_the_url_arrive_and_those_of_start_win(autojump_clock: MockClock) -> None:
    notes: Notes = []
    start = Start(stream_sid="s1", call_sid="c1", parameters={"queue": "gold", "lang": "hi"})
    async with serving(make_flow(notes)) as stage:
        target = "/stream?queue=silver&from=web&sample-rate=8000&sample_rate=8000"
        peer = await upgraded(stage.network, target, text(encode(Connected())), text(encode(start)))
        peer.port.close()

    assert notes[0].parameters == {"queue": "gold", "lang": "hi", "from": "web"}


async def test_a_codec_that_is_set_is_what_the_line_speaks(autojump_clock: MockClock) -> None:
    notes: Notes = []
    async with ringing(make_flow(notes), settings=Settings(codec="mulaw")):
        await trio.sleep(1)

    assert notes[0].form.bytes_per_second == 8_000


# Caps.


async def test_of_lines_that_are_busy_the_next_is_free_when_one_ends(autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=Settings(max_calls=1)) as stage:
        async with place_call(stage.network.dial, profile=QUIET) as phone:
            while_busy = await refusal(stage.network)
            await phone.press("1")
            await over(phone)
        afterwards = await refusal(stage.network)

    assert (while_busy, afterwards, stage.server.door.refused) == (503, None, {"capacity": 2})


async def test_sockets_without_a_start_are_few_and_a_start_frees_one(autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=Settings(max_sockets_without_start=1)) as stage:
        idle = await dialled(stage.network)
        while_waiting = await refusal(stage.network)
        await idle.send(OPENING)
        after_start = await refusal(stage.network)
        idle.port.close()

    assert (while_waiting, after_start) == (503, None)


async def test_connections_of_one_address_can_be_few(autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=Settings(max_sockets_per_address=2)) as stage:
        idle = [await dialled(stage.network) for _ in range(2)]
        refused = await refusal(stage.network)
        for peer in idle:
            peer.port.close()

    assert refused == 503


async def test_connections_in_all_can_be_few(autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=Settings(max_sockets=1)) as stage:
        idle = await dialled(stage.network)
        answer = await get(stage.network, "/live")
        idle.port.close()

    assert answer.status == 503


# What remains of a call.


async def test_each_call_leaves_one_record_and_the_newest_thousand_are_kept(autojump_clock: MockClock) -> None:
    async with serving(make_flow()) as stage:
        kept: list[Any] = stage.server.records
        kept.extend(range(1_000))
        async with place_call(stage.network.dial, profile=QUIET, call_sid="c1") as phone:
            await phone.press("1")
            await over(phone)

    assert (len(kept), kept[0], kept[-1].call_sid, kept[-1].last_state) == (1_000, 1, "c1", "Bye")


async def test_a_record_is_there_before_the_far_end_has_answered_the_close(autojump_clock: MockClock) -> None:
    async with serving(make_flow()) as stage:
        peer = await dialled(stage.network, OPENING)
        stage.call.hang_up(EndCause.POLICY, 1008)
        await trio.sleep(0.1)
        records, live = len(stage.server.records), len(stage.server.registry.live)
        peer.port.close()

    assert (records, live, len(stage.server.records)) == (1, 1, 1)


async def test_an_ended_call_is_logged_with_numbers_shortened(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "callflow")
    line = {"caller": "+910000000105", "called": "00000000319", "call_sid": "c1"}
    async with ringing(make_flow(), line=line) as (phone, _):
        await phone.press("1")
        await over(phone)

    [told] = [record for record in caplog.records if record.getMessage() == "call ended"]
    said = "".join(str(vars(record)) for record in caplog.records)
    fields = {name: vars(told)["record"][name] for name in ("call_sid", "caller", "called", "cause", "ended_by")}
    assert fields == {"call_sid": "c1", "caller": "…05", "called": "…19", "cause": "flow", "ended_by": "flow"}
    assert [number for number in (line["caller"], line["called"], "0000000") if number in said] == []


async def test_names_and_chance_of_calls_come_from_one_source(autojump_clock: MockClock) -> None:
    drawn = []
    for seed in (1, 1, 2):
        notes: Notes = []
        async with ringing(make_flow(notes), seed=seed):
            await wait_all_tasks_blocked()
        drawn.append((notes[0].call_id, notes[0].random.random()))

    assert (drawn[0] == drawn[1], drawn[0] == drawn[2], len(drawn[0][0])) == (True, False, 8)


async def test_a_peer_that_left_before_its_answer_leaves_nothing(autojump_clock: MockClock) -> None:
    async with serving(make_flow()) as stage:
        port = await stage.network.dial()
        port.try_send(UPGRADE)
        port.close(reset=True)

    gate = stage.server.door.gate
    assert (gate.sockets, gate.without_start, stage.server.records, stage.server.door.failed) == (0, 0, [], 0)


def test_a_server_stands_on_standard_settings() -> None:
    server = Server(make_flow())

    assert (server.settings, server.door.limits, server.registry.follow) == (Settings(), Limits(), False)


# Going down.

DRAIN = 20.0


async def drain(stage: Stage) -> float:
    """Go down; give the seconds that it took."""
    began = trio.current_time()
    await stage.server.drain()
    return round(trio.current_time() - began, 3)


async def test_who_is_refused_while_the_server_goes_down_is_told_so(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "callflow.server")
    async with (
        ringing(make_flow(), settings=Settings(drain=DRAIN)) as (phone, stage),
        trio.open_nursery() as nursery,
    ):
        await wait_all_tasks_blocked()
        nursery.start_soon(stage.server.drain)
        await trio.sleep(1)
        new_call = await refusal(stage.network, call_sid="another")
        readiness = await get(stage.network, "/ready")
        behind = await passthru(stage.network.dial, call_sid=phone.call_sid, before=False)
        await phone.press("1")

    told = next(vars(record)["calls"] for record in caplog.records if record.getMessage() == "server draining")
    assert (new_call, readiness.status, json.loads(readiness.body)["calls"], behind, told) == (503, 503, 1, 200, 1)
    assert (phone.close_code, stage.record.cause) == (1000, EndCause.FLOW)


async def test_going_down_ends_with_the_last_call(autojump_clock: MockClock) -> None:
    took: list[float] = []

    async def go_down(stage: Stage) -> None:
        took.append(await drain(stage))

    async with (
        ringing(make_flow(), settings=Settings(drain=DRAIN)) as (phone, stage),
        trio.open_nursery() as nursery,
    ):
        await wait_all_tasks_blocked()
        nursery.start_soon(go_down, stage)
        await trio.sleep(3)
        await phone.press("1", hold=0.0)

    assert took == [3.0]


async def test_calls_that_do_not_end_by_themselves_are_ended(autojump_clock: MockClock) -> None:
    async with ringing(make_flow(), settings=Settings(drain=DRAIN)) as (phone, stage):
        await wait_all_tasks_blocked()
        took = await drain(stage)

    assert (took, phone.close_code, stage.record.cause) == (DRAIN, 1012, EndCause.DRAIN)


async def test_a_far_end_that_answers_no_close_is_not_waited_for_longer_than_its_time(
    autojump_clock: MockClock,
) -> None:
    async with serving(make_flow(), settings=Settings(drain=0.0)) as stage:
        peer = await dialled(stage.network, OPENING)
        took = await drain(stage)
        codes = peer.codes
        peer.port.close()

    assert (took, codes) == (5.0, [1012])


class Stubborn(State[None], timeout=3000.0):
    """Does not end when it is cancelled."""

    async def run(self, call: Call[None]) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(100)

    def on_timeout(self, call: Call[None]) -> Gone:
        return Gone()


async def test_a_state_that_does_not_end_is_not_waited_for_longer_than_its_time(autojump_clock: MockClock) -> None:
    server = Server(Flow("bank", start=Stubborn), Settings(drain=1.0), chance=Random(1))
    server.load()
    network = MemoryNetwork()
    async with trio.open_nursery() as nursery:
        network.listen(server.connect, nursery)
        peer = await dialled(network, OPENING)
        began = trio.current_time()
        await server.drain()
        took = trio.current_time() - began
        peer.port.close()

    assert took == 1.0 + 5.0 + 2.0 + 1.0


async def test_a_server_without_calls_goes_down_at_once(autojump_clock: MockClock) -> None:
    async with serving(make_flow(), settings=Settings(drain=DRAIN)) as stage:
        took = await drain(stage)

    assert (took, stage.server.registry.ready()) == (0.0, False)
