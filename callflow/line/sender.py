"""Exotel's own messages, pure: numbered, spelled as the profile says, with the rules broken that it names (§5, §6, §9).

No clock and no I/O: time is passed in, in seconds since the call was answered; draws come from a ``Random``.
"""

from __future__ import annotations

from random import Random

import msgspec
from attrs import evolve

from callflow.line.oddities import Oddity, bare
from callflow.line.profile import CONFORMANT, Profile
from callflow.wire.exotel import encode, stop_reason
from callflow.wire.messages import Connected, Dtmf, Mark, Media, Message, Start, Stop

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
        self.next_echo: Oddity | None = None
        """What is odd about the next echo of a mark: it comes twice, or behind the one after it."""
        self._marks_kept: list[str] = []  # echoes held back so that a later one overtakes them (R9)
        self._strict = profile.spelling == "snake" and profile.counters_as != "int"

    def connected(self) -> list[str]:
        if self._profile.begins is Oddity.NO_CONNECTED:
            return []
        text = self.write(Connected())
        return self._random.choice(([], [text, text])) if self._breaks("R1") else [text]

    def start(self) -> list[str]:
        early, twice = self._begins(Oddity.EARLY_MEDIA), self._begins(Oddity.START_TWICE)
        if self._breaks("R2"):
            early = self._random.random() < 0.5
            twice = not early
        before = [self.write(Media(payload=self._silence(), stream_sid=self._start.stream_sid))] if early else []
        return [*before, *(self._write_start() for _ in range(1 + twice))]

    def media(self, payload: bytes, at: float) -> list[str]:
        """Write the next piece of the caller's audio, which ended *at* seconds after the stream began."""
        if self._errs("R7"):
            return [self._write_broken_media(payload, at)]
        return [self.write(self._media(payload, at))]

    def dtmf(self, digit: str, held: float) -> list[str]:
        """Write a key press; *held* is how long, in seconds. A one-way stream tells of none (R13)."""
        if self._profile.one_way and not self._breaks("R13"):
            return []
        return [self.write(Dtmf(digit=digit, duration=held, stream_sid=self._sid(), sequence_number=self._number()))]

    def mark(self, name: str) -> list[str]:
        """Write the echo of a mark, or what the oddity of this echo makes of it."""
        oddity, self.next_echo = self.next_echo, None
        match oddity:
            case Oddity.MARK_AGAIN:
                names = [name, name]
            case Oddity.MARKS_SWAPPED:
                self._marks_kept.append(name)
                return []
            case _ if self._breaks("R9"):
                names = self._disorder(name)
            case _:
                names = [name, *self._marks_kept]
                self._marks_kept.clear()
        if self._breaks("R8"):
            names.append(f"never-sent-{self._random.getrandbits(32):08x}")
        return [self.write(Mark(name=each, stream_sid=self._sid(), sequence_number=self._number())) for each in names]

    def stop(self, *, again: bool = False) -> list[str]:
        """Write the ``stop``; twice where *again* says so."""
        texts = [self._write_stop() for _ in range(1 + again)]
        if self._breaks("R11"):
            texts += [self._write_stop(), self.write(self._media(self._silence(), self._chunk * 0.02))]
        return texts

    def _begins(self, oddity: Oddity) -> bool:
        return self._profile.begins is oddity

    def _write_start(self) -> str:
        if self._begins(Oddity.BARE_START):
            self._number()
            return self.write_bare(self._start)
        return self.write(evolve(self._start, sequence_number=self._number()))

    def _write_stop(self) -> str:
        ids = self._start
        stop = Stop(
            stream_sid=self._sid(),
            call_sid=ids.call_sid,
            account_sid=ids.account_sid,
            reason=stop_reason(self._profile.stop_text),
            text=self._profile.stop_text,
            sequence_number=self._number(),
        )
        return self.write(stop)

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
            return self.write(self._media(payload[:-1], at))
        return self.write(self._media(payload, at)).replace('"payload":"', '"payload":"!', 1)

    # Spelling.

    def write(self, message: Message) -> str:
        """Write any message as the profile spells it; it is not counted."""
        return self._spelled(encode(message))

    def _spelled(self, text: str) -> str:
        if self._strict:
            return text
        return msgspec.json.encode(self._respelled(msgspec.json.decode(text, type=dict[str, object]))).decode()

    def write_bare(self, start: Start) -> str:
        """Write a ``start`` without anything that it can do without."""
        return self._spelled(bare(start))

    def _respelled(self, members: dict[str, object]) -> dict[str, object]:
        return {self._name(key): self._value(key, value) for key, value in members.items()}

    def _name(self, key: str) -> str:
        first, *rest = key.split("_")
        return first + "".join(map(str.capitalize, rest)) if self._profile.spelling == "camel" else key

    def _value(self, key: str, value: object) -> object:
        if isinstance(value, dict):
            return value if key == "custom_parameters" else self._respelled(value)  # those names are the user's
        return int(str(value)) if self._profile.counters_as == "int" and key in _COUNTERS else value
