"""Exotel's side of one stream, pure: what the line hears of what we send, and the messages that come back.

``Playout`` is the buffer that Exotel plays from (exotel.md §6.5, §7.3, §8); ``Sender`` numbers and writes Exotel's own
messages (§5, §6) and breaks the rules that the profile names; ``PassthruRequest`` is what Exotel asks by HTTP (§12).
No clock and no I/O: time is passed in, in seconds since the call was answered; draws come from a ``Random``.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from random import Random
from typing import Literal, assert_never

import msgspec
from attrs import define, evolve, frozen

from callflow.line.profile import CONFORMANT, Profile
from callflow.wire.audio import BLOCK, AudioFormat
from callflow.wire.exotel import encode
from callflow.wire.messages import Connected, Dtmf, Mark, Media, Message, Start, Stop

# Playing.

_SAME = 1e-6
"""Seconds. Moments closer than this are one: sums of floats differ in their last bits."""


@frozen
class Segment:
    """A stretch of audio at the line: one message, or as much of it as there was."""

    start: float
    """When it began, in seconds since the call was answered."""
    audio: bytes
    """In the line's own coding."""
    seconds: float

    @property
    def end(self) -> float:
        return self.start + self.seconds


@frozen
class Played:
    """A message was played to its end."""

    at: float
    segment: Segment


@frozen
class MarkDue:
    """A mark is to be echoed."""

    at: float
    name: str
    cleared: bool = False
    """Whether a ``clear`` threw away audio that it was to report on."""


@define(eq=False)
class _PendingMark:
    name: str
    after: int
    """How many messages come before it, counted from the stream's begin."""
    due_at: float = math.inf
    cleared: bool = False


@define(eq=False)
class _Playing:
    """The message that was picked up."""

    payload: bytes
    start: float
    ends_at: float
    heard_bytes: int = 0
    """How much of it stands in ``Playout.heard`` already."""


