"""The buffer that Exotel plays from: what is heard and when, what a clear spares, and when marks are due."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callflow.line.playout import SAME, MarkDue, Played, Playout, Segment
from callflow.line.profile import Profile
from callflow.wire.audio import AudioFormat, Coding

LINE = AudioFormat(8000)
FRAME = 0.02


def tone(seconds: float, letter: bytes = b"a") -> bytes:
    return letter * LINE.size(seconds)


def marks(playout: Playout, to: float) -> list[tuple[str, float]]:
    return [(fact.name, round(fact.at, 6)) for fact in playout.advance(to) if isinstance(fact, MarkDue)]


def stretches(playout: Playout) -> list[tuple[float, float]]:
    return [(round(heard.start, 6), round(heard.end, 6)) for heard in playout.heard]


def test_clear_spares_the_message_that_was_picked_up() -> None:
    """Exotel's own example: two messages of 5 s each, a clear at 3 s drops only the second."""
    playout = Playout(LINE)
    playout.media(tone(5, b"1"), 0.0)
    playout.media(tone(5, b"2"), 0.0)
    playout.clear(3.0)
    playout.advance(20.0)

    assert playout.heard == [Segment(0.0, tone(5, b"1"), 5.0)]


def test_a_clear_just_before_a_message_is_picked_up_drops_it() -> None:
    playout = Playout(LINE)
    playout.media(tone(1), 0.0)
    playout.media(tone(1), 0.0)
    playout.clear(0.999)
    playout.advance(5.0)

    assert stretches(playout) == [(0.0, 1.0)]


def test_a_clear_when_the_next_message_was_picked_up_spares_it() -> None:
    playout = Playout(LINE)
    playout.media(tone(1), 0.0)
    playout.media(tone(1), 0.0)
    playout.clear(1.0)
    playout.advance(5.0)

    assert stretches(playout) == [(0.0, 1.0), (1.0, 2.0)]


def test_messages_are_played_in_order_without_a_gap() -> None:
    playout = Playout(LINE)
    playout.media(tone(0.2, b"1"), 1.0)
    playout.media(tone(0.2, b"2"), 1.1)
    playout.advance(3.0)

    assert (stretches(playout), [heard.audio[:1] for heard in playout.heard]) == (
        [(1.0, 1.2), (1.2, 1.4)],
        [b"1", b"2"],
    )


def test_where_nothing_plays_nothing_is_heard() -> None:
    playout = Playout(LINE)
    playout.media(tone(0.2), 1.0)
    playout.media(tone(0.2), 2.0)
    playout.advance(3.0)

    assert stretches(playout) == [(1.0, 1.2), (2.0, 2.2)]


def test_what_is_heard_grows_while_a_message_plays() -> None:
    playout = Playout(LINE)
    playout.media(tone(5), 0.0)
    seconds = []
    for moment in (0.5, 2.0, 7.0):
        playout.advance(moment)
        seconds.append([heard.seconds for heard in playout.heard])

    assert seconds == [[0.5], [2.0], [5.0]]


def test_a_message_that_was_played_is_a_fact() -> None:
    playout = Playout(LINE)
    playout.media(tone(0.2), 1.0)

    assert playout.advance(2.0) == [Played(1.2, Segment(1.0, tone(0.2), 0.2))]


def test_a_short_message_takes_the_time_of_a_whole_block() -> None:
    playout = Playout(LINE)
    playout.media(bytes(330), 0.0)
    playout.media(bytes(320), 0.0)
    playout.advance(1.0)

    assert stretches(playout) == [(0.0, 0.020625), (0.04, 0.06)]


@pytest.mark.parametrize("payload", [b"", b"x"])
def test_what_holds_no_sample_is_not_played(payload: bytes) -> None:
    playout = Playout(LINE)
    playout.media(payload, 0.0)

    assert (playout.queued_bytes, playout.next_event_at()) == (0, math.inf)


def test_an_odd_byte_is_no_sound() -> None:
    playout = Playout(LINE)
    playout.media(bytes(321), 0.0)
    playout.advance(1.0)

    assert playout.heard[0].audio == bytes(320)


def test_mulaw_plays_half_as_many_bytes_in_the_same_time() -> None:
    playout = Playout(AudioFormat(8000, Coding.MULAW))
    playout.media(bytes(1600), 0.0)
    playout.advance(1.0)

    assert playout.heard[0].seconds == 0.2


# Marks.


def test_a_mark_is_due_when_the_audio_before_it_was_played() -> None:
    playout = Playout(LINE)
    playout.media(tone(1), 0.0)
    playout.mark("first", 0.0)
    playout.media(tone(1), 0.0)
    playout.mark("second", 0.0)

    assert (marks(playout, 0.9), marks(playout, 9.0)) == ([], [("first", 1.0), ("second", 2.0)])


