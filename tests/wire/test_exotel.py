"""Exotel's JSON and back: every spelling gives one value, rubbish gives one error, writing is strict."""

from __future__ import annotations

import base64
import json
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callflow.errors import MalformedMessage
from callflow.wire import exotel
from callflow.wire.audio import AudioFormat
from callflow.wire.exotel import (
    LARGEST_MESSAGE,
    MOST_PARAMETERS,
    PARAMETERS_SIZE,
    Outgoing,
    decode,
    encode,
)
from callflow.wire.messages import (
    KEYS,
    Clear,
    Connected,
    Dtmf,
    Mark,
    Media,
    MediaFormat,
    Message,
    Outbound,
    Start,
    Stop,
    StopReason,
    Unknown,
)
from tests import strategies as wire

SID = "9f41c2d05a7b4e6f8a0b1c2d3e4f18bl"
VECTORS = Path(__file__).parents[1] / "conformance" / "vectors"


def written(**members: object) -> str:
    """Write JSON as Exotel does: no blanks."""
    return json.dumps(members, separators=(",", ":"))


def vector_lines() -> list[str]:
    """Every message of the conformance vectors, as one text frame each."""
    texts = (path.read_text(encoding="utf-8") for path in sorted(VECTORS.glob("*.jsonl")))
    lines = [json.loads(line) for text in texts for line in text.splitlines()]
    return [written(**line["msg"]) for line in lines if "msg" in line]


SHORT_LINES = [line for line in vector_lines() if len(line) < 600]


# Reading what was written.


@given(wire.messages)
def test_what_was_written_is_read_back(message: Message) -> None:
    assert decode(encode(message)) == message


@given(wire.messages)
def test_text_and_bytes_are_read_alike(message: Message) -> None:
    text = encode(message)

    assert decode(text.encode()) == decode(text)


@given(wire.spelled(wire.connected | wire.starts | wire.dtmf | wire.marks | wire.clears | wire.stops))
def test_every_spelling_gives_the_same_value(both: tuple[Message, str]) -> None:
    message, text = both

    assert decode(text) == message


@given(wire.spelled(wire.media))
def test_every_spelling_of_media_gives_the_same_value(both: tuple[Message, str]) -> None:
    message, text = both

    assert decode(text) == message


# The two paths of media.


def outcome(read: object, text: str | bytes) -> object:
    """What reading *text* gives: the message, or the words of the error."""
    try:
        return read(text)  # type: ignore[operator]
    except MalformedMessage as broken:
        return str(broken)


@given(wire.spelled(wire.media))
def test_both_paths_read_a_media_message_alike(both: tuple[Message, str]) -> None:
    text = both[1]

    assert decode(text) == exotel._decode_tolerantly(text)


@given(
    st.fixed_dictionaries(
        {"event": st.just("media"), "media": st.fixed_dictionaries({"payload": st.just("AAAA")})},
        optional=dict.fromkeys(("stream_sid", "sequence_number", "streamSid", "Event", "x"), wire.json_values),
    ),
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("chunk", "timestamp", "track", "Track", "payload", "x"), wire.json_values)
    ),
)
def test_both_paths_agree_whatever_the_members_hold(top: wire.Json, body: wire.Json) -> None:
    text = json.dumps({**top, "media": {**top["media"], **body}})

    assert outcome(decode, text) == outcome(exotel._decode_tolerantly, text)