class Playout:
    """The buffer that Exotel plays from.

    Whole messages are played in order. One is *picked up* when its playing begins; ``clear`` throws away those that
    were not, and the one that was plays to its end. A message whose length is no multiple of 320 bytes still takes the
    time of one, so a gap is heard (exotel.md §8). A mark is due when the audio before it was played; what becomes of
    marks whose audio was thrown away is the profile's. Marks are due in the order in which they came (R9).

    Times given to one ``Playout`` never decrease.
    """

    def __init__(self, form: AudioFormat, profile: Profile = CONFORMANT) -> None:
        self.form = form
        self.heard: list[Segment] = []
        """What the line really heard, in order; where nothing played there is nothing. The last may still grow."""
        self.underruns = 0
        """How often the buffer ran dry inside a stretch of audio: no mark and no clear stood where it did."""
        self.queued_bytes = 0
        self.heard_bytes = 0
        self.cleared_bytes = 0
        self._profile = profile
        self._waiting: deque[bytes] = deque()
        self._playing: _Playing | None = None
        self._marks: deque[_PendingMark] = deque()
        self._facts: list[Played | MarkDue] = []
        self._arrived = 0  # messages, without those that were thrown away
        self._finished = 0  # messages played to their end
        self._ended_at = 0.0  # when the last message did
        self._unbroken = False  # whether audio came and neither a mark nor a clear after it

    @property
    def waiting_bytes(self) -> int:
        """Bytes that will be heard if nothing clears them."""
        return self.queued_bytes - self.heard_bytes - self.cleared_bytes

    def media(self, payload: bytes, at: float) -> None:
        """Take a message's audio; it is picked up at once if nothing else plays. Half a sample is no sound."""
        self._run(at)
        audio = payload[: len(payload) - len(payload) % self.form.sample_bytes]
        if not audio:
            return
        self.queued_bytes += len(audio)
        self._arrived += 1
        self._waiting.append(audio)
        if self._playing is None:
            self.underruns += self._unbroken and at > self._ended_at + _SAME
            self._pick_up(at)
        self._unbroken = True

    def mark(self, name: str, at: float) -> None:
        """Take a mark; it is due when what came before it was played, at once if nothing plays."""
        self._run(at)
        self._unbroken = False
        due = "R10" in self._profile.breaks or self._arrived == self._finished
        self._marks.append(_PendingMark(name, self._arrived, at if due else math.inf))
        self._run(at)

    def clear(self, at: float) -> None:
        """Throw away what was not picked up."""
        self._run(at)
        self._unbroken = False
        self.cleared_bytes += sum(map(len, self._waiting))
        self._arrived -= len(self._waiting)
        self._waiting.clear()
        self._settle_cleared_marks(at)
        self._run(at)

    def _settle_cleared_marks(self, at: float) -> None:
        for pending in [pending for pending in self._marks if pending.after > self._arrived]:
            pending.after = self._arrived
            pending.cleared = True
            match self._profile.echoes_cleared_marks:
                case "at once":
                    pending.due_at = at
                case "late":
                    pending.due_at = at + self._profile.late_by
                case "never":
                    self._marks.remove(pending)

    def advance(self, to: float) -> list[Played | MarkDue]:
        """Play until *to*; return what happened since the last call, in order. Its driver echoes the marks."""
        self._run(to)
        facts, self._facts = self._facts, []
        return facts

    def next_event_at(self) -> float:
        """Say when ``advance`` is needed next; infinity if nothing can happen by itself, the past if facts wait."""
        return self._facts[0].at if self._facts else self._next_step_at()

    def speaking(self, at: float) -> bool:
        """Say whether audio plays at *at*, a moment not later than the last one given."""
        return self.silent_since(at) is None

    def silent_since(self, at: float) -> float | None:
        """Say when the last audio before *at* ended: 0.0 if there was none, None if audio plays at *at*."""
        if self._playing is not None and self._playing.start <= at:
            return None
        for segment in reversed(self.heard):
            if segment.end <= at + _SAME:
                return segment.end
            if segment.start <= at:
                return None
        return 0.0

    # What happens by itself, in the order of time.

    def _next_step_at(self) -> float:
        playing_ends = self._playing.ends_at if self._playing else math.inf
        return min(playing_ends, self._marks[0].due_at if self._marks else math.inf)

    def _run(self, to: float) -> None:
        while (at := self._next_step_at()) <= to + _SAME:
            if self._playing is not None and self._playing.ends_at <= at:
                self._finish(self._playing)
            else:
                self._echo(at)
        if self._playing is not None:
            self._hear(self._playing, to)

    def _pick_up(self, at: float) -> None:
        payload = self._waiting.popleft()
        whole = len(payload) + -len(payload) % BLOCK
        self._playing = _Playing(payload, at, at + self.form.seconds(whole))

    def _hear(self, playing: _Playing, to: float) -> None:
        samples = int((to + _SAME - playing.start) * self.form.rate)
        size = min(len(playing.payload), samples * self.form.sample_bytes)
        if size <= playing.heard_bytes:
            return
        if playing.heard_bytes:
            self.heard.pop()
        self.heard.append(Segment(playing.start, playing.payload[:size], self.form.seconds(size)))
        self.heard_bytes += size - playing.heard_bytes
        playing.heard_bytes = size

    def _finish(self, playing: _Playing) -> None:
        self._hear(playing, playing.ends_at)
        self._facts.append(Played(playing.ends_at, self.heard[-1]))
        self._playing = None
        self._finished += 1
        for pending in self._marks:
            if pending.after <= self._finished and pending.due_at == math.inf:
                pending.due_at = playing.ends_at
        self._ended_at = playing.ends_at
        if self._waiting:
            self._pick_up(playing.ends_at)

    def _echo(self, at: float) -> None:
        pending = self._marks.popleft()
        self._facts.append(MarkDue(at, pending.name, pending.cleared))
        if self._marks:  # never before an earlier one
            self._marks[0].due_at = max(self._marks[0].due_at, at)


# Sending.

_ODDS = 8
"""A rule that is broken at drawn moments is broken about once in so many messages."""

_COUNTERS = frozenset({"sequence_number", "chunk", "timestamp", "duration", "sample_rate"})
"""Fields that were seen both as numbers and as strings (exotel.md §5, §6; D2–D4, D10, D20)."""


