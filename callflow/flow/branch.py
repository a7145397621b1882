"""Branches: where Exotel's flow goes on after a call, and how a Passthru that can say two things only tells them.

A Passthru applet reads 200 or 302 and nothing else of an answer (exotel.md §12.2, D30). So each applet asks for one
branch by its URL, is answered 302 if the call chose it, and a chain of them tells as many branches as there are.
"""

from __future__ import annotations

import re
from typing import Literal

BranchStatus = Literal[200, 302]
"""What a Passthru is answered."""

ELSE = "A"
"""The branch of a call that chose none."""

PLAIN = "B"
"""The branch that a Passthru asks for whose URL names none."""

_NAME = re.compile(r"[A-Za-z0-9][\w-]{0,31}", re.ASCII)
"""What stands in a URL as it is."""


def check_branch(name: object) -> None:
    """Refuse what is no name of a branch.

    Raises:
        ValueError: It is none, or one that is meant otherwise.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"branch={name!r}; write 'A', 'B', or a name of up to 32 letters, digits, - and _")
    if name in ("a", "b"):
        raise ValueError(f"branch={name!r}; did you mean {name.upper()!r}?")


def answer_to(asked: str | None, chosen: str) -> BranchStatus:
    """Answer a Passthru whose URL asks for one branch, of a call that chose one."""
    return 302 if chosen == (asked or PLAIN) else 200
