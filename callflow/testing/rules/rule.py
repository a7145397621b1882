"""What a rule is, what examining a log for it gives, and what the verdict says."""

from __future__ import annotations

import enum
import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, Protocol

from attrs import Factory, field, frozen

from callflow.testing.wirelog import Side, WireLog

ROUNDING = 1e-6
"""Seconds. Sums of floats are not exact; no rule cares about a microsecond."""


@frozen(kw_only=True)
class Limits:
    """The numbers that rules compare with. Seconds."""

    lead: float
    """How far audio may be sent ahead of its playback (R20)."""
    chunk_seconds: float | None
    """Length of one chunk, which R20 allows on top; if None, that of the line's ordinary chunk."""
    notice: float
    """How soon the end of a stream is reported after it arrived (R28). 0 in virtual time."""
    grace: float
    """How soon after the end no task of the call is left (R30)."""
    linger: float = 1.5
    """How soon after ``stop`` the connection ends (R14): "within about one second"."""
    close: float = 7.0
    """How soon after our close the transport is dropped (R36): the handshake, and time to read a fault's reason."""
    answer: float = 2.0
    """How soon Exotel's requests are answered (R38)."""


class Kind(enum.Enum):
    """How binding a rule is."""

    HARD = "hard"
    """A breach is a bug."""
    SOFT = "soft"
    """Holds in documents; who is at the other end has to survive its breach."""


class Case(NamedTuple):
    """One time that a rule could have been broken."""

    at: float
    broken: str = ""
    """How it was; empty if the rule was kept."""
    n: int = 0
    """Number of the journal's entry; 0 on a wire, which has none."""


Examine = Callable[[WireLog, Limits], Iterator[Case]]


@frozen(kw_only=True)
class Rule:
    """One ordering rule of exotel.md §9, and how to examine a log for it."""

    id: str
    sentence: str
    kind: Kind
    side: Side
    """Whose rule it is: ``IN`` is Exotel's, ``OUT`` the server's."""
    reads: str
    """The entries that it looks at; without them it has no case."""
    whole: bool = False
    """Whether it looks at all connections of a log together; else at each by itself."""
    source: str = "exotel.md §9"
    examine: Examine = field(repr=False)


def rule(
    number: str, *, reads: str, kind: Kind = Kind.HARD, side: Side = Side.OUT, whole: bool = False
) -> Callable[[Examine], Rule]:
    """Make a rule of a function; its sentence is the docstring."""

    def named(examine: Examine) -> Rule:
        sentence = inspect.getdoc(examine) or ""
        return Rule(id=number, sentence=sentence, kind=kind, side=side, reads=reads, whole=whole, examine=examine)

    return named


class Named(Protocol):
    """What a verdict needs to know of a rule, or of a law."""

    @property
    def id(self) -> str: ...
    @property
    def sentence(self) -> str: ...
    @property
    def kind(self) -> Kind: ...


@frozen
class Breach:
    """A rule or a law was broken."""

    rule: str
    at: float
    words: str
    n: int = 0
    """Number of the journal's entry where a law was broken; 0 for a rule of the wire."""


@frozen
class Verdict:
    """What one log or story, or the sum of many, says of each rule or law."""

    rules: tuple[Named, ...] = ()
    breaches: tuple[Breach, ...] = ()
    premises: Mapping[str, int] = Factory(dict)
    """By rule, how many times it could have been broken. 0 means that the log says nothing of the rule."""

    def __add__(self, other: Verdict) -> Verdict:
        """Add the counts of two logs; ``sum(verdicts, Verdict())`` adds those of many."""
        counts = Counter(self.premises)
        counts.update(other.premises)
        rules = self.rules + tuple(rule for rule in other.rules if rule not in self.rules)
        return Verdict(rules, self.breaches + other.breaches, dict(counts))

    def table(self) -> str:
        """Print the counts: one line a rule."""
        broken = Counter(breach.rule for breach in self.breaches)
        lines = [f"{'rule':<5}{'kind':<6}{'premise':>8}{'broken':>8}  sentence"]
        lines += [
            f"{rule.id:<5}{rule.kind.value:<6}{self.premises[rule.id]:>8}{broken[rule.id]:>8}  {rule.sentence}"
            for rule in self.rules
        ]
        return "\n".join(lines)
