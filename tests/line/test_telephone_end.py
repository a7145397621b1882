"""The end of a call: who ended it, what is left of it, and whom it leaves waiting."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from callflow.call.port import BytePort
from callflow.errors import CallEnded
from callflow.line.applets import StreamRecord
from callflow.line.memory import Conditions, MemoryNetwork
from callflow.line.placing import place_call
from callflow.line.profile import Profile
from callflow.line.telephone import Telephone
from callflow.wire.messages import Dtmf, Stop, StopReason
from tests.line.bot import Bot, accept_and_stare, answer, ringing


async def test_hanging_up_sends_stop_and_then_the_connection_is_gone(autojump_clock: MockClock) -> None:
    async with ringing() as (phone, bot):
        await phone.wait(0.5)
        await phone.hang_up()
        await bot.over.wait()

    assert bot.read[-1] == (
        0.5,
        Stop(
            stream_sid=phone.stream_sid,
            call_sid=phone.call_sid,
            account_sid="acme1",
            reason=StopReason.CALL_ENDED,
            text="canceled or call ended",
            sequence_number=len(bot.read) - 1,
        ),
    )
    assert (phone.ended_by, phone.close_code, bot.close_code) == ("caller", 1006, 1006)


async def test_the_end_of_the_block_hangs_up(autojump_clock: MockClock) -> None:
    async with ringing() as (phone, bot):
        pass
    await bot.over.wait()

    assert (phone.ended_by, len(bot.got(Stop))) == ("caller", 1)


async def test_a_clean_profile_closes_with_1000(autojump_clock: MockClock) -> None:
    async with ringing(profile=Profile(close_after_stop="clean")) as (phone, bot):
        await phone.hang_up()

    assert (bot.close_code, phone.close_code, len(bot.got(Stop))) == (1000, 1000, 1)


async def test_a_clean_close_waits_for_the_answer_of_the_server(autojump_clock: MockClock) -> None:
    async with ringing(Conditions(lag=0.1), profile=Profile(close_after_stop="clean")) as (phone, _):
        before = phone.now
        await phone.hang_up()

    assert phone.record().duration - before == pytest.approx(0.2)


async def test_a_server_that_stops_reading_and_resets_ends_the_call(autojump_clock: MockClock) -> None:
    async def stare_and_reset(port: BytePort) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer, port, accept_and_stare)
            await trio.sleep(2.0)
            port.close(reset=True)
            nursery.cancel_scope.cancel()

    network = MemoryNetwork(Conditions(capacity=1_000))
    async with trio.open_nursery() as nursery:
        network.listen(stare_and_reset, nursery)
        async with place_call(network.dial) as phone:
            await phone.ended.wait()

    assert (trio.current_time(), phone.ended_by) == (2.0, "network")
    assert phone.log[-1].at < 1.0  # what the transport did not take is not in it


async def test_a_profile_that_breaks_r14_lingers_after_stop(autojump_clock: MockClock) -> None:
    async with ringing(profile=Profile(breaks={"R14"})) as (phone, bot):
        await phone.hang_up()
        await bot.over.wait()
        stopped_at = next(at for at, message in bot.read if isinstance(message, Stop))

    assert trio.current_time() - stopped_at == 3.0


async def test_a_conformant_line_is_gone_within_a_second_after_stop(autojump_clock: MockClock) -> None:
    async with ringing() as (phone, bot):
        await phone.hang_up()
        await bot.over.wait()
        stopped_at = next(at for at, message in bot.read if isinstance(message, Stop))

    assert trio.current_time() - stopped_at <= 1.0


async def test_nothing_comes_after_stop(autojump_clock: MockClock) -> None:
    async with ringing(profile=Profile(breaks={"R14"})) as (phone, bot):
        await bot.send(bot.say.media(bytes(16_000)), bot.say.mark("due while the line lingers"))
        await phone.wait(0.5)
        await phone.hang_up()
        await bot.over.wait()

    assert isinstance(bot.read[-1][1], Stop)


async def test_a_server_that_closes_ends_the_call(autojump_clock: MockClock) -> None:
    async with ringing() as (phone, bot):
        await bot.socket.aclose(1000)
        await phone.ended.wait()

    assert (phone.ended_by, phone.close_code, bot.got(Stop)) == ("server", 1000, [])


async def test_a_server_that_closes_on_stop_does_not_take_the_hangup_from_the_caller(
    autojump_clock: MockClock,
) -> None:
    async with ringing(profile=Profile(breaks={"R14"})) as (phone, bot), trio.open_nursery() as nursery:
        nursery.start_soon(phone.hang_up)
        await wait_all_tasks_blocked()
        await bot.socket.aclose(1000)

    assert (phone.ended_by, phone.close_code) == ("caller", 1000)


async def test_what_was_still_to_be_played_is_not_heard_when_the_server_closes(autojump_clock: MockClock) -> None:
    async with ringing() as (phone, bot):
        await bot.send(bot.say.media(bytes(16_000)), bot.say.media(bytes(16_000)))
        await phone.wait(0.5)
        await bot.socket.aclose(1000)
        await phone.wait(5.0)

    assert phone.playout.heard[-1].end == pytest.approx(0.5)


async def test_a_server_that_vanishes_ends_the_call_as_a_broken_network(autojump_clock: MockClock) -> None:
    async with ringing() as (phone, bot):
        await bot.stream.aclose()
        await phone.ended.wait()

    assert (phone.ended_by, phone.close_code) == ("network", 1006)


async def test_a_server_that_breaks_the_websocket_ends_the_call(autojump_clock: MockClock) -> None:
    async with ringing() as (phone, bot):
        await bot.stream.send_all(b"\xff\xff no frame \xff\xff")
        await phone.ended.wait()

    assert (phone.ended_by, phone.close_code) == ("server", 1002)


async def test_a_dropped_line_is_a_reset_without_stop(autojump_clock: MockClock) -> None:
    async with ringing() as (phone, bot):
        phone.drop()
        with pytest.raises(trio.BrokenResourceError):
            bot.stream.port.try_receive()
        await bot.over.wait()

    assert (phone.ended_by, bot.got(Stop), bot.close_code) == ("network", [], 1006)


async def test_a_deaf_line_neither_answers_nor_sends_but_stays_connected(autojump_clock: MockClock) -> None:
    async with ringing() as (phone, bot):
        phone.go_deaf()
        await phone.press("1")
        await bot.send(bot.say.media(bytes(320)))
        before = len(bot.read)
        with trio.move_on_after(20.0) as waited:
            await bot.socket.ping()
        closed = bot.socket.closed

    assert (waited.cancelled_caught, len(bot.read), closed, phone.bytes_heard) == (True, before, None, 0)


async def test_a_line_that_goes_deaf_in_mid_send_sends_nothing_after_it(autojump_clock: MockClock) -> None:
    class LateReader(Bot):
        async def _read(self) -> None:
            await trio.sleep(5.0)
            await super()._read()

    bot = LateReader()
    network = MemoryNetwork(Conditions(capacity=1_000))
    async with trio.open_nursery() as nursery:
        network.listen(bot.serve, nursery)
        async with place_call(network.dial) as phone:
            async with trio.open_nursery() as pressing:
                await phone.wait(1.0)
                pressing.start_soon(phone.press, "1")
                await phone.wait(1.0)
                phone.go_deaf()
            pressed_until = phone.now
            await phone.wait(8.0)

    assert (pressed_until, bot.got(Dtmf)) == (2.0, [])


async def test_a_deaf_line_is_gone_at_once_when_the_block_ends(autojump_clock: MockClock) -> None:
    async with ringing() as (phone, bot):
        phone.go_deaf()
    await bot.over.wait()

    assert (trio.current_time(), bot.got(Stop)) == (0.0, [])


async def test_a_press_lasts_until_the_transport_has_taken_it(autojump_clock: MockClock) -> None:
    network = MemoryNetwork(Conditions(capacity=1_000))
    async with trio.open_nursery() as nursery:
        network.listen(lambda port: answer(port, accept_and_stare), nursery)
        async with place_call(network.dial) as phone:
            await phone.wait(1.0)
            with trio.move_on_after(4.0) as waited:
                await phone.press("1")
        nursery.cancel_scope.cancel()

    assert (waited.cancelled_caught, [entry.message for entry in phone.log if isinstance(entry.message, Dtmf)]) == (
        True,
        [],
    )


async def test_hanging_up_on_a_server_that_does_not_read_ends_in_time(autojump_clock: MockClock) -> None:
    network = MemoryNetwork(Conditions(capacity=1_000))
    async with trio.open_nursery() as nursery:
        network.listen(lambda port: answer(port, accept_and_stare), nursery)
        async with place_call(network.dial) as phone:
            await phone.wait(60.0)
            await phone.hang_up()
        nursery.cancel_scope.cancel()

    assert (trio.current_time(), phone.ended_by) == (65.0, "caller")


@pytest.mark.parametrize("deed", ["press", "play", "changed"])
async def test_who_goes_on_after_the_end_is_told(autojump_clock: MockClock, deed: str) -> None:
    deeds: dict[str, Callable[[Telephone], Awaitable[None]]] = {
        "press": lambda phone: phone.press("1"),
        "play": lambda phone: phone.play(bytes(320)),
        "changed": lambda phone: phone.changed(),
    }
    async with ringing() as (phone, bot):
        await bot.socket.aclose(1000)
        await phone.ended.wait()
        with pytest.raises(CallEnded, match=rf"{deed}: .* \(ended by server\)"):
            await deeds[deed](phone)


async def test_a_caller_who_is_cut_off_in_mid_sentence_is_told(autojump_clock: MockClock) -> None:
    async with ringing() as (phone, bot), trio.open_nursery() as nursery:
        nursery.start_soon(bot.socket.aclose, 1000)
        with pytest.raises(CallEnded):
            await phone.play(bytes(160_000))


async def test_hanging_up_again_changes_nothing(autojump_clock: MockClock) -> None:
    async with ringing() as (phone, bot):
        await phone.hang_up()
        await phone.hang_up()
        await bot.over.wait()

    assert len(bot.got(Stop)) == 1


async def test_hanging_up_twice_at_once_is_hanging_up_once(autojump_clock: MockClock) -> None:
    async with ringing() as (phone, bot), trio.open_nursery() as nursery:
        nursery.start_soon(phone.hang_up)
        nursery.start_soon(phone.hang_up)
        await bot.over.wait()

    assert len(bot.got(Stop)) == 1


async def test_no_task_is_left(autojump_clock: MockClock) -> None:
    before = trio.lowlevel.current_statistics().tasks_living
    async with ringing() as (phone, _):
        await phone.wait(1.0)

    assert trio.lowlevel.current_statistics().tasks_living == before


async def fail_in_the_block(network: MemoryNetwork, bot: Bot) -> None:
    async with place_call(network.dial):
        await bot.started.wait()
        raise ZeroDivisionError


async def test_an_exception_in_the_block_comes_out_as_itself_and_drops_the_line(autojump_clock: MockClock) -> None:
    bot = Bot()
    network = MemoryNetwork()
    async with trio.open_nursery() as nursery:
        network.listen(bot.serve, nursery)
        with pytest.raises(ZeroDivisionError):
            await fail_in_the_block(network, bot)
        await bot.over.wait()

    assert bot.got(Stop) == []


async def test_a_cancelled_block_drops_the_line(autojump_clock: MockClock) -> None:
    bot = Bot()
    network = MemoryNetwork()
    async with trio.open_nursery() as nursery:
        network.listen(bot.serve, nursery)
        with trio.move_on_after(1.0):
            async with place_call(network.dial) as phone:
                await phone.wait(9.0)
        await bot.over.wait()

    assert (trio.current_time(), phone.ended_by) == (1.0, "network")


async def test_a_record_says_how_the_stream_ended(autojump_clock: MockClock) -> None:
    async with ringing(target="/stream/bank") as (phone, bot):
        await phone.wait(2.0)
        await bot.socket.aclose(1000)
        await phone.ended.wait()
        await phone.wait(2.0)

    assert phone.record() == StreamRecord(
        stream_sid=phone.stream_sid, url="wss://bot.example.com/stream/bank", ended_by="server", duration=2.0
    )


async def test_a_call_that_lives_has_no_record(autojump_clock: MockClock) -> None:
    async with ringing() as (phone, _):
        with pytest.raises(ValueError, match="hang up"):
            phone.record()
