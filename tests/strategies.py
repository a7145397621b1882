"""Hypothesis strategies for the wire: messages, their spellings on it, and rubbish.

Every message that is drawn is one that ``decode`` can give: times in whole milliseconds, counters of at most 15 digits.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from callflow.wire.audio import LARGEST_CHUNK, RATES, AudioFormat, Coding
from callflow.wire.messages import (
    KEYS,
    Clear,
    Connected,
    Dtmf,
    Mark,
    Media,
    MediaFormat,
    Message,
    Start,
    Stop,
    StopReason,
    Unknown,
)

T = TypeVar("T")
Json = dict[str, Any]

sids = st.text("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-", min_size=1, max_size=128)
words = st.text(max_size=40)
counters = st.none() | st.integers(0, 10**15 - 1)
milliseconds = st.integers(0, 10**15 - 1) | st.integers(0, 60_000)
seconds = milliseconds.map(lambda ms: ms / 1000)
payloads = st.binary(max_size=2000)
blocks = st.integers(1, 12).flatmap(lambda n: st.binary(min_size=320 * n, max_size=320 * n))
parameters = st.dictionaries(words, words, max_size=5)
formats = st.builds(AudioFormat, st.sampled_from(RATES), st.sampled_from(Coding))
chunk_sizes = st.integers(1, LARGEST_CHUNK // 320).map(lambda blocks: blocks * 320)
keys = st.sampled_from(KEYS)

stop_reasons = st.sampled_from(
    [
        (StopReason.STOPPED, "stopped"),
        (StopReason.CALL_ENDED, "callended"),
        (StopReason.CALL_ENDED, "call_ended"),
        (StopReason.CALL_ENDED, "canceled or call ended"),
        (StopReason.HANGUP, "hangup"),
        (StopReason.HANGUP, "caller_hangup"),
        (StopReason.OTHER, ""),
        (StopReason.OTHER, "the flow went on"),
    ]
)
"""A reason and a text that says so (exotel.md §6.7)."""

connected = st.builds(Connected, parameters=parameters)
starts = st.builds(
    Start,
    stream_sid=sids,
    call_sid=sids,
    account_sid=words,
    caller=words,
    called=words,
    parameters=parameters,
    media_format=st.builds(
        MediaFormat,
        encoding=words,
        sample_rate=st.none() | st.sampled_from(RATES) | st.integers(0, 10**9 - 1),
        bit_rate=words,
    ),
    sequence_number=counters,
)
media = st.builds(
    Media,
    payload=payloads,
    stream_sid=st.just("") | sids,
    sequence_number=counters,
    chunk=counters,
    timestamp=st.none() | seconds,
    track=st.sampled_from(["", "inbound", "outbound"]),
)
dtmf = st.builds(
    Dtmf, digit=keys, stream_sid=st.just("") | sids, duration=st.none() | seconds, sequence_number=counters
)
marks = st.builds(Mark, name=st.text(min_size=1, max_size=64), stream_sid=st.just("") | sids, sequence_number=counters)
clears = st.builds(Clear, stream_sid=st.just("") | sids, sequence_number=counters)
stops = st.builds(
    lambda because, **fields: Stop(reason=because[0], text=because[1], **fields),
    stop_reasons,
    stream_sid=st.just("") | sids,
    call_sid=words,
    account_sid=words,
    sequence_number=counters,
)
unknown = st.builds(Unknown, event=st.sampled_from(["silence", "ping", "transfer", "Übergabe", "media.format"]))
messages: SearchStrategy[Message] = connected | starts | media | dtmf | marks | clears | stops | unknown


# Spellings: the same message in any way that exotel.md §20 knows.


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _kebab(name: str) -> str:
    return name.replace("_", "-")


def _squeezed(name: str) -> str:
    return name.replace("_", "")


_styles: SearchStrategy[Callable[[str], str]] = st.sampled_from([str, _camel, _pascal, str.upper, _kebab, _squeezed])
_noise = st.dictionaries(st.sampled_from(["x", "legSid", "protocol", "finished"]), st.none() | st.booleans() | words)


class Draw(Protocol):
    """What Hypothesis hands to a composite strategy."""

    def __call__(self, strategy: SearchStrategy[T]) -> T: ...


class Speller:
    """Writes the members of a message, drawing how each is called, what type it has and where it stands."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.style: Callable[[str], str] = draw(_styles)

    def name(self, name: str) -> str:
        return self.style(name)

    def counter(self, name: str, value: int | None) -> Json:
        """Spell a counter as int, string, null or nothing (D2, D3)."""
        if value is None:
            return self.draw(st.sampled_from([{}, {self.name(name): None}, {self.name(name): "n/a"}]))
        return {self.name(name): self.draw(st.sampled_from([value, str(value)]))}

    def milliseconds(self, name: str, value: float | None) -> Json:
        """Spell a time as int, float, string, null or nothing (D4, D20)."""
        if value is None:
            return self.draw(st.sampled_from([{}, {self.name(name): None}]))
        whole = round(value * 1000)
        return {self.name(name): self.draw(st.sampled_from([whole, float(whole), str(whole)]))}

    def text(self, name: str, value: str) -> Json:
        empty = [{self.name(name): ""}, {self.name(name): None}, {}]
        return {self.name(name): value} if value else self.draw(st.sampled_from(empty))

    def split(self, members: Json) -> tuple[Json, Json]:
        """Put members at the top, in the body, or in both (D5)."""
        places: list[tuple[Json, Json]] = [(members, {}), ({}, members), (members, members)]
        return self.draw(st.sampled_from(places))

    def shuffled(self, members: Json) -> Json:
        members = {**self.draw(_noise), **members}
        return dict(self.draw(st.permutations(list(members.items()))))

    def message(self, event: str, top: Json, body: Json | None) -> str:
        spelled = self.draw(st.sampled_from([event, event.upper(), event.capitalize()]))
        inner = {} if body is None else {self.name(event): self.shuffled(body)}
        whole = self.shuffled({self.name("event"): spelled, **top, **inner})
        return json.dumps(whole, ensure_ascii=self.draw(st.booleans()))


