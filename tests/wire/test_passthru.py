"""Passthru: every form that Exotel's pages describe is read to one record (exotel.md §12, D26 to D29)."""

from __future__ import annotations

import json
from datetime import datetime
from urllib.parse import urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callflow.wire.forms import UnreadableRequest
from callflow.wire.passthru import (
    Direction,
    DisconnectedBy,
    PassthruReport,
    StreamReport,
    read_passthru,
)

FORM = "application/x-www-form-urlencoded"

CALL = {
    "CallSid": "c0ffee",
    "CallFrom": "00000000105",
    "From": "00000000105",
    "CallTo": "00000000319",
    "To": "00000000319",
    "Direction": "incoming",
    "CallType": "completed",
    "EndTime": "1970-01-01 05:30:00",
    "CustomField": "order 7",
    "digits": '"42"',
    "flow_id": "1",
}
STREAM = {
    "StreamSID": "5eed",
    "Status": "completed",
    "Duration": "28",
    "RecordingUrl": "https://recordings.example/5eed.wav",
    "StreamUrl": "wss://bot.example/stream",
    "DisconnectedBy": "bot",
    "Error": "NA",
    "DetailedStatus": "",
}
BRACKETED = {**CALL, **{f"Stream[{name}]": value for name, value in STREAM.items()}}

READ_STREAM = StreamReport(
    stream_sid="5eed",
    status="completed",
    duration=28.0,
    disconnected_by=DisconnectedBy.BOT,
    recording_url="https://recordings.example/5eed.wav",
)


def read_call(stream: StreamReport | None, raw: dict[str, str]) -> PassthruReport:
    return PassthruReport(
        call_sid="c0ffee",
        caller="00000000105",
        called="00000000319",
        direction=Direction.INBOUND,
        stream=stream,
        digits="42",
        custom_field="order 7",
        raw=raw,
    )


# The forms.


def test_a_query_with_brackets_is_read() -> None:
    assert read_passthru(urlencode(BRACKETED)) == read_call(READ_STREAM, BRACKETED)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-02 09:30:39", datetime(2026, 11, 2, 9, 30, 39)),
        ("1970-01-01 05:30:00", None),
        ("1969-12-31 23:59:59", None),
        ("2026-11-02T09:30:39", None),
        ("", None),
    ],
)
def test_the_end_of_a_call_that_lives_is_none(text: str, moment: datetime | None) -> None:
    assert read_passthru({**CALL, "EndTime": text}).ended == moment


@pytest.mark.parametrize(
    ("stream", "has_failed"),
    [
        ({"Status": "failed"}, True),
        ({"Status": "completed", "Error": "3011 bot gone"}, True),
        ({"Status": "completed", "Error": "NA"}, False),
    ],
)
def test_an_error_wins_over_the_status(stream: dict[str, str], has_failed: bool) -> None:
    report = read_passthru({**CALL, **{f"Stream[{name}]": text for name, text in stream.items()}})

    assert report.stream is not None
    assert report.stream.has_failed is has_failed


def test_a_decoded_query_is_read() -> None:
    assert read_passthru(BRACKETED) == read_call(READ_STREAM, BRACKETED)


def test_a_form_is_read() -> None:
    assert read_passthru("", FORM, urlencode(BRACKETED).encode()) == read_call(READ_STREAM, BRACKETED)


def test_a_stream_in_one_json_string_is_read() -> None:
    parameters = {**CALL, "Stream": json.dumps(STREAM)}

    assert read_passthru(urlencode(parameters)) == read_call(READ_STREAM, parameters)


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=utf-8", "text/x+json", "", "text/plain"]
)
def test_a_json_body_is_read(content_type: str) -> None:
    body = json.dumps(BRACKETED).encode()

    assert read_passthru("", content_type, body) == read_call(READ_STREAM, BRACKETED)


def test_a_stream_as_a_json_object_in_a_json_body_is_read() -> None:
    report = read_passthru("", "application/json", json.dumps({**CALL, "Stream": {**STREAM, "Duration": 28}}).encode())

    assert report.stream == READ_STREAM


