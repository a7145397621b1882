"""Barge-in: a key cuts the prompt inside the reader's own step, and no byte of it goes out behind the clear (R23)."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from attrs import Factory, define
from hypothesis import assume, given
from hypothesis import strategies as st
from trio.testing import MockClock

from callflow import Call, CollectDigits, Failed, Fate, Flow, Hangup, Menu, Say, Secret, key
from callflow.call.journal import Kind
from callflow.call.port import RECEIVE_BYTES, BytePort
from callflow.line.memory import Conditions
from callflow.line.placing import place_call
from callflow.wire.exotel import encode
from callflow.wire.messages import Clear, Dtmf, Mark, Media
from tests.call.far_end import OPENING, dialled, text
from tests.call.stage import CHUNK, PROMPTS, in_virtual_time, ringing, said, serving, tone

C = Call[None]


class Welcome(Say[None], prompt="welcome.wav"):
    def then(self, call: C) -> Offer:
        return Offer()


class Offer(Say[None], prompt="menu.wav"):
    def then(self, call: C) -> Notice:
        return Notice()


class Notice(Say[None], prompt="pin.wav"):
    def then(self, call: C) -> Bye:
        return Bye()


class Bye(Hangup[None], prompt="bye.wav"):
    """Last words, which no key cuts."""


class Pin(CollectDigits[None], prompt="pin.wav", length=4):
    def on_digits(self, call: C, digits: Secret) -> Main:
        return Main()

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


class Main(Menu[None], prompt="menu.wav"):
    @key("1")
    def chosen(self, call: C) -> Bye:
        return Bye()

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()


class Warned(Say[None], prompt="welcome.wav", barge_in=None):
    def then(self, call: C) -> Main:
        return Main()


PCM = {name: tone(hertz, seconds) for name, (hertz, seconds) in PROMPTS.items()}


def prompt_of(media: Media) -> str:
    """Say which prompt a chunk is from; every piece of every prompt is different."""
    return next(name for name, pcm in PCM.items() if media.payload.rstrip(b"\x00") in pcm)


# How fast.


class Steps(trio.abc.Instrument):
    """Counts the steps of all tasks."""

    def __init__(self) -> None:
        self.count = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.count += 1


@define
class Watched:
    """A server's port that notes in which step, and when, something passed through it."""

    port: BytePort
    steps: Steps
    received: list[tuple[int, float, bytes]] = Factory(list)
    sent: list[tuple[int, float, bytes]] = Factory(list)
    peer: str = "client:1"

    def try_receive(self, limit: int = RECEIVE_BYTES) -> bytes | None:
        data = self.port.try_receive(limit)
        self.received.append((self.steps.count, trio.current_time(), data or b""))
        return data

    def try_send(self, data: bytes) -> int:
        self.sent.append((self.steps.count, trio.current_time(), data))
        return self.port.try_send(data)

    async def wait_readable(self) -> None:
        await self.port.wait_readable()

    async def wait_writable(self) -> None:
        await self.port.wait_writable()

    def send_eof(self) -> None:
        self.port.send_eof()

    def close(self, *, reset: bool = False) -> None:
        self.port.close(reset=reset)


def first(seen: list[tuple[int, float, bytes]], what: bytes) -> tuple[int, float]:
    """The step and the moment in which *what* passed first."""
    return next((step, at) for step, at, data in seen if what in data)


@pytest.mark.parametrize("pressed_at", [0.1, 0.5, 1.999])
async def test_the_clear_is_on_the_wire_in_the_step_that_read_the_key(
    autojump_clock: MockClock, prompts: Path, pressed_at: float
) -> None:
    steps = Steps()
    trio.lowlevel.add_instrument(steps)
    watched: list[Watched] = []
    async with serving(Flow("bank", start=Welcome, prompts=prompts)) as stage:

        async def connect(port: BytePort) -> None:
            watched.append(Watched(port, steps))
            await stage.server.connect(watched[0])

        stage.network.listen(connect, stage.nursery)
        peer = await dialled(stage.network, OPENING)
        await trio.sleep(pressed_at)
        await peer.send(text(encode(Dtmf(digit="1"))))
        peer.port.close()
    (read_step, read_at), (sent_step, sent_at) = first(watched[0].received, b"dtmf"), first(watched[0].sent, b'"clear"')
    trio.lowlevel.remove_instrument(steps)

    assert (1 + sent_step - read_step, sent_at - read_at) == (1, 0.0)


# How clean.

rough = st.builds(
    Conditions,
    lag=st.sampled_from([0.0, 0.02, 0.3]),
    split=st.booleans(),
    partial_sends=st.booleans(),
    would_block=st.sampled_from([0.0, 0.5]),
    capacity=st.sampled_from([3_000, 65_536]),
)
moments = st.lists(st.integers(1, 300).map(lambda frames: frames / 50), min_size=1, max_size=4).map(sorted)


