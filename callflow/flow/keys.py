"""Keys and their timers: the specification of what a caller's key presses mean to a question.

Everything here is pure. Moments are passed in as seconds of any one monotonic clock, so that a test, a replay and a
call give the same answers. ``docs/reference/keys-and-timers.md`` says the same for users, with the reasons.
"""

from __future__ import annotations

import enum
import math
from collections import deque
from collections.abc import Iterable
from typing import Literal, TypeAlias, assert_never, get_args

from attrs import Attribute, define, evolve, field, frozen

from callflow.flow.prompts import Prompt
from callflow.flow.secret import mask
from callflow.wire.messages import KEYS

LATE_TERMINATOR = 0.5
"""Seconds after an entry that completed without its terminator in which that terminator is still swallowed (L8)."""

TYPE_AHEAD = 32
"""Most keys that are kept until a state asks for them (L8)."""

FailedName: TypeAlias = Literal["no input", "no match", "too short", "too long", "gave up"]
"""Why a question was not answered.

``no input``: no key came. ``no match``: a key that fits nothing. ``too short``: the entry ended with fewer digits than
asked for. ``too long``: the entry took longer than ``total``. ``gave up``: never said by the collector; for states that
end a question for a reason of their own.
"""

TypeAheadPolicy: TypeAlias = Literal["keep", "drop"]
"""What becomes of keys that were not asked for: kept for the next state that takes keys, or dropped and counted."""


@frozen
class Complete:
    """The entry is whole."""

    digits: str = field(repr=mask)
    """What was keyed, without the terminator. Shown as dots, because the collector does not know what is secret."""


def _known_name(failed: object, attribute: Attribute[str], name: str) -> None:
    if name not in get_args(FailedName):
        raise ValueError(f"{name!r} is no name of a failure; the names are {', '.join(get_args(FailedName))}")


@frozen(kw_only=True)
class Failed:
    """The question was not answered. Holds how many digits there were, never which."""

    name: FailedName = field(validator=_known_name)
    digits_seen: int = 0
    """Digits taken into the entry; neither a terminator nor a key that did not fit is one."""
    tries: int = 1
    """Attempts that failed so far, this one included."""


@frozen
class Again:
    """What a handler of a question returns to ask again: the answer counts as a failed attempt.

    When that was the last try, ``on_failed`` follows in its place. A handler says that it may do so in its annotation:
    ``-> Balance | Again``.
    """

    name: FailedName = field(default="no match", validator=_known_name)
    """How the attempt failed; what is said before asking again goes by it."""


Outcome: TypeAlias = Complete | Failed


def _key_set(keys: Iterable[str] | None) -> frozenset[str] | None:
    return None if keys is None else frozenset(keys)


def _bounded(entry: Entry, attribute: Attribute[float], seconds: float) -> None:
    if not 0 < seconds < math.inf:
        raise ValueError(f"{attribute.name} is a number of seconds greater than zero, not {seconds!r}")


@frozen(kw_only=True)
class Entry:
    """What a question takes: how many digits, from which keys, and how long it waits for them.

    Raises:
        ValueError: The lengths, keys or waits contradict each other. The message names the fields and the cure.
    """

    least: int = 1
    """Fewest digits of a whole entry. 0 (with a terminator) lets the terminator alone be an answer."""
    most: int = 1
    """The entry completes the instant it has this many digits."""
    finish: str = ""
    """Keys that end an entry early, such as ``"#"``; they are never part of it."""
    allowed: frozenset[str] | None = field(default=None, converter=_key_set)
    """Keys that count as digits; None for every key that is no terminator."""
    first_digit: float = field(default=5.0, validator=_bounded)
    """Seconds from the prompt's real end to the first key."""
    between_digits: float = field(default=3.0, validator=_bounded)
    """Seconds from one key to the next."""
    total: float = field(default=60.0, validator=_bounded)
    """Seconds for the whole entry, from the prompt's end or the first key, whichever comes first."""

    def __attrs_post_init__(self) -> None:
        self._check_length()
        self._check_keys()
        longest = max(self.first_digit, self.between_digits)
        if self.total < longest:
            raise ValueError(f"total={self.total!r} is shorter than a wait within it; make it {longest!r} or more")

    @property
    def digits(self) -> frozenset[str]:
        """The keys that make up an entry."""
        return frozenset(KEYS) - set(self.finish) if self.allowed is None else self.allowed

    def _check_length(self) -> None:
        if self.most < 1:
            raise ValueError(f"most={self.most!r} leaves nothing to enter; make it 1 or more")
        if not 0 <= self.least <= self.most:
            raise ValueError(f"least={self.least!r} is not between 0 and most={self.most!r}")
        if self.least == 0 and not self.finish:
            raise ValueError("least=0 needs a terminator: without finish='#' nobody can say that there is nothing")

    def _check_keys(self) -> None:
        strange = {*self.finish, *self.digits} - set(KEYS)
        if strange:
            raise ValueError(f"{', '.join(map(repr, sorted(strange)))}: no key of a telephone; the keys are {KEYS}")
        if len(set(self.finish)) < len(self.finish):
            raise ValueError(f"finish={self.finish!r} names a key twice; each key in it ends the entry by itself")
        if not self.digits:
            raise ValueError("no key is left to enter; name some in allowed, or fewer in finish")
        both = self.digits & set(self.finish)
        if both:
            raise ValueError(f"{', '.join(sorted(both))} cannot be both in allowed and in finish")