def _spell_start(spell: Speller, start: Start) -> str:
    top, nested = spell.split(spell.text("stream_sid", start.stream_sid))
    call_top, call_nested = spell.split({spell.name("call_sid"): start.call_sid})
    form = start.media_format
    rate: Json = {}
    if form.sample_rate is not None:
        spelled = st.sampled_from([form.sample_rate, str(form.sample_rate), f"{form.sample_rate}Hz"])
        rate = {spell.name("sample_rate"): spell.draw(spelled)}
    inner = {**spell.text("encoding", form.encoding), **rate, **spell.text("bit_rate", form.bit_rate)}
    custom = {spell.name("custom_parameters"): dict(start.parameters)} if start.parameters else {}
    custom_top, custom_nested = spell.split(custom)
    body = {
        **nested,
        **call_nested,
        **custom_nested,
        **spell.text("account_sid", start.account_sid),
        **spell.text("from", start.caller),
        **spell.text("to", start.called),
        **({spell.name("media_format"): inner} if inner else {}),
    }
    numbered = spell.counter("sequence_number", start.sequence_number)
    return spell.message("start", {**top, **call_top, **custom_top, **numbered}, body)


def _spell_media(spell: Speller, heard: Media) -> str:
    top, nested = spell.split(spell.text("stream_sid", heard.stream_sid))
    body = {
        **nested,
        **spell.counter("chunk", heard.chunk),
        **spell.milliseconds("timestamp", heard.timestamp),
        **spell.text("track", heard.track),
        spell.name("payload"): base64.b64encode(heard.payload).decode(),
    }
    return spell.message("media", {**top, **spell.counter("sequence_number", heard.sequence_number)}, body)


def _spell_dtmf(spell: Speller, press: Dtmf) -> str:
    top, nested = spell.split(spell.text("stream_sid", press.stream_sid))
    digit = spell.draw(st.sampled_from([press.digit, int(press.digit)])) if press.digit.isdigit() else press.digit
    key = {spell.name("digit"): digit, **spell.milliseconds("duration", press.duration)}
    numbered = spell.counter("sequence_number", press.sequence_number)
    if spell.draw(st.booleans()):  # the flat form of the Beta page (D20)
        return spell.message("dtmf", {**top, **nested, **key, **numbered}, None)
    return spell.message("dtmf", {**top, **numbered}, {**nested, **key})


def _spell_mark(spell: Speller, mark: Mark) -> str:
    top, nested = spell.split(spell.text("stream_sid", mark.stream_sid))
    named_top, named = spell.split({spell.name("name"): mark.name})
    numbered = spell.counter("sequence_number", mark.sequence_number)
    return spell.message("mark", {**top, **named_top, **numbered}, {**nested, **named})


def _spell_clear(spell: Speller, clear: Clear) -> str:
    numbered = spell.counter("sequence_number", clear.sequence_number)
    return spell.message("clear", {**spell.text("stream_sid", clear.stream_sid), **numbered}, None)


def _spell_stop(spell: Speller, stop: Stop) -> str:
    top, nested = spell.split(spell.text("stream_sid", stop.stream_sid))
    body = {
        **nested,
        **spell.text("call_sid", stop.call_sid),
        **spell.text("account_sid", stop.account_sid),
        **spell.text("reason", stop.text),
    }
    return spell.message("stop", {**top, **spell.counter("sequence_number", stop.sequence_number)}, body)


def _spell_connected(spell: Speller, first: Connected) -> str:
    custom = {spell.name("custom_parameters"): dict(first.parameters)} if first.parameters else {}
    top, nested = spell.split(custom)
    return spell.message("connected", top, nested or None)


_SPELLERS: dict[type, Callable[[Speller, Any], str]] = {
    Connected: _spell_connected,
    Start: _spell_start,
    Media: _spell_media,
    Dtmf: _spell_dtmf,
    Mark: _spell_mark,
    Clear: _spell_clear,
    Stop: _spell_stop,
}


@st.composite
def spelled(draw: Draw, drawn: SearchStrategy[Message]) -> tuple[Message, str]:
    """Draw a message and one of its spellings on the wire."""
    message = draw(drawn)
    return message, _SPELLERS[type(message)](Speller(draw), message)


# Rubbish.


@st.composite
def mutated(draw: Draw, lines: Sequence[str]) -> str:
    """Draw a line and break it: cut out, put in, doubled, or joined with another one."""
    line: str = draw(st.sampled_from(lines))
    for _ in range(draw(st.integers(1, 4))):
        begin, end = sorted((draw(st.integers(0, len(line))), draw(st.integers(0, len(line)))))
        other: str = draw(st.sampled_from(lines))
        middle = draw(st.sampled_from(["", line[begin:end] * 2, other[begin:end]]) | st.text(max_size=8) | _hostile)
        line = line[:begin] + middle + line[end:]
    return line


_hostile = st.sampled_from(
    ["null", "NaN", "1e999", "-1", "9" * 40, "true", "[]", "{}", '"', '"\\ud800"', "\\u0000", "\r\n", "\x1b[31m"]
)

json_values: SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
"""Anything that a JSON member may hold."""
