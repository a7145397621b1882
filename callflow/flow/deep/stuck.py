"""Findings: groups of moments that no outcome leaves, where the plain check sees no such thing."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from callflow.flow.checks.finding import Finding
from callflow.flow.checks.source import Sources
from callflow.flow.deep.control import WITHOUT_CALLER, By, Moment
from callflow.flow.deep.study import Study
from callflow.flow.deep.ways import closed

DEEP = frozenset(("dead-end", "endless-silence"))
"""Checks that are made for ``--deep`` alone; an excuse of one is not out of use where that was not asked for."""

_TOLD = ("endless-loop", "silent-loop", "no-timeout")
"""Plain checks that tell of the same."""


def stuck(study: Study, plain: Collection[Finding], sources: Sources) -> Iterator[Finding]:
    """Find what is never left, as far as the plain findings do not tell of it.

    A state inside several sub-flows is told of once.
    """
    told = {found.where.partition(".")[0] for found in plain if found.check in _TOLD}
    for group in _never_left(study, tuple(By.__members__[each] for each in ("CALLER", "SILENCE", "FLOW", "EVENT"))):
        told |= {moment.state.__name__ for moment in group}
        yield sources.place_of(group[0].state).finding(
            "dead-end",
            group[0].state.__name__,
            f"only an error or a lost line leads out of {_round(group)}",
            "let a handler lead to a Hangup, or to a state from which there is a way to one",
        )
    for group in _never_left(study, WITHOUT_CALLER):
        if told.isdisjoint(moment.state.__name__ for moment in group):
            yield sources.place_of(group[0].state).finding(
                "endless-silence",
                group[0].state.__name__,
                f"a caller who presses nothing stays in {_round(group)} for as long as the call lasts",
                "lead to a Hangup when nobody answers, at the second round at the latest",
            )


def _never_left(study: Study, by: Collection[By]) -> Iterator[tuple[Moment, ...]]:
    return closed(study.control.following(by), study.control.ends(by))


def _round(group: tuple[Moment, ...]) -> str:
    names = [moment.name for moment in group]
    return " → ".join([*names, names[0]] if len(names) > 1 else names)
