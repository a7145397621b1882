"""Who is beside: whether what runs here runs for a quiet second call, which is there to be left alone.

Every task that serves a call descends from the one that placed it, and has its context. So a server, a witness and a
log that are made for one call tell the two apart without a word from the product.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_BESIDE: ContextVar[bool] = ContextVar("beside", default=False)


def is_beside() -> bool:
    """Say whether this task serves the quiet call."""
    return _BESIDE.get()


@contextmanager
def beside() -> Iterator[None]:
    """Have every task that is begun inside the block serve the quiet call."""
    before = _BESIDE.set(True)
    try:
        yield
    finally:
        _BESIDE.reset(before)