def test_flat_lower_case_keys_are_read() -> None:
    flat = {
        "callsid": "c0ffee",
        "disposition": "x",
        "legs": "1",
        **{name.lower(): text for name, text in STREAM.items()},
    }

    assert read_passthru("", FORM, urlencode(flat).encode()).stream == READ_STREAM


def test_the_announcement_of_a_stream_is_read() -> None:
    body = {
        "CallSid": "c0ffee",
        "StreamSid": "5eed",
        "StreamUrl": "wss://bot.example/stream",
        "AccountSid": "acme1",
        "EventType": "stream-start",
        "From": "+910000000105",
        "To": "+910000000319",
        "Direction": "outbound",
    }
    report = read_passthru("", "application/json", json.dumps(body).encode())

    assert (report.stream, report.caller, report.direction, report.after_stream) == (
        StreamReport(stream_sid="5eed"),
        "+910000000105",
        Direction.OUTBOUND,
        False,
    )


# Its place: before the stream, or after it (D27).


@pytest.mark.parametrize(
    ("parameters", "after"),
    [
        (CALL, False),
        ({**CALL, "RecordingUrl": "https://recordings.example/call.mp3", "CallStatus": "completed"}, False),
        ({**CALL, "Stream[StreamSID]": "5eed"}, False),
        ({**CALL, "Stream[Status]": ""}, False),
        (BRACKETED, True),
        ({**CALL, "Stream[Status]": "failed", "Stream[DisconnectedBy]": "NA"}, True),
        ({**CALL, "Stream[Error]": "3009 failed to establish ws conn"}, True),
        ({**CALL, "Stream[DetailedStatus]": "Streaming_call_throttled"}, True),
        ({**CALL, "Stream": "not JSON"}, False),
    ],
)
def test_its_place_is_told_by_the_result_of_a_stream(parameters: dict[str, str], after: bool) -> None:
    assert read_passthru(parameters).after_stream is after


def test_the_recording_of_a_call_is_not_one_of_a_stream() -> None:
    assert read_passthru({**CALL, "RecordingUrl": "https://recordings.example/call.mp3"}).stream is None


# Values.


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("user", DisconnectedBy.USER),
        ("caller", DisconnectedBy.USER),
        ("Bot", DisconnectedBy.BOT),
        ("system", DisconnectedBy.SYSTEM),
        ("NA", None),
        ("", None),
        ("somebody", None),
    ],
)
def test_who_ended_the_stream_has_one_word(text: str, who: DisconnectedBy | None) -> None:
    report = read_passthru({**BRACKETED, "Stream[DisconnectedBy]": text})

    assert report.stream is not None
    assert report.stream.disconnected_by is who


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("28", 28.0), ("0", 0.0), ("1.5", 1.5), ("-1", None), ("nan", None), ("1e999", None), ("x", None)],
)
def test_a_duration_is_seconds_or_nothing(text: str, seconds: float | None) -> None:
    report = read_passthru({**BRACKETED, "Stream[Duration]": text})

    assert report.stream is not None
    assert report.stream.duration == seconds


@pytest.mark.parametrize(
    ("sent", "digits"),
    [('"5"', "5"), ("5", "5"), ('""', None), ("", None), ('"', '"'), ('""5""', '"5"'), ('"*#"', "*#")],
)
def test_digits_lose_one_pair_of_quotes(sent: str, digits: str | None) -> None:
    assert read_passthru({**CALL, "digits": sent}).digits == digits


@pytest.mark.parametrize(
    ("text", "direction"),
    [
        ("incoming", Direction.INBOUND),
        ("inbound", Direction.INBOUND),
        ("outbound-dial", Direction.OUTBOUND),
        ("Outbound", Direction.OUTBOUND),
        ("sideways", None),
    ],
)
def test_a_direction_has_one_word(text: str, direction: Direction | None) -> None:
    assert read_passthru({**CALL, "Direction": text}).direction is direction


