from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callflow.line.exchange import MarkDue, PassthruRequest, Played, Playout, Segment, Sender, StreamRecord
from callflow.line.profile import BREAKABLE, Profile
from callflow.wire.audio import AudioFormat, Coding
from callflow.wire.exotel import decode
from callflow.wire.messages import Connected, Dtmf, Mark, Media, MediaFormat, Start, Stop, StopReason

LINE = AudioFormat(8000)


def tone(seconds: float, letter: bytes = b"a") -> bytes:
    return letter * LINE.size(seconds)


def marks(playout: Playout, to: float) -> list[tuple[str, float]]:
    return [(fact.name, round(fact.at, 6)) for fact in playout.advance(to) if isinstance(fact, MarkDue)]


def stretches(playout: Playout) -> list[tuple[float, float]]:
    return [(round(heard.start, 6), round(heard.end, 6)) for heard in playout.heard]


# Playing.


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
    playout, frames, sent, echoed = Playout(LINE, profile), 0, list[str](), list[MarkDue]()
    for deed, size in deeds:
        at = frames * 0.02
        match deed:
            case "media":
                playout.media(bytes(size), at)
            case "mark":
                sent.append(f"m{len(sent)}")
                playout.mark(sent[-1], at)
            case "clear":
                playout.clear(at)
            case "wait":
                frames += size
        echoed += [fact for fact in playout.advance(at) if isinstance(fact, MarkDue)]
        assert playout.waiting_bytes >= 0
    echoed += [fact for fact in playout.advance(1e6) if isinstance(fact, MarkDue)]

    assert playout.queued_bytes == playout.heard_bytes + playout.cleared_bytes
    assert playout.heard_bytes == sum(len(heard.audio) for heard in playout.heard)
    assert all(one.end <= two.start + 1e-6 for one, two in zip(playout.heard, playout.heard[1:], strict=False))
    moments = [round(fact.at, 6) for fact in echoed]
    assert moments == sorted(moments)
    names = [fact.name for fact in echoed]
    lost = set(sent) - set(names)
    assert names == [name for name in sent if name not in lost]
    assert not lost or profile.echoes_cleared_marks == "never"


# Sending.

START = Start(
    stream_sid="9f41c2000000000000000000000018bl",
    call_sid="14b5bb2f0564e97f72b36a8e28151a73",
    account_sid="acme1",
    caller="+910000000105",
    called="00000000319",
    parameters={"queue_name": "premium"},
)
FRAME = bytes(range(160)) * 2
MARKS = [f"m{number}" for number in range(20)]

Json = dict[str, Any]


