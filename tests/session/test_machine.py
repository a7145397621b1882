"""The session by examples, one sentence each; that all else holds as well is shown by the search."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from callflow.session.inputs import (
    Audio,
    Close,
    Detached,
    EndCause,
    Hangup,
    Input,
    MarkDone,
    MarkFate,
    Outcome,
    Over,
    PassthruCame,
    Pressed,
    Quiet,
    Reattach,
    Resumed,
    SendClear,
    SendMark,
    SendMedia,
    SocketClosed,
    SocketOpened,
    Started,
    StartOver,
    Timer,
    TimerDue,
    Told,
    Undecodable,
    Verdict,
)
from callflow.session.machine import EARLY_BYTES, EARLY_MESSAGES, MALFORMED_LIMIT, Session
from callflow.session.table import S
from callflow.wire.messages import Clear, Connected, Dtmf, Mark, Media, Start, Stop, Unknown

START = Start(stream_sid="one", call_sid="call", caller="+910000000105", called="00000000319")
AGAIN = Start(stream_sid="two", call_sid="call", caller="+910000000105", called="00000000319")
CHUNK = bytes(3_200)


def fed(session: Session, *events: Input) -> Session:
    for event in events:
        session.feed(event)
    return session


def opening(*, announced: bool = False, malformed_limit: int = MALFORMED_LIMIT) -> Session:
    """Make a session whose link is there and whose ``start`` is awaited."""
    session = Session(malformed_limit=malformed_limit)
    return fed(session, *([PassthruCame()] if announced else []), SocketOpened(), Connected())


def streaming(
    *events: Input, resumes: bool = False, raw: bool = False, malformed_limit: int = MALFORMED_LIMIT
) -> Session:
    """Make a session that has a stream, and feed it."""
    session = Session(resumes=resumes, raw=raw, malformed_limit=malformed_limit)
    return fed(session, SocketOpened(), Connected(), START, *events)


def detached() -> Session:
    return streaming(SocketClosed(), resumes=True)


def stopped() -> Session:
    return streaming(Stop())


def fates(outcome: Outcome) -> list[tuple[str, MarkFate]]:
    return [(told.name, told.fate) for told in outcome.told if isinstance(told, MarkDone)]


def audio(*, size: int = 320, sid: str = "") -> Media:
    return Media(payload=bytes(size), stream_sid=sid)


# --- how a call begins


def test_start_tells_that_the_stream_is_there_and_watches_its_silence() -> None:
    outcome = opening().feed(START)

    assert outcome == Outcome(
        verdict=Verdict.MOVED,
        told=(Started(START),),
        arm={
            Timer.ATTACH: False,
            Timer.OPEN: False,
            Timer.RESUME: False,
            Timer.MARK: False,
            Timer.FLUSH: False,
            Timer.STALL: True,
            Timer.IDLE: True,
        },
    )


def test_start_without_connected_is_taken_in() -> None:
    assert fed(Session(), SocketOpened()).feed(START).told == (Started(START),)


def test_a_second_start_replaces_nothing() -> None:
    session = streaming()

    assert (session.feed(AGAIN).verdict, session.stream_sid) == (Verdict.ODD, "one")


def test_audio_from_before_start_follows_it_unless_it_is_of_another_stream() -> None:
    session = fed(opening(), audio(sid="one"), audio(sid="two"), audio())

    assert session.feed(START).told == (Started(START), Audio(audio(sid="one")), Audio(audio()))


def test_of_too_much_audio_before_start_the_oldest_is_forgotten() -> None:
    half = EARLY_BYTES // 2
    session = fed(opening(), audio(size=320), audio(size=half), audio(size=half))

    assert session.feed(START).told[1:] == (Audio(audio(size=half)), Audio(audio(size=half)))


def test_audio_before_start_is_kept_in_a_bounded_number_of_messages() -> None:
    session = fed(opening(), *(audio(size=2) for _ in range(EARLY_MESSAGES + 1)))

    assert len(session.feed(START).told) == 1 + EARLY_MESSAGES


def test_audio_of_a_link_that_went_before_start_is_forgotten() -> None:
    session = fed(opening(announced=True), audio(), SocketClosed(), SocketOpened())

    assert session.feed(START).told == (Started(START),)


def test_an_announced_call_waits_for_the_next_try_of_its_link() -> None:
    session = opening(announced=True)
    outcome = session.feed(SocketClosed())

    assert (session.state, outcome.arm) == (S.PASSTHRU, {Timer.OPEN: False, Timer.ATTACH: True})


def test_a_call_that_was_not_announced_is_over_with_its_first_link() -> None:
    assert opening().feed(SocketClosed()).told == (Over(EndCause.PEER_GONE),)


def test_an_announced_call_begins_on_another_link_than_the_one_that_it_waits_for() -> None:
    session = fed(opening(announced=True), audio())

    assert session.feed(Reattach(AGAIN)).told == (Started(AGAIN),)


def test_a_passthru_from_after_a_stream_announces_no_call() -> None:
    session = Session()

    assert (session.feed(PassthruCame(stream_sid="one")).verdict, session.state) == (Verdict.ODD, S.IDLE)


def test_who_does_not_send_start_in_time_is_refused() -> None:
    outcome = opening().feed(TimerDue(Timer.OPEN))

    assert (outcome.verdict, outcome.told, outcome.close) == (
        Verdict.FAULT,
        (Over(EndCause.POLICY),),
        Close(1008),
    )


def test_a_passthru_without_a_stream_is_given_up() -> None:
    assert fed(Session(), PassthruCame()).feed(TimerDue(Timer.ATTACH)).told == (Over(EndCause.PEER_GONE),)


# --- what comes in


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (audio(sid="one"), Audio(audio(sid="one"))),
        (audio(), Audio(audio())),
        (Dtmf(digit="5"), Pressed(Dtmf(digit="5"))),
        (Clear(), StartOver()),
        (TimerDue(Timer.STALL), Quiet()),
    ],
)
def test_what_comes_on_a_stream_is_told(event: Input, told: Told) -> None:
    assert streaming().feed(event).told == (told,)


@pytest.mark.parametrize("event", [audio(sid="two"), Dtmf(digit="5", stream_sid="two"), Mark(name="never sent")])
def test_what_is_of_no_stream_of_ours_is_odd(event: Input) -> None:
    assert streaming().feed(event) == Outcome(verdict=Verdict.ODD)


def test_an_unknown_event_is_ignored_and_counted() -> None:
    session = streaming()
    session.counts.clear()
    session.feed(Unknown(event="silence"))

    assert session.counts == {Verdict.IGNORED: 1}


def test_a_silent_link_is_told_of_again_and_again() -> None:
    assert streaming(TimerDue(Timer.STALL)).feed(TimerDue(Timer.STALL)).arm == {Timer.STALL: True}


def test_the_callers_audio_has_a_fast_way_in() -> None:
    session = streaming(Undecodable())
    outcome = session.heard(audio(sid="one"))

    assert (outcome, session.malformed_in_row) == (Outcome(verdict=Verdict.KEPT), 0)


@pytest.mark.parametrize("sid", ["", "two"])
def test_the_fast_way_is_for_audio_that_names_our_stream(sid: str) -> None:
    assert streaming().heard(audio(sid=sid)) is None


def test_the_fast_way_is_closed_before_start() -> None:
    assert opening().heard(audio(sid="")) is None


# --- malformed messages


def test_too_many_malformed_messages_in_a_row_end_the_call() -> None:
    outcome = streaming(*[Undecodable()] * (MALFORMED_LIMIT - 1)).feed(Undecodable())

    assert (outcome.verdict, outcome.told, outcome.close) == (
        Verdict.FAULT,
        (Over(EndCause.PROTOCOL),),
        Close(1003),
    )


def test_a_message_that_can_be_read_ends_the_row() -> None:
    session = streaming(Undecodable(), Unknown(event="silence"), Undecodable(), malformed_limit=2)

    assert session.state is S.STREAMING


@pytest.mark.parametrize("ours", [SendMedia(CHUNK), SendMark("m"), SendClear(), TimerDue(Timer.STALL), PassthruCame()])
def test_nothing_of_ours_ends_the_row(ours: Input) -> None:
    session = streaming(Undecodable(), ours, Undecodable(), malformed_limit=2)

    assert session.state is S.STOPPED


def test_a_new_link_begins_a_new_row() -> None:
    session = streaming(Undecodable(), Reattach(AGAIN), Undecodable(), malformed_limit=2)

    assert session.state is S.STREAMING


def test_the_next_try_of_a_link_begins_a_new_row() -> None:
    session = opening(announced=True, malformed_limit=2)
    fed(session, Undecodable(), SocketClosed(), SocketOpened(), Undecodable())

    assert session.state is S.ACCEPTED


# --- what we send


@pytest.mark.parametrize("frame", [SendMedia(CHUNK), SendMark("m"), SendClear()])
def test_what_is_sent_on_a_stream_goes_out(frame: SendMedia | SendMark | SendClear) -> None:
    assert streaming().feed(frame).frames == (frame,)


@pytest.mark.parametrize("frame", [SendMedia(CHUNK), SendMark("m"), SendClear()])
@pytest.mark.parametrize("without_a_stream", [Session, opening, detached, stopped])
def test_nothing_is_sent_without_a_stream(
    without_a_stream: Callable[[], Session], frame: SendMedia | SendMark | SendClear
) -> None:
    assert without_a_stream().feed(frame) == Outcome(verdict=Verdict.REFUSED)


@pytest.mark.parametrize("size", [0, 319, 321, 100_160])
def test_a_payload_that_is_no_whole_number_of_blocks_is_refused(size: int) -> None:
    assert streaming().feed(SendMedia(bytes(size))).verdict is Verdict.REFUSED


@pytest.mark.parametrize("size", [1, 321, 100_160])
def test_a_raw_flow_may_send_any_size(size: int) -> None:
    assert streaming(raw=True).feed(SendMedia(bytes(size))).verdict is Verdict.KEPT


def test_a_raw_flow_may_not_send_nothing() -> None:
    assert streaming(raw=True).feed(SendMedia(b"")).verdict is Verdict.REFUSED


def test_a_mark_that_is_out_is_not_sent_again() -> None:
    assert streaming(SendMark("m"), SendClear()).feed(SendMark("m")).verdict is Verdict.REFUSED


# --- what becomes of marks


def test_an_echo_says_that_the_audio_was_played() -> None:
    assert fates(streaming(SendMark("a")).feed(Mark(name="a"))) == [("a", MarkFate.PLAYED)]


def test_early_audio_of_the_new_link_comes_with_the_resumed_call() -> None:
    session = fed(streaming(resumes=True), SocketClosed())
    early = (audio(sid=AGAIN.stream_sid), audio(sid="another"))

    assert session.feed(Reattach(AGAIN, early)).told == (Resumed(AGAIN), Audio(early[0]))


def test_a_mark_that_was_passed_over_was_skipped() -> None:
    outcome = streaming(SendMark("a"), SendMark("b")).feed(Mark(name="b"))

    assert fates(outcome) == [("a", MarkFate.SKIPPED), ("b", MarkFate.PLAYED)]


def test_an_echo_after_a_clear_does_not_say_that_the_audio_was_played() -> None:
    assert fates(streaming(SendMark("a"), SendClear()).feed(Mark(name="a"))) == [("a", MarkFate.CLEARED)]


def test_a_cleared_mark_that_another_passes_over_was_dropped() -> None:
    outcome = streaming(SendMark("a"), SendMark("b"), SendClear()).feed(Mark(name="b"))

    assert fates(outcome) == [("a", MarkFate.DROPPED), ("b", MarkFate.CLEARED)]


def test_a_newer_echo_says_that_cleared_marks_do_not_come_back() -> None:
    outcome = streaming(SendMark("a"), SendClear(), SendMark("b")).feed(Mark(name="b"))

    assert fates(outcome) == [("a", MarkFate.DROPPED), ("b", MarkFate.PLAYED)]


def test_cleared_marks_that_do_not_come_back_in_time_were_dropped() -> None:
    session = streaming(SendMark("a"), SendClear(), SendMark("b"))
    outcome = session.feed(TimerDue(Timer.FLUSH))

    assert (fates(outcome), session.state) == ([("a", MarkFate.DROPPED)], S.MARKED)


def test_a_mark_that_does_not_come_back_in_time_is_assumed() -> None:
    session = streaming(SendMark("a"), SendMark("b"))
    outcome = session.feed(TimerDue(Timer.MARK))

    assert (fates(outcome), outcome.arm) == ([("a", MarkFate.ASSUMED)], {Timer.MARK: True, Timer.FLUSH: False})


def test_an_echo_that_comes_too_late_is_odd() -> None:
    session = streaming(SendMark("a"), TimerDue(Timer.MARK))

    assert session.feed(Mark(name="a")) == Outcome(verdict=Verdict.ODD)


def test_marks_that_are_out_when_the_call_ends_are_lost_before_it_is_over() -> None:
    outcome = streaming(SendMark("a"), SendClear(), SendMark("b")).feed(Stop())

    assert outcome.told == (
        MarkDone("a", MarkFate.DROPPED),
        MarkDone("b", MarkFate.LOST),
        Over(EndCause.STOP),
    )


# --- links that go and come


def test_a_lost_link_ends_a_call_that_does_not_wait() -> None:
    assert streaming().feed(SocketClosed(EndCause.TOO_BIG)).told == (Over(EndCause.TOO_BIG),)


def test_a_lost_link_leaves_a_call_that_waits_for_another() -> None:
    outcome = streaming(SendMark("a"), resumes=True).feed(SocketClosed())

    assert (outcome.told, outcome.arm[Timer.RESUME]) == ((MarkDone("a", MarkFate.LOST), Detached()), True)


def test_a_link_that_was_silent_too_long_is_cut() -> None:
    outcome = streaming(resumes=True).feed(TimerDue(Timer.IDLE))

    assert (outcome.told, outcome.close) == ((Detached(),), Close(1001))


def test_another_link_takes_the_call_on() -> None:
    session = detached()
    outcome = session.feed(Reattach(AGAIN))

    assert (outcome.told, session.stream_sid, session.epoch) == ((Resumed(AGAIN),), "two", 2)


def test_another_link_takes_a_call_over_that_still_has_one() -> None:
    outcome = streaming(SendMark("a")).feed(Reattach(AGAIN))

    assert outcome.told == (MarkDone("a", MarkFate.LOST), Resumed(AGAIN))


def test_what_a_lost_link_was_called_is_forgotten_with_the_next() -> None:
    session = fed(streaming(SocketClosed(EndCause.TOO_BIG), resumes=True), Reattach(AGAIN))

    assert session.feed(Stop()).told == (Over(EndCause.STOP),)


def test_a_report_on_the_detached_stream_ends_the_call() -> None:
    assert detached().feed(PassthruCame(stream_sid="one")).told == (Over(EndCause.PEER_GONE),)


@pytest.mark.parametrize("sid", ["", "two"])
def test_a_report_on_another_stream_does_not(sid: str) -> None:
    assert detached().feed(PassthruCame(stream_sid=sid)) == Outcome(verdict=Verdict.ODD)


def test_a_report_on_a_live_stream_does_not_end_it() -> None:
    assert streaming().feed(PassthruCame(stream_sid="one")) == Outcome(verdict=Verdict.ODD)


# --- the end


def test_the_end_is_told_with_the_first_cause() -> None:
    session = streaming(SocketClosed(EndCause.TOO_BIG), resumes=True)

    assert session.feed(TimerDue(Timer.RESUME)).told == (Over(EndCause.TOO_BIG),)


def test_our_own_end_closes_with_our_own_code() -> None:
    assert streaming().feed(Hangup(EndCause.DRAIN, 1001)).close == Close(1001)


def test_stop_closes_the_link_in_order() -> None:
    assert streaming().feed(Stop()).close == Close(1000)


def test_the_end_stops_every_timer() -> None:
    assert streaming().feed(Stop()).arm == dict.fromkeys(Timer, False)


@pytest.mark.parametrize(
    "event", [Stop(), SocketClosed(), Hangup(EndCause.FLOW), audio(), Mark(name="a"), Reattach(AGAIN)]
)
def test_after_the_end_nothing_is_told(event: Input) -> None:
    assert streaming(SendMark("a"), Stop()).feed(event) == Outcome(verdict=Verdict.IGNORED)


def test_a_report_after_the_end_is_handed_on() -> None:
    assert stopped().feed(PassthruCame(stream_sid="one")) == Outcome(verdict=Verdict.KEPT)


def test_every_input_is_counted_by_its_verdict() -> None:
    session = streaming(audio(), SendMedia(b""), START, Unknown(event="silence"), Hangup(EndCause.FLOW))

    assert session.counts == {
        Verdict.MOVED: 4,
        Verdict.KEPT: 1,
        Verdict.REFUSED: 1,
        Verdict.ODD: 1,
        Verdict.IGNORED: 1,
    }


def test_payloads_do_not_show_in_what_is_printed() -> None:
    assert repr(SendMedia(b"secret")) == "SendMedia()"
