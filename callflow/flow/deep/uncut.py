"""Prompts that a caller cannot cut, and for how long at a stretch nothing that a caller does has any effect."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from attrs import frozen

from callflow.flow.checks.handlers import all_code
from callflow.flow.checks.sounds import literal_prompt
from callflow.flow.checks.source import Sources
from callflow.flow.deep.control import By, Control, Moment
from callflow.flow.deep.silence import Length
from callflow.flow.deep.ways import Way, longest
from callflow.flow.definition import overrides
from callflow.flow.flow import Flow
from callflow.flow.prompts import Prompt
from callflow.flow.soundness import AnyState, asks


@frozen(kw_only=True)
class Uncut:
    """One prompt that is heard to its end, whatever the caller does."""

    where: str
    """The state, or its ``run``."""
    prompt: Prompt | None
    """None where code chooses it."""
    seconds: float | None
    """None where that is not known."""


def uncut_of(flow: Flow[object], length: Length, sources: Sources) -> dict[AnyState, tuple[Uncut, ...]]:
    """Find the prompts of each state that nothing cuts; of branches in ``run``, those of the longest."""
    found = {state: _of_line(state, length) for state in flow.graph.all_states}
    for code in all_code(flow, sources):
        if code.where.endswith(".run") and code.scope.owner in found:
            found[code.scope.owner] += _of_code(code.body.body, code.where, length)
    return {state: said for state, said in found.items() if said}


def _of_line(state: AnyState, length: Length) -> tuple[Uncut, ...]:
    options = state.options
    prompt = getattr(options, "prompt", None)
    chosen = prompt is None and overrides(state, "prompt_for")
    if getattr(options, "barge_in", None) is not None or (prompt is None and not chosen):
        return ()
    return (Uncut(where=state.__name__, prompt=prompt, seconds=None if prompt is None else length(prompt)),)


def _of_code(nodes: Iterable[ast.AST], where: str, length: Length) -> tuple[Uncut, ...]:
    """Follow code from top to bottom, along the branch that says most; a loop once."""
    found: tuple[Uncut, ...] = ()
    for node in nodes:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda() | ast.ClassDef():
                continue
            case ast.If() | ast.IfExp():
                ways = [[node.body], [node.orelse]] if isinstance(node, ast.IfExp) else [node.body, node.orelse]
            case ast.Match():
                ways = [case.body for case in node.cases]
            case ast.Call() if (prompt := literal_prompt(node)) is not None and _is_uncut(node):
                found += (Uncut(where=where, prompt=prompt, seconds=length(prompt)),)
                continue
            case _:
                found += _of_code(ast.iter_child_nodes(node), where, length)
                continue
        found += max((_of_code(way, where, length) for way in ways), key=_seconds)
    return found


def _is_uncut(call: ast.Call) -> bool:
    """Say whether a playback is heard to its end. One that goes round is no prompt: the flow stops it."""
    given = {each.arg: each.value for each in call.keywords}
    nothing = given.get("barge_in", ast.Constant(None))
    return "loop" not in given and isinstance(nothing, ast.Constant) and nothing.value is None


def _seconds(said: Iterable[Uncut]) -> float:
    return sum(each.seconds or 0.0 for each in said)


def stretch(control: Control, said: dict[AnyState, tuple[Uncut, ...]]) -> Way[Moment]:
    """Find the longest stretch of them: prompts one after another, with nothing between that asks the caller."""
    after = control.following((By.SILENCE, By.FLOW))
    following = {moment: targets if _goes_on(moment.state, said) else [] for moment, targets in after.items()}
    ways = [longest(moment, following, lambda one: _seconds(said.get(one.state, ()))) for moment in following]
    return min(ways, key=lambda way: (-way.seconds, len(way.nodes)))


def _goes_on(state: AnyState, said: dict[AnyState, tuple[Uncut, ...]]) -> bool:
    """Say whether a stretch goes on behind a state: nothing that the caller does counts in it."""
    if state.kind == "Say":
        return state in said and not asks(state)
    return state.kind in ("SubFlow", "Done", "GaveUp") or (state.kind == "State" and not asks(state))
