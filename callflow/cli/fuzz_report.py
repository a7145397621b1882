"""What ``callflow fuzz`` prints: how far it is, and what came of it, for people and for programs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import msgspec
from attrs import define, field

from callflow.cli.import_errors import shown
from callflow.line.script import render

if TYPE_CHECKING:
    from callflow.testing.failure import Failure
    from callflow.testing.fuzzing import Fuzzed, Progress

JSON_VERSION = 1
"""Goes up when a key of the JSON output changes its meaning or goes away; new keys may come without."""

WIDTH = 110
"""Signs of a line."""

_EVERY = 0.1
"""Seconds after which a line on a terminal is written anew."""

_PARTS = 4
"""Lines of a run that nobody watches."""


@define
class Teller:
    """Says how far a run is: on a terminal in one line that changes, elsewhere in a line a quarter of the budget.

    Args:
        out: Where to.
        silent: Whether to say nothing, unless it is a terminal.
    """

    out: TextIO
    silent: bool = False
    _told: float = field(default=0.0, init=False)
    _is_open: bool = field(default=False, init=False)

    def tell(self, progress: Progress) -> None:
        """Take in how far it is."""
        if self.out.isatty():
            if progress.seconds - self._told >= _EVERY:
                self._told, self._is_open = progress.seconds, True
                self.out.write(f"\r\x1b[K{_line_of(progress)}")
                self.out.flush()
        elif not self.silent and int(progress.share * _PARTS) > self._told:
            self._told = int(progress.share * _PARTS)
            print(_line_of(progress), file=self.out, flush=True)

    def close(self) -> None:
        """Clear the line of a terminal."""
        if self._is_open:
            self.out.write("\r\x1b[K")
            self.out.flush()


def _line_of(progress: Progress) -> str:
    reached = f"{progress.calls} calls, {_span(progress.talk)} of talk, edges {progress.edges}/{progress.all_edges}"
    return f"  {reached}{', found: making it shorter' if progress.shortening else ''}"


def as_text(done: Fuzzed, failure: Failure | None) -> str:
    """Write a run for people: what was done, what was not reached, and last what was found."""
    return "\n".join([*_sums(done), *_findings(done, failure)])


def _sums(done: Fuzzed) -> Iterator[str]:
    bound, cover = done.machine.bound, done.coverage
    yield f"{cover.calls} calls, {_span(cover.seconds)} of talk in {_span(done.seconds)}"
    reached = {"states": done.states, "edges": done.edges, "session cells": done.cells}
    yield ", ".join(f"{name} {some}/{every}" for name, (some, every) in reached.items())
    yield f"laws: {len(bound.laws)} checked, {len(bound.exempt)} exempt, {len(bound.off)} off"


def _findings(done: Fuzzed, failure: Failure | None) -> Iterator[str]:
    if failure is not None:
        if done.interrupted:
            yield "interrupted while it was made shorter"
        yield from ("", *failure.lines())
        return
    yield from _thin_spots(done)
    if done.interrupted:
        yield "interrupted; nothing found so far"
    else:
        yield done.shortfall or "nothing found"


def _thin_spots(done: Fuzzed) -> Iterator[str]:
    spots = [f"  {spot}" for spot in done.thin_spots]
    if done.untried_laws:
        words = f"laws that no call could have broken: {', '.join(done.untried_laws)}"
        spots += textwrap.wrap(words, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
    if spots:
        yield "thin spots:"
        yield from spots


def as_json(done: Fuzzed, failure: Failure | None) -> str:
    """Write a run as one object."""
    bound, cover = done.machine.bound, done.coverage
    told = {
        "version": JSON_VERSION,
        "flow": cover.flow.name,
        "seed": done.plan.seed,
        "verdict": _verdict(done, failure),
        "calls": cover.calls,
        "steps": cover.steps,
        "talk_seconds": round(cover.seconds, 2),
        "real_seconds": round(done.seconds, 2),
        "states": {**_share(done.states), "missing": cover.missing_states},
        "edges": {**_share(done.edges), "missing": [list(edge) for edge in cover.missing_edges]},
        "cells": _share(done.cells),
        "laws": {
            "checked": len(bound.laws),
            "exempt": sorted(bound.exempt),
            "off": sorted(bound.off),
            "untried": done.untried_laws,
        },
        "services": {name: _ways(done, name) for name in done.machine.cast.services},
        "shared_services": done.shared,
        "shortfall": done.shortfall or None,
        "finding": None if failure is None else _finding(failure),
    }
    return msgspec.json.encode(told).decode()


def _verdict(done: Fuzzed, failure: Failure | None) -> str:
    if failure is not None:
        return "found"
    return "interrupted" if done.interrupted else "too little reached" if done.shortfall else "nothing found"


def _share(pair: tuple[int, int]) -> dict[str, Any]:
    return {"reached": pair[0], "of": pair[1]}


def _ways(done: Fuzzed, name: str) -> Sequence[str]:
    return sorted(way.value for way in done.so_far.met.get(name, ()))


def _finding(failure: Failure) -> dict[str, Any]:
    script = failure.script
    return {
        "law": failure.law or None,
        "sentence": failure.sentence,
        "came": failure.came,
        "where": list(failure.where),
        "script": None if script is None else render(script),
        "saved": None if script is None or not failure.command else shown(Path(script.path)),
        "timeline": list(failure.timeline),
        "command": failure.command or None,
    }


def _span(seconds: float) -> str:
    """Write a time as people say it."""
    whole = round(seconds)
    if whole < 60:  # seconds of a minute
        return f"{seconds:.1f} s"
    minutes, hours = whole // 60, whole // 3600
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min {whole % 60} s"
