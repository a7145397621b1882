"""A call for one handler alone: it records what the handler does, and has everything that a call has."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from callflow import Call, EndCause, Fate, FlowError, Heard, Secret, ServiceMissing, State
from callflow.flow.call import TapCall
from callflow.testing import call_double, run
from callflow.testing.stand_in import TimerSet
from tests.testing.lines import AskPin, Bye, Choice, Guest, Vault


def test_a_handler_is_called_with_it_and_tells_where_the_call_goes() -> None:
    call = call_double(Guest(), services=[Vault()])

    goes = AskPin().on_digits(call, Secret("4711"))

    assert (goes, call.data.verified) == (Bye(), True)


def test_it_stands_in_for_every_method_of_a_call() -> None:
    missing = {*Call.__abstractmethods__, *TapCall.__abstractmethods__} - set(dir(call_double()))

    assert (missing, isinstance(call_double(), Call)) == (set(), True)


async def test_what_is_played_is_recorded_and_heard(autojump_clock: MockClock) -> None:
    call = call_double()

    heard = await call.play("welcome.wav", barge_in="dtmf")

    assert (call.played, call.playbacks[0].barge_in, heard.complete) == (["welcome.wav"], "dtmf", True)


async def test_what_becomes_of_playbacks_can_be_said(autojump_clock: MockClock) -> None:
    cut = Heard(fate=Fate.CUT, seconds=2.0, at_most=0.4)
    call = call_double(hears=[cut])

    fates = [(await call.play(name)).fate for name in ("one.wav", "two.wav")]

    assert fates == [Fate.CUT, Fate.HEARD]


async def test_a_second_playback_at_once_is_refused(autojump_clock: MockClock) -> None:
    call = call_double()
    call.start("music.wav", loop=True)

    with pytest.raises(FlowError, match=r"'music\.wav' still plays"):
        call.start("voice.wav")


async def test_a_playback_that_pauses_lets_another_in(autojump_clock: MockClock) -> None:
    call = call_double()
    music = call.start("music.wav", loop=True)
    music.pause()
    await call.play("voice.wav")
    music.resume()
    music.stop()

    assert (call.played, (await music.heard()).fate) == (["music.wav", "voice.wav"], Fate.CUT)


async def test_a_playback_that_is_left_is_cut(autojump_clock: MockClock) -> None:
    call = call_double()
    with trio.CancelScope() as scope:
        scope.cancel()
        await call.play("welcome.wav")

    assert [playback.result and playback.result.fate for playback in call.playbacks] == [Fate.CUT]


async def test_live_audio_is_kept(autojump_clock: MockClock) -> None:
    call = call_double()
    async with call.speaker(words="hello") as speaker:
        wanted = await speaker.write(b"\1\0")
        speaker.flush()

    assert (wanted, bytes(speaker.written), speaker.words, (await speaker.heard()).complete) == (
        True,
        b"\1\0",
        "hello",
        True,
    )


async def test_live_audio_after_the_end_is_refused(autojump_clock: MockClock) -> None:
    speaker = call_double().speaker()
    speaker.finish()

    with pytest.raises(FlowError):
        await speaker.write(b"\0\0")


async def test_live_audio_of_a_block_that_raises_is_cut(autojump_clock: MockClock) -> None:
    call = call_double()
    with pytest.raises(KeyError):
        async with call.speaker() as speaker:
            raise KeyError

    assert speaker.result is not None
    assert speaker.result.fate is Fate.CUT


def test_events_and_timers_are_recorded() -> None:
    call = call_double()
    call.post("news")
    call.every("place", 20.0)
    call.after("late", 5.0)
    call.after("never", 5.0)
    call.cancel_timer("never")

    assert (call.posted, call.timers) == (
        ["news"],
        {"place": TimerSet(seconds=20.0, repeats=True), "late": TimerSet(seconds=5.0, repeats=False)},
    )


def test_a_timer_of_no_time_is_refused() -> None:
    with pytest.raises(ValueError, match=r"write a number above zero"):
        call_double().every("place", 0.0)


async def test_the_callers_audio_goes_to_taps_and_listeners(autojump_clock: MockClock) -> None:
    call, heard = call_double(says=[b"one", b"two"]), list[bytes]()
    call.tap(heard.append)
    call.say(b"three")

    assert (heard, [piece async for piece in call.audio()]) == ([b"three"], [b"one", b"two"])


def test_a_relay_is_recorded() -> None:
    call = call_double()
    call.relay(b"raw")
    call.clear()

    assert (call.relayed, call.clears) == ([b"raw"], 1)


def test_a_service_that_is_not_given_is_named() -> None:
    with pytest.raises(ServiceMissing, match="Vault"):
        call_double().get(Vault)


def test_chance_is_the_same_for_the_same_seed() -> None:
    assert call_double(seed=1).random.random() == call_double(seed=1).random.random()


def test_the_end_of_the_call_has_its_data_and_its_services() -> None:
    call = call_double(Guest(verified=True), services=[Vault()], caller="+910000000107")
    call.seconds = 12.0

    over = call.over(EndCause.FLOW)

    assert (over.data.verified, over.cause, over.seconds, over.caller, type(over.get(Vault))) == (
        True,
        EndCause.FLOW,
        call.now(),
        "+910000000107",
        Vault,
    )


def test_what_runs_can_be_run() -> None:
    class Tells(State[None]):
        async def run(self, call: Call[None]) -> None:
            await call.play("one.wav")
            await call.play("two.wav")

    call = call_double()
    run(Tells().run, call)

    assert call.played == ["one.wav", "two.wav"]


def test_a_menu_s_handler_needs_nothing_of_the_call() -> None:
    assert Choice().enter(call_double(Guest())) == AskPin()