def test_a_mark_is_due_at_once_when_nothing_plays() -> None:
    playout = Playout(LINE)
    playout.mark("lonely", 2.5)

    assert (playout.next_event_at(), marks(playout, 2.5)) == (2.5, [("lonely", 2.5)])


@pytest.mark.parametrize(
    ("echoes", "expected"),
    [
        ("at once", [("gone", 0.5), ("next", 2.2)]),
        ("late", [("gone", 1.25), ("next", 2.2)]),
        ("never", [("next", 2.2)]),
    ],
)
def test_a_mark_whose_audio_was_cleared_comes_as_the_profile_says(echoes: Any, expected: object) -> None:
    playout = Playout(LINE, Profile(echoes_cleared_marks=echoes, late_by=0.75))
    playout.media(tone(1), 0.0)
    playout.media(tone(1), 0.0)
    playout.mark("gone", 0.0)
    playout.clear(0.5)
    playout.media(tone(0.2), 2.0)
    playout.mark("next", 2.0)

    assert marks(playout, 9.0) == expected


@pytest.mark.parametrize("echoes", ["at once", "late", "never"])
def test_a_mark_whose_audio_was_picked_up_is_not_cleared(echoes: Any) -> None:
    playout = Playout(LINE, Profile(echoes_cleared_marks=echoes, late_by=0.1))
    playout.media(tone(1), 0.0)
    playout.mark("kept", 0.0)
    playout.clear(0.5)

    assert playout.advance(9.0) == [Played(1.0, playout.heard[0]), MarkDue(1.0, "kept", cleared=False)]


def test_a_cleared_mark_waits_for_the_one_before_it() -> None:
    playout = Playout(LINE)
    playout.media(tone(1), 0.0)
    playout.mark("kept", 0.0)
    playout.media(tone(1), 0.0)
    playout.mark("gone", 0.0)
    playout.clear(0.5)

    assert marks(playout, 9.0) == [("kept", 1.0), ("gone", 1.0)]


def test_a_late_echo_is_not_hastened_by_the_message_that_ends_before_it() -> None:
    playout = Playout(LINE, Profile(echoes_cleared_marks="late", late_by=2.0))
    playout.media(tone(1), 0.0)
    playout.media(tone(1), 0.0)
    playout.mark("gone", 0.0)
    playout.clear(0.5)

    assert marks(playout, 9.0) == [("gone", 2.5)]


def test_a_mark_never_overtakes_a_late_echo() -> None:
    playout = Playout(LINE, Profile(echoes_cleared_marks="late", late_by=2.0))
    playout.media(tone(1), 0.0)
    playout.media(tone(1), 0.0)
    playout.mark("gone", 0.0)
    playout.clear(0.5)
    playout.media(tone(0.2), 1.0)
    playout.mark("next", 1.0)

    assert marks(playout, 9.0) == [("gone", 2.5), ("next", 2.5)]


def test_a_line_that_breaks_r10_echoes_a_mark_before_its_audio() -> None:
    early = Playout(LINE, Profile(breaks={"R10"}))
    early.media(tone(1), 0.0)
    early.mark("early", 0.1)

    assert marks(early, 0.1) == [("early", 0.1)]


# What can be asked of the buffer.


def test_the_next_event_is_the_end_of_the_message_that_plays() -> None:
    playout = Playout(LINE)
    playout.media(tone(1), 0.5)

    assert playout.next_event_at() == 1.5


def test_speaking_begins_and_ends_with_the_audio() -> None:
    playout = Playout(LINE)
    playout.media(tone(1), 1.0)
    playout.media(tone(1), 1.0)
    playout.advance(2.5)
    during = [playout.speaking(moment) for moment in (0.9, 1.0, 1.5, 2.0, 2.5)]
    playout.advance(5.0)

    assert (during, playout.speaking(2.9), playout.speaking(3.0)) == ([False, True, True, True, True], True, False)


def test_silence_is_dated_from_the_end_of_the_audio_before_it() -> None:
    playout = Playout(LINE)
    playout.media(tone(1), 1.0)
    playout.media(tone(1), 4.0)
    playout.advance(9.0)

    assert [playout.silent_since(moment) for moment in (0.5, 1.5, 3.0, 4.5, 9.0)] == [0.0, None, 2.0, None, 5.0]


def underruns(act: Callable[[Playout], object]) -> int:
    """Play two messages with a gap between them; *act* comes right after the first."""
    playout = Playout(LINE)
    playout.media(tone(0.2), 0.0)
    act(playout)
    playout.media(tone(0.2), 0.3)
    return playout.underruns


def test_a_gap_inside_a_stretch_of_audio_is_an_underrun() -> None:
    assert underruns(lambda _: None) == 1


