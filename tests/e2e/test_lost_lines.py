"""Lines that are cut on real sockets, in real time: by a reset, or by silence."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest
import trio
from attrs import define, field

from callflow import Call, CollectDigits, EndCause, Failed, Flow, Hangup, Menu, Resumed, Secret, State, key
from callflow.line import Telephone, dial_socket, place_call
from callflow.server.serve import Server
from tests.call.stage import PROMPTS, write_prompts
from tests.e2e.serving import serving


@define
class Notes:
    """The data of a call."""

    told: list[str] = field(factory=list)


C = Call[Notes]


class Choose(Menu[Notes], prompt="menu.wav", first_digit=20.0):
    @key("1")
    def pin(self, call: C) -> AskPin:
        return AskPin()

    @key("2")
    def pay(self, call: C) -> Transfer:
        return Transfer()

    def on_failed(self, call: C, why: Failed) -> Bye:
        return Bye()

    def on_resumed(self, call: C, gap: Resumed) -> None:
        call.data.told.append("resumed")


class AskPin(CollectDigits[Notes], prompt="pin.wav", length=4, tries=1):
    def on_digits(self, call: C, digits: Secret) -> Bye:
        call.data.told.append(digits.reveal())
        return Bye()

    def on_failed(self, call: C, why: Failed) -> Bye:
        call.data.told.append(why.name)
        return Bye()


class Transfer(State[Notes], timeout=20.0):
    async def run(self, call: C) -> Bye:
        call.data.told.append("begun")
        await trio.sleep(1.0)
        call.data.told.append("done")
        await call.play("sorry.wav")
        return Bye()

    def on_timeout(self, call: C) -> Bye:
        return Bye()


class Bye(Hangup[Notes]):
    """The end."""


Act = Callable[[Telephone], Awaitable[None]]


async def lived(folder: Path, act: Act) -> tuple[Server, list[str], Telephone]:
    """Call a flow over real sockets, and do something."""
    notes = Notes()
    flow = Flow("lost", start=Choose, prompts=write_prompts(folder), data=lambda: notes)
    with trio.fail_after(30):
        async with serving(flow) as (server, port):
            async with place_call(lambda: dial_socket("127.0.0.1", port), random=Random(1)) as phone:
                await act(phone)
                await phone.hang_up()
            await server.registry.wait_no_calls()
            left = server.door.gate.sockets, server.registry.live
    assert left == (0, ())
    return server, notes.told, phone


async def lose(phone: Telephone, seconds: float = 0.3) -> None:
    phone.lose()
    await phone.wait(seconds)
    await phone.reconnect()


async def test_a_prompt_that_was_cut_off_by_a_reset_is_said_again(tmp_path: Path) -> None:
    async def act(phone: Telephone) -> None:
        await phone.wait(0.5)
        await lose(phone)
        await phone.wait(PROMPTS["menu"][1] + 0.5)

    server, told, phone = await lived(tmp_path, act)

    assert ([record.links for record in server.records], told) == ([2], ["resumed"])
    assert phone.playout.form.seconds(phone.bytes_heard) == pytest.approx(PROMPTS["menu"][1] + 0.5, abs=0.3)


async def test_a_reset_in_the_middle_of_a_pin_costs_no_try(tmp_path: Path) -> None:
    async def act(phone: Telephone) -> None:
        await phone.press("112", gap=0.05)
        await phone.wait(0.1)
        await lose(phone)
        await phone.press("3456", gap=0.05)
        await phone.ended.wait()

    server, told, _ = await lived(tmp_path, act)

    assert (told, server.records[0].links, server.records[0].cause) == (["3456"], 2, EndCause.FLOW)


async def test_a_reset_in_the_middle_of_run_does_not_run_it_again(tmp_path: Path) -> None:
    async def act(phone: Telephone) -> None:
        await phone.press("2", gap=0.05)
        await phone.wait(0.3)
        await lose(phone, 1.5)
        await phone.ended.wait()

    server, told, phone = await lived(tmp_path, act)

    assert (told, server.records[0].links) == (["begun", "done"], 2)
    assert phone.bytes_heard >= 16_000 * PROMPTS["sorry"][1]


async def test_a_line_that_goes_silent_is_taken_over(tmp_path: Path) -> None:
    async def act(phone: Telephone) -> None:
        await phone.press("11", gap=0.05)
        await phone.take_over()
        await phone.wait(1.3)
        await phone.press("3456", gap=0.05)
        await phone.ended.wait()

    server, told, _ = await lived(tmp_path, act)

    assert (told, server.records[0].links) == (["3456"], 2)


async def test_a_line_may_break_twice_in_a_row(tmp_path: Path) -> None:
    async def act(phone: Telephone) -> None:
        await phone.wait(0.3)
        await lose(phone, 0.0)
        await lose(phone, 0.2)
        await phone.press("13456", gap=0.05)
        await phone.ended.wait()

    server, told, _ = await lived(tmp_path, act)

    assert (told[-1], server.records[0].links) == ("3456", 3)


async def test_a_line_that_stays_away_ends_its_call(tmp_path: Path) -> None:
    notes = Notes()
    flow = Flow("lost", start=Choose, prompts=write_prompts(tmp_path), data=lambda: notes, resume=0.5)
    with trio.fail_after(10):
        async with serving(flow) as (server, port):
            async with place_call(lambda: dial_socket("127.0.0.1", port), random=Random(1)) as phone:
                await phone.wait(0.3)
                phone.drop()
            await server.registry.wait_no_calls()

    assert [record.cause for record in server.records] == [EndCause.PEER_GONE]