@pytest.mark.parametrize(
    "more",
    [
        b',"x":' + b"9" * 5000,
        b',"x":1e999',
        b',"x":"\xff"',
        b',"x":"\\ud800"',
        b',"streamSid":"other"',
        b',"Event":"dtmf"',
        b',"event":"clear"',
        b',"media":{"payload":"AQE="}',
        b',"media":5',
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_both_paths_agree_on_a_member_too_many(more: bytes, first: bool) -> None:
    body = b'"media":{"chunk":"1","timestamp":"0","payload":"AAA="}'
    usual = b'"event":"media","stream_sid":"s","sequence_number":"2",' + body
    text = b"{" + more[1:] + b"," + usual + b"}" if first else b"{" + usual + more + b"}"

    assert outcome(decode, text) == outcome(exotel._decode_tolerantly, text)


def test_a_real_media_message_takes_the_fast_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exotel, "_decode_tolerantly", None)
    text = written(
        event="media",
        stream_sid=SID,
        sequence_number="3",
        media={"chunk": "2", "timestamp": "10", "payload": base64.b64encode(b"\x01\x02" * 160).decode()},
    )

    media = decode(text)

    assert media == Media(payload=b"\x01\x02" * 160, stream_sid=SID, sequence_number=3, chunk=2, timestamp=0.01)


# Reading, field by field.


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"event":"connected"}', Connected()),
        ('{"event":"connected","protocol":"Call","version":"1.0.0"}', Connected()),
        ('{"event":"connected","custom_parameters":{"a":"b"}}', Connected(parameters={"a": "b"})),
        ('{"Event":"Connected","Connected":{"CustomParameters":{"A_b":"c"}}}', Connected(parameters={"A_b": "c"})),
        ('{"event":"dtmf","dtmf":{"digit":5,"duration":200}}', Dtmf(digit="5", duration=0.2)),
        ('{"event":"dtmf","digit":"#"}', Dtmf(digit="#")),
        ('{"event":"dtmf","digit":"#","dtmf":{"digit":null}}', Dtmf(digit="#")),
        ('{"event":"dtmf","digit":"#","dtmf":"#"}', Dtmf(digit="#")),
        ('{"event":"dtmf","dtmf":{"digit":"1","duration":"90.5"}}', Dtmf(digit="1")),
        ('{"event":"dtmf","dtmf":{"digit":"1","duration":90.5}}', Dtmf(digit="1", duration=0.09)),
        ('{"event":"dtmf","dtmf":{"digit":"1","duration":-90.5}}', Dtmf(digit="1")),
        ('{"event":"mark","mark":{"name":7,"timestamp":"410"}}', Mark(name="7")),
        ('{"event":"mark","name":"a"}', Mark(name="a")),
        ('{"event":"clear"}', Clear()),
        ('{"event":"stop"}', Stop()),
        ('{"event":"stop","reason":"stopped"}', Stop(reason=StopReason.STOPPED, text="stopped")),
        ('{"event":"closed"}', Stop()),
        ('{"event":"media","media":{"payload":""}}', Media(payload=b"")),
        ('{"event":"media","media":{"payload":"AQI=","track":"inbound"}}', Media(payload=b"\1\2", track="inbound")),
        ('{"event":"silence","duration":"3000"}', Unknown(event="silence")),
        ('{"event":"__"}', Unknown(event="__")),
    ],
)
def test_a_message_is_read_as_what_it_says(text: str, message: Message) -> None:
    assert decode(text) == message


def test_a_real_start_is_read_whole() -> None:
    start = decode(
        written(
            event="start",
            sequence_number="1",
            stream_sid=SID,
            start={
                "stream_sid": SID,
                "call_sid": "c0ffee18bl",
                "account_sid": "acme1",
                "from": "00000000105",
                "to": "00000000319",
                "custom_parameters": {"queue-Name": "premium"},
                "media_format": {"encoding": "base64", "sample_rate": "8000", "bit_rate": "128kbps"},
            },
        )
    )

    assert start == Start(
        stream_sid=SID,
        call_sid="c0ffee18bl",
        account_sid="acme1",
        caller="00000000105",
        called="00000000319",
        parameters={"queue-Name": "premium"},
        media_format=MediaFormat(encoding="base64", sample_rate=8000, bit_rate="128kbps"),
        sequence_number=1,
    )


@pytest.mark.parametrize(
    ("spelled", "rate"),
    [("8000", 8000), (16000, 16000), ("8000Hz", 8000), (" 24000 Hz", 24000), ("", None), (None, None), ("fast", None),
     (-8000, None), (True, None), ([8000], None)],
)  # fmt: skip
def test_a_rate_is_read_from_its_digits(spelled: object, rate: int | None) -> None:
    body = {"stream_sid": "s", "call_sid": "c", "media_format": {"sample_rate": spelled}}
    start = decode(written(event="start", start=body))

    assert isinstance(start, Start)
    assert start.media_format.sample_rate == rate


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (0, 0),
        ("7", 7),
        ("007", 7),
        (10**15 - 1, 10**15 - 1),
        (10**15, None),
        (2**70, None),
        (-1, None),
        (2.0, None),
        (True, None),
        ("-1", None),
        ("1.5", None),
        ("9" * 16, None),
        ("٣", None),
        ("", None),
        (None, None),
        ([], None),
    ],
)
def test_a_counter_is_a_small_number_or_nothing(value: object, count: int | None) -> None:
    media = decode(written(event="media", sequence_number=value, media={"chunk": value, "payload": ""}))

    assert media == Media(payload=b"", sequence_number=count, chunk=count)