def whole_stream(profile: Profile, seed: int = 0) -> list[str]:
    """Everything that Exotel sends in a call of four seconds with twenty marks."""
    sender = Sender(START, profile, Random(seed))
    texts = sender.connected() + sender.start()
    for number in range(200):
        texts += sender.media(FRAME, (number + 1) * 0.02)
        if number % 10 == 0:
            texts += sender.mark(MARKS[number // 10])
            texts += sender.dtmf("5", 0.1)
    return texts + sender.stop()


def test_a_sender_numbers_its_messages() -> None:
    sender = Sender(START)
    texts = sender.connected() + sender.start() + sender.media(FRAME, 0.02) + sender.dtmf("5", 0.2) + sender.mark("m")
    sid = START.stream_sid

    assert list(map(decode, [*texts, *sender.media(FRAME, 0.04), *sender.stop()]))[2:] == [
        Media(payload=FRAME, stream_sid=sid, sequence_number=2, chunk=1, timestamp=0.02),
        Dtmf(digit="5", duration=0.2, stream_sid=sid, sequence_number=3),
        Mark(name="m", stream_sid=sid, sequence_number=4),
        Media(payload=FRAME, stream_sid=sid, sequence_number=5, chunk=2, timestamp=0.04),
        Stop(
            stream_sid=sid,
            call_sid=START.call_sid,
            account_sid="acme1",
            reason=StopReason.CALL_ENDED,
            text="canceled or call ended",
            sequence_number=6,
        ),
    ]


def test_a_stream_begins_with_connected_and_what_start_knows() -> None:
    sender = Sender(START, Profile(encoding="raw/slin", sample_rate=16000))
    [connected, start] = map(decode, sender.connected() + sender.start())

    assert connected == Connected()
    assert start == Start(
        stream_sid=START.stream_sid,
        call_sid=START.call_sid,
        account_sid="acme1",
        caller="+910000000105",
        called="00000000319",
        parameters={"queue_name": "premium"},
        media_format=MediaFormat(encoding="raw/slin", sample_rate=16000, bit_rate="128kbps"),
        sequence_number=1,
    )


def test_a_conformant_sender_draws_nothing() -> None:
    random = Random(1)
    Sender(START, Profile(), random).media(FRAME, 0.02)

    assert random.random() == Random(1).random()


@pytest.mark.parametrize("spelling", ["snake", "camel"])
@pytest.mark.parametrize("counters", ["str", "int"])
def test_every_spelling_says_the_same(spelling: Any, counters: Any) -> None:
    odd = whole_stream(Profile(spelling=spelling, counters_as=counters))

    assert list(map(decode, odd)) == list(map(decode, whole_stream(Profile())))


def media_fields(profile: Profile) -> Json:
    sender = Sender(START, profile)
    sender.start()
    [text] = sender.media(b"", 0.02)
    fields: Json = json.loads(text)
    return fields


def test_counters_are_strings_as_on_real_calls() -> None:
    assert media_fields(Profile()) == {
        "event": "media",
        "stream_sid": START.stream_sid,
        "sequence_number": "2",
        "media": {"chunk": "1", "timestamp": "20", "payload": ""},
    }


def test_counters_can_be_numbers() -> None:
    fields = media_fields(Profile(counters_as="int"))

    assert (fields["sequence_number"], fields["media"]["chunk"], fields["media"]["timestamp"]) == (2, 1, 20)


def test_counters_can_be_absent() -> None:
    fields = media_fields(Profile(counters_as="absent"))

    assert fields == {"event": "media", "stream_sid": START.stream_sid, "media": {"payload": ""}}


def test_camel_case_spares_the_names_of_custom_parameters() -> None:
    [text] = Sender(START, Profile(spelling="camel")).start()
    start = json.loads(text)["start"]

    assert (start["callSid"], start["customParameters"]) == (START.call_sid, {"queue_name": "premium"})


# The rules of Exotel's side, each as a function of the messages it sent (exotel.md §9).


def by_event(messages: list[Json], event: str) -> list[Json]:
    return [message for message in messages if message["event"] == event]


def counts_up(numbers: list[str]) -> bool:
    return numbers == [str(number + 1) for number in range(len(numbers))]


def valid(payload: str) -> bool:
    try:
        return len(base64.b64decode(payload, validate=True)) == len(FRAME)
    except binascii.Error:
        return False


def known_marks(messages: list[Json]) -> list[str]:
    return [name for mark in by_event(messages, "mark") if (name := mark["mark"]["name"]) in MARKS]


def one_start_first(messages: list[Json]) -> bool:
    rest = [message["event"] for message in messages if message["event"] != "connected"]
    return rest[0] == "start" and rest.count("start") == 1


RULES: dict[str, Callable[[list[Json]], bool]] = {
    "R1": lambda messages: [number for number, m in enumerate(messages) if m["event"] == "connected"] == [0],
    "R2": one_start_first,
    "R3": lambda messages: {m["stream_sid"] for m in messages if m["event"] != "connected"} == {START.stream_sid},
    "R4": lambda messages: counts_up([m["sequence_number"] for m in messages if "sequence_number" in m]),
    "R5": lambda messages: counts_up(
        [m["media"]["chunk"] for m in by_event(messages, "media") if "chunk" in m["media"]]
    ),
    "R6": lambda messages: (times := timestamps(messages)) == sorted(times),
    "R7": lambda messages: all(valid(media["media"]["payload"]) for media in by_event(messages, "media")),
    "R8": lambda messages: {mark["mark"]["name"] for mark in by_event(messages, "mark")} <= set(MARKS),
    "R9": lambda messages: (names := known_marks(messages)) == sorted(set(names), key=MARKS.index),
    "R11": lambda messages: [m["event"] for m in messages].index("stop") == len(messages) - 1,
}


def timestamps(messages: list[Json]) -> list[int]:
    return [int(m["media"]["timestamp"]) for m in by_event(messages, "media") if "timestamp" in m["media"]]


def broken(profile: Profile, seed: int) -> set[str]:
    messages = [json.loads(text) for text in whole_stream(profile, seed)]
    return {name for name, holds in RULES.items() if not holds(messages)}


def test_a_conformant_sender_keeps_every_rule() -> None:
    assert broken(Profile(), seed=0) == set()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_profile_breaks_the_rule_it_names_and_no_other(rule: str, seed: int) -> None:
    assert broken(Profile(breaks={rule}), seed) == {rule}


@pytest.mark.parametrize("seed", range(4))
def test_echoes_out_of_order_and_double_echoes_both_occur(seed: int) -> None:
    names = known_marks([json.loads(text) for text in whole_stream(Profile(breaks={"R9"}), seed)])
    orderly = sorted(names, key=MARKS.index)

    assert (names != orderly, len(names) > len(set(names))) == (True, True)


def test_every_breakable_rule_is_tried() -> None:
    """R10 is the buffer's and tried above, R14 the telephone's."""
    assert set(RULES) | {"R10", "R14"} == BREAKABLE


@pytest.mark.parametrize(
    "wrong", [{"breaks": {"R12"}}, {"counters_as": "float"}, {"sample_rate": 44100}, {"late_by": -1.0}]
)
def test_a_profile_that_cannot_be_is_refused(wrong: Json) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Profile(**wrong)


# Asking by HTTP.

CALL = {"call_sid": START.call_sid, "caller": "+910000000105", "called": "00000000319"}
RECORD = StreamRecord(stream_sid="s1", url="wss://bot.example.com/stream", ended_by="server", duration=27.6)


def test_a_passthru_after_the_stream_tells_how_it_ended() -> None:
    assert PassthruRequest(**CALL, before=False, stream=RECORD).fields() == {
        "CallSid": START.call_sid,
        "CallFrom": "+910000000105",
        "From": "+910000000105",
        "CallTo": "00000000319",
        "To": "00000000319",
        "Direction": "incoming",
        "CallType": "completed",
        "Stream[StreamSID]": "s1",
        "Stream[Status]": "completed",
        "Stream[Duration]": "28",
        "Stream[StreamUrl]": "wss://bot.example.com/stream",
        "Stream[DisconnectedBy]": "bot",
    }


def test_a_passthru_before_the_stream_tells_of_no_stream() -> None:
    fields = PassthruRequest(**CALL, before=True, stream=RECORD).fields()

    assert [name for name in fields if name.startswith("Stream")] == []


def test_a_json_passthru_announces_the_stream_before_it() -> None:
    assert PassthruRequest(**CALL, before=True, stream=RECORD).document() == {
        "CallSid": START.call_sid,
        "StreamSid": "s1",
        "StreamUrl": "wss://bot.example.com/stream",
        "EventType": "stream-start",
        "From": "+910000000105",
        "To": "00000000319",
        "Direction": "inbound",
    }


@pytest.mark.parametrize(
    ("ended_by", "status", "by", "json_by"),
    [
        ("caller", "cancelled", "user", "caller"),
        ("server", "completed", "bot", "bot"),
        ("network", "failed", "NA", "system"),
    ],
)
def test_both_forms_say_who_ended_the_stream(ended_by: Any, status: str, by: str, json_by: str) -> None:
    asked = PassthruRequest(**CALL, before=False, stream=StreamRecord(ended_by=ended_by))
    fields, document = asked.fields(), asked.document()

    assert (fields["Stream[Status]"], fields["Stream[DisconnectedBy]"]) == (status, by)
    assert (document["status"], document["disconnectedby"]) == (status, json_by)
