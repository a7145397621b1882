"""The source of a user's module: where its classes and methods stand, and what its author says is meant."""

from __future__ import annotations

import ast
import inspect
import io
import re
import sys
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from attrs import define, field, frozen

from callflow.flow.checks.finding import Finding, Place

Definition: TypeAlias = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

_EXCUSE = re.compile(r"#\s*callflow:\s*ok\b(?:\[([^\]]*)\])?\s*(.*)")


@frozen
class Source:
    """One file."""

    path: Path
    text: str
    tree: ast.Module
    definitions: Mapping[str, Definition]
    """By qualified name; of two alike the later one, which is the one that counts."""


@frozen
class Excuse:
    """A comment that says that a finding is meant: ``# callflow: ok[blocking-call] one small file``."""

    place: Place
    checks: frozenset[str]
    reason: str

    def covers(self, finding: Finding) -> bool:
        """Say whether this speaks of a finding."""
        return (finding.path, finding.line) == (self.place.path, self.place.line) and finding.check in self.checks


@define
class Sources:
    """The files that were read, each once."""

    _read: dict[Path, Source | None] = field(factory=dict)

    def of(self, path: Path) -> Source | None:
        """Read a file; None where there is none that could be read, such as for a class typed at a prompt."""
        if path not in self._read:
            self._read[path] = _read(path)
        return self._read[path]

    def place_of(self, thing: Any) -> Place:
        """Find where a class or function of a user's stands: the line of its ``class`` or ``def``."""
        path = file_of(thing)
        definition = self.definition_of(thing)
        first = 1 if isinstance(thing, type) else inspect.unwrap(thing).__code__.co_firstlineno
        return Place(path, first if definition is None else definition.lineno)

    def definition_of(self, thing: Any) -> Definition | None:
        """Find the class or function in its source."""
        source = self.of(file_of(thing))
        return None if source is None else source.definitions.get(thing.__qualname__)

    def excuses(self) -> Iterator[Excuse]:
        """Find the excuses in all files that were read."""
        for source in self._read.values():
            if source is not None:
                yield from _excuses(source)


def file_of(thing: Any) -> Path:
    """Find the file that a class or function was written in."""
    if isinstance(thing, type):
        return Path(getattr(sys.modules.get(thing.__module__), "__file__", None) or _file_of_methods(thing))
    return Path(inspect.unwrap(thing).__code__.co_filename)


def _file_of_methods(cls: type) -> str:
    """Find the file of a class whose module could not be imported whole."""
    files = [member.__code__.co_filename for member in vars(cls).values() if inspect.isfunction(member)]
    return next((file for file in files if Path(file).is_file()), "<unknown>")


def _read(path: Path) -> Source | None:
    try:
        with tokenize.open(path) as file:  # as the encoding comment says, like Python itself
            text = file.read()
        tree = ast.parse(text, path)
    except (OSError, SyntaxError, ValueError):  # ValueError: a null byte
        return None
    return Source(path, text, tree, dict(_definitions(tree, "")))


def _definitions(node: ast.AST, prefix: str) -> Iterator[tuple[str, Definition]]:
    for child in ast.iter_child_nodes(node):
        inner = prefix
        if isinstance(child, Definition):
            yield f"{prefix}{child.name}", child
            inner = f"{prefix}{child.name}." if isinstance(child, ast.ClassDef) else f"{prefix}{child.name}.<locals>."
        yield from _definitions(child, inner)


def _excuses(source: Source) -> Iterator[Excuse]:
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type == tokenize.COMMENT and (said := _EXCUSE.match(token.string)):
            alone = not token.line[: token.start[1]].strip()  # it speaks of the line below
            checks = frozenset(name.strip() for name in (said[1] or "").split(",") if name.strip())
            yield Excuse(Place(source.path, token.start[0] + alone), checks, said[2].strip())