@pytest.mark.parametrize(
    ("reason", "meaning"),
    [
        ("stopped", StopReason.STOPPED),
        ("callended", StopReason.CALL_ENDED),
        ("canceled or call ended", StopReason.CALL_ENDED),
        ("caller_hangup", StopReason.HANGUP),
        ("Hang-Up", StopReason.HANGUP),
        ("hangup", StopReason.HANGUP),
        ("", StopReason.OTHER),
        ("not stopped by anybody", StopReason.OTHER),
    ],
)
def test_the_reason_of_a_stop_is_free_text_with_a_meaning(reason: str, meaning: StopReason) -> None:
    stop = decode(written(event="stop", stop={"reason": reason}))

    assert stop == Stop(reason=meaning, text=reason)


def test_the_documented_spelling_wins_over_another() -> None:
    mark = decode('{"streamSid":"camel","stream_sid":"snake","event":"mark","mark":{"Name":"P","name":"s"}}')

    assert mark == Mark(name="s", stream_sid="snake")


def test_a_null_leaves_the_word_to_another_spelling() -> None:
    mark = decode('{"stream_sid":null,"streamSid":"camel","event":"mark","mark":{"name":null,"Name":"p"}}')

    assert mark == Mark(name="p", stream_sid="camel")


def test_of_doubled_members_the_last_one_counts() -> None:
    mark = decode('{"event":"clear","event":"mark","mark":{"name":"a","name":"b"}}')

    assert mark == Mark(name="b")


def test_custom_parameters_are_text_whatever_their_type() -> None:
    custom = {"word": "w", "yes": True, "n": 7, "f": 1.5, "null": None, "list": [1], "object": {}}
    start = decode(written(event="start", start={"stream_sid": "s", "call_sid": "c", "custom_parameters": custom}))

    assert isinstance(start, Start)
    assert start.parameters == {"word": "w", "yes": "true", "n": "7", "f": "1.5"}


@pytest.mark.parametrize("custom", [None, "a=b", ["a"], 5])
def test_custom_parameters_that_are_no_object_are_none(custom: object) -> None:
    start = decode(written(event="start", start={"stream_sid": "s", "call_sid": "c", "custom_parameters": custom}))

    assert start == Start(stream_sid="s", call_sid="c")


@pytest.mark.parametrize(
    ("custom", "read"),
    [
        ({str(n): "" for n in range(MOST_PARAMETERS)}, MOST_PARAMETERS),
        ({str(n): "" for n in range(MOST_PARAMETERS + 1)}, None),
        ({"k": "v" * (PARAMETERS_SIZE - 1)}, 1),
        ({"k": "v" * PARAMETERS_SIZE}, None),
        ({str(n): str(n) for n in range(5000)}, None),
    ],
)
def test_custom_parameters_have_a_limit(custom: dict[str, str], read: int | None) -> None:
    text = written(event="start", start={"stream_sid": "s", "call_sid": "c", "custom_parameters": custom})
    result = outcome(decode, text)

    assert (len(result.parameters) if isinstance(result, Start) else None) == read


@pytest.mark.parametrize("sid", ["../../etc/passwd", "a b", "a\n", "\x00", "é", "s" * 129, "a/b", "a.b", "%2e"])
@pytest.mark.parametrize("which", ["stream_sid", "call_sid"])
def test_a_start_whose_identifier_is_none_is_refused(which: str, sid: str) -> None:
    members = {"stream_sid": "s", "call_sid": "c", which: sid}

    with pytest.raises(MalformedMessage, match=f"{which} is no identifier"):
        decode(written(event="start", start=members))


@pytest.mark.parametrize("body", [{}, {"stream_sid": "s"}, {"stream_sid": "", "call_sid": "c"}, None])
def test_a_start_without_its_identifiers_is_no_start(body: object) -> None:
    with pytest.raises(MalformedMessage, match="start without stream_sid or call_sid"):
        decode(written(event="start", start=body))


