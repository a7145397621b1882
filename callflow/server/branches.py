"""What Passthrus behind a stream are answered, and who is told of a URL that asks for what no flow chooses."""

from __future__ import annotations

import logging
from collections.abc import Collection

from attrs import Factory, define, frozen

from callflow.flow.branch import BranchStatus, answer_to

log = logging.getLogger("callflow.server")

MOST_TOLD = 100
"""Names that a warning is logged for: who may send Passthrus could ask for any number."""


@frozen
class Choice:
    """Where a call goes on in Exotel's flow."""

    branch: str
    flow: str
    known: Collection[str] = ()
    """All branches that this flow can choose; empty where the flow is gone."""


@define(eq=False)
class Branches:
    """Answers, and remembers what was told."""

    _told: set[tuple[str, str]] = Factory(set)

    def answer(self, asked: str | None, choice: Choice) -> BranchStatus:
        """Answer a Passthru whose URL asks for a branch, or for none."""
        if asked is not None and choice.known and asked not in choice.known:
            self._tell_once(asked, choice)
        return answer_to(asked, choice.branch)

    def _tell_once(self, asked: str, choice: Choice) -> None:
        """A misspelt name in an applet's URL is answered 200 for ever, and nobody would be connected."""
        named = (choice.flow, asked)
        if named in self._told or len(self._told) >= MOST_TOLD:
            return
        self._told.add(named)
        extra = {"flow": choice.flow, "branch": asked[:64], "branches": sorted(choice.known)}
        log.warning("branch unknown", extra=extra)