def test_a_gap_where_a_mark_stood_is_no_underrun() -> None:
    assert underruns(lambda playout: playout.mark("end of prompt", 0.1)) == 0


def test_a_gap_after_a_clear_is_no_underrun() -> None:
    assert underruns(lambda playout: playout.clear(0.1)) == 0


def test_audio_that_comes_in_time_is_no_underrun() -> None:
    assert underruns(lambda playout: playout.media(tone(0.2), 0.2)) == 0


def frames(seconds: float) -> int:
    """Count the frames of 20 ms up to a moment that is a whole number of them.

    Moments are sums of floats, and two sums to the same frame differ in their last bits: 0.3 and 0.30000000000000004.
    """
    count = round(seconds / FRAME)
    assert abs(seconds - count * FRAME) < SAME
    return count


# The deeds below all happen at whole frames, and so does all that comes of them: whole blocks are played, and late
# echoes are late by whole frames.
PROFILES = st.builds(
    Profile,
    echoes_cleared_marks=st.sampled_from(["at once", "late", "never"]),
    late_by=st.sampled_from([0.0, 0.1, 3.0]),
)
DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("media"), st.integers(1, 2000)),
        st.tuples(st.sampled_from(["mark", "clear"]), st.just(0)),
        st.tuples(st.just("wait"), st.integers(1, 30)),
    ),
    max_size=40,
)


@given(profile=PROFILES, deeds=DEEDS)
@example(Profile(), [("wait", 14), ("media", 2), ("mark", 0), ("wait", 1), ("mark", 0)])  # moments a last bit apart
def test_whatever_comes_every_byte_and_every_mark_is_accounted_for(
    profile: Profile, deeds: list[tuple[str, int]]
) -> None:
    playout, passed, sent, echoed = Playout(LINE, profile), 0, list[str](), list[MarkDue]()
    for deed, size in deeds:
        at = passed * FRAME
        match deed:
            case "media":
                playout.media(bytes(size), at)
            case "mark":
                sent.append(f"m{len(sent)}")
                playout.mark(sent[-1], at)
            case "clear":
                playout.clear(at)
            case "wait":
                passed += size
        echoed += [fact for fact in playout.advance(at) if isinstance(fact, MarkDue)]
        assert playout.waiting_bytes >= 0
    echoed += [fact for fact in playout.advance(1e6) if isinstance(fact, MarkDue)]

    assert playout.queued_bytes == playout.heard_bytes + playout.cleared_bytes
    assert playout.heard_bytes == sum(len(heard.audio) for heard in playout.heard)
    assert all(one.end <= two.start + SAME for one, two in zip(playout.heard, playout.heard[1:], strict=False))
    moments = [frames(fact.at) for fact in echoed]
    assert moments == sorted(moments)
    names = [fact.name for fact in echoed]
    lost = set(sent) - set(names)
    assert names == [name for name in sent if name not in lost]
    assert not lost or profile.echoes_cleared_marks == "never"


def test_a_line_that_is_lost_takes_its_buffer_with_it() -> None:
    playout = Playout(AudioFormat())
    for _ in range(3):
        playout.media(bytes(3200), 0.0)
    playout.mark("m", 0.0)
    playout.cut_off(0.3)

    assert (playout.heard_bytes, playout.waiting_bytes, playout.advance(5.0)) == (4800, 0, [])


def test_the_next_echo_is_known_when_its_mark_comes() -> None:
    playout = Playout(LINE)
    for _ in range(3):
        playout.media(tone(0.2), 1.0)
    playout.mark("end", 1.0)
    playout.media(tone(0.2), 1.0)

    assert (round(playout.next_echo_at(), 6), marks(playout, 1.6)) == (1.6, [("end", 1.6)])


def test_a_clear_brings_the_next_echo_forward() -> None:
    playout = Playout(LINE)
    for _ in range(3):
        playout.media(tone(0.2), 1.0)
    playout.mark("end", 1.0)
    playout.clear(1.1)

    assert playout.next_echo_at() == 1.1


def test_without_a_mark_no_echo_is_due() -> None:
    playout = Playout(LINE)
    playout.media(tone(0.2), 1.0)

    assert playout.next_echo_at() == math.inf


def test_keeping_up_lets_the_line_hear_and_leaves_what_happened_to_be_told() -> None:
    playout = Playout(LINE)
    playout.media(tone(0.2), 1.0)
    playout.mark("end", 1.0)
    playout.keep_up(3.0)

    assert (playout.heard_bytes, round(playout.next_echo_at(), 6)) == (len(tone(0.2)), 1.2)
    assert [type(fact) for fact in playout.advance(3.0)] == [Played, MarkDue]
