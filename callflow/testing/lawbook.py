"""The lawbook: everything that is checked of a call, by name, whoever checks it.

The rules of the wire (R) are read off what passed, the laws of a call's life (L) off its journal, and those of whole
examples (K) off all that is known: that nothing stays behind, for one, and that the flow itself raised nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

from attrs import field, frozen

from callflow.errors import CallflowError
from callflow.flow.flow import Flow
from callflow.testing import laws, rules
from callflow.testing.evidence import Evidence
from callflow.testing.laws.law import Law
from callflow.testing.rules.rule import Case, Rule
from callflow.testing.whole import OF_STORIES, WHOLE, Judge, Whole


@frozen(kw_only=True)
class Lawful:
    """One entry of the lawbook."""

    name: str
    """In small letters with hyphens, as in ``law`` lines of scripts and in ``laws=``."""
    sentence: str
    rule: str
    """Number of the rule or law that it is: R1 to R40, L1 to L16, K1 and on."""
    judge: Judge = field(repr=False)
    reads: str = ""
    """What it looks at: without that it has no case."""
    where: str = ""
    """Where a property of one's own stands: its name, its file and its line."""


class LawBroken(CallflowError, AssertionError):
    """A law was broken. Each law has a class of its own, so that whoever shrinks one breach does not end with another.

    Args:
        law: Which.
        at: Seconds since the call began.
        words: How.
        n: Number of the journal's entry, where there is one.
    """

    def __init__(self, law: Lawful, at: float, words: str, n: int = 0) -> None:
        super().__init__(f"{law.name}: {words} at {at:.2f} s ({law.rule}: {law.sentence})")
        self.law, self.at, self.words, self.n = law, at, words, n


@functools.cache
def _breach_of(name: str) -> type[LawBroken]:
    return type(f"LawBroken_{name.replace('-', '_')}", (LawBroken,), {"__doc__": LawBroken.__doc__})


def breach(law: Lawful, at: float, words: str, n: int = 0) -> LawBroken:
    """Make the exception of a breach."""
    return _breach_of(law.name)(law, at, words, n)


# The book.


def _of_rule(rule: Rule) -> Lawful:
    theirs = rule in rules.EXOTEL

    def judge(evidence: Evidence) -> list[Case]:
        logs = evidence.recordings if theirs else [evidence.wire]
        parts = logs if rule.whole else [part for log in logs for part in log.connections()]
        return [case for part in parts for case in rule.examine(part, evidence.limits)]

    name = rule.examine.__name__.replace("_", "-")
    return Lawful(name=name, sentence=rule.sentence, rule=rule.id, judge=judge, reads=rule.reads)


def _of_law(law: Law) -> Lawful:
    def judge(evidence: Evidence) -> list[Case]:
        return [case for story in evidence.stories for case in law.examine(story, evidence.patience)]

    name = law.name.replace(" ", "-")
    return Lawful(name=name, sentence=law.sentence, rule=law.id, judge=judge, reads=law.reads)


def _of_whole(law: Whole) -> Lawful:
    name = getattr(law.judge, "__name__", "").replace("_", "-")
    return Lawful(name=name, sentence=law.judge.__doc__ or "", rule=law.id, judge=law.judge, reads=law.reads)


LAWBOOK: Mapping[str, Lawful] = {
    law.name: law
    for law in (
        *map(_of_rule, rules.ALL),
        *map(_of_law, laws.ALL),
        *map(_of_whole, WHOLE),
    )
}
"""All of it, by name."""


@frozen
class Bound:
    """The laws that bind the calls of one flow.

    Args:
        laws: Those that are checked.
        exempt: Names of those that the flow is exempt from by what it is, such as raw.
        off: Names of those that somebody switched off.
    """

    laws: tuple[Lawful, ...]
    exempt: frozenset[str] = frozenset()
    off: frozenset[str] = frozenset()

    def judge(self, evidence: Evidence, premises: dict[str, int]) -> list[LawBroken]:
        """Judge an example: count in *premises* how often each law could have been broken, and list how it was."""
        return _judge(self.laws, evidence, premises)

    def judge_neighbours(self, evidence: Evidence, premises: dict[str, int]) -> list[LawBroken]:
        """Judge a call that was beside another in trouble."""
        return _judge([law for law in self.laws if law is NEIGHBOURS], evidence, premises)

    def judge_stories(self, evidence: Evidence, premises: dict[str, int]) -> list[LawBroken]:
        """Judge calls that are over by what their journals say, and nothing else."""
        return _judge(self._of_stories, evidence, premises)

    @cached_property
    def _of_stories(self) -> list[Lawful]:
        return [law for law in self.laws if law.rule in _OF_STORIES]


NEIGHBOURS = LAWBOOK["neighbours"]
"""The law that wants a second call."""

_OF_STORIES = frozenset({*OF_STORIES, *(law.id for law in laws.ALL)})


def _judge(book: Sequence[Lawful], evidence: Evidence, premises: dict[str, int]) -> list[LawBroken]:
    broken = list[LawBroken]()
    for law in book:
        cases = list(law.judge(evidence))
        if cases:
            premises[law.name] = premises.get(law.name, 0) + len(cases)
            broken += [breach(law, case.at, case.broken, case.n) for case in cases if case.broken]
    return broken


def laws_for(flow: Flow[object], chosen: Mapping[str, bool] | None = None) -> Bound:
    """Find the laws that bind a flow.

    Args:
        flow: What answers.
        chosen: By name, whether a law is checked; those that are not named are.

    Raises:
        ValueError: There is no law of such a name.
    """
    unknown = sorted(set(chosen or {}) - set(LAWBOOK))
    if unknown:
        raise ValueError(f"there is no law {unknown[0]!r}; the laws are {', '.join(LAWBOOK)}")
    exempt = frozenset(name for name, law in LAWBOOK.items() if flow.raw and law.rule in rules.RAW)
    off = frozenset(name for name, wanted in (chosen or {}).items() if not wanted)
    return Bound(tuple(law for name, law in LAWBOOK.items() if name not in exempt | off), exempt, off)


def table(bound: Bound, premises: Mapping[str, int], breaches: Collection[str] = ()) -> str:
    """Print what the laws were worth: one line a law, with the number of times that it could have been broken."""
    lines = [f"{'law':<34}{'rule':<5}{'premise':>9}  sentence"]
    for name, law in LAWBOOK.items():
        told = "exempt" if name in bound.exempt else "off" if name in bound.off else str(premises.get(name, 0))
        lines.append(f"{name:<34}{law.rule:<5}{told:>9}  {law.sentence}{' BROKEN' if name in breaches else ''}")
    return "\n".join(lines)
