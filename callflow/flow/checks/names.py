"""What a name in the source of a handler stands for, found without running anything of it."""

from __future__ import annotations

import ast
import builtins
import inspect
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attrs import field, frozen

_MISSING: Any = object()

_PRIVATE = {
    "_io": "io",
    "_socket": "socket",
    "_sqlite3": "sqlite3",
    "posix": "os",
    "nt": "os",
    "pathlib._local": "pathlib",
}
"""Modules of the standard library that hold what others show."""


@frozen
class Meaning:
    """What a called name stands for."""

    path: str = ""
    """Its full name, as in ``requests.sessions.Session.get``; empty if it cannot be told."""
    written: str = ""
    """The same as the source spells it, with the imported module in front: ``requests.get``."""
    target: Any = None
    """The object itself, if it is there."""


@frozen
class Scope:
    """The names that a function sees."""

    globals: Mapping[str, Any]
    local: frozenset[str]
    """Names that the function itself gives a value; what they stand for cannot be told."""
    imported: Mapping[str, str] = field(factory=dict)
    """Names that the function itself imports."""
    owner: type | None = None
    """The class whose method it is."""

    def meaning(self, called: ast.expr) -> Meaning:
        """Find what is called; ``Meaning()`` if that cannot be told."""
        root, attributes = _chain(called)
        if isinstance(root, ast.Call):
            made = self.meaning(root.func)
            return _below(made.target, made.path, attributes) if isinstance(made.target, type) else Meaning()
        if not isinstance(root, ast.Name):
            return Meaning()
        if root.id in self.imported:
            path = ".".join((self.imported[root.id], *attributes))
            return Meaning(path, path)
        if root.id == "self" and self.owner is not None and len(attributes) == 1:
            found = inspect.getattr_static(self.owner, attributes[0], None)
            return Meaning(target=found) if inspect.isfunction(found) else Meaning()
        if root.id in self.local:
            return Meaning()
        value = self.globals.get(root.id, vars(builtins).get(root.id, _MISSING))
        return Meaning() if value is _MISSING else _below(value, _path_of(value), attributes)


def scope_of(function: Callable[..., Any], definition: ast.AST, owner: type | None = None) -> Scope:
    """Find the names that a function sees."""
    plain = inspect.unwrap(function)
    code = plain.__code__
    return Scope(
        globals=plain.__globals__,
        local=frozenset((*code.co_varnames, *code.co_cellvars, *code.co_freevars)),
        imported=dict(_imports(definition)),
        owner=owner,
    )


def _chain(called: ast.expr) -> tuple[ast.expr, list[str]]:
    attributes: list[str] = []
    while isinstance(called, ast.Attribute):
        attributes.insert(0, called.attr)
        called = called.value
    return called, attributes


def _below(value: Any, path: str, attributes: list[str]) -> Meaning:
    """Follow attributes through modules and classes; what an object holds by itself is told by its class."""
    written = ".".join((path, *attributes))
    for place, attribute in enumerate(attributes):
        holder = value if isinstance(value, (types.ModuleType, type)) else type(value)
        found = inspect.getattr_static(holder, attribute, _MISSING)
        if found is _MISSING:
            return Meaning(".".join((_path_of(holder), *attributes[place:])), written)
        value = found
    return Meaning(_path_of(value), written, value)


def _path_of(value: Any) -> str:
    if isinstance(value, types.ModuleType):
        return value.__name__
    named = value if hasattr(value, "__qualname__") else type(value)
    holder = getattr(value, "__objclass__", None)  # a method of a built-in class knows no module itself
    module = str(getattr(named, "__module__", None) or getattr(holder, "__module__", ""))
    return f"{_PRIVATE.get(module, module)}.{named.__qualname__}"


def _imports(definition: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.walk(definition):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield (
                    alias.asname or alias.name.partition(".")[0],
                    alias.name if alias.asname else alias.name.partition(".")[0],
                )
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"
