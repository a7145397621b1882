"""``Verdict``: what a flow answers to the Passthru that announces a call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from attrs import Factory, field, frozen

BRANCH_STATUS: Mapping[str, Literal[200, 302]] = {"A": 200, "B": 302}
"""How Exotel's Passthru applet reads an answer: only these two (exotel.md §12.2, D30)."""


@frozen
class Verdict:
    """Go on with branch A or B of Exotel's flow, and what to remember of the call until its stream comes."""

    status: Literal[200, 302] = field(default=200)
    """200 takes branch A, 302 branch B."""
    data: Mapping[str, str] = Factory(dict)
    """Given to the call as ``call.passthru``, together with what Exotel sent."""

    @status.validator
    def _check_status(self, _: object, status: int) -> None:
        if status not in BRANCH_STATUS.values():
            raise ValueError(f"Verdict({status!r}); a Passthru has the branches 200 (A) and 302 (B)")
