"""The telephone against a throw-away server, in memory and in virtual time."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, wrap_server_stream

from callflow.call.port import BytePort, PortStream
from callflow.errors import CallEnded
from callflow.line.exchange import StreamRecord
from callflow.line.memory import Conditions, MemoryNetwork
from callflow.line.profile import Profile
from callflow.line.telephone import PASSTHRU_SECONDS, Applets, NotAnswered, Telephone, passthru, place_call
from callflow.wire.audio import Coding
from callflow.wire.exotel import Outgoing, decode
from callflow.wire.messages import Connected, Dtmf, Mark, Media, Message, Start, Stop, StopReason

QUIET = Profile(keeps_sending_silence=False)


class Bot:
    """A server that notes what it reads; what it says, the test says."""

    def __init__(self) -> None:
        self.read: list[tuple[float, Message]] = []
        self.started = trio.Event()
        self.over = trio.Event()
        self.close_code: int | None = None

    async def serve(self, port: BytePort) -> None:
        async with PortStream(port) as self.stream, trio.open_nursery() as nursery:
            self.request: WebSocketRequest = await wrap_server_stream(nursery, self.stream)
            self.socket: WebSocketConnection = await self.request.accept()
            with contextlib.suppress(ConnectionClosed):
                await self._read()
            assert self.socket.closed is not None
            self.close_code = self.socket.closed.code
        self.over.set()

    async def _read(self) -> None:
        while True:
            message = decode(await self.socket.get_message())
            self.read.append((trio.current_time(), message))
            if isinstance(message, Start):
                self.say = Outgoing(message.stream_sid, 16_000)
                self.started.set()

    async def send(self, *texts: str) -> None:
        for text in texts:
            await self.socket.send_message(text)

    def got(self, kind: type[Message]) -> list[Any]:
        return [message for _, message in self.read if isinstance(message, kind)]


@contextlib.asynccontextmanager
async def ringing(conditions: Conditions | None = None, **options: Any) -> AsyncIterator[tuple[Telephone, Bot]]:
    bot = Bot()
    network = MemoryNetwork(conditions or Conditions(), Random(1))
    async with trio.open_nursery() as nursery:
        network.listen(bot.serve, nursery)
        async with place_call(network.dial, **({"random": Random(0)} | options)) as phone:
            await bot.started.wait()
            yield phone, bot


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


async def test_custom_parameters_stand_in_the_url_and_come_again_in_start(autojump_clock: MockClock) -> None:
    target = "/stream/bank?sample-rate=8000&queue=premium"
    async with ringing(target=target, parameters={"name": "radio one"}) as (_, bot):
        pass

    assert bot.request.path == "/stream/bank?sample-rate=8000&queue=premium&name=radio%20one"
    assert bot.got(Start)[0].parameters == {"queue": "premium", "name": "radio one"}


async def test_credentials_are_sent_as_basic_authorization(autojump_clock: MockClock) -> None:
    async with ringing(credentials="voicekey:s3cret-token") as (_, bot):
        pass

    assert dict(bot.request.headers)[b"authorization"] == b"Basic dm9pY2VrZXk6czNjcmV0LXRva2Vu"


async def test_two_calls_have_ids_of_their_own(autojump_clock: MockClock) -> None:
    async with ringing(random=None) as (one, _), ringing(random=None) as (other, _):
        pass

    assert len({one.call_sid, other.call_sid, one.stream_sid, other.stream_sid}) == 4


async def refuse(socket_request: WebSocketRequest) -> None:
    await socket_request.reject(503)


async def answer(port: BytePort, act: Callable[[WebSocketRequest], Awaitable[None]]) -> None:
    async with PortStream(port) as stream, trio.open_nursery() as nursery:
        await act(await wrap_server_stream(nursery, stream))
        nursery.cancel_scope.cancel()


async def test_a_failed_handshake_is_tried_once_more(autojump_clock: MockClock) -> None:
    bot, dialled = Bot(), 0

    async def serve(port: BytePort) -> None:
        nonlocal dialled
        dialled += 1
        await (answer(port, refuse) if dialled == 1 else bot.serve(port))

    network = MemoryNetwork()
    async with trio.open_nursery() as nursery:
        network.listen(serve, nursery)
        async with place_call(network.dial):
            await bot.started.wait()

    assert dialled == 2


async def fail_to_connect(serve: Callable[[BytePort], Awaitable[None]], profile: Profile | None = None) -> NotAnswered:
    network = MemoryNetwork()
    async with trio.open_nursery() as nursery:
        network.listen(serve, nursery)
        with pytest.raises(NotAnswered) as caught:
            await place_call(network.dial, profile=profile or Profile()).__aenter__()
        nursery.cancel_scope.cancel()
    return caught.value


async def test_a_call_that_is_refused_twice_is_not_answered(autojump_clock: MockClock) -> None:
    assert (await fail_to_connect(lambda port: answer(port, refuse))).status == 503


async def stare(_: object) -> None:
    await trio.sleep_forever()


async def test_a_silent_server_has_ten_seconds_at_each_attempt(autojump_clock: MockClock) -> None:
    await fail_to_connect(stare)

    assert trio.current_time() == 20.0


@pytest.mark.parametrize("reset", [False, True])
async def test_a_connection_that_is_closed_before_the_answer_is_not_waited_for(
    autojump_clock: MockClock, *, reset: bool
) -> None:
    async def hang_up(port: BytePort) -> None:
        await port.wait_readable()
        port.close(reset=reset)

    await fail_to_connect(hang_up)

    assert trio.current_time() == 0.0


async def test_rubbish_is_no_answer(autojump_clock: MockClock) -> None:
    async def babble(port: BytePort) -> None:
        await port.wait_readable()
        port.try_send(b"SSH-2.0-OpenSSH\r\n\r\n")

    await fail_to_connect(babble)

    assert trio.current_time() == 0.0


async def test_an_attempt_that_failed_is_given_up(autojump_clock: MockClock) -> None:
    ends = []

    async def wait_for_the_end(port: BytePort) -> None:
        while port.try_receive() != b"":
            await port.wait_readable()
        ends.append(trio.current_time())

    await fail_to_connect(wait_for_the_end)

    assert ends == [10.0, 20.0]


async def test_where_nobody_listens_a_call_is_not_answered(autojump_clock: MockClock) -> None:
    with pytest.raises(NotAnswered, match="nobody listens"):
        await place_call(MemoryNetwork().dial).__aenter__()


# What the caller says and presses.


async def test_silence_comes_in_frames_of_20_ms_in_time(autojump_clock: MockClock) -> None:
    async with ringing() as (phone, bot):
        await phone.wait(1.005)
        frames = [(round(at, 6), media.payload, media.timestamp) for at, media in bot.read if isinstance(media, Media)]

    assert frames == [(round(n * 0.02, 6), bytes(320), round(n * 0.02, 3)) for n in range(1, 51)]


async def test_frames_that_are_late_come_at_once(autojump_clock: MockClock) -> None:
    async with ringing() as (phone, bot):
        await phone.wait(0.01)
        autojump_clock.jump(0.1)
        await wait_all_tasks_blocked()

    assert len(bot.got(Media)) == 5


async def test_a_profile_can_send_longer_frames_at_another_rate(autojump_clock: MockClock) -> None:
    async with ringing(profile=Profile(frame_seconds=0.1, sample_rate=16000)) as (phone, bot):
        await phone.wait(1.01)

    assert [len(media.payload) for media in bot.got(Media)] == [3200] * 10


async def test_a_profile_can_send_nothing_while_the_caller_is_silent(autojump_clock: MockClock) -> None:
    async with ringing(profile=QUIET) as (phone, bot):
        await phone.wait(5.0)
        before = len(bot.got(Media))
        await phone.play(bytes(640))
        await phone.wait(5.0)

    assert (before, len(bot.got(Media))) == (0, 2)


async def test_what_the_caller_says_is_sent_in_frames_and_noted(autojump_clock: MockClock) -> None:
    voice = bytes(range(200)) * 4
    async with ringing() as (phone, bot):
        await phone.wait(0.05)
        await phone.play(voice)
        said_at = phone.now
        await phone.wait(0.1)

    assert b"".join(media.payload for media in bot.got(Media)[2:5]) == voice + bytes(160)
    assert [(round(said.start, 6), len(said.audio)) for said in phone.spoken] == [(0.04, 320), (0.06, 320), (0.08, 160)]
    assert said_at == pytest.approx(0.1)


async def test_what_is_said_twice_is_said_one_after_the_other(autojump_clock: MockClock) -> None:
    async with ringing(profile=QUIET) as (phone, bot):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(phone.play, b"1" * 640)
            await wait_all_tasks_blocked()
            await phone.play(b"2" * 640)
        await phone.wait(0.1)

    assert [media.payload[:1] for media in bot.got(Media)] == [b"1", b"1", b"2", b"2"]


async def test_a_mulaw_line_sends_mulaw(autojump_clock: MockClock) -> None:
    async with ringing(profile=Profile(keeps_sending_silence=False, coding=Coding.MULAW)) as (phone, bot):
        await phone.play(bytes(320))
        await phone.wait(0.1)

    assert bot.got(Media)[0].payload == b"\xff" * 160


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


# The end of a call.


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


async def accept_and_stare(request: WebSocketRequest) -> None:
    await request.accept()
    await trio.sleep_forever()


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


# Passthru.


class Passthru:
    """A server that answers one request with a status, and keeps it."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.request = b""

    async def serve(self, port: BytePort) -> None:
        async with PortStream(port) as stream:
            self.request = await stream.receive_some()
            await stream.send_all(self.answer)

    async def ask(self, **options: Any) -> int:
        network = MemoryNetwork()
        async with trio.open_nursery() as nursery:
            network.listen(self.serve, nursery)
            return await passthru(network.dial, call_sid="c1", **options)


