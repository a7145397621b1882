"""Findings in the code of handlers: calls that block, calls that are not awaited, clean-up that cannot be cancelled."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import attrs
from attrs import frozen

from callflow.flow.call import Call
from callflow.flow.checks.blocking import FOREIGN, cure_for
from callflow.flow.checks.finding import Finding, Place
from callflow.flow.checks.names import Scope, scope_of
from callflow.flow.checks.source import Sources, file_of
from callflow.flow.definition import overrides
from callflow.flow.flow import Flow
from callflow.flow.graph import handlers_of
from callflow.flow.marks import ACTIVITY_ATTRIBUTE, marked
from callflow.flow.soundness import AnyState

Function: TypeAlias = Callable[..., Any]


@frozen
class Code:
    """A function of a user's, as source."""

    where: str
    """Which handler it is, or is called from."""
    function: Function
    body: ast.FunctionDef | ast.AsyncFunctionDef
    scope: Scope

    def at(self, node: ast.expr | ast.stmt | ast.excepthandler) -> Place:
        """Find the place of a part of it."""
        return Place(file_of(self.function), node.lineno)

    inside: str = ""
    """Which function of the module it is, where a handler calls it."""


def handler_code(flow: Flow[Any], sources: Sources) -> Iterator[Finding]:
    """Find what is wrong in the code that calls run: handlers, and what answers before the first state."""
    for code in all_code(flow, sources):
        yield from _blocking(code)
        yield from _not_awaited(code)
        yield from _swallowing(code)
        for helper in _helpers(code, sources):
            yield from _blocking(helper)


def all_code(flow: Flow[Any], sources: Sources) -> Iterator[Code]:
    """Find the functions that calls run: handlers, async methods of services, and what answers Exotel."""
    for state in flow.graph.all_states:
        for handler in (*handlers_of(state).values(), *_beside_handlers(state)):
            yield from _code(handler, sources, state)
    for service in flow.services:
        for _, method in inspect.getmembers_static(type(service), inspect.iscoroutinefunction):
            yield from _code(method, sources, type(service))
    for function in (flow.passthru, flow.stream_url, flow.status):
        if function is not None:
            yield from _code(function, sources)


def _beside_handlers(state: AnyState) -> Iterator[Function]:
    """Find the methods of a state that calls run and that move nothing: activities, and what makes prompts and data."""
    for name in (*(name for name, _ in marked(state, ACTIVITY_ATTRIBUTE)), "prompt_for", "begin", "data_for"):
        if overrides(state, name):
            yield getattr(state, name)


def _code(function: Function, sources: Sources, owner: type | None = None) -> Iterator[Code]:
    body = sources.definition_of(function) if _is_users(function) else None
    if isinstance(body, (ast.FunctionDef, ast.AsyncFunctionDef)):
        yield Code(function.__qualname__.rpartition("<locals>.")[2], function, body, scope_of(function, body, owner))


def _is_users(function: Function) -> bool:
    """Say whether a function is part of a program, and not of a library that was installed for it."""
    return hasattr(function, "__code__") and not {"site-packages", "dist-packages"} & set(file_of(function).parts)


def _helpers(code: Code, sources: Sources) -> Iterator[Code]:
    """Find the functions of the same module that a handler calls: one level, no further."""
    for call in calls(code.body):
        target = code.scope.meaning(call.func).target
        if inspect.isfunction(target) and target.__module__ == code.function.__module__ and target is not code.function:
            for helper in _code(target, sources, code.scope.owner):
                yield attrs.evolve(helper, where=code.where, inside=f"calls {target.__name__}, which ")


def own(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Walk through statements, but not into functions among them: who runs those, and in which thread, is not told."""
    for node in nodes:
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            yield node
            yield from own(ast.iter_child_nodes(node))


def calls(body: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.Call]:
    """Give the calls that a function makes itself."""
    return (node for node in own(body.body) if isinstance(node, ast.Call))


# Calls that block.


def _blocking(code: Code) -> Iterator[Finding]:
    for call in calls(code.body):
        meaning = code.scope.meaning(call.func)
        said = f"{code.inside}calls {ast.unparse(call.func)}"
        cure = cure_for(meaning.path, meaning.written)
        if FOREIGN.fullmatch(meaning.path) or FOREIGN.fullmatch(meaning.written):
            mistake, twin = f"{said}, and there is no loop of asyncio", "use Trio's twin of it: calls run under Trio"
            yield code.at(call).finding("asyncio", code.where, mistake, twin)
        elif cure is not None:
            yield code.at(call).finding("blocking-call", code.where, f"{said}, and every call waits meanwhile", cure)


# Calls that wait, and are not waited for.


def _not_awaited(code: Code) -> Iterator[Finding]:
    for statement in own(code.body.body):
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            called = statement.value.func
            if _waits(called, code):
                shown = ast.unparse(called)
                cure = f"write await {shown}(…), in run{_OR_START if shown == 'call.play' else ''}"
                mistake = f"{shown}(…) does nothing without await"
                yield code.at(statement).finding("missing-await", code.where, mistake, cure)


_OR_START = "; call.start(…) plays without waiting"


def _waits(called: ast.expr, code: Code) -> bool:
    if inspect.iscoroutinefunction(code.scope.meaning(called).target):
        return True
    match called:
        case ast.Attribute(value=ast.Name("call"), attr=method):
            return "call" in code.scope.local and inspect.iscoroutinefunction(getattr(Call, method, None))
    return False


# Cancellation.


def _swallowing(code: Code) -> Iterator[Finding]:
    for node in own(code.body.body):
        if not isinstance(node, ast.Try) or not _has(node.body, ast.Await, ast.AsyncFor, ast.AsyncWith):
            continue
        for handler in node.handlers:
            if _catches_all(handler, code) and not _has(handler.body, ast.Raise):
                yield code.at(handler).finding(
                    "swallowed-cancel",
                    code.where,
                    "catches trio.Cancelled as well, so that the state cannot be left while it runs",
                    "catch what you expect, or end with raise",
                )


def _catches_all(handler: ast.ExceptHandler, code: Code) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(code.scope.meaning(kind).path in ("builtins.BaseException", "trio.Cancelled") for kind in kinds)


def _has(statements: list[ast.stmt], *kinds: type[ast.AST]) -> bool:
    return any(isinstance(node, kinds) for node in own(statements))