@define
class LateTerminator:
    """Swallows the terminator that a caller presses by habit just after the entry completed without it.

    Left alone, that ``#`` would be the first key of the next question and fail it, or cut its prompt. So the driver
    asks before it does anything else with the next key, the cutting of a prompt included; whatever that key is, it
    disarms this.
    """

    finish: str
    """The terminators of the entry that completed."""
    ended_at: float
    """When it completed, in seconds."""
    _armed: bool = field(default=True, init=False)

    def swallows(self, key: str, at: float) -> bool:
        """Say whether *key*, the first one after the entry, is to be dropped (and counted) rather than delivered."""
        armed, self._armed = self._armed, False
        return armed and key in set(self.finish) and at <= self.ended_at + LATE_TERMINATOR


class _Phase(enum.Enum):
    PROMPT = "the prompt plays and no key came"
    WAITING = "the prompt is over and no key came"
    ENTERING = "keys came"
    OVER = "there is an outcome"


class Collector:
    """Collects the keys of one attempt at a question.

    The driver makes one for each attempt, passes in what happens, and acts on the first outcome that comes back:

    * ``press`` for each key that the question takes. A key during the prompt means that the prompt was cut by it; keys
      pressed during a prompt that may not be cut go to ``TypeAhead`` and are pressed here when the prompt has ended.
    * ``prompt_ended`` when the last of the prompt was heard, or assumed to be.
    * ``due`` when ``deadline`` has come and every key that is there was pressed first (L4).

    A moment earlier than one already passed in counts as that one: events are stamped in different places, and a
    caller must not lose a call over a millisecond.

    Args:
        entry: What the question takes.
        at: Now.
        prompt_playing: Whether a prompt plays; otherwise the wait for the first digit begins at once.
    """

    def __init__(self, entry: Entry, *, at: float, prompt_playing: bool) -> None:
        self.entry = entry
        self.late_terminator: LateTerminator | None = None
        """What the next key has to pass; set when the entry completes while its terminator may still come."""
        self._phase = _Phase.PROMPT if prompt_playing else _Phase.WAITING
        self._now = at
        self._opened_at = at  # where ``total`` begins; not used before the prompt has ended or was cut
        self._last_key_at = at
        self._digits = ""

    @property
    def digits_so_far(self) -> int:
        """How many digits were taken."""
        return len(self._digits)

    @property
    def deadline(self) -> float | None:
        """When ``due`` has something to say; None while a prompt plays that nobody cut, and after the outcome."""
        match self._phase:
            case _Phase.PROMPT | _Phase.OVER:
                return None
            case _Phase.WAITING:
                return self._opened_at + self.entry.first_digit
            case _Phase.ENTERING:
                return min(self._silent_at, self._opened_at + self.entry.total)
            case _:
                assert_never(self._phase)

    def prompt_ended(self, at: float) -> None:
        """Begin the wait for the first digit. Without effect once a key came, and when called again."""
        self._pass_time(at)
        if self._phase is _Phase.PROMPT:
            self._phase = _Phase.WAITING
            self._opened_at = self._now

    def stood_still(self, seconds: float) -> None:
        """Let every wait go on with what was left of it: for *seconds* nobody could have pressed anything."""
        self._now += seconds
        self._opened_at += seconds
        self._last_key_at += seconds

    def press(self, key: str, at: float) -> Outcome | None:
        """Take a key, also at or after the deadline as long as ``due`` was not asked: lag is never the caller's fault.

        Raises:
            RuntimeError: The attempt already has its outcome; the key belongs to type-ahead.
        """
        if self._phase is _Phase.OVER:
            raise RuntimeError("this attempt has its outcome; the key belongs to type-ahead")
        self._pass_time(at)
        if self._phase is _Phase.PROMPT:
            self._opened_at = self._now
        self._phase = _Phase.ENTERING
        self._last_key_at = self._now
        return self._take(key)

    def due(self, at: float) -> Outcome | None:
        """Judge the attempt if its deadline has come. Which deadline came first decides, not how late this is asked."""
        deadline = self.deadline
        self._pass_time(at)
        if deadline is None or self._now < deadline:
            return None
        if self._phase is _Phase.WAITING:
            return self._fail("no input")
        # At one instant the caller's silence wins over ``total``: silence ends a whole entry well.
        return self._judge() if self._silent_at <= deadline else self._fail("too long")

    @property
    def _silent_at(self) -> float:
        return self._last_key_at + self.entry.between_digits

    def _pass_time(self, at: float) -> None:
        self._now = max(self._now, at)

    def _take(self, key: str) -> Outcome | None:
        if key in set(self.entry.finish):
            return self._judge(terminated=True)
        if key not in self.entry.digits:
            return self._fail("no match")
        self._digits += key
        return self._judge() if len(self._digits) == self.entry.most else None

    def _judge(self, *, terminated: bool = False) -> Outcome:
        if len(self._digits) < self.entry.least:
            return self._fail("too short")
        if self.entry.finish and not terminated:
            self.late_terminator = LateTerminator(self.entry.finish, self._now)
        self._phase = _Phase.OVER
        return Complete(self._digits)

    def _fail(self, name: FailedName) -> Failed:
        self._phase = _Phase.OVER
        return Failed(name=name, digits_seen=len(self._digits))


