"""Playbacks that go round, pause and go on, in whole calls: what the caller hears of them, without gap and drift."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import cast

import pytest
import trio
from attrs import define
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from callflow import Call, Dtmf, Fate, Flow, FlowError, Hangup, Heard, Playback, State
from callflow.call.driver import Driver
from callflow.call.journal import Kind
from callflow.call.link import Link
from callflow.call.writer import MARK_EVERY
from callflow.line.playout import Playout
from callflow.line.profile import Profile
from callflow.line.telephone import Telephone
from callflow.session.inputs import SocketOpened
from callflow.session.timing import Timing
from callflow.testing.recorded import recorded
from callflow.testing.rules import check
from callflow.wire.audio import looped
from callflow.wire.exotel import decode
from callflow.wire.messages import Clear, Mark, Media
from tests.call.far_end import START
from tests.call.stage import CHUNK, LINE, PROMPTS, QUIET, Stage, in_virtual_time, played, said, tone
from tests.call.test_live import doing

Notes = list[object]
C = Call[Notes]

MUSIC = tone(*PROMPTS["sorry"])
"""Half a second: no whole number of chunks."""
WELCOME = tone(*PROMPTS["welcome"])


async def scripted(
    script: Callable[[C], Awaitable[None]], prompts: Path, *presses: tuple[float, str], profile: Profile = QUIET
) -> tuple[Telephone, Stage, Notes]:
    """Have a call whose one state does *script*."""
    flow, notes = doing(script, prompts)
    phone, stage = await played(flow, *presses, line={"profile": profile})
    return phone, stage, notes


def gaps(phone: Telephone) -> list[float]:
    """Seconds of silence between what the line heard."""
    heard = phone.playout.heard
    found = [later.start - before.end for before, later in pairwise(heard)]
    return [gap for gap in found if gap > 1e-6]


def audio(phone: Telephone) -> bytes:
    return b"".join(segment.audio for segment in phone.playout.heard)


# Going round.


async def test_music_goes_round_without_a_gap(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        call.start("sorry.wav", loop=True)
        await trio.sleep(7.7)

    phone, *_ = await scripted(script, prompts)
    heard = audio(phone)

    assert (gaps(phone), heard, len(heard) >= LINE.size(7.6)) == ([], (MUSIC * 20)[: len(heard)], True)


@define(eq=False)
class Straight:
    """A link that leads straight to the line's ear; an hour of WebSocket frames would take a minute."""

    playout: Playout
    blocked: bool = False
    gone: None = None

    def when_blocked(self, wake: Callable[[], None]) -> None:
        """It never is."""

    def send(self, text: str) -> None:
        message = decode(text)
        if isinstance(message, Media):
            self.playout.media(message.payload, trio.current_time())


async def test_music_neither_drifts_nor_breaks_in_an_hour(autojump_clock: MockClock) -> None:
    driver, link = Driver(Timing()), Straight(Playout(LINE))
    driver.feed(SocketOpened())
    driver.feed(START)
    driver.adopt(cast("Link", link), LINE, START)
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(driver.writer.run)
        entry = driver.ledger.open(("music",), inf)
        driver.writer.play(entry, looped(MUSIC, LINE), marks_inside=True)
        await trio.sleep(3_600)
        nursery.cancel_scope.cancel()
    heard = link.playout.heard

    assert (link.playout.underruns, driver.writer.late_chunks) == (0, 0)
    assert heard[-1].end - began == pytest.approx(3_600, abs=1e-6)
    assert LINE.seconds(link.playout.waiting_bytes) == pytest.approx(Timing().lead + CHUNK, abs=CHUNK)