class Sender:
    """Numbers and writes one stream's messages, as the profile says; in the order in which its methods are called.

    Each method returns the text frames to send, in order: one, or what a broken rule makes of it.

    Args:
        start: The stream's ids, numbers and parameters; its media format and its number are the profile's.
        profile: Spelling, types, format, and the rules to break.
        random: Source of what is drawn; a conformant sender draws nothing.
    """

    def __init__(self, start: Start, profile: Profile = CONFORMANT, random: Random | None = None) -> None:
        self._start = evolve(start, media_format=profile.media_format)
        self._profile = profile
        self._random = random or Random(0)
        self._sequence = 0
        self._chunk = 0
        self._marks_kept: list[str] = []  # echoes held back so that a later one overtakes them (R9)
        self._strict = profile.spelling == "snake" and profile.counters_as != "int"

    def connected(self) -> list[str]:
        text = self._write(Connected())
        return self._random.choice(([], [text, text])) if self._breaks("R1") else [text]

    def start(self) -> list[str]:
        early = self._breaks("R2") and self._random.random() < 0.5
        before = [encode(Media(payload=self._silence(), stream_sid=self._start.stream_sid))] if early else []
        texts = [*before, self._write_start()]
        return [*texts, self._write_start()] if self._breaks("R2") and not early else texts

    def media(self, payload: bytes, at: float) -> list[str]:
        """Write the next piece of the caller's audio, which ended *at* seconds after the stream began."""
        if self._errs("R7"):
            return [self._write_broken_media(payload, at)]
        return [self._write(self._media(payload, at))]

    def dtmf(self, digit: str, held: float) -> list[str]:
        """Write a key press; *held* is how long, in seconds."""
        return [self._write(Dtmf(digit=digit, duration=held, stream_sid=self._sid(), sequence_number=self._number()))]

    def mark(self, name: str) -> list[str]:
        """Write the echo of a mark."""
        names = self._disorder(name) if self._breaks("R9") else [name]
        if self._breaks("R8"):
            names.append(f"never-sent-{self._random.getrandbits(32):08x}")
        return [self._write(Mark(name=each, stream_sid=self._sid(), sequence_number=self._number())) for each in names]

    def stop(self) -> list[str]:
        texts = [self._write_stop()]
        if self._breaks("R11"):
            texts += [self._write_stop(), self._write(self._media(self._silence(), self._chunk * 0.02))]
        return texts

    def _write_start(self) -> str:
        return self._write(evolve(self._start, sequence_number=self._number()))

    def _write_stop(self) -> str:
        ids = self._start
        stop = Stop(
            stream_sid=self._sid(),
            call_sid=ids.call_sid,
            account_sid=ids.account_sid,
            text=self._profile.stop_text,
            sequence_number=self._number(),
        )
        return self._write(stop)

    def _media(self, payload: bytes, at: float) -> Media:
        number = self._number()
        self._chunk = self._counted(self._chunk, "R5")
        moment = max(0.0, at - self._random.uniform(0.1, 2.0)) if self._errs("R6") else at
        counted = self._profile.counters_as != "absent"
        return Media(
            payload=payload,
            stream_sid=self._sid(),
            sequence_number=number,
            chunk=self._chunk if counted else None,
            timestamp=moment if counted else None,
        )

    def _silence(self) -> bytes:
        form = self._profile.form
        return form.silence(form.size(self._profile.frame_seconds))

    def _number(self) -> int | None:
        self._sequence = self._counted(self._sequence, "R4")
        return None if self._profile.counters_as == "absent" else self._sequence

    def _sid(self) -> str:
        return "foreign" + self._start.stream_sid[7:] if self._errs("R3") else self._start.stream_sid

    # Breaking rules on purpose.

    def _breaks(self, rule: str) -> bool:
        return rule in self._profile.breaks

    def _errs(self, rule: str) -> bool:
        """Whether a rule that is broken now and then is broken now."""
        return rule in self._profile.breaks and self._random.randrange(_ODDS) == 0

    def _counted(self, counter: int, rule: str) -> int:
        if counter and self._errs(rule):
            return self._random.choice((counter, counter + 2, counter + 50, max(1, counter - 1)))
        return counter + 1

    def _disorder(self, name: str) -> list[str]:
        """Send an echo twice, or keep it until the next one has overtaken it."""
        if self._marks_kept:
            return [name, self._marks_kept.pop()]
        if self._random.random() < 0.5:
            return [name, name]
        self._marks_kept.append(name)
        return []

    def _write_broken_media(self, payload: bytes, at: float) -> str:
        if self._random.random() < 0.5:
            return self._write(self._media(payload[:-1], at))
        return self._write(self._media(payload, at)).replace('"payload":"', '"payload":"!', 1)

    # Spelling.

    def _write(self, message: Message) -> str:
        text = encode(message)
        if self._strict:
            return text
        return msgspec.json.encode(self._respelled(msgspec.json.decode(text, type=dict[str, object]))).decode()

    def _respelled(self, members: dict[str, object]) -> dict[str, object]:
        return {self._name(key): self._value(key, value) for key, value in members.items()}

    def _name(self, key: str) -> str:
        first, *rest = key.split("_")
        return first + "".join(map(str.capitalize, rest)) if self._profile.spelling == "camel" else key

    def _value(self, key: str, value: object) -> object:
        if isinstance(value, dict):
            return value if key == "custom_parameters" else self._respelled(value)  # those names are the user's
        return int(str(value)) if self._profile.counters_as == "int" and key in _COUNTERS else value


