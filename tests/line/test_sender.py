"""Exotel's own messages: their numbers, their spellings, and every rule that can be broken on purpose."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from callflow.line.profile import BREAKABLE, Profile
from callflow.line.sender import Sender
from callflow.wire.exotel import decode
from callflow.wire.messages import Connected, Dtmf, Mark, Media, MediaFormat, Start, Stop, StopReason

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
    """R10 is the buffer's and tried above, R13 below, R14 the telephone's."""
    assert set(RULES) | {"R10", "R13", "R14"} == BREAKABLE


@pytest.mark.parametrize(("breaks", "keys"), [(set(), 0), ({"R13"}, 1)])
def test_a_one_way_line_tells_of_no_key_unless_it_breaks_the_rule(breaks: set[str], keys: int) -> None:
    sender = Sender(START, Profile(one_way=True, breaks=breaks))

    assert len(sender.dtmf("5", 0.1)) == keys
