"""What tests that import flows leave as it was."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture
def forgetful() -> Iterator[None]:
    """Forget the modules that a test imports, and where it looked for them."""
    modules, path = dict(sys.modules), list(sys.path)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - set(modules):
        if "callflow" not in name:
            del sys.modules[name]
