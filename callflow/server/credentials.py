"""Basic credentials of Exotel's applets: several may be valid at once, so that they can be changed without a gap."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable

from attrs import field, frozen


@frozen
class Credentials:
    """The pairs that are let in, kept as digests alone."""

    _digests: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def of(cls, pairs: Iterable[str]) -> Credentials:
        """Make them from ``user:password`` texts."""
        return cls(tuple(_digest(pair.encode("utf-8")) for pair in pairs))

    def allow(self, authorization: str | None) -> bool:
        """Say whether an ``Authorization`` header is one of ours.

        Takes as long for a near miss as for any other: digests have one length, all are compared, and
        ``compare_digest`` does not stop at the first difference (CVE-2021-33880 was this leak elsewhere).
        """
        shown = _digest(_basic(authorization or ""))
        return any([hmac.compare_digest(shown, digest) for digest in self._digests])  # noqa: C419 - a list: all are compared


def password_of(authorization: str | None) -> str | None:
    """Give the password of a Basic header; None if it has none."""
    _, colon, password = _basic(authorization or "").partition(b":")
    return password.decode("utf-8", "replace") if colon else None


def _digest(pair: bytes) -> bytes:
    return hashlib.sha256(pair).digest()


def _basic(authorization: str) -> bytes:
    """Take the pair out of a Basic header; what is none gives bytes that no pair equals, since they have no colon."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""
