"""A whole call: one end, one record, and nothing left of it, however it ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest
import trio
from attrs import define, evolve
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from callflow import Call, EndCause, EndedBy, EndedCall, Failed, Flow, Hangup, Menu, State, key
from callflow.call.accepted import LineSettings, Socket
from callflow.call.call import CallTask
from callflow.call.journal import Kind
from callflow.call.link import MOST_FRAGMENTS
from callflow.call.port import BytePort
from callflow.line.memory import Conditions, MemoryPort, memory_pair
from callflow.line.profile import Profile
from callflow.server.serve import Server
from callflow.server.settings import Settings
from callflow.session.timing import Timing
from callflow.wire.exotel import LARGEST_MESSAGE, encode
from callflow.wire.messages import Connected, Dtmf, Stop
from tests.call.far_end import (
    CONTINUATION,
    OPENING,
    PING,
    TEXT,
    UPGRADE,
    Peer,
    closing,
    dialled,
    frame,
    linked,
    opening,
    text,
)
from tests.call.stage import QUIET, Stage, in_virtual_time, left_over, played, ringing, serving

Notes = list[str]
C = Call[Notes]


class Main(Menu[Notes], prompt="menu.wav", first_digit=60.0):
    """Where every call here begins, and most end."""

    @key("1")
    def bye(self, call: C) -> Bye:
        return Bye()

    @key("2")
    def fail(self, call: C) -> Bye:
        raise LookupError("nothing there")

    @key("3")
    def cling(self, call: C) -> Clinging:
        return Clinging()

    @key("4")
    def again(self, call: C) -> Main:
        return Main()

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()

    def on_hangup(self, call: EndedCall[Notes]) -> None:
        call.data.append(call.reason)


class Bye(Hangup[Notes], prompt="bye.wav"):
    """The end of the flow."""

    def on_hangup(self, call: EndedCall[Notes]) -> None:
        call.data.append(call.reason)


class Clinging(State[Notes], timeout=1.0):
    """Does not end when it is left."""

    async def run(self, call: C) -> None:
        call.tap(lambda audio: None)
        with trio.CancelScope(shield=True):
            await trio.sleep(4.0)

    def on_timeout(self, call: C) -> Main:
        return Main()

    def on_hangup(self, call: EndedCall[Notes]) -> None:
        call.data.append(call.reason)


def bank(prompts: Path) -> tuple[Flow[Notes], Notes]:
    """Make the flow; whatever ends a call of it is noted in the list."""
    notes: Notes = []
    return Flow("bank", start=Main, prompts=prompts, data=lambda: notes), notes


# Each way to end.

Ending = Callable[[Peer, Stage], Awaitable[None]]


async def stop(peer: Peer, stage: Stage) -> None:
    await peer.send(text(encode(Stop())))


async def flow_ends(peer: Peer, stage: Stage) -> None:
    await peer.send(text(encode(Dtmf(digit="1"))))


async def handler_raises(peer: Peer, stage: Stage) -> None:
    await peer.send(text(encode(Dtmf(digit="2"))))


async def state_clings(peer: Peer, stage: Stage) -> None:
    await peer.send(text(encode(Dtmf(digit="3"))))


async def reset(peer: Peer, stage: Stage) -> None:
    peer.port.close(reset=True)


async def end_of_stream(peer: Peer, stage: Stage) -> None:
    peer.port.send_eof()


async def close_frame(peer: Peer, stage: Stage) -> None:
    await peer.send(closing(1000))


async def silence(peer: Peer, stage: Stage) -> None:
    await trio.sleep(30.0)


async def broken_frame(peer: Peer, stage: Stage) -> None:
    await peer.send(frame(3))


async def no_utf8(peer: Peer, stage: Stage) -> None:
    await peer.send(frame(TEXT, b"\xff"))


async def rubbish(peer: Peer, stage: Stage) -> None:
    await peer.send(text("rubbish") * 50)


async def oversize_then_ping(peer: Peer, stage: Stage) -> None:
    stage.nursery.start_soon(peer.send, frame(TEXT, b"x" * (LARGEST_MESSAGE + 1)) + frame(PING))


async def endless_fragments(peer: Peer, stage: Stage) -> None:
    await peer.send(frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) * MOST_FRAGMENTS)


async def too_many_keys(peer: Peer, stage: Stage) -> None:
    await peer.send(text(encode(Dtmf(digit="3"))))
    await trio.sleep(1.5)
    await peer.send(text(encode(Dtmf(digit="5"))) * 300)


async def drained(peer: Peer, stage: Stage) -> None:
    stage.nursery.start_soon(stage.server.drain)


ENDINGS = [
    # how, by what cause, whose doing, close code that the peer reads, and how long the call lasted
    (stop, EndCause.STOP, EndedBy.UNKNOWN, [1000], 0.5),
    (flow_ends, EndCause.FLOW, EndedBy.FLOW, [1000], 3.5),
    (handler_raises, EndCause.APP_ERROR, EndedBy.SERVER, [1011], 0.5),
    (state_clings, EndCause.APP_TIMEOUT, EndedBy.SERVER, [1011], 3.5),
    (reset, EndCause.PEER_GONE, EndedBy.NETWORK, [], 0.5),
    (end_of_stream, EndCause.PEER_GONE, EndedBy.NETWORK, [], 0.5),
    (close_frame, EndCause.PEER_GONE, EndedBy.NETWORK, [1000], 0.5),
    (silence, EndCause.IDLE, EndedBy.NETWORK, [1001], 30.0),
    (broken_frame, EndCause.PROTOCOL, EndedBy.NETWORK, [1002], 0.5),
    (no_utf8, EndCause.PROTOCOL, EndedBy.NETWORK, [1007], 0.5),
    (rubbish, EndCause.PROTOCOL, EndedBy.NETWORK, [1003], 0.5),
    (oversize_then_ping, EndCause.TOO_BIG, EndedBy.NETWORK, [1009], 0.5),
    (endless_fragments, EndCause.TOO_BIG, EndedBy.NETWORK, [1009], 0.5),
    (too_many_keys, EndCause.POLICY, EndedBy.SERVER, [1008], 2.0),
    (drained, EndCause.DRAIN, EndedBy.SERVER, [1012], 2.5),
]


@pytest.mark.parametrize(("end", "cause", "by", "codes", "seconds"), ENDINGS)
async def test_a_call_has_one_end_one_record_and_nothing_is_left(
    autojump_clock: MockClock,
    prompts: Path,
    end: Ending,
    cause: EndCause,
    by: EndedBy,
    codes: list[int],
    seconds: float,
) -> None:
    flow, notes = bank(prompts)
    async with serving(flow, settings=Settings(drain=2.0)) as stage:
        peer = await dialled(stage.network, OPENING)
        stage.nursery.start_soon(peer.read)
        await trio.sleep(0.5)
        await end(peer, stage)
    record = stage.record
    ends = [entry.details["cause"] for entry in stage.journal(Kind.END) if entry.what == "ended"]

    assert (record.cause, record.ended_by, peer.codes, record.seconds, notes, ends, left_over(stage)) == (
        cause,
        by,
        codes,
        seconds,
        [cause.value],
        [cause.value],
        {},
    )


async def test_a_call_that_is_too_long_ends(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = bank(prompts)
    phone, stage = await played(flow, settings=Settings(call_limit=10.0))

    assert (stage.record.cause, phone.close_code, stage.record.seconds, left_over(stage)) == (
        EndCause.LIMIT,
        1000,
        10.0,
        {},
    )


async def test_the_record_tells_of_the_call(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = bank(prompts)
    phone, stage = await played(flow, (2.0, "1"), line={"call_sid": "c1"})
    record = stage.record

    assert evolve(record, call_id="") == type(record)(
        call_id="",
        call_sid="c1",
        stream_sid=phone.stream_sid,
        account_sid="acme1",
        flow="bank",
        caller="+910000000105",
        called="00000000319",
        cause=EndCause.FLOW,
        ended_by=EndedBy.FLOW,
        last_state="Bye",
        seconds=3.2,
        media_in=0,
        media_out=18,
        late_chunks=0,
        dropped=0,
        links=1,
        late_messages=0,
        unwanted=0,
    )


async def test_the_record_counts_what_went_wrong_with_the_audio(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = bank(prompts)
    async with ringing(flow, line={"profile": Profile()}) as (phone, stage):
        await phone.wait(1.01)
        stage.call.driver.writer.late_chunks = 3
        stage.call.socket.link.dropped = 4

    assert (stage.record.media_in, stage.record.late_chunks, stage.record.dropped) == (50, 3, 4)


# What is no call.


async def test_a_socket_without_a_start_is_refused_and_leaves_no_record(
    autojump_clock: MockClock, prompts: Path
) -> None:
    flow, notes = bank(prompts)
    async with serving(flow) as stage:
        peer = await dialled(stage.network, text(encode(Connected())))
        await peer.read()
        ended_at = trio.current_time()

    assert (peer.codes, ended_at, stage.server.records, stage.server.calls, notes, left_over(stage)) == (
        [1008],
        10.0 + Timing().close,
        [],
        [],
        [],
        {},
    )


@pytest.mark.parametrize("end", [stop, reset, end_of_stream, close_frame, broken_frame, no_utf8, rubbish])
async def test_what_ends_before_its_start_is_no_call(autojump_clock: MockClock, prompts: Path, end: Ending) -> None:
    flow, _ = bank(prompts)
    async with serving(flow) as stage:
        peer = await dialled(stage.network)
        await end(peer, stage)
        await peer.read()

    assert (stage.server.records, stage.server.calls, left_over(stage)) == ([], [], {})


async def test_a_peer_that_left_during_the_handshake_is_no_failure(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = bank(prompts)
    async with serving(flow) as stage:
        for _ in range(3):
            peer = Peer(await stage.network.dial())
            peer.port.try_send(UPGRADE)
            peer.port.close(reset=True)

    assert left_over(stage) == {}


# Closing.


async def test_a_close_that_is_never_answered_is_waited_for_5_s(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = bank(prompts)
    async with serving(flow) as stage:
        peer = await dialled(stage.network, OPENING, text(encode(Stop())))
        await peer.read()

    assert (peer.codes, peer.ended, trio.current_time()) == ([1000], "end", 5.0)


async def test_a_peer_that_answers_the_close_is_let_go_at_once(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = bank(prompts)
    async with serving(flow) as stage:
        peer = await dialled(stage.network, OPENING, text(encode(Stop())), closing(1000))
        await peer.read()

    assert (peer.codes, peer.ended, trio.current_time()) == ([1000], "end", 0.0)


async def test_a_peer_that_never_reads_is_heard_all_the_same(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = bank(prompts)
    async with serving(flow, conditions=Conditions(capacity=5_000)) as stage:
        peer = await dialled(stage.network)
        await peer.send(OPENING)
        await trio.sleep(3.0)
        await peer.send(text(encode(Stop())))

    assert (stage.record.cause, stage.record.seconds) == (EndCause.STOP, 3.0)


async def test_a_peer_that_never_reads_is_gone_after_the_write_deadline(
    autojump_clock: MockClock, prompts: Path
) -> None:
    flow, _ = bank(prompts)
    async with serving(flow, conditions=Conditions(capacity=5_000)) as stage:
        peer = await dialled(stage.network)
        await peer.send(OPENING)
        await trio.sleep(6.0)

    assert (stage.record.cause, stage.record.seconds, left_over(stage)) == (EndCause.PEER_GONE, 5.0, {})


@define(eq=False)
class OneWaiter:
    """A port that lets one task at a time wait to write, as a socket does."""

    port: MemoryPort
    waits: bool = False

    def __getattr__(self, name: str) -> object:
        return getattr(self.port, name)

    async def wait_writable(self) -> None:
        if self.waits:
            raise trio.BusyResourceError("another task is already writing this fd")
        self.waits = True
        try:
            await self.port.wait_writable()
        finally:
            self.waits = False


async def test_only_one_task_at_a_time_waits_for_a_peer_to_read(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = bank(prompts)
    async with serving(flow, conditions=Conditions(capacity=5_000)) as stage:

        async def connect(port: BytePort) -> None:
            await stage.server.connect(OneWaiter(port))  # type: ignore[arg-type]  # it has all that a port has

        stage.network.listen(connect, stage.nursery)
        peer = await dialled(stage.network)
        await peer.send(OPENING)
        await trio.sleep(1.0)
        await peer.send(text(encode(Stop())) + closing(1000))
        await trio.sleep(1.0)
        await peer.read()

    assert (peer.codes, left_over(stage)) == ([1000], {})


# Calls that are broken off from within.


@pytest.mark.parametrize(("sent", "causes"), [(OPENING, [EndCause.DRAIN]), (b"", [])])
async def test_a_cancelled_call_has_its_record_and_its_peer_a_close_frame(
    autojump_clock: MockClock, prompts: Path, sent: bytes, causes: list[EndCause]
) -> None:
    client, port = memory_pair()
    peer, server = Peer(client), Server(bank(prompts)[0])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.connect, port)
        await peer.send(UPGRADE, sent)
        nursery.cancel_scope.cancel()

    assert ([record.cause for record in server.records], peer.codes) == (causes, [1012])


async def test_a_cancelled_call_gives_its_link_back(autojump_clock: MockClock, prompts: Path) -> None:
    link, peer = await linked(OPENING)
    task = CallTask(
        flow=bank(prompts)[0],
        socket=Socket(link=link, parameters={}),
        settings=LineSettings(),
        call_id="call",
        announced=lambda call_sid: {},
        begun=lambda task: None,
        chance=Random(0),
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(task.run)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    peer.read_now()

    assert peer.ended == "end"


async def test_a_fault_of_our_own_ends_the_call_with_a_record(
    autojump_clock: MockClock, prompts: Path, caplog: pytest.LogCaptureFixture
) -> None:
    flow, _ = bank(prompts)

    def fault() -> None:
        raise ZeroDivisionError

    async with serving(flow) as stage:
        peer = await dialled(stage.network, OPENING)
        stage.call.driver.deadlines.set("fault", 1.0, fault)
        await peer.read()
        stage.server.door.failed -= 1

    assert (stage.record.cause, stage.record.seconds, peer.codes, left_over(stage)) == (
        EndCause.APP_ERROR,
        1.0,
        [1011],
        {},
    )


async def test_a_call_can_be_hung_up_from_outside_once(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = bank(prompts)
    async with ringing(flow) as (phone, stage):
        await phone.wait(1.0)
        stage.call.hang_up(EndCause.DRAIN, 1012)
        stage.call.hang_up(EndCause.LIMIT)
        await phone.ended.wait()

    assert (stage.record.cause, phone.close_code) == (EndCause.DRAIN, 1012)


# What a start says.


async def test_the_state_of_a_call_has_a_name(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = bank(prompts)
    async with ringing(flow) as (phone, stage):
        await phone.wait(1.0)
        state = stage.call.state

    assert state == "Main"


async def test_an_encoding_that_nobody_knows_is_noted(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = bank(prompts)
    _, stage = await played(flow, stays=0.5, line={"profile": evolve(QUIET, encoding="opus")})

    assert [(odd.what, odd.details) for odd in stage.journal(Kind.ODD)][:1] == [("encoding", {"encoding": "opus"})]


async def test_a_rate_that_is_not_the_urls_is_noted(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = bank(prompts)
    _, stage = await played(flow, stays=0.5, line={"target": "/stream?sample-rate=16000"})

    assert [(odd.what, odd.details) for odd in stage.journal(Kind.ODD)][:1] == [("rate", {"start": 8000, "url": 16000})]


# Calls that are killed at any moment.

killers = st.sampled_from([stop, reset, end_of_stream, close_frame, broken_frame, rubbish, endless_fragments])
moments = st.integers(0, 8_000).map(lambda milliseconds: milliseconds / 1000)
rough = st.builds(
    Conditions,
    lag=st.sampled_from([0.0, 0.1]),
    split=st.booleans(),
    partial_sends=st.booleans(),
    would_block=st.sampled_from([0.0, 0.5]),
    capacity=st.sampled_from([1_000, 5_000, 65_536]),
)


@define
class Life:
    """One call: what is pressed in it, how it is killed, and whether anybody reads what it says."""

    presses: list[tuple[float, str]]
    killed_at: float
    by: Ending
    reads: bool
    conditions: Conditions


lives = st.builds(
    Life,
    presses=st.lists(st.tuples(moments, st.sampled_from("1234")), max_size=4).map(sorted),
    killed_at=moments,
    by=killers,
    reads=st.booleans(),
    conditions=rough,
)


async def live(life: Life, stage: Stage, number: int) -> None:
    """Be the far end of one call until it is killed."""
    peer = await dialled(stage.network)
    if life.reads:
        stage.nursery.start_soon(peer.read)
    with trio.move_on_after(life.killed_at):
        await peer.send(opening(call_sid=f"call{number}"))
        for at, digit in life.presses:
            await trio.sleep_until(at)
            await peer.send(text(encode(Dtmf(digit=digit))))
        await trio.sleep_forever()
    await life.by(peer, stage)


@given(st.lists(lives, min_size=1, max_size=3))
def test_wherever_calls_are_cut_off_each_leaves_one_record_and_nothing_else(prompts: Path, lives: list[Life]) -> None:
    flow, notes = bank(prompts)

    async def main() -> Stage:
        async with serving(flow) as stage, trio.open_nursery() as callers:
            for number, life in enumerate(lives):
                stage.network.conditions = life.conditions
                callers.start_soon(live, life, stage, number)
                await wait_all_tasks_blocked()
        return stage

    stage = in_virtual_time(main)
    causes = sorted(record.cause.value for record in stage.server.records)

    assert (len(stage.server.calls), sorted(notes), left_over(stage)) == (len(causes), causes, {})