@frozen
class Reprompt:
    """Ask again."""

    prompt: Prompt | None
    """What to say; None for the question's own prompt."""
    attempt: int
    """Which attempt begins: 2 for the first reprompt."""


@frozen
class GiveUp:
    """The tries are used up."""

    failed: Failed
    """How the last attempt failed, with the number of tries filled in."""


def _reprompts(prompts: Iterable[Prompt]) -> tuple[Prompt, ...]:
    if isinstance(prompts, str):
        raise ValueError(f"reprompts is a tuple with one prompt a try, not a text; write ({prompts!r},)")  # noqa: TRY004 a wrong definition is always a ValueError here
    return tuple(prompts)


@define(kw_only=True)
class Tries:
    """Counts the failed attempts at one question. Every kind of failure costs one try.

    Raises:
        ValueError: No try is allowed, or a reprompt would never be heard.
    """

    allowed: int = 3
    """Attempts in all, the first included."""
    reprompts: tuple[Prompt, ...] = field(default=(), converter=_reprompts)
    """What to say at the second attempt, the third and so on. The last is said again when they run out."""
    used: int = field(default=0, init=False)
    """Attempts that failed."""

    def __attrs_post_init__(self) -> None:
        if self.allowed < 1:
            raise ValueError(f"tries={self.allowed!r} allows no attempt; make it 1 or more")
        if len(self.reprompts) >= self.allowed:
            raise ValueError(
                f"{len(self.reprompts)} reprompts, but tries={self.allowed!r} asks again {self.allowed - 1} times; "
                "allow more tries, or leave out what nobody would hear"
            )

    def failed(self, failed: Failed) -> Reprompt | GiveUp:
        """Count a failed attempt and say what to do next."""
        self.used += 1
        if self.used >= self.allowed:
            return GiveUp(evolve(failed, tries=self.used))
        last = min(self.used, len(self.reprompts))
        return Reprompt(self.reprompts[last - 1] if last else None, attempt=self.used + 1)


class TypeAhead:
    """Keys pressed before a state asked for them, oldest first. One a call; it never shows which keys it holds.

    Every key that goes in comes out by ``take``, is counted in ``dropped``, or is still there: none vanishes.
    """

    def __init__(self, most: int = TYPE_AHEAD) -> None:
        self.dropped = 0
        """Keys that no state will ever get."""
        self._most = most
        self._keys: deque[str] = deque()

    def __len__(self) -> int:
        return len(self._keys)

    def hold(self, key: str, policy: TypeAheadPolicy) -> bool:
        """Keep *key* for later if *policy* and the room allow it; say whether it was kept.

        When there is no room the new key is dropped, not the oldest: what was typed first is what is asked for first.
        """
        kept = policy == "keep" and len(self._keys) < self._most
        if kept:
            self._keys.append(key)
        else:
            self.dropped += 1
        return kept

    @property
    def first(self) -> str | None:
        """The oldest key, which stays held; None if there is none."""
        return self._keys[0] if self._keys else None

    def take(self) -> str | None:
        """Give the oldest key, or None."""
        return self._keys.popleft() if self._keys else None

    def swallow_terminator(self, late: LateTerminator, at: float) -> bool:
        """Drop the oldest key if it is the late terminator of the entry that just completed from keys held here.

        Who types ``1234#`` ahead of a question for four digits leaves a ``#`` that no question asked for.
        """
        swallowed = bool(self._keys) and late.swallows(self._keys[0], at)
        if swallowed:
            self._keys.popleft()
            self.dropped += 1
        return swallowed

    def flush(self) -> int:
        """Drop every key that is held; return how many those were."""
        count = len(self._keys)
        self._keys.clear()
        self.dropped += count
        return count