# Asking by HTTP.

EndedBy = Literal["caller", "server", "network"]
"""Who ended a stream; ``network`` is a connection that went without a close frame."""


@frozen(kw_only=True)
class StreamRecord:
    """What Exotel knows of a stream: of one to come its id and URL, afterwards also how it ended (exotel.md §12.1)."""

    stream_sid: str = ""
    url: str = ""
    ended_by: EndedBy = "network"
    duration: float = 0.0
    """Seconds."""
    recording_url: str = ""
    detailed_status: str = ""
    """Such as ``Streaming_call_throttled``."""

    def fields(self) -> dict[str, str]:
        """Write it under the names in wide use; what is empty is absent."""
        status, by, error = self._outcome()
        every = {
            "StreamSID": self.stream_sid,
            "Status": status,
            "Duration": str(round(self.duration)),
            "StreamUrl": self.url,
            "DisconnectedBy": by,
            "RecordingUrl": self.recording_url,
            "Error": error,
            "DetailedStatus": self.detailed_status,
        }
        return {name: value for name, value in every.items() if value}

    def _outcome(self) -> tuple[str, str, str]:
        match self.ended_by:
            case "caller":
                return "cancelled", "user", ""
            case "server":
                return "completed", "bot", ""
            case "network":
                return "failed", "NA", "3009 failed to establish ws conn"
            case _:
                assert_never(self.ended_by)


_ENDERS: Mapping[EndedBy, str] = {"caller": "caller", "server": "bot", "network": "system"}
"""Who disconnected, in the words of the page that describes a JSON body after the stream (D29)."""


@frozen(kw_only=True)
class PassthruRequest:
    """What a Passthru tells, in the forms of Exotel's pages; they do not agree (exotel.md §12)."""

    call_sid: str
    caller: str
    called: str
    before: bool
    """Whether the stream is still to come."""
    stream: StreamRecord | None = None

    def fields(self) -> dict[str, str]:
        """Write the form in wide use, for a query or a form body (§12.1)."""
        call = {
            "CallSid": self.call_sid,
            "CallFrom": self.caller,
            "From": self.caller,
            "CallTo": self.called,
            "To": self.called,
            "Direction": "incoming",
            "CallType": "call-attempt" if self.before else "completed",
        }
        if self.before or self.stream is None:
            return call
        return call | {f"Stream[{name}]": value for name, value in self.stream.fields().items()}

    def document(self) -> dict[str, str]:
        """Write the object of the pages that describe a JSON body: one before the stream, one after it (§12.3)."""
        stream = self.stream or StreamRecord()
        if not self.before:
            told = {name.lower(): value for name, value in stream.fields().items()}
            return {"callsid": self.call_sid, **told, "disconnectedby": _ENDERS[stream.ended_by]}
        return {
            "CallSid": self.call_sid,
            "StreamSid": stream.stream_sid,
            "StreamUrl": stream.url,
            "EventType": "stream-start",
            "From": self.caller,
            "To": self.called,
            "Direction": "inbound",
        }
