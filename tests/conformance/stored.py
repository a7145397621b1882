"""Requests of Exotel's as they are stored beside this file: the request as it goes over the wire, and what it says."""

from __future__ import annotations

from pathlib import Path

import msgspec
from attrs import frozen

FOLDER = Path(__file__).parent / "requests"


@frozen
class StoredRequest:
    """One request. In its file lines end in LF, and its length is left out."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def wire(self) -> bytes:
        """The bytes that Exotel sends."""
        head, _, body = self.path.read_bytes().removesuffix(b"\n").replace(b"\n", b"\r\n").partition(b"\r\n\r\n")
        length = f"\r\nContent-Length: {len(body)}".encode() if body else b""
        return head + length + b"\r\n\r\n" + body

    @property
    def said(self) -> dict[str, object]:
        """What the report must hold: every member that is not empty, but ``raw``."""
        read: dict[str, object] = msgspec.json.decode(self.path.with_suffix(".json").read_bytes())
        return read


def stored(kind: str) -> list[StoredRequest]:
    """Find the stored requests of one path: ``passthru``, ``stream-url`` or ``status``."""
    return [StoredRequest(path) for path in sorted(FOLDER.glob(f"{kind}-*.http"))]
