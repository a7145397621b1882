"""The telephone while a call lives, against a throw-away server, in memory and in virtual time."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from callflow.errors import CallEnded
from callflow.line.memory import Conditions
from callflow.line.profile import Profile
from callflow.line.telephone import Telephone
from callflow.wire.messages import Connected, Dtmf, Mark, Media, Message, Start, Stop
from tests.line.bot import QUIET, ringing

# The beginning of a call.


async def test_a_call_begins_with_connected_and_start(autojump_clock: MockClock) -> None:
    async with ringing(call_sid="c1", account_sid="acme2", caller="+910000000106", called="00000000320") as (
        phone,
        bot,
    ):
        await phone.wait(0.01)

    assert [message for _, message in bot.read[:2]] == [
        Connected(),
        Start(
            stream_sid=phone.stream_sid,
            call_sid="c1",
            account_sid="acme2",
            caller="+910000000106",
            called="00000000320",
            media_format=Profile().media_format,
            sequence_number=1,
        ),
    ]


async def test_two_calls_have_ids_of_their_own(autojump_clock: MockClock) -> None:
    async with ringing(random=None) as (one, _), ringing(random=None) as (other, _):
        pass

    assert len({one.call_sid, other.call_sid, one.stream_sid, other.stream_sid}) == 4


# What the caller presses.


async def test_keys_are_reported_when_they_are_let_go(autojump_clock: MockClock) -> None:
    async with ringing() as (phone, bot):
        await phone.press("4#", gap=0.5, hold=0.2)
        await phone.wait(0.1)
        keys = [(round(at, 6), key.digit, key.duration) for at, key in bot.read if isinstance(key, Dtmf)]

    assert keys == [(0.2, "4", 0.2), (0.7, "#", 0.2)]


async def test_a_key_is_never_held_longer_than_until_the_next(autojump_clock: MockClock) -> None:
    async with ringing() as (phone, bot):
        await phone.press("12", gap=0.0)
        await phone.wait(0.1)
        keys = [(at, key.duration) for at, key in bot.read if isinstance(key, Dtmf)]

    assert keys == [(0.0, 0.0), (0.0, 0.0)]


async def test_a_key_was_sent_when_the_press_returns(autojump_clock: MockClock) -> None:
    async with ringing(profile=QUIET) as (phone, _):
        await phone.press("5")
        last = phone.log[-1].message

    assert isinstance(last, Dtmf)


@pytest.mark.parametrize(
    "wrong", [{"digits": "1A"}, {"digits": "1", "gap": -1.0}, {"digits": "1", "hold": float("nan")}]
)
async def test_what_is_no_key_cannot_be_pressed(autojump_clock: MockClock, wrong: dict[str, Any]) -> None:
    async with ringing() as (phone, _):
        with pytest.raises(ValueError, match="key"):
            await phone.press(**wrong)


# What the caller hears.


async def test_what_the_server_plays_is_heard_when_it_came(autojump_clock: MockClock) -> None:
    async with ringing() as (phone, bot):
        await phone.wait(0.5)
        await bot.send(bot.say.media(b"a" * 3200), bot.say.media(b"b" * 3200))
        await phone.wait(1.0)
        heard = [(round(segment.start, 6), segment.audio[:1], segment.seconds) for segment in phone.playout.heard]

    assert (heard, phone.bytes_heard) == ([(0.5, b"a", 0.2), (0.7, b"b", 0.2)], 6400)


@pytest.mark.parametrize("profile", [Profile(), QUIET])
async def test_a_mark_comes_back_when_its_audio_was_played(autojump_clock: MockClock, profile: Profile) -> None:
    async with ringing(profile=profile) as (phone, bot):
        await phone.wait(0.5)
        await bot.send(bot.say.media(bytes(3200)), bot.say.mark("greeting"))
        await phone.wait(1.0)
        marks = [(round(at, 6), mark.name) for at, mark in bot.read if isinstance(mark, Mark)]

    assert marks == [(0.7, "greeting")]


async def test_a_clear_spares_what_was_picked_up(autojump_clock: MockClock) -> None:
    async with ringing(profile=QUIET) as (phone, bot):
        await bot.send(*[bot.say.media(bytes(3200)) for _ in range(4)], bot.say.mark("end"))
        await phone.wait(0.25)
        await bot.send(bot.say.clear())
        await phone.wait(1.0)
        marks = [(round(at, 6), mark.name) for at, mark in bot.read if isinstance(mark, Mark)]

    assert (round(phone.playout.heard[-1].end, 6), marks) == (0.4, [(0.25, "end")])


async def test_nothing_is_heard_after_the_caller_hung_up(autojump_clock: MockClock) -> None:
    async with ringing(profile=Profile(breaks={"R14"})) as (phone, bot), trio.open_nursery() as nursery:
        nursery.start_soon(phone.hang_up)
        await wait_all_tasks_blocked()
        await bot.send(bot.say.media(bytes(320)))

    assert phone.playout.heard == []


async def test_a_script_can_wait_for_a_condition(autojump_clock: MockClock) -> None:
    async with ringing(profile=QUIET) as (phone, bot):
        await bot.send(bot.say.media(bytes(3200)), bot.say.media(bytes(3200)))
        while phone.bytes_heard < 6400:
            await phone.changed()
        heard_at = phone.now

    assert heard_at == pytest.approx(0.4)


async def test_a_message_is_a_change_even_if_nothing_is_heard(autojump_clock: MockClock) -> None:
    async with ringing(profile=QUIET) as (phone, bot):
        await wait_all_tasks_blocked()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(phone.changed)
            await wait_all_tasks_blocked()
            await bot.send(bot.say.clear())

    assert trio.current_time() == 0.0


async def test_the_log_holds_every_message_both_ways_in_order(autojump_clock: MockClock) -> None:
    async with ringing(profile=QUIET) as (phone, bot):
        await phone.press("1", hold=0.1)
        await bot.send("no message", bot.say.mark("m"))
        await phone.wait(0.1)

    kinds = [(entry.n, entry.side, type(entry.message)) for entry in phone.log]
    assert kinds == [
        (1, "in", Connected),
        (2, "in", Start),
        (3, "in", Dtmf),
        (4, "out", type(None)),
        (5, "out", Mark),
        (6, "in", Mark),
        (7, "in", Stop),
    ]
    assert [round(entry.at, 6) for entry in phone.log] == [0.0, 0.0, 0.1, 0.1, 0.1, 0.1, 0.2]


async def play_a_call(conditions: Conditions) -> list[tuple[str, Message | None]]:
    """Make a call with keys, audio, a mark and a clear; return what was said, without the times of frames."""
    async with ringing(conditions, profile=QUIET) as (phone, bot):
        await phone.press("123")
        await bot.send(*[bot.say.media(bytes(99_840)) for _ in range(3)], bot.say.mark("long"))
        await phone.play(b"7" * 6400)
        await bot.send(bot.say.clear())
        await phone.wait(2.0)
        await phone.hang_up()
        await bot.over.wait()
    return [(side, message) for side in ("in", "out") for message in told(phone, side)]


def told(phone: Telephone, side: str) -> list[Message | None]:
    return [entry.message for entry in phone.log if entry.side == side and not isinstance(entry.message, Media)]


async def test_a_bad_connection_changes_nothing_of_what_is_said(autojump_clock: MockClock) -> None:
    bad = Conditions(lag=0.05, split=True, partial_sends=True, would_block=0.2, capacity=5_000)

    assert await play_a_call(bad) == await play_a_call(Conditions())


async def test_calls_of_one_seed_are_alike(autojump_clock: MockClock) -> None:
    async with ringing(random=Random(5), profile=Profile(breaks={"R4", "R9"})) as (one, _):
        await one.wait(1.0)
    async with ringing(random=Random(5), profile=Profile(breaks={"R4", "R9"})) as (other, _):
        await other.wait(1.0)

    assert [(round(entry.at, 6), entry.text) for entry in one.log] == [
        (round(entry.at, 6), entry.text) for entry in other.log
    ]


# Lines that are lost.


async def test_a_line_that_is_back_is_the_same_call_on_another_stream(autojump_clock: MockClock) -> None:
    async with ringing(call_sid="c1") as (phone, bot):
        await phone.wait(0.5)
        first = phone.stream_sid
        phone.lose()
        await phone.press("1")
        await phone.wait(2.0)
        await phone.reconnect()
        await phone.press("2")
        await phone.wait(0.1)
        starts = [message for _, message in bot.read if isinstance(message, Start)]

    assert [(start.call_sid, start.stream_sid) for start in starts] == [("c1", first), ("c1", phone.stream_sid)]
    assert [key.digit for _, key in bot.read if isinstance(key, Dtmf)] == ["2"]
    assert (first != phone.stream_sid, phone.links, phone.ended_by) == (True, 2, "caller")


async def test_a_line_that_is_taken_over_falls_silent_and_stays_open(autojump_clock: MockClock) -> None:
    async with ringing() as (phone, bot):
        await phone.wait(0.5)
        await phone.take_over()
        await phone.wait(0.5)
        open_lines = phone.links, phone.ended.is_set()
        starts = [message for _, message in bot.read if isinstance(message, Start)]

    assert (open_lines, len(starts)) == ((2, False), 2)


async def test_what_waits_to_be_sent_on_a_line_that_stands_still_does_not_hold_up_the_next_one(
    autojump_clock: MockClock,
) -> None:
    async with ringing() as (phone, bot):
        await phone.wait(0.5)
        phone.freeze(60.0)
        await phone.wait(0.5)  # frames of the caller's audio are due meanwhile
        await phone.take_over()
        await phone.wait(0.5)
        came = [round(at - phone.answered_at, 2) for at, message in bot.read if isinstance(message, Start)]

    assert came == [0.0, 1.0]


async def test_who_hangs_up_on_a_lost_line_has_hung_up(autojump_clock: MockClock) -> None:
    async with ringing() as (phone, _):
        await phone.wait(0.5)
        phone.lose()
        await phone.hang_up()

    assert (phone.ended_by, phone.close_code) == ("caller", 1006)


async def test_what_is_sent_raw_arrives_as_it_stands(autojump_clock: MockClock) -> None:
    async with ringing(profile=QUIET) as (phone, bot):
        await phone.send_raw('{"event": "dtmf", "dtmf": {"digit": 5}, "sid": "none"}')
        await wait_all_tasks_blocked()

    assert bot.got(Dtmf) == [Dtmf(digit="5")]


async def test_nothing_is_sent_raw_when_the_call_is_over(autojump_clock: MockClock) -> None:
    async with ringing(profile=QUIET) as (phone, _):
        await phone.hang_up()

        with pytest.raises(CallEnded):
            await phone.send_raw("{}")


async def test_a_ping_is_answered_after_the_way_there_and_back(autojump_clock: MockClock) -> None:
    async with ringing(Conditions(lag=0.2)) as (phone, _):
        seconds = await phone.ping(b"are you there?")

    assert seconds == pytest.approx(0.4)


async def test_a_ping_to_a_server_that_is_gone_says_so(autojump_clock: MockClock) -> None:
    async with ringing() as (phone, _):
        phone.drop()

        with pytest.raises(CallEnded):
            await phone.ping()


async def test_audio_that_nobody_waits_for_wakes_nobody(autojump_clock: MockClock) -> None:
    class Turns(trio.abc.Instrument):
        count = 0

        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            self.count += task.name.endswith("Telephone.talk")

    async with ringing(profile=QUIET) as (phone, bot):
        await bot.send(*(bot.say.media(bytes(3_200)) for _ in range(10)), bot.say.mark("end"))
        await wait_all_tasks_blocked()
        trio.lowlevel.add_instrument(turns := Turns())
        await phone.wait(5.0)
        trio.lowlevel.remove_instrument(turns)

    assert (turns.count, bot.got(Mark)[-1].name, phone.bytes_heard) == (1, "end", 32_000)


async def test_who_waits_for_a_change_hears_of_each_message_that_was_played(autojump_clock: MockClock) -> None:
    async with ringing(profile=QUIET) as (phone, bot):
        await bot.send(*(bot.say.media(bytes(3_200)) for _ in range(3)))
        await wait_all_tasks_blocked()
        began, moments = phone.now, []
        with trio.move_on_after(5.0):
            while True:
                await phone.changed()
                moments.append(round(phone.now - began, 3))

    assert moments == [0.2, 0.4, 0.6]