@given(moments=moments, conditions=rough, seed=st.integers(0, 1000))
def test_no_byte_of_a_prompt_is_sent_behind_its_clear(
    prompts: Path, moments: list[float], conditions: Conditions, seed: int
) -> None:
    flow = Flow("bank", start=Welcome, prompts=prompts)

    async def main() -> list[str]:
        async with ringing(flow, conditions=conditions, seed=seed) as (phone, stage):
            for moment in moments:
                with trio.move_on_at(phone.answered_at + moment):
                    await phone.ended.wait()
                if not phone.ended.is_set():
                    await phone.press("1", hold=0.0)
            await phone.ended.wait()
        assume(any(entry.what == "barge-in" for entry in stage.journal(Kind.PLAYBACK)))
        return [prompt_of(m) if isinstance(m, Media) else "clear" for m in said(phone, Media, Clear)]

    sent = in_virtual_time(main)
    places = [place for place, what in enumerate(sent) if what == "clear"]

    assert {sent[place - 1] in sent[place:] for place in places} == {False}


async def test_the_line_is_silent_when_the_picked_up_chunk_is_over(autojump_clock: MockClock, prompts: Path) -> None:
    async with ringing(Flow("bank", start=Main, prompts=prompts)) as (phone, _):
        await phone.wait(1.05)
        await phone.press("1", hold=0.0)
        await phone.ended.wait()
    menu = [segment for segment in phone.playout.heard if segment.audio in PCM["menu"]]

    assert menu[-1].end == pytest.approx(1.0 + CHUNK)


# What is cut, and what is not.


async def test_a_cut_prompt_says_how_much_of_it_was_heard(autojump_clock: MockClock, prompts: Path) -> None:
    async with ringing(Flow("bank", start=Welcome, prompts=prompts)) as (phone, stage):
        await phone.wait(1.0)
        await phone.press("1", hold=0.0)
        await phone.ended.wait()
    cut = next(entry for entry in stage.journal(Kind.PLAYBACK) if entry.what == Fate.CUT.value)

    assert cut.details == {
        "prompt": "welcome.wav",
        "seconds": 2.0,
        "sent": 1.6,
        "at_least": 0.0,
        "at_most": 1.6,
    }


async def test_a_protected_prompt_is_not_cut_and_its_keys_are_kept(autojump_clock: MockClock, prompts: Path) -> None:
    async with ringing(Flow("bank", start=Warned, prompts=prompts)) as (phone, stage):
        await phone.wait(0.5)
        await phone.press("1", hold=0.0)
        await phone.ended.wait()

    assert (len(said(phone, Clear)), [e.what for e in stage.journal(Kind.KEY)], stage.record.seconds) == (
        0,
        ["pressed", "held", "taken"],
        PROMPTS["welcome"][1] + PROMPTS["bye"][1],
    )


async def test_a_key_when_nothing_plays_clears_nothing(autojump_clock: MockClock, prompts: Path) -> None:
    async with ringing(Flow("bank", start=Main, prompts=prompts)) as (phone, _):
        await phone.wait(PROMPTS["menu"][1] + 0.5)
        await phone.press("1", hold=0.0)
        await phone.ended.wait()

    assert said(phone, Clear) == []


async def test_the_terminator_that_comes_late_cuts_nothing(autojump_clock: MockClock, prompts: Path) -> None:
    async with ringing(Flow("bank", start=Pin, prompts=prompts)) as (phone, stage):
        await phone.wait(2.0)
        await phone.press("4929#", gap=0.2, hold=0.0)
        await phone.wait(4.0)
        menu = next(e for e in stage.journal(Kind.PLAYBACK) if e.details["prompt"] == "menu.wav" and e.what != "queued")

    assert (menu.what, stage.journal(Kind.KEY)[-1].what) == ("heard", "late terminator")


async def test_a_second_key_behind_a_full_entry_cuts_the_next_prompt(autojump_clock: MockClock, prompts: Path) -> None:
    async with ringing(Flow("bank", start=Pin, prompts=prompts)) as (phone, _):
        await phone.wait(2.0)
        await phone.press("4929#1", gap=0.2, hold=0.0)
        await phone.ended.wait()

    assert [type(m) for m in said(phone, Clear, Mark)].count(Clear) == 1


async def test_a_key_that_cuts_an_announcement_is_the_next_questions(autojump_clock: MockClock, prompts: Path) -> None:
    class Hello(Say[None], prompt="welcome.wav"):
        def then(self, call: C) -> Main:
            return Main()

    async with ringing(Flow("bank", start=Hello, prompts=prompts, scope=locals())) as (phone, stage):
        await phone.wait(0.5)
        await phone.press("1", hold=0.0)
        await phone.ended.wait()

    assert [prompt_of(m) for m in said(phone, Media)].count("menu") == 0


async def test_calls_do_not_cut_each_other(autojump_clock: MockClock, prompts: Path) -> None:
    async with (
        serving(Flow("bank", start=Welcome, prompts=prompts)) as stage,
        place_call(stage.network.dial) as one,
        place_call(stage.network.dial) as other,
    ):
        await one.wait(0.5)
        await one.press("1", hold=0.0)
        await other.wait(1.0)
        counts = len(said(one, Clear)), len(said(other, Clear))

    assert counts == (1, 0)
