"""A call outlives its link: what resumes it, what takes it over, what begins another, and what the flow sees of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import define, field
from trio.testing import MockClock, wait_all_tasks_blocked

from callflow import (
    Call,
    CollectDigits,
    EndCause,
    EndedBy,
    EndedCall,
    Failed,
    Flow,
    Hangup,
    Menu,
    Resumed,
    Say,
    Secret,
    State,
    key,
)
from callflow.call.journal import Kind
from callflow.line.memory import Conditions, MemoryNetwork
from callflow.server.calls import MOST_ASKED
from callflow.server.serve import Server
from callflow.server.settings import Settings
from callflow.testing.seeding import task_order
from callflow.wire.exotel import encode
from callflow.wire.messages import Dtmf, Mark, Media, MediaFormat, Stop
from tests.call.far_end import PING, PONG, Peer, closing, dialled, frame, opening, text
from tests.call.stage import Stage, in_virtual_time, left_over, serving


@define
class Caller:
    """The data of each call here."""

    notes: list[str] = field(factory=list)
    tries: int = 0


C = Call[Caller]


class Noting(State[Caller], timeout=600.0):
    """Base of states that note what they are told."""

    def on_timeout(self, call: C) -> Bye:
        call.data.notes.append(f"timeout at {call.now():g}")
        return Bye()

    def on_detached(self, call: C) -> None:
        call.data.notes.append("detached")

    def on_resumed(self, call: C, gap: Resumed) -> Bye | None:
        call.data.notes.append(f"resumed after {gap.seconds:g}, {gap.silent:g} s silent, {gap.stream_sid}, {gap.links}")
        return None


class Bye(Hangup[Caller], prompt="bye.wav"):
    """An end."""


class Choose(Menu[Caller], prompt="menu.wav", reprompts=("sorry.wav",), first_digit=5.0):
    @key("1")
    def bye(self, call: C) -> Bye:
        return Bye()

    def on_failed(self, call: C, why: Failed) -> Bye:
        call.data.tries = why.tries
        return Bye()

    def on_hangup(self, call: EndedCall[Caller]) -> None:
        call.data.notes.append(f"{call.reason} by {call.ended_by.value}")


class Listens(State[Caller], timeout=600.0):
    """Says nothing."""

    def on_timeout(self, call: C) -> Bye:
        return Bye()


class AskPin(CollectDigits[Caller], prompt="pin.wav", length=4, tries=2, first_digit=5.0):
    def on_digits(self, call: C, digits: Secret) -> Bye:
        call.data.notes.append(digits.reveal())
        return Bye()

    def on_failed(self, call: C, why: Failed) -> Bye:
        call.data.notes.append(f"{why.name} in try {why.tries}")
        return Bye()


# Lines.


@define
class Line:
    """One link of a call, as its far end has it."""

    stage: Stage
    peer: Peer
    sid: str
    gone: bool = False

    async def press(self, keys: str) -> None:
        for digit in keys:
            await self.peer.send(text(encode(Dtmf(digit=digit))))

    async def cut(self) -> None:
        """Lose the line by a reset, and let the server see it."""
        self.gone = True
        self.peer.port.close(reset=True)
        await wait_all_tasks_blocked()

    async def stop(self) -> None:
        await self.peer.send(text(encode(Stop())))

    async def talk(self) -> None:
        """Be alive: send a frame of audio 50 times a second, and answer pings."""
        answered = 0
        while not self.gone and not self.peer.ended:
            await self.peer.send(text(encode(Media(payload=bytes(320), stream_sid=self.sid))))
            for ping in [f for f in self.peer.read_now() if f.opcode == PING][answered:]:
                answered += 1
                await self.peer.send(frame(PONG, ping.payload))
            await trio.sleep(0.02)

    async def answer_pings(self) -> None:
        """Be alive, and say nothing but what a ping asks for."""
        answered = 0
        while not self.gone and not self.peer.ended:
            for ping in [f for f in self.peer.read_now() if f.opcode == PING][answered:]:
                answered += 1
                await self.peer.send(frame(PONG, ping.payload))
            await trio.sleep(0.1)

    async def echo(self) -> None:
        """Echo each mark when it has come; nothing else is sent."""
        echoed = 0
        while not self.gone and not self.peer.ended:
            marks = [message for message in self.peer.messages if isinstance(message, Mark)]
            for mark in marks[echoed:]:
                await self.peer.send(text(encode(mark)))
            echoed = len(marks)
            await trio.sleep(0.05)

    @property
    def seconds(self) -> float:
        """Seconds of audio that came."""
        return sum(len(m.payload) for m in self.peer.messages if isinstance(m, Media)) / 16_000


async def line(stage: Stage, sid: str = "one", **said: Any) -> Line:
    """Open a link, and say ``start``."""
    peer = await dialled(stage.network, opening(stream_sid=sid, **said))
    return Line(stage, peer, sid)


def flow_of(start: type[State[Any]], prompts: Path, **options: Any) -> tuple[Flow[Caller], Caller]:
    """Make a flow; all its calls share the data."""
    data = Caller()
    return Flow("lost", start=start, prompts=prompts, data=lambda: data, **options), data


@asynccontextmanager
async def lost(stage: Stage, seconds: float, *, how: str = "reset", sid: str = "two") -> AsyncIterator[Line]:
    """Lose a call's first line after a second, and come back on another after some seconds."""
    first = await line(stage)
    await trio.sleep(1.0)
    if how == "reset":
        await first.cut()
    await trio.sleep(seconds)
    second = await line(stage, sid)
    stage.nursery.start_soon(second.echo)
    yield second
    await second.stop()


