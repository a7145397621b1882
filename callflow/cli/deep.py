"""What ``callflow check --deep`` says of one flow, as text and for programs."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator
from math import isinf
from typing import Any

from callflow.flow.deep.control import Moment
from callflow.flow.deep.study import Loop, Study
from callflow.flow.deep.uncut import Uncut
from callflow.flow.deep.ways import Way
from callflow.flow.prompts import Prompt

WIDTH = 120
"""Columns of the text."""


def lines_of(study: Study) -> Iterator[str]:
    """Write what was found out about a flow."""
    yield f"{study.name}: {len(study.control.moments)} moments, {len(study.control.outcomes)} outcomes"
    yield from _indented(f"a caller who never does anything: {_time(study, study.silent)}")
    if study.falls_silent.seconds > study.silent.seconds:
        yield from _indented(f"one who falls silent later: {_time(study, study.falls_silent)}")
    yield from _indented(f"goes round without the caller: {'; '.join(map(_loop, study.loops)) or 'nothing'}")
    yield from _indented(f"cannot be cut: {'; '.join(map(_uncut, study.uncut)) or 'nothing'}")
    if len(study.stretch.nodes) > 1 and study.stretch.seconds:
        yield from _indented(f"cannot be cut at a stretch: {_way(study, study.stretch)}")


def _indented(text: str) -> Iterator[str]:
    yield from textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def _time(study: Study, way: Way[Moment]) -> str:
    if way.loop:
        return f"unbounded, in {_names((*way.loop, way.loop[0]))}; only the longest time of a call ends it"
    unknown = [moment.name for moment in study.unknown if moment in way.nodes]
    beside = f", and what code says in {' and '.join(unknown)}" if unknown else ""
    return f"{_way(study, way)}{beside}"


def _way(study: Study, way: Way[Moment]) -> str:
    if isinf(way.seconds):
        return f"unbounded, in {_names((*way.loop, way.loop[0]))}"
    return f"at most {way.seconds:.1f} s, by {_names(way.nodes)}"


def _names(moments: tuple[Moment, ...]) -> str:
    return " → ".join(moment.name for moment in moments)


def _loop(loop: Loop) -> str:
    return f"{_names((*loop.moments, loop.moments[0]))} ({loop.least:.1f} to {loop.most:.1f} s a round)"


def _uncut(one: Uncut) -> str:
    said = "what code chooses" if one.prompt is None else " ".join(_parts(one.prompt))
    return f"{one.where} says {said}" + ("" if one.seconds is None else f" ({one.seconds:.1f} s)")


def _parts(prompt: Prompt) -> list[str]:
    return [str(part) for part in (prompt if isinstance(prompt, tuple) else (prompt,))]


def facts_of(study: Study) -> dict[str, Any]:
    """Give what was found out about a flow as one object of the JSON output."""
    causes = Counter(outcome.by.value for outcome in study.control.outcomes)
    return {
        "flow": study.name,
        "moments": [moment.name for moment in study.control.moments],
        "outcomes": dict(sorted(causes.items())),
        "silent": _way_facts(study, study.silent),
        "falls_silent": _way_facts(study, study.falls_silent),
        "loops": [
            {
                "moments": [each.name for each in loop.moments],
                "least": _rounded(loop.least),
                "most": _rounded(loop.most),
            }
            for loop in study.loops
        ],
        "uncut": [
            {
                "where": one.where,
                "prompt": None if one.prompt is None else _parts(one.prompt),
                "seconds": None if one.seconds is None else _rounded(one.seconds),
            }
            for one in study.uncut
        ],
        "stretch": _way_facts(study, study.stretch),
    }


def _way_facts(study: Study, way: Way[Moment]) -> dict[str, Any]:
    """Seconds are null where there is no bound; then ``loop`` says why."""
    return {
        "seconds": None if isinf(way.seconds) else _rounded(way.seconds),
        "by": [moment.name for moment in way.nodes],
        "loop": [moment.name for moment in way.loop],
        "unknown": [moment.name for moment in study.unknown if moment in way.nodes],
    }


def _rounded(seconds: float) -> float:
    return round(seconds, 3)