@pytest.mark.parametrize("nothing", ["", "NA", "null", " "])
def test_nothing_is_spelled_in_many_ways(nothing: str) -> None:
    assert read_passthru({"CallSid": "c", "From": nothing, "CustomField": nothing}) == PassthruReport(
        call_sid="c", raw={"CallSid": "c", "From": nothing, "CustomField": nothing}
    )


def test_the_body_wins_over_the_query() -> None:
    report = read_passthru("CallSid=query&tenant=5", FORM, b"CallSid=body")

    assert (report.call_sid, report.raw) == ("body", {"CallSid": "body", "tenant": "5"})


def test_the_query_is_enough_where_the_body_cannot_be_read() -> None:
    assert read_passthru("CallSid=query", "application/json", b"[broken").call_sid == "query"


def test_an_identifier_of_a_stream_that_is_none_is_left_out() -> None:
    report = read_passthru({**BRACKETED, "Stream[StreamSID]": "../../etc"})

    assert report.stream is not None
    assert report.stream.stream_sid is None


def test_a_repr_shows_no_number_and_no_digit() -> None:
    shown = repr(read_passthru(BRACKETED))

    assert [text for text in ("00000000105", "00000000319", "42", "order", "recordings") if text in shown] == []


# What is none.

UNREADABLE: dict[str, tuple[str, str, bytes]] = {
    "nothing": ("", "", b""),
    "no CallSid": ("From=1", "", b""),
    "an empty CallSid": ("CallSid=", "", b""),
    "a path for a CallSid": ("CallSid=../../etc/passwd", "", b""),
    "a line for a CallSid": ("CallSid=a%0Ab", "", b""),
    "a long CallSid": ("CallSid=" + "a" * 129, "", b""),
    "many parameters": ("CallSid=a&" + "&".join(f"p{n}=" for n in range(300)), "", b""),
    "many members": ("", "application/json", json.dumps({"CallSid": "a", **{f"p{n}": n for n in range(300)}}).encode()),
    "long values": ("", FORM, b"CallSid=a&x=" + b"a" * 70_000),
    "a list": ("", "application/json", b'["CallSid"]'),
    "deep JSON": ("", "application/json", b'{"CallSid":' + b"[" * 100_000),
    "a long number": ("", "application/json", b'{"CallSid":' + b"1" * 5_000 + b"}"),
    "a binary body": ("", "application/octet-stream", bytes(range(256))),
}


@pytest.mark.parametrize("odd", UNREADABLE)
def test_what_is_no_passthru_is_told_by_one_error(odd: str) -> None:
    with pytest.raises(UnreadableRequest):
        read_passthru(*UNREADABLE[odd])


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from([*BRACKETED, "Stream", "stream", "streamsid", "status", "callsid"]) | st.text(max_size=8)
bodies = st.binary(max_size=64) | st.dictionaries(names, anything, max_size=6).map(
    lambda value: json.dumps(value).encode()
)


@given(query=st.text(max_size=64), content_type=st.sampled_from(["", FORM, "application/json", "x"]), body=bodies)
@example(query="CallSid=a", content_type="application/json", body=b'{"n":' + b"[" * 990 + b"]" * 990 + b"}")
@example(query="CallSid=a&Stream=" + "[" * 5000, content_type="", body=b"")
def test_any_request_is_read_or_refused(query: str, content_type: str, body: bytes) -> None:
    try:
        report = read_passthru(query, content_type, body)
    except UnreadableRequest:
        return

    assert isinstance(report.after_stream, bool)


@given(
    stream=st.dictionaries(st.sampled_from(sorted(STREAM)), st.sampled_from(["5eed", "failed", "7", "bot", "NA", ""]))
)
def test_the_forms_of_a_stream_agree(stream: dict[str, str]) -> None:
    bracketed = read_passthru({"CallSid": "c", **{f"Stream[{name}]": text for name, text in stream.items()}})
    nested = read_passthru({"CallSid": "c", "Stream": json.dumps(stream)})

    assert nested.stream == bracketed.stream
