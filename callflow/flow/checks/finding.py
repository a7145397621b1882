"""A finding: what is wrong with a flow, where, and the cure."""

from __future__ import annotations

import re
from pathlib import Path

from attrs import frozen

from callflow.errors import FlowDefinitionError

NO_CURE = "write something that fits there, or leave it out"
"""For messages that only say what would fit."""

_NAMED = re.compile(r"((?:Flow|@\w+)\([^)]*\)|[^\s:]+):? (.*)", re.DOTALL)
"""How the messages of errors begin: with the class, the method or the call that is wrong."""


@frozen(kw_only=True, order=True)
class Finding:
    """One mistake. Findings are in the order of their places."""

    path: Path
    line: int
    """From 1."""
    check: str
    """Name of the check, as the page of checks has it."""
    where: str
    """Class or method, such as ``CheckPin.run``; empty where it is neither."""
    mistake: str
    cure: str


@frozen
class Place:
    """A line of a file."""

    path: Path
    line: int

    def finding(self, check: str, where: str, mistake: str, cure: str) -> Finding:
        """Make a finding at this place."""
        return Finding(path=self.path, line=self.line, check=check, where=where, mistake=mistake, cure=cure)


def finding_of(error: FlowDefinitionError, place: Place) -> Finding:
    """Take apart the message of an error: it names class or method, the mistake, and behind a semicolon the cure."""
    said, _, cure = str(error).partition("; ")
    parts = _NAMED.fullmatch(said)
    name, mistake = parts.groups() if parts else ("", said)
    return place.finding(error.check, _short(name), mistake, cure or NO_CURE)


def _short(name: str) -> str:
    """Leave out the function that a class is defined in."""
    return name.rpartition("<locals>.")[2]