def http_answer(status: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode()


async def test_a_passthru_is_a_get_with_the_call_in_its_query(autojump_clock: MockClock) -> None:
    server = Passthru(http_answer("200 OK"))
    status = await server.ask(before=True, path="/passthru/bank?token=t")
    method, target, *_ = server.request.decode().split()

    query = parse_qs(urlsplit(target).query)
    assert (status, method, query["token"], query["CallSid"]) == (200, "GET", ["t"], ["c1"])


async def test_an_interim_answer_of_a_passthru_is_not_the_answer(autojump_clock: MockClock) -> None:
    server = Passthru(b"HTTP/1.1 100 Continue\r\n\r\n" + http_answer("302 Found"))

    assert await server.ask(before=True) == 302


async def test_a_passthru_after_the_stream_has_its_record(autojump_clock: MockClock) -> None:
    server = Passthru(http_answer("302 Found"))
    status = await server.ask(before=False, stream=StreamRecord(ended_by="caller"), credentials="key:token")

    assert (status, b"Stream%5BStatus%5D=cancelled" in server.request) == (302, True)
    assert b"\r\nAuthorization: Basic a2V5OnRva2Vu\r\n" in server.request


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("POST form", b"CallSid=c1&CallFrom=%2B910000000105&"),
        ("POST json", b'{"CallSid":"c1","StreamSid":"","StreamUrl":"","EventType":"stream-start",'),
    ],
)
async def test_a_passthru_can_be_posted(autojump_clock: MockClock, method: str, body: bytes) -> None:
    server = Passthru(http_answer("200 OK"))
    await server.ask(before=True, method=method)

    head, _, sent = server.request.partition(b"\r\n\r\n")
    assert (head.split(b"\r\n")[0], sent[: len(body)]) == (b"POST /passthru HTTP/1.1", body)


@pytest.mark.parametrize("answer", [b"", b"rubbish\r\n\r\n"])
async def test_a_passthru_without_an_answer_is_not_answered(autojump_clock: MockClock, answer: bytes) -> None:
    network = MemoryNetwork()
    async with trio.open_nursery() as nursery:
        network.listen(Passthru(answer).serve, nursery)
        with pytest.raises(NotAnswered):
            await passthru(network.dial, call_sid="c1", before=True)


async def test_a_passthru_is_not_waited_for_without_end(autojump_clock: MockClock) -> None:
    network = MemoryNetwork()
    async with trio.open_nursery() as nursery:
        network.listen(stare, nursery)
        with pytest.raises(NotAnswered):
            await passthru(network.dial, call_sid="c1", before=True)
        nursery.cancel_scope.cancel()

    assert trio.current_time() == PASSTHRU_SECONDS


@pytest.mark.parametrize(("status", "branch"), [(200, "A"), (302, "B"), (500, None), (None, None)])
def test_the_answer_chooses_the_branch(status: int | None, branch: str | None) -> None:
    assert Applets(after=status).branch == branch