def fates(stage: Stage) -> list[tuple[str, str]]:
    """What became of the prompts of the one call."""
    return [
        (str(entry.details["prompt"]), entry.what)
        for entry in stage.journal(Kind.PLAYBACK)
        if entry.what not in ("queued", "barge-in")
    ]


# What a start means.


@pytest.mark.parametrize("seconds", [0.2, 0.9, 4.9, 9.0])
@pytest.mark.parametrize("how", ["reset", "half-open"])
async def test_a_line_that_comes_back_is_the_same_call(
    how: str, seconds: float, autojump_clock: MockClock, prompts: Path
) -> None:
    flow, _ = flow_of(Choose, prompts)
    async with serving(flow) as stage, lost(stage, seconds, how=how):
        await trio.sleep(5.0)

    assert (len(stage.server.records), stage.record.links, stage.record.stream_sid, left_over(stage)) == (
        1,
        2,
        "two",
        {},
    )


async def test_a_line_that_comes_back_too_late_is_another_call(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = flow_of(Choose, prompts)
    async with serving(flow) as stage, lost(stage, 10.1):
        await trio.sleep(1.0)

    assert [record.cause for record in stage.server.records] == [EndCause.PEER_GONE, EndCause.STOP]


async def test_a_link_that_was_taken_over_is_closed_1012(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = flow_of(Choose, prompts)
    async with serving(flow) as stage:
        first = await line(stage)
        await trio.sleep(1.0)
        second = await line(stage, "two")
        await trio.sleep(1.5)
        codes = first.peer.codes
        await second.stop()

    assert (codes, left_over(stage)) == ([1012], {})


@pytest.mark.parametrize("sign", [frame(PONG), text(encode(Media(payload=bytes(320)))), frame(PING)])
async def test_any_sign_of_the_old_line_makes_the_new_one_another_call(
    sign: bytes, autojump_clock: MockClock, prompts: Path
) -> None:
    flow, _ = flow_of(Choose, prompts)
    async with serving(flow) as stage:
        first = await line(stage)
        await trio.sleep(1.0)
        second = await line(stage, "two")
        await trio.sleep(0.9)
        await first.peer.send(sign)
        calls, codes = len(stage.server.registry.live), first.peer.codes
        for each in (first, second):
            await each.stop()

    assert (calls, codes, [record.links for record in stage.server.records]) == (2, [], [1, 1])


async def test_a_healthy_call_loses_no_frame_to_another_of_its_name(autojump_clock: MockClock, prompts: Path) -> None:
    heard: list[bytes] = []

    class Listen(State[Caller], timeout=60.0):
        async def run(self, call: C) -> None:
            call.tap(heard.append)
            await call.play("menu.wav")

        def on_timeout(self, call: C) -> Bye:
            return Bye()

    flow, _ = flow_of(Listen, prompts, scope={"Bye": Bye})
    async with serving(flow) as stage:
        first = await line(stage)
        stage.nursery.start_soon(first.talk)
        await trio.sleep(1.0)
        before = len(heard)
        await line(stage, "two")
        await trio.sleep(5.0)
        frames, played = len(heard) - before, first.seconds
        await first.stop()
        await first.cut()
        for task in stage.server.registry.live:
            task.hang_up(EndCause.FLOW)

    assert (len(stage.server.records), played) == (2, 3.0)
    assert frames == pytest.approx(250, abs=2)


async def test_a_line_that_says_nothing_but_answers_a_ping_keeps_its_call(
    autojump_clock: MockClock, prompts: Path
) -> None:
    flow, _ = flow_of(Choose, prompts)
    async with serving(flow) as stage:
        first = await line(stage)
        stage.nursery.start_soon(first.answer_pings)
        await trio.sleep(1.0)
        second = await line(stage, "two")
        await trio.sleep(2.0)
        codes = first.peer.codes
        for each in (first, second):
            await each.stop()
            await each.cut()

    assert (codes, [record.links for record in stage.server.records]) == ([], [1, 1])


@pytest.mark.parametrize("said", [{"account_sid": "other"}, {"caller": "+910000000106"}, {"called": "00000000320"}])
@pytest.mark.parametrize("how", ["reset", "half-open"])
async def test_another_account_or_number_never_gets_the_call(
    how: str, said: dict[str, str], autojump_clock: MockClock, prompts: Path
) -> None:
    flow, _ = flow_of(Choose, prompts)
    async with serving(flow) as stage:
        first = await line(stage)
        await trio.sleep(1.0)
        if how == "reset":
            await first.cut()
        second = await line(stage, "two", **said)
        await trio.sleep(2.0)
        await first.stop()
        await second.stop()

    assert [record.links for record in stage.server.records] == [1, 1]


async def test_of_two_that_come_for_one_lost_call_one_gets_it(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = flow_of(Choose, prompts)
    async with serving(flow) as stage:
        await (await line(stage)).cut()
        await trio.sleep(1.0)
        second, third = await line(stage, "two"), await line(stage, "three")
        stage.nursery.start_soon(second.talk)
        await trio.sleep(2.0)
        for each in (second, third):
            await each.stop()

    assert sorted((record.links, record.stream_sid) for record in stage.server.records) == [(1, "three"), (2, "two")]


async def test_what_came_before_start_on_the_new_line_is_not_lost(autojump_clock: MockClock, prompts: Path) -> None:
    heard: list[bytes] = []

    class Listen(Noting, timeout=60.0):
        async def run(self, call: C) -> None:
            call.tap(heard.append)

    flow, _ = flow_of(Listen, prompts)
    early = [text(encode(Media(payload=bytes([n]) * 320, stream_sid="two"))) for n in (1, 2, 3)]
    async with serving(flow) as stage:
        await (await line(stage)).cut()
        await trio.sleep(1.0)
        peer = await dialled(stage.network, early[0] + opening(stream_sid="two") + early[1])
        await peer.send(early[2], text(encode(Stop())))

    assert heard == [bytes([n]) * 320 for n in (1, 2, 3)]


async def test_what_comes_late_on_the_old_line_is_counted_and_dropped(autojump_clock: MockClock, prompts: Path) -> None:
    flow, data = flow_of(Choose, prompts)
    async with serving(flow) as stage:
        first = await line(stage)
        await trio.sleep(1.0)
        second = await line(stage, "two")
        await trio.sleep(1.5)
        await first.press("111")
        await first.cut()
        await trio.sleep(1.0)
        await second.stop()

    assert (stage.record.late_messages, stage.record.last_state, data.notes) == (3, "Choose", ["stop by unknown"])


async def test_a_line_that_reads_nothing_does_not_keep_the_next_one_waiting(
    autojump_clock: MockClock, prompts: Path
) -> None:
    flow, _ = flow_of(Choose, prompts)
    async with serving(flow, conditions=Conditions(capacity=2_000)) as stage:
        first = await dialled(stage.network)
        stage.nursery.start_soon(first.send, opening())
        await trio.sleep(1.0)
        stage.network.conditions = Conditions()
        second = await line(stage, "two")
        await trio.sleep(1.0)
        await trio.sleep(1.0)
        seconds = second.seconds
        await second.stop()

    assert stage.record.links == 2
    assert seconds == pytest.approx(1.4, abs=0.2)


# What the flow sees.


async def test_a_prompt_is_said_again_from_its_beginning(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = flow_of(Choose, prompts)
    async with serving(flow) as stage, lost(stage, 3.0) as second:
        await trio.sleep(4.0)

    assert (fates(stage)[:2], second.seconds) == ([("menu.wav", "lost"), ("menu.wav", "heard")], 3.0)


async def test_tries_are_kept_and_none_is_charged(autojump_clock: MockClock, prompts: Path) -> None:
    flow, data = flow_of(AskPin, prompts)
    async with serving(flow) as stage:
        first = await line(stage)
        await first.press("12#")  # too short: the first of two tries
        await first.press("34")
        await first.cut()
        await trio.sleep(4.0)
        second = await line(stage, "two")
        await second.press("56#")  # the last one, without what was typed before
        await trio.sleep(2.0)
        await second.stop()

    assert data.notes == ["too short in try 2"]


async def test_digits_that_were_half_typed_are_dropped(autojump_clock: MockClock, prompts: Path) -> None:
    flow, data = flow_of(AskPin, prompts)
    async with serving(flow) as stage:
        first = await line(stage)
        await first.press("12")
        await first.cut()
        second = await line(stage, "two")
        await second.press("3456")
        await second.stop()

    assert data.notes == ["3456"]


async def test_a_key_that_came_with_the_end_of_the_line_is_an_answer(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = flow_of(Choose, prompts)
    async with serving(flow) as stage:
        first = await line(stage)
        await first.peer.send(text(encode(Dtmf(digit="1"))) + closing(1000))
        await trio.sleep(3.0)
        second = await line(stage, "two")
        stage.nursery.start_soon(second.echo)
        await trio.sleep(3.0)

    assert (stage.record.last_state, stage.record.cause, second.seconds) == ("Bye", EndCause.FLOW, 1.0)


async def test_a_key_that_comes_with_the_line_cuts_nothing_that_is_not_said_yet(
    autojump_clock: MockClock, prompts: Path
) -> None:
    class Speaks(Noting, timeout=600.0):
        async def run(self, call: C) -> None:
            await call.play("menu.wav", barge_in="dtmf")

        def on_dtmf(self, call: C, key: Dtmf) -> Bye:
            return Bye()

    flow, _ = flow_of(Speaks, prompts, scope={"Bye": Bye})
    async with serving(flow) as stage:
        first = await line(stage)
        await trio.sleep(1.0)
        await first.cut()
        second = Line(
            stage, await dialled(stage.network, opening(stream_sid="two") + text(encode(Dtmf(digit="1")))), "two"
        )
        stage.nursery.start_soon(second.echo)
        await trio.sleep(3.0)

    told = [(str(entry.details["prompt"]), entry.what) for entry in stage.journal(Kind.PLAYBACK)]
    assert told[1:5] == [("menu.wav", "lost"), ("menu.wav", "queued"), ("menu.wav", "cut"), ("bye.wav", "queued")]


async def test_a_digit_that_came_with_the_end_of_the_line_is_half_an_entry(
    autojump_clock: MockClock, prompts: Path
) -> None:
    flow, data = flow_of(AskPin, prompts)
    async with serving(flow) as stage:
        first = await line(stage)
        await first.peer.send(text(encode(Dtmf(digit="1"))) + closing(1000))
        await trio.sleep(3.0)
        second = await line(stage, "two")
        await second.press("3456")
        await second.stop()

    assert data.notes == ["3456"]


async def test_keys_typed_ahead_survive(autojump_clock: MockClock, prompts: Path) -> None:
    class Welcome(Say[Caller], prompt="welcome.wav", barge_in=None):
        def then(self, call: C) -> AskPin:
            return AskPin()

    flow, data = flow_of(Welcome, prompts, scope={"AskPin": AskPin})
    async with serving(flow) as stage:
        first = await line(stage)
        await first.press("1234")
        await first.cut()
        await trio.sleep(1.0)
        second = await line(stage, "two")
        stage.nursery.start_soon(second.echo)
        await trio.sleep(4.0)
        await second.stop()

    assert data.notes == ["1234"]


class Transfer(Noting):
    """Sends money, which takes five seconds, and says so."""

    async def run(self, call: C) -> Bye:
        call.data.notes.append("transfer begins")
        await trio.sleep(5.0)
        call.data.notes.append("transfer done")
        heard = await call.play("sorry.wav")
        call.data.notes.append(f"told: {heard.fate.value}")
        return Bye()


@pytest.mark.parametrize(("at", "seconds"), [(1.0, 2.0), (1.0, 8.0), (5.2, 3.0)], ids=["before", "within", "behind"])
async def test_run_is_never_run_twice(at: float, seconds: float, autojump_clock: MockClock, prompts: Path) -> None:
    flow, data = flow_of(Transfer, prompts)
    async with serving(flow) as stage:
        first = await line(stage)
        await trio.sleep(at)
        await first.cut()
        await trio.sleep(seconds)
        assert "told: lost" not in data.notes  # a play does not return while there is no line
        second = await line(stage, "two")
        stage.nursery.start_soon(second.echo)
        await trio.sleep(9.0)

    done = [note for note in data.notes if note not in ("detached",) and not note.startswith("resumed")]
    assert done == ["transfer begins", "transfer done", "told: heard"]


async def test_a_result_that_comes_without_a_line_waits_for_one(autojump_clock: MockClock, prompts: Path) -> None:
    class Ask(Noting):
        async def run(self, call: C) -> Bye:
            await trio.sleep(2.0)
            return Bye()

    flow, _ = flow_of(Ask, prompts)
    async with serving(flow) as stage:
        await (await line(stage)).cut()
        await trio.sleep(5.0)
        waiting = stage.call.state
        second = await line(stage, "two")
        moved = stage.call.state
        await second.stop()

    assert (waiting, moved) == ("Ask", "Bye")


async def test_the_waits_of_a_state_stand_still(autojump_clock: MockClock, prompts: Path) -> None:
    class Wait(Noting, timeout=5.0):
        pass

    flow, data = flow_of(Wait, prompts)
    async with serving(flow) as stage, lost(stage, 7.0):
        await trio.sleep(6.0)

    assert data.notes == ["detached", "resumed after 7, 8 s silent, two, 2", "timeout at 12"]


async def test_a_takeover_is_a_gap_of_no_time(autojump_clock: MockClock, prompts: Path) -> None:
    flow, data = flow_of(Noting, prompts)
    async with serving(flow) as stage, lost(stage, 3.0, how="half-open"):
        await trio.sleep(2.0)

    assert data.notes == ["detached", "resumed after 0, 5 s silent, two, 2"]


async def test_a_line_that_is_lost_twice_is_told_of_twice(autojump_clock: MockClock, prompts: Path) -> None:
    flow, data = flow_of(Noting, prompts)
    async with serving(flow) as stage:
        await (await line(stage)).cut()
        await trio.sleep(1.0)
        await (await line(stage, "two")).cut()
        await trio.sleep(2.0)
        third = await line(stage, "three")
        await third.stop()

    told = ["detached", "resumed after 1, 1 s silent, two, 2", "detached", "resumed after 2, 2 s silent, three, 3"]
    assert (data.notes, stage.record.links) == (told, 3)


async def test_a_state_that_stays_gets_what_became_of_its_playback(autojump_clock: MockClock, prompts: Path) -> None:
    class Stays(Noting, resume="stay"):
        async def run(self, call: C) -> None:
            heard = await call.play("menu.wav")
            call.data.notes.append(f"{heard.fate.value} at {call.now():g}")

    flow, data = flow_of(Stays, prompts)
    async with serving(flow) as stage, lost(stage, 3.0):
        await trio.sleep(1.0)

    assert (data.notes[-1], fates(stage)) == ("lost at 4", [("menu.wav", "lost")])


async def test_a_question_that_stays_does_not_ask_again(autojump_clock: MockClock, prompts: Path) -> None:
    class Stays(Choose, resume="stay"):
        pass

    flow, _ = flow_of(Stays, prompts)
    async with serving(flow) as stage, lost(stage, 3.0) as second:
        await trio.sleep(4.9)
        silent = second.seconds
        await trio.sleep(1.0)

    assert (silent, fates(stage)[:2]) == (0.0, [("menu.wav", "lost"), ("sorry.wav", "heard")])


async def test_on_resumed_may_lead_elsewhere(autojump_clock: MockClock, prompts: Path) -> None:
    class Elsewhere(Choose):
        def on_resumed(self, call: C, gap: Resumed) -> AskPin:
            return AskPin()

    flow, _ = flow_of(Elsewhere, prompts, scope={"AskPin": AskPin})
    async with serving(flow) as stage, lost(stage, 3.0):
        await trio.sleep(3.0)

    assert (stage.record.last_state, fates(stage)[:2]) == ("AskPin", [("menu.wav", "lost"), ("pin.wav", "heard")])


@pytest.mark.parametrize(("hook", "cause"), [("on_detached", EndCause.PEER_GONE), ("on_resumed", EndCause.APP_ERROR)])
async def test_a_hook_that_raises_ends_its_call(
    hook: str, cause: EndCause, autojump_clock: MockClock, prompts: Path
) -> None:
    def fail(self: object, call: C, *gap: Resumed) -> None:
        raise LookupError

    broken = type("Broken", (Choose,), {hook: fail, "__annotations__": {}})
    flow, _ = flow_of(broken, prompts)
    async with serving(flow) as stage:
        await (await line(stage)).cut()
        await trio.sleep(1.0)
        second = await dialled(stage.network)
        if hook == "on_resumed":
            await second.send(opening(stream_sid="two"))

    assert (stage.record.cause, left_over(stage)) == (cause, {})


async def test_a_playback_outside_of_run_begins_again(autojump_clock: MockClock, prompts: Path) -> None:
    class Music(Noting):
        async def run(self, call: C) -> None:
            playback = call.start("menu.wav")
            await trio.sleep(2.0)
            call.data.notes.append(f"result: {playback.result}")
            await playback.heard()
            call.data.notes.append(f"heard at {call.now():g}")

    flow, data = flow_of(Music, prompts)
    async with serving(flow) as stage, lost(stage, 3.0):
        await trio.sleep(4.0)

    assert [note for note in data.notes if "at" in note[:10] or "result" in note] == ["result: None", "heard at 6.45"]


async def test_a_playback_that_is_stopped_without_a_line_is_lost(autojump_clock: MockClock, prompts: Path) -> None:
    class Stops(Noting):
        async def run(self, call: C) -> None:
            playback = call.start("menu.wav")
            await trio.sleep(2.0)
            playback.stop()
            call.data.notes.append((await playback.heard()).fate.value)

    flow, data = flow_of(Stops, prompts)
    async with serving(flow) as stage, lost(stage, 3.0) as second:
        await trio.sleep(4.0)

    assert ("lost" in data.notes, second.seconds) == (True, 0.0)


async def test_music_that_pauses_without_a_line_goes_on_behind_the_voice(
    autojump_clock: MockClock, prompts: Path
) -> None:
    class Queue(Noting):
        async def run(self, call: C) -> None:
            music = call.start("menu.wav", loop=True)
            await trio.sleep(2.0)
            music.pause()
            await call.play("sorry.wav")
            music.resume()
            await trio.sleep(1.0)
            call.data.notes.append(f"result: {music.result}")

    flow, data = flow_of(Queue, prompts)
    async with serving(flow) as stage, lost(stage, 3.0) as second:
        await trio.sleep(2.0)

    queued = [entry.details["prompt"] for entry in stage.journal(Kind.PLAYBACK) if entry.what == "queued"]
    assert (queued, data.notes[-1]) == (["menu.wav", "sorry.wav", "menu.wav"], "result: None")
    assert second.seconds > 2.0


@pytest.mark.parametrize("begins", [0.0, 2.0], ids=["before", "without a line"])
async def test_a_speaker_is_lost_with_its_line(begins: float, autojump_clock: MockClock, prompts: Path) -> None:
    class Speaks(Noting):
        async def run(self, call: C) -> None:
            await trio.sleep(begins)
            async with call.speaker() as speaker:
                while await speaker.write(bytes(3_200)):
                    pass
            assert speaker.result is not None
            call.data.notes.append(f"{speaker.result.fate.value} at {call.now():g}")

    flow, data = flow_of(Speaks, prompts)
    async with serving(flow) as stage, lost(stage, 3.0):
        await trio.sleep(1.0)

    assert (data.notes[-1], left_over(stage)) == ("lost at 4", {})


# Ends.


async def test_a_call_whose_line_does_not_come_back_ends_once(autojump_clock: MockClock, prompts: Path) -> None:
    flow, data = flow_of(Choose, prompts)
    async with serving(flow) as stage:
        first = await line(stage)
        await trio.sleep(2.0)
        await first.cut()
        await trio.sleep(9.9)
        waiting = len(stage.server.registry.live)

    assert (waiting, data.notes, stage.record.seconds, left_over(stage)) == (1, ["peer_gone by network"], 2.0, {})


@pytest.mark.parametrize(
    ("own", "setting", "lasts"), [(None, 3.0, 3.0), (5.0, 3.0, 5.0), (0.0, 3.0, 0.0), (None, 0.0, 0.0)]
)
async def test_the_window_is_a_setting_and_each_flow_may_have_its_own(
    own: float | None, setting: float, lasts: float, autojump_clock: MockClock, prompts: Path
) -> None:
    flow, _ = flow_of(Choose, prompts, resume=own)
    async with serving(flow, settings=Settings(resume=setting)) as stage:
        await (await line(stage)).cut()
        since = trio.current_time()
        await stage.server.registry.wait_no_calls()
        lasted = trio.current_time() - since

    assert lasted == pytest.approx(lasts)


async def test_a_call_that_does_not_resume_is_not_taken_over(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = flow_of(Choose, prompts, resume=0.0)
    async with serving(flow) as stage, lost(stage, 3.0, how="half-open"):
        calls = len(stage.server.registry.live)
        for task in stage.server.registry.live:
            task.hang_up(EndCause.FLOW)

    assert calls == 2


@pytest.mark.parametrize(("sid", "ended"), [("one", True), ("two", False), ("", False)])
async def test_a_report_of_its_stream_ends_a_call_without_a_line(
    sid: str, ended: bool, autojump_clock: MockClock, prompts: Path
) -> None:
    flow, _ = flow_of(Choose, prompts)
    async with serving(flow) as stage:
        await (await line(stage)).cut()
        answer = stage.call.take_report(sid, EndedBy.UNKNOWN)
        over = stage.call.driver.ended_at is not None

    assert (answer, over, left_over(stage)) == (ended, ended, {})


async def test_a_report_of_a_stream_that_lives_is_written_down(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = flow_of(Choose, prompts)
    async with serving(flow) as stage:
        first = await line(stage)
        answer = stage.call.take_report("one", EndedBy.UNKNOWN)
        await first.stop()

    odd = [entry.what for entry in stage.journal(Kind.ODD)]
    assert (answer, odd, stage.record.cause) == (False, ["Passthru"], EndCause.STOP)


async def test_a_call_without_a_line_can_be_ended(autojump_clock: MockClock, prompts: Path) -> None:
    flow, data = flow_of(Choose, prompts)
    async with serving(flow) as stage:
        await (await line(stage)).cut()
        stage.call.hang_up(EndCause.LIMIT)
        await wait_all_tasks_blocked()
        live = len(stage.server.registry.live)

    assert (live, data.notes, left_over(stage)) == (0, ["peer_gone by network"], {})


async def test_sockets_are_counted_not_calls(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = flow_of(Choose, prompts)
    async with serving(flow) as stage:
        gate = stage.server.door.gate
        await (await line(stage)).cut()
        await trio.sleep(1.0)
        without = (gate.sockets, gate.upgraded, gate.without_start)
        second = await line(stage, "two")
        with_one = (gate.sockets, gate.upgraded, gate.without_start)
        await second.stop()

    assert (without, with_one, left_over(stage)) == ((0, 0, 0), (1, 1, 0), {})


async def test_going_down_waits_for_a_call_without_a_line_and_lets_it_come_back(
    autojump_clock: MockClock, prompts: Path
) -> None:
    flow, _ = flow_of(Choose, prompts)
    async with serving(flow) as stage:
        first = await line(stage)
        stage.nursery.start_soon(stage.server.drain)
        await trio.sleep(1.0)
        await first.cut()
        await trio.sleep(3.0)
        stranger = await line(stage, "three", call_sid="another")
        second = await line(stage, "two")
        await trio.sleep(1.0)
        refused = stranger.peer.codes
        await second.stop()

    assert (refused, [(record.cause, record.links) for record in stage.server.records]) == (
        [1012],
        [(EndCause.STOP, 2)],
    )


async def test_a_call_on_its_second_line_is_cancelled_like_any(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = flow_of(Choose, prompts)
    server, network = Server(flow), MemoryNetwork()
    async with trio.open_nursery() as nursery:
        network.listen(server.connect, nursery)
        first = await dialled(network, opening())
        first.port.close(reset=True)
        await wait_all_tasks_blocked()
        second = await dialled(network, opening(stream_sid="two"))
        nursery.cancel_scope.cancel()

    causes = [(record.cause, record.ended_by, record.links) for record in server.records]
    assert (causes, second.codes, server.registry.live) == ([(EndCause.DRAIN, EndedBy.SERVER, 2)], [1012], ())


async def test_the_flow_ends_a_call_on_its_second_line_in_order(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = flow_of(Choose, prompts)
    async with serving(flow) as stage:
        await (await line(stage)).cut()
        second = await line(stage, "two")
        stage.nursery.start_soon(second.echo)
        await second.press("1")
        await trio.sleep(2.0)
        codes = second.peer.codes
        await second.peer.send(closing(1000))

    assert (codes, stage.record.cause, left_over(stage)) == ([1000], EndCause.FLOW, {})


async def two_at_once(prompts: Path) -> tuple[list[list[int]], list[int]]:
    """Have two lines come at one instant for a call whose line is dead; give their close codes, and links by call."""
    flow, _ = flow_of(Choose, prompts)
    async with serving(flow) as stage:
        lines: list[Line] = []

        async def come(sid: str) -> None:
            lines.append(await line(stage, sid))
            stage.nursery.start_soon(lines[-1].answer_pings)

        dead = await line(stage)
        await trio.sleep(1.0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(come, "two")
            nursery.start_soon(come, "three")
        await trio.sleep(2.0)
        codes = [each.peer.codes for each in lines]
        for each in (*lines, dead):
            await each.stop()
            await each.cut()
    return codes, sorted(record.links for record in stage.server.records)


@pytest.mark.parametrize("order", range(5))
def test_of_two_lines_at_one_instant_one_takes_over_and_is_not_taken_over(order: int, prompts: Path) -> None:
    with task_order(order):
        assert in_virtual_time(two_at_once, prompts) == ([[], []], [1, 2])


@pytest.mark.parametrize(
    "form", [MediaFormat(encoding="base64", sample_rate=16_000), MediaFormat(encoding="mulaw", sample_rate=8_000)]
)
@pytest.mark.parametrize("how", ["reset", "half-open"])
async def test_a_line_with_audio_of_another_form_is_another_call(
    how: str, form: MediaFormat, autojump_clock: MockClock, prompts: Path
) -> None:
    flow, _ = flow_of(Listens, prompts)
    async with serving(flow) as stage:
        first = await line(stage)
        if how == "reset":
            await first.cut()
        second = await line(stage, "two", media_format=form)
        await trio.sleep(20.0)
        await second.stop()
        await first.stop()

    assert [
        (record.links, record.stream_sid) for record in sorted(stage.server.records, key=lambda r: r.stream_sid)
    ] == [
        (1, "one"),
        (1, "two"),
    ]


async def test_a_storm_of_lines_of_one_name_asks_few_calls(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = flow_of(Listens, prompts)
    async with serving(flow) as stage:
        lines = []
        for number in range(2 * MOST_ASKED):
            lines.append(await line(stage, f"{number}"))
            stage.nursery.start_soon(lines[-1].answer_pings)
            await trio.sleep(1.5)
        pings = [sum(f.opcode == PING for f in each.peer.read_now()) for each in lines]
        for each in lines:
            await each.stop()
            await each.cut()

    assert (sum(pings) < 2 * MOST_ASKED * MOST_ASKED, pings[0], pings[MOST_ASKED]) == (True, 15, 4)


async def test_calls_that_wait_for_a_line_are_bounded(
    autojump_clock: MockClock, prompts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callflow.server.calls.MOST_DETACHED", 3)
    flow, _ = flow_of(Choose, prompts)
    async with serving(flow) as stage:
        for number in range(6):
            await (await line(stage, call_sid=f"call{number}")).cut()
            await trio.sleep(0.1)
        waiting = [task.start.call_sid for task in stage.server.registry.calls.detached if task.start is not None]

    assert (waiting[-3:], len(waiting) <= 4) == (["call3", "call4", "call5"], True)


# The call before.


class Second(State[Caller], timeout=1.0):
    """Says what it knows of the call before."""

    async def run(self, call: C) -> Choose:
        before = call.previous
        told = None if before is None else (before.last_state, before.cause.value, before.seconds, before.ago)
        call.data.notes.append(repr(told))
        return Choose()

    def on_timeout(self, call: C) -> Bye:
        return Bye()


@pytest.mark.parametrize(
    ("after", "said", "offered"),
    [
        (5.0, {}, "('Choose', 'stop', 2.0, 5.0)"),
        (299.0, {}, "('Choose', 'stop', 2.0, 299.0)"),
        (301.0, {}, "None"),
        (5.0, {"caller": "+910000000106"}, "None"),
        (5.0, {"call_sid": "other"}, "None"),
    ],
)
async def test_a_call_is_offered_what_is_left_of_the_one_before(
    after: float, said: dict[str, str], offered: str, autojump_clock: MockClock, prompts: Path
) -> None:
    flow, data = flow_of(Second, prompts)
    async with serving(flow) as stage:
        first = await line(stage)
        await trio.sleep(2.0)
        await first.stop()
        await trio.sleep(after)
        second = await line(stage, "two", **said)
        await second.stop()
        third = await line(stage, "three", **said)
        await third.stop()

    assert [note for note in data.notes if not note.startswith("stop")][:2] == ["None", offered]


async def test_what_is_left_is_offered_once(autojump_clock: MockClock, prompts: Path) -> None:
    flow, _ = flow_of(Choose, prompts)
    async with serving(flow) as stage:
        first = await line(stage)
        await first.stop()
        start = stage.call.start
        assert start is not None
        calls = stage.server.registry.calls
        offered = [calls.previous(flow, start) is not None for _ in range(2)]

    assert offered == [True, False]


async def test_data_may_be_made_from_what_is_left(autojump_clock: MockClock, prompts: Path) -> None:
    def data(started: Any) -> Caller:
        return Caller(tries=1) if started.previous is None else started.previous.data

    flow = Flow("lost", start=Choose, prompts=prompts, data=data)
    async with serving(flow) as stage:
        for sid in ("one", "two"):
            await (await line(stage, sid)).stop()

    first, second = (task.engine for task in stage.server.calls)
    assert first is not None
    assert second is not None
    assert first.data is second.data
