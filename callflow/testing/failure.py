"""What is told of a call that broke something: at most 25 lines, no traceback, and how to play it again."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from attrs import evolve, field, frozen

from callflow.errors import CallflowError
from callflow.flow.flow import Flow
from callflow.line.script import render
from callflow.line.steps import Script

MOST_LINES = 25
"""Lines of a failure, as it is printed."""

WIDTH = 110
"""Signs of a line."""

_STEPS = 10
_PLACES = 3
"""Lines that the call and the places have, at most."""


@frozen(kw_only=True)
class Failure:
    """One call that broke a law, or did not go as a test expected."""

    sentence: str
    """The law, or what was expected."""
    came: str
    """What came instead."""
    law: str = ""
    """Name of the rule or law that was broken; empty where a step of the script does not hold."""
    where: Sequence[str] = ()
    """The test's line, and the state with its file and line."""
    script: Script | None = field(default=None, repr=False)
    timeline: Sequence[str] = field(default=(), repr=False)
    """What happened, one line each, in the order of time."""
    command: str = ""
    """Plays it again."""
    flow: Flow[Any] | None = field(default=None, repr=False)
    """What was called."""
    machine: type | None = field(default=None, repr=False)
    """The ``CallMachine`` that found it."""
    found: bool = False
    """Whether a hunt found it, so that no test holds it yet and it is worth a file of its own."""

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def verdict_lines(self) -> list[str]:
        """Write what was broken, how, and where."""
        found = _fit([*textwrap.wrap(self.sentence, WIDTH)], 2) + _fit(textwrap.wrap(self.came, WIDTH - 2), 3, "  ")
        return found + [f"  {place}" for place in self.where[:_PLACES]]

    def lines(self) -> list[str]:
        """Write all of it, in at most ``MOST_LINES``: what happened has the room that is left."""
        found = self.verdict_lines()
        last = [f"play it again: {self.command}"] if self.command else []
        if self.script is not None:
            found += ["the call:", *_fit(_what_matters(self.script), _STEPS, "  ")]
        if self.timeline:
            room = MOST_LINES - len(found) - len(last) - 1
            found += ["what happened:", *_fit(self.timeline, room, "  ")]
        return found + last


class CallFailed(AssertionError):
    """A call broke a law, or did not go as a test expected. Its text is all that there is to tell."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


class RunFailed(CallflowError, AssertionError):
    """No call broke anything, but all of them together did not come to what a run was to. Its text tells all."""


def failures_in(raised: BaseException) -> list[Failure] | None:
    """Give the failed calls that an exception, or a group of them, is made of; None if something else is among them.

    An exception of another class may carry its ``Failure`` as an attribute of that name, too.
    """
    told = [getattr(leaf, "failure", None) for leaf in leaves(raised)]
    failed = [failure for failure in told if isinstance(failure, Failure)]
    return failed if len(failed) == len(told) else None


def leaves(raised: BaseException) -> Iterator[BaseException]:
    """Give what a group of exceptions is made of, or the one that is none."""
    if isinstance(raised, BaseExceptionGroup):
        for one in raised.exceptions:
            yield from leaves(one)
    else:
        yield raised


def _what_matters(script: Script) -> list[str]:
    """Write a script without what is told elsewhere or as usual; what plays the call again has all of it."""
    header = evolve(script.header, flow=None, machine=None, law=None)
    chosen = evolve(header, seed=header.seed or None, order=header.order or None)
    return render(evolve(script, header=chosen)).splitlines()


def _fit(lines: Sequence[str], room: int, indent: str = "") -> list[str]:
    """Leave lines out of the middle where there are too many."""
    if len(lines) > room:
        first = room // 2
        last = room - first - 1
        lines = [*lines[:first], f"… {len(lines) - room + 1} more", *lines[len(lines) - last :]]
    return [f"{indent}{line}" for line in lines]
