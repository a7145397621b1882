"""What is found out about the control flow of one flow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf

from attrs import frozen

from callflow.errors import AudioError
from callflow.flow.checks.source import Sources
from callflow.flow.deep.control import WITHOUT_CALLER, Control, Moment, control_of
from callflow.flow.deep.silence import Length
from callflow.flow.deep.uncut import Uncut, stretch, uncut_of
from callflow.flow.deep.ways import Way, longest, rounds
from callflow.flow.flow import Flow
from callflow.flow.prompts import Prompt, PromptLibrary


@frozen(kw_only=True)
class Loop:
    """Moments that a call may go round in while the caller does nothing."""

    moments: tuple[Moment, ...]
    least: float
    """Seconds of one round, at least: 0 where the flow's own work may be done at once."""
    most: float
    """Seconds of one round, at most."""


@frozen(kw_only=True)
class Study:
    """Facts of one flow."""

    name: str
    control: Control
    silent: Way[Moment]
    """The longest call of a caller who does nothing from the beginning."""
    falls_silent: Way[Moment]
    """The longest time to an end for one who does nothing from some later moment on."""
    unknown: tuple[Moment, ...]
    """Where code chooses what is said: its length is in none of these times."""
    loops: tuple[Loop, ...]
    uncut: tuple[Uncut, ...]
    stretch: Way[Moment]
    """The longest stretch of prompts that cannot be cut."""


def study(flow: Flow[object]) -> Study:
    """Walk the control graph of a flow. It is read, its prompts are loaded, and nothing of it is run."""
    length = _lengths(flow)
    control = control_of(flow, length)
    following, seconds = _bounded(control)
    silent = longest(_outermost(control.start), following, seconds)
    said = uncut_of(flow, length, Sources())
    return Study(
        name=flow.name,
        control=control,
        silent=silent,
        falls_silent=max((longest(each, following, seconds) for each in following), key=lambda way: way.seconds),
        unknown=tuple(moment for moment in control.moments if not control.silences[moment.state].known),
        loops=tuple(_loops(control)),
        uncut=tuple(each for one in said.values() for each in one),
        stretch=stretch(control, said),
    )


def _lengths(flow: Flow[object]) -> Length:
    """Load the prompts. Of several languages the longest counts; what is not there, a plain check tells."""
    try:
        library = PromptLibrary.load(flow.folder, flow.rate, [])
    except AudioError:
        return lambda prompt: None

    def length(prompt: Prompt) -> float | None:
        return max(filter(None, (_seconds(library, prompt, one) for one in library.languages)), default=None)

    return length


def _seconds(library: PromptLibrary, prompt: Prompt, language: str) -> float | None:
    try:
        return library.clip(prompt, language).seconds
    except AudioError:
        return None


# Silence. A sub-flow with a time-out ends by it, whatever goes on inside, and counts as one moment.


def _outermost(moment: Moment) -> Moment:
    """Find the outermost sub-flow with a time-out that a moment is, or is inside; else the moment itself."""
    found, one = moment, moment.around
    if _is_limited(moment):
        found = moment
    while one is not None:
        found = one if _is_limited(one) else found
        one = one.around
    return found


def _is_limited(moment: Moment) -> bool:
    return moment.state.kind == "SubFlow" and moment.state.options.timeout is not None


def _bounded(control: Control) -> tuple[dict[Moment, list[Moment]], Callable[[Moment], float]]:
    """Give the graph of what happens without the caller, with each limited sub-flow as one, and how long each takes."""
    plain = control.following(WITHOUT_CALLER)
    found: dict[Moment, dict[Moment, None]] = {}
    for moment, targets in plain.items():
        one = _outermost(moment)
        leaving = [each for each in targets if _outermost(each) != one or (each == one and moment != one)]
        if one == moment and not _is_limited(one):
            leaving = targets
        found.setdefault(one, {}).update(dict.fromkeys(map(_outermost, leaving)))
    return {moment: list(targets) for moment, targets in found.items()}, lambda one: _stay(control, one, plain)


def _stay(control: Control, moment: Moment, plain: dict[Moment, list[Moment]]) -> float:
    if not _is_limited(moment):
        return control.stay(moment)
    inside = {one: targets for one, targets in plain.items() if one != moment and _outermost(one) == moment}
    within = {one: [each for each in targets if each in inside] for one, targets in inside.items()}
    most = max((longest(one, within, control.stay).seconds for one in within), default=0.0)
    limit: float = moment.state.options.timeout
    return min(limit, most)


def _loops(control: Control) -> Iterator[Loop]:
    for loop in rounds(control.following(WITHOUT_CALLER)):
        pairs = list(zip(loop, (*loop[1:], loop[0]), strict=True))
        most = sum(control.stay(moment) for moment in loop)
        yield Loop(moments=loop, least=sum(_least(control, *pair) for pair in pairs), most=most)


def _least(control: Control, source: Moment, target: Moment) -> float:
    causes = [each for each in control.outcomes if each.source == source and each.target == target]
    return min((control.least(source, each.by) for each in causes if each.by in WITHOUT_CALLER), default=inf)
