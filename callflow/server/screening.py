"""Screening: whose streams are let in at the upgrade, and which calls at their ``start``.

Credentials are the door's. What is looked at here says something about one call: its token, its account, and whether it
was announced.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from attrs import define, field

from callflow.server.credentials import password_of
from callflow.server.flows import read_stream_path
from callflow.server.head import RequestHead
from callflow.server.tokens import Tokens
from callflow.wire.messages import Start
from callflow.wire.parameters import TOKEN_PARAMETER


@define(kw_only=True)
class Screening:
    """What the streams of one server have to show.

    Args:
        tokens: Those that are out.
        accounts: Exotel accounts whose calls are taken; empty for all.
        announced_only: Whether a call has to be announced by an HTTP request before its stream.
        is_announced: Says whether one is.
    """

    tokens: Tokens
    accounts: frozenset[str] = frozenset()
    announced_only: bool = False
    is_announced: Callable[[str], bool]
    has_line: Callable[[str], bool] = lambda _: True
    """Says whether there is a line for a new call."""
    refused: Counter[str] = field(init=False, factory=Counter)
    """Streams that were turned away at their ``start``: by ``token``, ``account``, ``announcement`` or ``full``."""

    def call_shown(self, head: RequestHead) -> str | None:
        """Give the ``CallSid`` whose token an upgrade shows, wherever it stands; None if it shows none that is good."""
        calls = (self.tokens.call_of(shown) for shown in _tokens_in(head))
        return next((call_sid for call_sid in calls if call_sid is not None), None)

    def fault_of(self, start: Start, shown: str | None) -> str | None:
        """Say why a ``start`` may neither begin a call nor go on with one, in one word; None if it may.

        Args:
            start: What it says of itself.
            shown: The ``CallSid`` of the token with which its link was let in.
        """
        fault = self._fault_of(start, shown)
        if fault is not None:
            self.refused[fault] += 1
        return fault

    def _fault_of(self, start: Start, shown: str | None) -> str | None:
        if shown is not None and shown != start.call_sid:
            return "token"
        if self.accounts and start.account_sid not in self.accounts:
            return "account"
        if self.announced_only and not self.is_announced(start.call_sid):
            return "announcement"
        return None

    def fault_of_new(self, start: Start) -> str | None:
        """Say why a call that is not there yet may not begin, in one word; None if it may."""
        if self.has_line(start.call_sid):
            return None
        self.refused["full"] += 1
        return "full"


def _tokens_in(head: RequestHead) -> Iterator[str | None]:
    """Find what may be a token: flows at Exotel may alter any one of these places (ruling 3)."""
    path = read_stream_path(head.path)
    yield None if path is None else path.token
    yield password_of(head.header("authorization"))
    yield head.query.get(TOKEN_PARAMETER)
