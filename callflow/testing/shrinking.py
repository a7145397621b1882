"""Shrinking: from a call that breaks something to the shortest that still does.

It works on the script, not on what was drawn: a step that is left out leaves the others as they are, since a deed that
has become impossible does nothing. A few dozen calls do what takes the general way hundreds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from attrs import evolve

from callflow.line.steps import Enter, Header, Press, Ring, Script, Step, Wait
from callflow.testing.reading import FRAME

MOST_PLAYS = 400
"""Calls that are made to shorten one."""

LONGEST_WAIT = 600.0
"""Seconds that one step may wait which stands for several."""

_CHANCES = ("beside", "order", "seed", "lag", "echoes", "network", "begins", "caller")
"""Lines of a header that a call may be able to do without."""

Breaks = Callable[[Script], bool]
Change = Callable[[Script], Script]
"""Makes a script simpler, or leaves it as it is where it has changed too much meanwhile."""


def shrink(script: Script, breaks: Breaks) -> Script:
    """Make a script as short and as plain as can be.

    Args:
        script: One that breaks something.
        breaks: Plays one, and says whether it breaks the same.
    """
    plays, simpler = 0, True
    while simpler:
        simpler = False
        for change in _changes(script):
            candidate = change(script)
            if candidate == script:
                continue
            plays += 1
            if plays > MOST_PLAYS:
                return script
            if breaks(candidate):
                script, simpler = candidate, True
    return script


def _changes(script: Script) -> Iterator[Change]:
    """Give what may make a script simpler, what takes most first."""
    length = len(script.steps)
    size = length
    while size := size // 2:
        for place in range(length - size, -1, -size):
            yield _without(place, size)
    yield from (_plain(name) for name in _CHANCES)
    yield from (_one_wait(place) for place in range(1, length))
    for place in range(length):
        yield from (_with(place, make) for make in _PLAINER)


def _without(place: int, size: int) -> Change:
    def change(script: Script) -> Script:
        kept, gone = script.steps[:place] + script.steps[place + size :], script.steps[place : place + size]
        begins = any(isinstance(step, Ring) for step in gone)
        return evolve(script, steps=kept) if kept and gone and not begins else script

    return change


def _one_wait(place: int) -> Change:
    """Wait once for as long as two steps one after another do."""

    def change(script: Script) -> Script:
        match script.steps[place - 1 : place + 1]:
            case (Wait() as first, Wait() as second) if first.seconds + second.seconds <= LONGEST_WAIT:
                both = Wait(seconds=round(first.seconds + second.seconds, 2))
                return evolve(script, steps=(*script.steps[: place - 1], both, *script.steps[place + 1 :]))
            case _:
                return script

    return change


def _plain(name: str) -> Change:
    usual: Any = 0 if name in ("order", "seed") else getattr(Header(), name)

    def change(script: Script) -> Script:
        values: dict[str, Any] = {name: usual}
        return evolve(script, header=evolve(script.header, **values))

    return change


def _with(place: int, make: Callable[[Step], Step]) -> Change:
    def change(script: Script) -> Script:
        if place >= len(script.steps):
            return script
        return evolve(script, steps=(*script.steps[:place], make(script.steps[place]), *script.steps[place + 1 :]))

    return change


# Simpler steps.


def _one_second(step: Step) -> Step:
    return evolve(step, seconds=1.0) if isinstance(step, Wait) and step.seconds > 1.0 else step


def _shorter(step: Step) -> Step:
    if not isinstance(step, Wait) or step.seconds <= 1.0:
        return step
    frames = step.seconds / 2 // FRAME
    return evolve(step, seconds=round(max(1.0, frames * FRAME), 2))


def _first_half(step: Step) -> Step:
    return _typed(step, slice(_half(step)))


def _last_half(step: Step) -> Step:
    return _typed(step, slice(_half(step), None))


def _all_but_last(step: Step) -> Step:
    return _typed(step, slice(-1))


def _all_but_first(step: Step) -> Step:
    return _typed(step, slice(1, None))


def _half(step: Step) -> int:
    return (len(step.digits) + 1) // 2 if isinstance(step, Press | Enter) else 0


def _typed(step: Step, part: slice) -> Step:
    """Leave some of the keys out, but not all."""
    if not isinstance(step, Press | Enter) or not step.digits[part]:
        return step
    return evolve(step, digits=step.digits[part])


def _usual_gap(step: Step) -> Step:
    return evolve(step, gap=None) if isinstance(step, Press | Enter) else step


_PLAINER = (_one_second, _shorter, _first_half, _last_half, _all_but_last, _all_but_first, _usual_gap)