async def test_music_has_a_mark_every_few_seconds(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        call.start("sorry.wav", loop=True)
        await trio.sleep(16.0)

    phone, *_ = await scripted(script, prompts)
    marked = [
        round(sum(LINE.seconds(len(m.payload)) for m in said(phone, Media, Mark)[:place] if isinstance(m, Media)), 3)
        for place, message in enumerate(said(phone, Media, Mark))
        if isinstance(message, Mark)
    ]

    assert marked == [MARK_EVERY, 2 * MARK_EVERY, 3 * MARK_EVERY]


async def test_of_music_that_is_stopped_it_is_known_how_much_was_heard(
    autojump_clock: MockClock, prompts: Path
) -> None:
    async def script(call: C) -> None:
        music = call.start("sorry.wav", loop=True)
        await trio.sleep(7.0)
        music.stop()
        call.data.append(await music.heard())

    _, _, [heard] = await scripted(script, prompts, profile=Profile())
    assert isinstance(heard, Heard)

    assert (heard.at_least, heard.at_most) == pytest.approx((7.0, 7.4))


async def test_music_that_may_be_cut_is_cut_by_a_key(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        call.data.append((await call.start("sorry.wav", loop=True, barge_in="dtmf").heard()).fate)

    _, _, notes = await scripted(script, prompts, (3.0, "1"))

    assert notes == [Fate.CUT]


async def test_the_music_of_a_state_ends_with_it(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        call.start("sorry.wav", loop=True)
        await trio.sleep(2.0)

    phone, stage, _ = await scripted(script, prompts)

    assert (said(phone, Media, Clear)[-1], stage.record.seconds) == (said(phone, Clear)[0], 2.0)


# Pausing.


async def test_a_voice_over_music_comes_without_a_gap_and_the_music_goes_on_where_it_was(
    autojump_clock: MockClock, prompts: Path
) -> None:
    async def script(call: C) -> None:
        music = call.start("sorry.wav", loop=True)
        await trio.sleep(3.0)
        music.pause()
        call.data.append((await call.play("welcome.wav")).fate)
        music.resume()
        await trio.sleep(3.0)
        music.stop()
        call.data.append((await music.heard()).sent)

    phone, _, notes = await scripted(script, prompts)
    heard, turns = audio(phone), MUSIC * 20
    before = heard.index(WELCOME)
    music = heard[:before] + heard[before + len(WELCOME) :]

    assert (gaps(phone), music, notes[0]) == ([], turns[: len(music)], Fate.HEARD)
    assert notes[1] == pytest.approx(LINE.seconds(len(music)), abs=Timing().lead + CHUNK + 1e-6)


async def test_a_paused_playback_is_silent_when_what_was_sent_is_over(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        call.start("sorry.wav", loop=True).pause()
        await trio.sleep(9.0)

    phone, *_ = await scripted(script, prompts)

    assert phone.playout.heard[-1].end == pytest.approx(Timing().lead + CHUNK)


async def test_a_prompt_that_paused_is_heard_whole(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        prompt = call.start("welcome.wav")
        await trio.sleep(0.5)
        prompt.pause()
        await trio.sleep(4.0)
        prompt.resume()
        call.data.append(await prompt.heard())

    phone, stage, notes = await scripted(script, prompts)

    assert (notes, audio(phone), stage.record.late_chunks) == (
        [Heard(fate=Fate.HEARD, seconds=2.0, sent=2.0, at_least=2.0, at_most=2.0)],
        WELCOME,
        0,
    )


async def test_a_key_that_cuts_the_voice_leaves_the_music_to_go_on(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        music = call.start("sorry.wav", loop=True)
        await trio.sleep(3.0)
        music.pause()
        call.data.append((await call.play("welcome.wav", barge_in="dtmf")).fate)
        music.resume()
        await trio.sleep(2.0)
        call.data.append(music.result)

    phone, _, notes = await scripted(script, prompts, (4.0, "1"))

    assert (notes, phone.playout.heard[-1].audio in MUSIC * 3) == ([Fate.CUT, None], True)


async def test_a_paused_playback_can_be_given_up_without_a_clear(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        music = call.start("sorry.wav", loop=True)
        await trio.sleep(3.0)
        music.pause()
        voice = call.start("welcome.wav")
        await trio.sleep(1.0)
        music.stop()
        heard = await music.heard()
        call.data += [heard.fate, heard.at_most - heard.at_least, (await voice.heard()).fate]

    phone, _, notes = await scripted(script, prompts)

    assert (notes, said(phone, Clear)) == ([Fate.CUT, 0.0, Fate.HEARD], [])


async def test_what_has_its_fate_neither_pauses_nor_goes_on(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        prompt = call.start("welcome.wav")
        call.data.append(await prompt.heard())
        prompt.pause()
        prompt.resume()
        call.data.append(prompt.result)

    _, _, notes = await scripted(script, prompts)

    assert notes[0] is notes[1]


async def test_a_prompt_that_was_sent_to_its_end_does_not_pause(autojump_clock: MockClock, prompts: Path) -> None:
    async def script(call: C) -> None:
        prompt = call.start("welcome.wav")
        await trio.sleep(1.9)
        prompt.pause()
        call.data.append((await prompt.heard()).fate)

    _, _, notes = await scripted(script, prompts)

    assert notes == [Fate.HEARD]


async def test_behind_a_prompt_that_pauses_when_all_of_it_was_sent_another_may_begin(
    autojump_clock: MockClock, prompts: Path
) -> None:
    async def script(call: C) -> None:
        prompt = call.start("welcome.wav")
        await trio.sleep(1.9)
        prompt.pause()
        after = call.start("sorry.wav")
        call.data += [(await prompt.heard()).fate, (await after.heard()).fate]

    phone, _, notes = await scripted(script, prompts)

    assert (notes, gaps(phone)) == ([Fate.HEARD, Fate.HEARD], [])


async def test_giving_up_a_prompt_that_was_all_sent_does_not_cut_the_one_behind_it(
    autojump_clock: MockClock, prompts: Path
) -> None:
    async def script(call: C) -> None:
        prompt = call.start("welcome.wav")
        await trio.sleep(1.9)
        prompt.pause()
        after = call.start("sorry.wav")
        prompt.stop()
        call.data.append((await after.heard()).fate)

    _, _, notes = await scripted(script, prompts)

    assert notes == [Fate.HEARD]


def refused(act: Callable[[C, Playback], object]) -> Callable[[C], Awaitable[None]]:
    async def script(call: C) -> None:
        music = call.start("sorry.wav", loop=True)
        try:
            act(call, music)
        except FlowError as wrong:
            call.data.append(str(wrong))

    return script


def resume_beside(call: C, music: Playback) -> None:
    music.pause()
    call.start("welcome.wav")
    music.resume()


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (lambda call, music: call.start("welcome.wav"), "'welcome.wav' was started while another playback runs"),
        (resume_beside, "sorry.wav was started while another playback runs (welcome.wav); await its heard(), or pause"),
        (lambda call, music: call.speaker(), "a speaker was started while another playback runs (sorry.wav)"),
        (lambda call, music: call.start("welcome.wav", barge_in="voice"), "barge_in='voice'; write 'dtmf' or 'speech'"),
    ],
)
async def test_a_second_sound_at_once_is_refused(
    autojump_clock: MockClock, prompts: Path, act: Callable[[C, Playback], object], told: str
) -> None:
    _, _, notes = await scripted(refused(act), prompts)

    assert [str(note).startswith(told) for note in notes] == [True]


async def test_a_key_goes_to_the_state_while_its_music_pauses(autojump_clock: MockClock, prompts: Path) -> None:
    class Queue(State[Notes], timeout=9.0):
        async def run(self, call: C) -> None:
            call.start("sorry.wav", loop=True).pause()

        def on_dtmf(self, call: C, key: Dtmf) -> Bye:
            return Bye()

        def on_timeout(self, call: C) -> Bye:
            return Bye()

    class Bye(Hangup[Notes]):
        """The end."""

    flow = Flow("bank", start=Queue, data=list, prompts=prompts, scope=locals())
    _, stage = await played(flow, (2.0, "1"))

    assert [entry.what for entry in stage.journal(Kind.KEY)] == ["pressed", "taken"]


# Any order of all that.

moves = st.lists(
    st.tuples(st.sampled_from(["pause", "resume", "voice", "wait", "cut"]), st.integers(1, 150)), max_size=8
)


@given(moves)
def test_whatever_is_done_to_music_is_accounted_for_within_its_bounds(
    prompts: Path, moves: list[tuple[str, int]]
) -> None:
    async def script(call: C) -> None:
        music = call.start("sorry.wav", loop=True)
        voice: Playback | None = None
        for what, hundredths in moves:
            match what:
                case "pause":
                    music.pause()
                case "voice":
                    music.pause()
                    voice = voice if voice is not None and voice.result is None else call.start("welcome.wav")
                case "cut" if voice is not None:
                    voice.stop()
                case "resume" if voice is None or voice.result is not None:
                    music.resume()
            await trio.sleep(hundredths / 100)
        if voice is not None:
            await voice.heard()
        music.stop()
        call.data.append(await music.heard())

    phone, _, notes = in_virtual_time(scripted, script, prompts)
    [heard] = notes
    assert isinstance(heard, Heard)
    in_music = sum(segment.seconds for segment in phone.playout.heard if segment.audio in MUSIC * 3)

    assert heard.at_least - 1e-6 <= in_music <= heard.at_most + 1e-6
    assert check(recorded(phone)).breaches == ()
