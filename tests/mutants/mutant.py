"""Mutants: callflow with one line changed, which is put in from outside and taken out again.

A mutant names a function, a line of it as it stands there, and the line in its place. Where the line is gone, or stands
there more than once, it fails loudly: a mutant that changes nothing proves nothing.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import CodeType, FunctionType
from typing import Any

from attrs import field, frozen


class NoSuchLine(AssertionError):
    """The function does not have the line that a mutant changes, or has it more than once."""


@frozen(kw_only=True)
class Mutant:
    """One wrong line, the law that it breaks, and a call in which that shows."""

    law: str
    """Name of the law."""
    words: str
    """What it does wrong, behind "a callflow that"."""
    of: Callable[..., Any]
    """The function, or the function of a property."""
    old: str
    """The line, without what it is indented by."""
    new: str
    brings: tuple[Any, ...] = ()
    """Classes and functions that the new line names and the module of the function does not know."""
    flow: str = "talks"
    """What is called: a name of ``scenes.CASTS``."""
    call: str = "hangup"
    """The lines of the script, with `` / `` between them."""
    also: Mapping[str, str] = field(factory=dict)
    """Laws that cannot but break with it, and why."""

    def __str__(self) -> str:
        return f"{self.law}: {self.words}"


@contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """Have the product run with the wrong line inside the block.

    Raises:
        NoSuchLine: There is no such line.
    """
    function = inspect.unwrap(mutant.of)
    assert isinstance(function, FunctionType)
    right = function.__code__
    brought = {each.__name__: each for each in mutant.brings if each.__name__ not in function.__globals__}
    function.__code__ = with_line(function, mutant.old, mutant.new)
    function.__globals__.update(brought)
    try:
        yield
    finally:
        function.__code__ = right
        for name in brought:
            del function.__globals__[name]


def with_line(function: FunctionType, old: str, new: str) -> CodeType:
    """Compile a function with one line of it changed.

    Raises:
        NoSuchLine: There is no such line.
    """
    source = textwrap.dedent(inspect.getsource(function))
    lines = source.splitlines()
    places = [number for number, line in enumerate(lines) if line.strip() == old]
    if len(places) != 1:
        found = "no line" if not places else f"{len(places)} lines"
        raise NoSuchLine(f"{function.__qualname__} has {found} {old!r}:\n{source}")
    [place] = places
    lines[place] = lines[place].replace(old, new)
    first = function.__code__.co_firstlineno
    return _compiled(function, "\n" * (first - 1) + "\n".join(lines))


def _compiled(function: FunctionType, source: str) -> CodeType:
    """Compile the source, and find the function in it. One that closes over something is compiled inside of that."""
    free = function.__code__.co_freevars
    if free:
        names = " = ".join(free)
        source = source.lstrip("\n")
        source = f"def around():\n    {names} = None\n{textwrap.indent(source, '    ')}"
    flags = function.__code__.co_flags & 0x1000000  # from __future__ import annotations
    code = _find(compile(source, function.__code__.co_filename, "exec", flags, dont_inherit=True), function.__name__)
    assert code is not None
    assert code.co_freevars == free, "the new line closes over something else"
    return code


def _find(code: CodeType, name: str) -> CodeType | None:
    """Find the code of a function in that of its module."""
    inside = [const for const in code.co_consts if isinstance(const, CodeType)]
    here = next((const for const in inside if const.co_name == name), None)
    return here or next((found for const in inside if (found := _find(const, name))), None)
