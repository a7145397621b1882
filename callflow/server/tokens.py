"""Tokens: each lets the streams of one call in, and of no other.

One is made when an HTTP request of Exotel's names a call before its stream. It is good for as long as the call may need
it: Exotel redials the URL that it was given, so that a token must outlive a link, and the call by the time in which a
lost link may come back.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
from collections import OrderedDict
from collections.abc import Callable

import trio
from attrs import define, field

MOST_TOKENS = 1_000
"""Tokens whose call has not come yet, or is over; those of live calls do not count (faults T2)."""

TOKEN_BYTES = 24
"""192 bits of chance; 32 characters in a URL."""


def _new_token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)


@define
class _Token:
    call_sid: str
    text: str = field(repr=False)
    expires: float
    calls: int = 0
    """Live calls that it stands for: a ``CallSid`` may have two streams at once (R35)."""


@define(eq=False)
class Tokens:
    """The tokens of one server.

    Args:
        unused: Seconds that one is good for without its call.
        after: Seconds that it is good for when its call is over.
        make: Makes the text of a token.
    """

    unused: float = 60.0
    after: float = 10.0
    make: Callable[[], str] = _new_token
    _by_call: OrderedDict[str, _Token] = field(factory=OrderedDict, init=False)
    _by_digest: dict[bytes, _Token] = field(factory=dict, init=False)

    def __len__(self) -> int:
        self._forget()
        return len(self._by_call)

    def mint(self, call_sid: str) -> str:
        """Give the token of a call: the one that it has, or a new one."""
        self._forget()
        known = self._by_call.get(call_sid)
        if known is None:
            known = _Token(call_sid, self.make(), trio.current_time() + self.unused)
            self._by_call[call_sid] = self._by_digest[_digest(known.text)] = known
            self._make_room()
        return known.text

    def call_of(self, shown: str | None) -> str | None:
        """Give the ``CallSid`` that a token is for; None for what is none, or none any more.

        The look-up is by digest, so that its time says nothing about the tokens that there are.
        """
        if not shown:
            return None
        token = self._by_digest.get(_digest(shown))
        if token is None or token.expires <= trio.current_time():
            return None
        return token.call_sid if hmac.compare_digest(token.text.encode(), shown.encode("utf-8", "replace")) else None

    def begun(self, call_sid: str) -> None:
        """A call has started: its token, if it has one, is good until the end."""
        token = self._by_call.get(call_sid)
        if token is not None:
            token.calls += 1
            token.expires = math.inf

    def over(self, call_sid: str) -> None:
        """A call is over."""
        token = self._by_call.get(call_sid)
        if token is None or not token.calls:
            return
        token.calls -= 1
        if not token.calls:
            token.expires = trio.current_time() + self.after

    def _forget(self) -> None:
        now = trio.current_time()
        for token in [token for token in self._by_call.values() if token.expires <= now]:
            self._drop(token)

    def _make_room(self) -> None:
        idle = [token for token in self._by_call.values() if not token.calls]
        for token in idle[: max(0, len(idle) - MOST_TOKENS)]:
            self._drop(token)

    def _drop(self, token: _Token) -> None:
        del self._by_call[token.call_sid]
        del self._by_digest[_digest(token.text)]


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