def test_the_name_of_an_unknown_event_is_safe_to_print() -> None:
    message = decode('{"event":"a\\r\\nb\\u0000\\u001b[31m\\u202e' + "x" * 100 + '"}')

    assert message == Unknown(event="a??b??[31m?" + "x" * 53)


def test_the_limits_are_the_documented_ones() -> None:
    limits = (LARGEST_MESSAGE, MOST_PARAMETERS, PARAMETERS_SIZE)

    assert limits == (262_144, 64, 4_096)


def test_a_message_of_the_largest_size_is_read() -> None:
    room = LARGEST_MESSAGE - len('{"event":"mark","mark":{"name":""}}')
    text = written(event="mark", mark={"name": "n" * room})

    assert (len(text), decode(text)) == (LARGEST_MESSAGE, Mark(name="n" * room))


# Rubbish: one error, whatever comes (R31).

DEEP = 100_000

MALFORMED = {
    "empty": "",
    "blank": "  ",
    "words": "hello",
    "half": '{"event":"media"',
    "two": '{"event":"clear"}{"event":"clear"}',
    "null": "null",
    "number": "5",
    "string": '"event"',
    "array": '[{"event":"clear"}]',
    "no event": "{}",
    "null event": '{"event":null}',
    "numeric event": '{"event":5}',
    "empty event": '{"event":""}',
    "object event": '{"event":{}}',
    "deep array": "[" * DEEP,
    "deep array, closed": "[" * DEEP + "]" * DEEP,
    "deep object": '{"a":' * DEEP,
    "deep in media": '{"event":"media","media":{"payload":' + "[" * DEEP,
    "deep beside media": '{"x":' + "[" * DEEP + "]" * DEEP + ',"event":"media","media":{"payload":""}}',
    "huge integer": '{"event":"clear","x":' + "9" * 5000 + "}",
    "huge counter": '{"event":"clear","sequence_number":' + "9" * 5000 + "}",
    "NaN": '{"event":"clear","x":NaN}',
    "infinity": '{"event":"clear","x":-Infinity}',
    "1e999": '{"event":"clear","x":1e999}',
    "lone surrogate, escaped": '{"event":"mark","mark":{"name":"\\ud800"}}',
    "lone surrogate": '{"event":"mark","mark":{"name":"\ud800"}}',
    "raw NUL": '{"event":"mark","mark":{"name":"\x00"}}',
    "raw line feed": '{"event":"mark","mark":{"name":"\r\n"}}',
    "raw escape": '{"event":"mark","mark":{"name":"\x1b[31m"}}',
    "byte order mark": '\ufeff{"event":"clear"}',
    "no body": '{"event":"media"}',
    "null body": '{"event":"media","media":null}',
    "body is text": '{"event":"media","media":"AAA="}',
    "no payload": '{"event":"media","media":{}}',
    "null payload": '{"event":"media","media":{"payload":null}}',
    "numeric payload": '{"event":"media","media":{"payload":5}}',
    "payload is a list": '{"event":"media","media":{"payload":["AAA="]}}',
    "payload no base64": '{"event":"media","media":{"payload":"!!!!"}}',
    "payload unpadded": '{"event":"media","media":{"payload":"AQI"}}',
    "payload url-safe": '{"event":"media","media":{"payload":"-_-_"}}',
    "payload with a line feed": '{"event":"media","media":{"payload":"AQIC\\nAQIC"}}',
    "payload goes on after its end": '{"event":"media","media":{"payload":"AQI=AQI="}}',
    "payload not ASCII": '{"event":"media","media":{"payload":"é"}}',
    "fast payload no base64": '{"event":"media","stream_sid":"s","sequence_number":"2",'
    '"media":{"chunk":"1","timestamp":"0","payload":"!!!!"}}',
    "no digit": '{"event":"dtmf","dtmf":{}}',
    "two digits": '{"event":"dtmf","dtmf":{"digit":"12"}}',
    "ten": '{"event":"dtmf","dtmf":{"digit":10}}',
    "no key": '{"event":"dtmf","dtmf":{"digit":"A"}}',
    "wide digit": '{"event":"dtmf","dtmf":{"digit":"\uff15"}}',
    "digit is true": '{"event":"dtmf","dtmf":{"digit":true}}',
    "digit is a list": '{"event":"dtmf","dtmf":{"digit":["5"]}}',
    "no name": '{"event":"mark","mark":{}}',
    "empty name": '{"event":"mark","mark":{"name":""}}',
    "name is an object": '{"event":"mark","mark":{"name":{}}}',
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_no_message_is_refused(text: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        decode(text)

    assert caught.value.size == len(text)


@pytest.mark.parametrize("frame", [b"\xff\xfe", b'{"event":"\xff"}', b"\x00" * 320, b'{"event":"clear","x":"\xc3"}'])
def test_a_binary_frame_that_is_no_json_is_refused(frame: bytes) -> None:
    with pytest.raises(MalformedMessage) as caught:
        decode(frame)

    assert caught.value.size == len(frame)


def read(text: str | bytes) -> None:
    """Read anything: a message or the one error; whatever else comes out fails the test."""
    try:
        message = decode(text)
    except MalformedMessage:
        return
    assert isinstance(message, Message)


@given(st.binary())
@example(b"[" * DEEP)
def test_any_bytes_give_a_message_or_the_one_error(frame: bytes) -> None:
    read(frame)


@given(st.text(st.characters(categories=None)))  # lone surrogates too
@example("\ud800")
def test_any_text_gives_a_message_or_the_one_error(text: str) -> None:
    read(text)


@given(wire.mutated(SHORT_LINES))
def test_a_broken_message_gives_a_message_or_the_one_error(text: str) -> None:
    read(text)


@given(wire.mutated(vector_lines()[:20]))
def test_broken_audio_gives_a_message_or_the_one_error(text: str) -> None:
    read(text.encode(errors="surrogatepass"))


EVENTS = ["connected", "start", "media", "dtmf", "mark", "clear", "stop", "closed"]
TOP = ["stream_sid", "sequence_number", "digit", "name", "custom_parameters"]
BODY = ["stream_sid", "call_sid", "payload", "chunk", "timestamp", "track", "digit", "duration", "name", "reason"]
START = ["media_format", "custom_parameters", "from", "to", "account_sid"]


@given(
    st.sampled_from(EVENTS),
    st.dictionaries(st.sampled_from(TOP), wire.json_values),
    st.dictionaries(st.sampled_from(BODY + START), wire.json_values) | wire.json_values,
)
def test_any_type_in_any_field_gives_a_message_or_the_one_error(event: str, top: wire.Json, body: object) -> None:
    read(json.dumps({"event": event, **top, event: body}))


# What an error tells: never the message itself, which may be personal.

CANARY = "4929000000001234"

PLANTED = [
    CANARY,
    f'"{CANARY}"',
    f'{{"{CANARY}":1}}',
    f'{{"event":"media","media":{{"payload":"{CANARY}!"}}}}',
    f'{{"event":"media","media":{{"payload":"{CANARY}é"}}}}',
    f'{{"event":"media","stream_sid":"s","media":{{"payload":"{CANARY}é","chunk":"1","timestamp":"0"}},"sequence_number":1}}',
    f'{{"event":"media","media":{{"payload":["{CANARY}"]}}}}',
    f'{{"event":"dtmf","dtmf":{{"digit":"{CANARY}"}}}}',
    f'{{"event":"start","start":{{"stream_sid":"{CANARY}/","call_sid":"c"}}}}',
    f'{{"event":"start","start":{{"from":"{CANARY}"}}}}',
    f'{{"event":"mark","mark":{{"name":"\ud800{CANARY}"}}}}',
    f'{{"event":"mark","mark":{{"name":"\\ud800{CANARY}"}}}}',
    f'{{"event":"{CANARY}',
    written(event="start", start={"stream_sid": "s", "call_sid": "c", "custom_parameters": {CANARY: "x" * 5000}}),
]


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Give an error and all that a crash reporter would find behind it."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("number", range(len(PLANTED)))
def test_an_error_never_holds_the_message(number: int, binary: bool) -> None:
    frame = PLANTED[number].encode(errors="surrogatepass") if binary else PLANTED[number]
    with pytest.raises(MalformedMessage) as caught:
        decode(frame)

    told = "".join(traceback.format_exception_only(caught.value))
    behind = repr([error.args for error in chain(caught.value)])
    assert CANARY not in told + behind


# Writing.


@given(wire.messages)
def test_what_is_written_is_snake_case_with_string_counters(message: Message) -> None:
    members = json.loads(encode(message))
    body = members.get(members["event"], {})
    counted = [members.get("sequence_number"), body.get("chunk"), body.get("timestamp"), body.get("duration")]

    assert all(value is None or isinstance(value, str) for value in counted)
    assert all(name == name.lower() for name in [*members, *body])


def test_only_the_fields_that_are_set_are_written() -> None:
    texts = [encode(message) for message in (Clear(), Dtmf(digit="5"), Media(payload=b""), Connected())]

    assert texts == [
        '{"event":"clear"}',
        '{"event":"dtmf","dtmf":{"digit":"5"}}',
        '{"event":"media","media":{"payload":""}}',
        '{"event":"connected"}',
    ]


@pytest.mark.parametrize("key", KEYS)
def test_every_key_of_a_telephone_passes(key: str) -> None:
    press = Dtmf(digit=key, stream_sid=SID, duration=0.2, sequence_number=9)

    assert decode(encode(press)) == press


def send(outgoing: Outgoing, message: Outbound) -> str:
    match message:
        case Media():
            return outgoing.media(message.payload)
        case Mark():
            return outgoing.mark(message.name)
        case Clear():
            return outgoing.clear()


def test_a_servers_messages_have_the_strict_form() -> None:
    outgoing = Outgoing(SID, 16_000)
    texts = [outgoing.media(b"\x01" * 3200), outgoing.mark("a"), outgoing.clear(), outgoing.media(b"")]

    data = base64.b64encode(b"\x01" * 3200).decode()
    assert texts == [
        f'{{"event":"media","stream_sid":"{SID}","sequence_number":"1",'
        f'"media":{{"chunk":"1","timestamp":"0","payload":"{data}"}}}}',
        f'{{"event":"mark","stream_sid":"{SID}","sequence_number":"2","mark":{{"name":"a"}}}}',
        f'{{"event":"clear","stream_sid":"{SID}","sequence_number":"3"}}',
        f'{{"event":"media","stream_sid":"{SID}","sequence_number":"4",'
        f'"media":{{"chunk":"2","timestamp":"200","payload":""}}}}',
    ]


def test_counters_can_be_left_out() -> None:
    outgoing = Outgoing(SID, 16_000, counters=False)
    texts = [outgoing.media(b"\x01\x02"), outgoing.mark("a"), outgoing.clear()]

    assert texts == [
        f'{{"event":"media","stream_sid":"{SID}","media":{{"payload":"AQI="}}}}',
        f'{{"event":"mark","stream_sid":"{SID}","mark":{{"name":"a"}}}}',
        f'{{"event":"clear","stream_sid":"{SID}"}}',
    ]


@given(st.lists(st.builds(Media, payload=wire.payloads) | wire.marks | st.builds(Clear)), st.booleans())
def test_a_servers_messages_are_read_back(messages: list[Outbound], counters: bool) -> None:
    outgoing = Outgoing(SID, 16_000, counters=counters)
    read_back = [decode(send(outgoing, message)) for message in messages]

    told = [(type(m), getattr(m, "payload", None), getattr(m, "name", None), m.stream_sid) for m in read_back]  # type: ignore[union-attr]
    assert told == [(type(m), getattr(m, "payload", None), getattr(m, "name", None), SID) for m in messages]


@given(st.lists(st.builds(Media, payload=wire.blocks) | wire.marks | st.builds(Clear)), wire.formats)
def test_a_servers_messages_are_numbered_without_a_gap(messages: list[Outbound], form: AudioFormat) -> None:
    outgoing = Outgoing(SID, form.bytes_per_second)
    sent = [decode(send(outgoing, message)) for message in messages]

    media = [m for m in sent if isinstance(m, Media)]
    begins = [sum(len(m.payload) for m in media[:n]) for n in range(len(media))]
    assert [m.sequence_number for m in sent] == list(range(1, len(sent) + 1))  # type: ignore[union-attr]
    assert [m.chunk for m in media] == list(range(1, len(media) + 1))
    assert [m.timestamp for m in media] == [begin * 1000 // form.bytes_per_second / 1000 for begin in begins]


def test_any_identifier_and_any_mark_name_make_json() -> None:
    outgoing = Outgoing('a"b\\c', 16_000)

    assert decode(outgoing.mark('"}\n\\')) == Mark(name='"}\n\\', stream_sid='a"b\\c', sequence_number=1)
