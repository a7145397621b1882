"""The driver by itself: what comes of each thing that is fed, in the journal, to the taps and by the clock."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from callflow.call.driver import Driver
from callflow.call.journal import Kind
from callflow.call.mailbox import KeyCame, PlaybackSettled
from callflow.call.reader import read, take
from callflow.call.taps import UNTAPPED, UNTAPPED_BYTES
from callflow.errors import LocalProtocolError
from callflow.session.inputs import (
    EndCause,
    Hangup,
    SendClear,
    SendMark,
    SendMedia,
    SocketClosed,
    SocketOpened,
    Timer,
    TimerDue,
)
from callflow.session.timing import Timing
from callflow.wire.messages import Clear, Connected, Dtmf, Mark, Media, Start, Stop, Unknown
from tests.call.far_end import START, linked, text
from tests.call.stage import LINE

TIMING = Timing(resume=0.0)


def media(payload: bytes, stream_sid: str = "") -> Media:
    return Media(payload=payload, stream_sid=stream_sid)


async def streaming(*, raw: bool = False) -> Driver:
    """A driver whose stream has started, on a link."""
    link, _ = await linked()
    driver = Driver(TIMING, raw=raw)
    driver.on_started = lambda start: driver.adopt(link, LINE, start)
    driver.use(link)
    driver.feed(SocketOpened())
    driver.feed(START)
    return driver


def lines(driver: Driver, kind: Kind) -> list[tuple[str, dict[str, object]]]:
    return [(entry.what, dict(entry.details)) for entry in driver.journal.entries if entry.kind is kind]


# Audio.


async def test_audio_goes_to_each_tap_in_whole_samples() -> None:
    driver = await streaming()
    one: list[bytes] = []
    other: list[bytes] = []
    driver.taps.add(one.append)
    driver.taps.add(other.append)
    for payload in (b"123", b"4", b"56"):
        driver.heard(media(payload))

    assert (one, other) == ([b"12", b"34", b"56"], [b"12", b"34", b"56"])


async def test_a_raw_flow_gets_each_payload_as_it_came() -> None:
    driver = await streaming(raw=True)
    heard: list[bytes] = []
    driver.taps.add(heard.append)
    driver.heard(media(b"123"))

    assert heard == [b"123"]


async def test_audio_that_came_before_the_start_is_told_after_it() -> None:
    link, _ = await linked()
    driver, heard = Driver(TIMING), list[bytes]()

    def start(start: Start) -> None:
        driver.adopt(link, LINE, start)
        driver.taps.add(heard.append)

    driver.on_started = start
    driver.feed(SocketOpened())
    driver.heard(media(b"early"[:4]))
    driver.feed(START)
    driver.heard(media(b"late"))

    assert (heard, driver.media_in) == ([b"earl", b"late"], 2)


async def test_the_first_tap_gets_what_came_before_it_and_the_second_does_not() -> None:
    driver = await streaming()
    first: list[bytes] = []
    second: list[bytes] = []
    for payload in (b"12", b"34"):
        driver.heard(media(payload))
    driver.taps.add(first.append)
    driver.taps.add(second.append)
    driver.heard(media(b"56"))

    assert (first, second) == ([b"12", b"34", b"56"], [b"56"])


async def test_audio_is_kept_for_a_tap_for_a_second(autojump_clock: MockClock) -> None:
    driver = await streaming()
    heard: list[bytes] = []
    driver.heard(media(b"12"))
    await trio.sleep(UNTAPPED + 0.1)
    driver.heard(media(b"34"))
    driver.taps.add(heard.append)

    assert heard == []


async def test_no_more_audio_is_kept_for_a_tap_than_a_second_has() -> None:
    driver = await streaming()
    heard: list[bytes] = []
    for _ in range(5):
        driver.heard(media(bytes(UNTAPPED_BYTES // 4)))
    driver.taps.add(heard.append)

    assert sum(map(len, heard)) == UNTAPPED_BYTES


async def test_the_first_tap_gets_what_came_before_it_although_the_call_listens() -> None:
    driver = await streaming()
    calls: list[bytes] = []
    states: list[bytes] = []
    driver.taps.listen(calls.append)
    for payload in (b"1", b"23", b"4"):
        driver.heard(media(payload))
    driver.taps.add(states.append)

    assert (b"".join(calls), b"".join(states)) == (b"1234", b"1234")


async def test_who_listens_for_the_call_outlives_the_taps_of_a_state() -> None:
    driver = await streaming()
    calls: list[bytes] = []
    states: list[bytes] = []
    driver.taps.add(states.append)
    driver.taps.listen(calls.append)
    driver.heard(media(b"12"))
    driver.taps.leave_state()
    driver.heard(media(b"34"))

    assert (calls, states) == ([b"12", b"34"], [b"12"])


async def test_another_streams_audio_is_not_heard() -> None:
    driver = await streaming()
    heard: list[bytes] = []
    driver.taps.add(heard.append)
    driver.heard(media(b"ours", "stream"))
    driver.heard(media(b"theirs", "another"))

    assert (heard, lines(driver, Kind.ODD)) == ([b"ours"], [("media", {"verdict": "odd"})])


async def test_messages_of_audio_are_counted_and_not_written_down() -> None:
    driver = await streaming()
    before = len(driver.journal.entries)
    driver.heard(media(b"1234"))
    driver.feed(SendMedia(bytes(320)))
    driver.feed(SendMedia(bytes(320)))

    assert (driver.media_in, driver.media_out, len(driver.journal.entries) - before) == (1, 2, 0)


# The journal.


@pytest.mark.parametrize(
    ("event", "kind", "line"),
    [
        (Mark(name="1.0.1"), Kind.ODD, ("mark", {"verdict": "odd"})),
        (Clear(), Kind.MESSAGE, ("clear (inbound)", {"verdict": "kept", "side": "in"})),
        (Unknown(event="ring"), Kind.ODD, ("unknown event", {"verdict": "ignored"})),
        (Connected(), Kind.ODD, ("connected", {"verdict": "odd"})),
        (START, Kind.ODD, ("start", {"verdict": "odd"})),
        (Dtmf(digit="1", stream_sid="another"), Kind.ODD, ("dtmf", {"verdict": "odd"})),
        (SendMark("1.0.1"), Kind.MESSAGE, ("send mark", {"verdict": "moved", "name": "1.0.1", "side": "out"})),
        (SendClear(), Kind.MESSAGE, ("send clear", {"verdict": "kept", "side": "out"})),
        (Stop(text="x" * 100), Kind.MESSAGE, ("stop", {"verdict": "moved", "text": "x" * 64, "side": "in"})),
        (TimerDue(Timer.IDLE), Kind.TIMER, ("idle timer", {"verdict": "moved"})),
        (Hangup(EndCause.DRAIN, 1012), Kind.END, ("hang up", {"verdict": "moved", "cause": "drain", "code": 1012})),
        (SocketClosed(), Kind.LINK, ("socket closed", {"verdict": "moved"})),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_what_is_fed_is_written_down(event: object, kind: Kind, line: tuple[str, dict[str, object]]) -> None:
    driver = await streaming()
    driver.feed(event)  # type: ignore[arg-type]  # every kind of input

    assert line in lines(driver, kind)[-2:]  # the end is told once more


async def test_an_echo_is_written_down_with_its_name() -> None:
    driver = await streaming()
    driver.feed(SendMark("1.0.1"))
    driver.feed(Mark(name="1.0.1"))

    assert lines(driver, Kind.MESSAGE)[-1] == ("mark", {"verdict": "moved", "name": "1.0.1", "side": "in"})


async def test_the_caller_asking_to_start_over_is_written_down() -> None:
    driver = await streaming()
    driver.feed(Clear())

    assert lines(driver, Kind.LINK)[-1] == ("startover", {})


async def test_a_key_is_written_down_without_saying_which(autojump_clock: MockClock) -> None:
    driver = await streaming()
    driver.feed(Dtmf(digit="7"))

    assert (lines(driver, Kind.KEY), driver.mailbox.take()) == (
        [("pressed", {})],
        KeyCame(Dtmf(digit="7"), 0.0),
    )


async def test_a_key_that_is_not_for_the_flow_is_not_posted() -> None:
    driver = await streaming()
    driver.before_key = lambda key, at: False
    driver.feed(Dtmf(digit="7"))

    assert driver.mailbox.take() is None


async def test_what_is_not_allowed_now_is_our_own_fault() -> None:
    driver = Driver(TIMING)

    with pytest.raises(LocalProtocolError, match="send clear is not allowed while the session is 'idle'"):
        driver.feed(SendClear())


# Timers.


async def test_silence_is_noted_after_5_s_and_ends_the_call_after_30(autojump_clock: MockClock) -> None:
    driver = await streaming()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(driver.deadlines.run)
        await trio.sleep(60.0)
        nursery.cancel_scope.cancel()
    quiet = [entry.at for entry in driver.journal.entries if entry.what == "quiet"]

    assert (quiet[0], driver.session.cause, driver.ended_at) == (5.0, EndCause.IDLE, 30.0)


async def test_whatever_comes_moves_the_end_of_patience(autojump_clock: MockClock) -> None:
    driver = await streaming()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(driver.deadlines.run)
        for _ in range(3):
            await trio.sleep(25.0)
            driver.came()
        await trio.sleep(60.0)
        nursery.cancel_scope.cancel()

    assert driver.ended_at == 105.0


async def test_a_mark_that_does_not_come_back_is_assumed_in_time(autojump_clock: MockClock) -> None:
    driver = await streaming()
    entry = driver.ledger.open(("tone",), 0.2)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(driver.deadlines.run)
        driver.writer.play(entry, iter([bytes(3200)]))
        await trio.sleep(10.0)
        nursery.cancel_scope.cancel()
    assumed = next(line for line in driver.journal.entries if line.what == "assumed")

    assert (round(assumed.at, 6), driver.mailbox.take()) == (0.2 + TIMING.mark_slack, PlaybackSettled(entry))


async def test_a_mark_of_no_playback_has_no_deadline() -> None:
    driver = await streaming()
    driver.feed(SendMark("1.0.1"))

    assert Timer.MARK.value not in driver.deadlines.names


async def test_a_mark_that_came_back_is_not_waited_for() -> None:
    driver = await streaming()
    driver.writer.play(entry := driver.ledger.open(("tone",), 0.2), iter([bytes(3200)]))
    before = Timer.MARK.value in driver.deadlines.names
    driver.feed(Mark(name=entry.mark or ""))

    assert (before, Timer.MARK.value in driver.deadlines.names) == (True, False)


# The end.


async def test_the_first_end_wins_and_is_told_once() -> None:
    driver = await streaming()
    told: list[EndCause] = []
    driver.on_over = told.append
    driver.hang_up(EndCause.LIMIT)
    driver.hang_up(EndCause.DRAIN)
    driver.feed(SocketClosed())

    assert (told, driver.session.cause, driver.deadlines.names) == ([EndCause.LIMIT], EndCause.LIMIT, frozenset())


async def test_a_call_that_never_started_lasted_no_time() -> None:
    assert Driver(TIMING).seconds == 0.0


async def test_a_call_that_is_over_gets_no_longer(autojump_clock: MockClock) -> None:
    driver = await streaming()
    await trio.sleep(2.0)
    driver.hang_up(EndCause.LIMIT)
    await trio.sleep(3.0)

    assert driver.seconds == 2.0


async def test_playbacks_have_their_fate_when_the_call_ends() -> None:
    driver = await streaming()
    driver.writer.play(driver.ledger.open(("tone",), 2.0), iter([bytes(3200)] * 10))
    driver.feed(Stop())

    assert [what for what, _ in lines(driver, Kind.PLAYBACK)] == ["ended"]


async def test_without_a_link_an_end_closes_nothing() -> None:
    driver = Driver(TIMING)
    driver.feed(SocketOpened())
    driver.hang_up(EndCause.DRAIN)

    assert driver.session.cause is EndCause.DRAIN


async def test_playbacks_are_lost_with_a_link_that_may_come_back() -> None:
    driver = await streaming()
    driver.session.resumes = True
    driver.writer.play(driver.ledger.open(("tone",), 2.0), iter([bytes(3200)] * 10))
    driver.feed(SocketClosed())

    assert ([what for what, _ in lines(driver, Kind.PLAYBACK)], lines(driver, Kind.LINK)[-1], driver.ended_at) == (
        ["lost"],
        ("detached", {}),
        None,
    )


# Reading.


async def test_the_reader_tells_the_session_how_its_link_went() -> None:
    driver = await streaming()
    link, peer = await linked(text('{"event":"dtmf","dtmf":{"digit":"1"}}'))
    peer.port.close()
    gone = await read(link, driver)

    assert (gone, driver.session.cause, [what for what, _ in lines(driver, Kind.KEY)]) == (
        link.gone,
        EndCause.PEER_GONE,
        ["pressed"],
    )


@pytest.mark.parametrize("rubbish", ["", "null", "[]", '{"event":1}', b"\xff", "{" * 1000])
async def test_rubbish_is_counted_and_survived(rubbish: str | bytes) -> None:
    driver = await streaming()
    take(rubbish, driver)

    assert (lines(driver, Kind.ODD), driver.ended_at) == ([("undecodable", {"verdict": "odd"})], None)


async def test_the_ledger_knows_when_something_last_came(autojump_clock: MockClock) -> None:
    driver = await streaming()
    await trio.sleep(3.0)
    driver.came()
    await trio.sleep(4.0)

    assert trio.current_time() - driver.ledger.alive_at == 4.0


async def test_the_first_tap_gets_what_came_before_it() -> None:
    driver = await streaming(raw=True)
    heard: list[bytes] = []
    driver.heard(media(b"one"))
    driver.heard(media(b"two"))
    driver.taps.add(heard.append)
    driver.heard(media(b"three"))

    assert heard == [b"one", b"two", b"three"]


async def test_a_late_tap_gets_nothing_old(autojump_clock: MockClock) -> None:
    driver = await streaming(raw=True)
    heard: list[bytes] = []
    driver.heard(media(b"one"))
    await trio.sleep(1.5)
    driver.heard(media(b"two"))
    driver.taps.add(heard.append)

    assert heard == []


async def test_a_flood_before_the_first_tap_is_not_kept_without_end() -> None:
    driver = await streaming(raw=True)
    heard: list[bytes] = []
    for _ in range(10):
        driver.heard(media(bytes(10_000)))
    driver.taps.add(heard.append)

    assert sum(map(len, heard)) == 40_000
