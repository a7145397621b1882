"""What the end-to-end tests share: their mark, and the project's folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.processes import STARTED

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder ``e2e``; pytest hands over those of all folders.

    A file's tests go to one worker: what they share, such as an installed wheel, is dear, and is not to be made twice.
    """
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """Kill what a test started and did not end: one that times out inside Trio's own loop runs no ``finally``."""
    before = list(STARTED)
    yield
    left = [process for process in STARTED if process not in before]
    for process in left:
        process.end()
    assert left == []


@pytest.fixture(scope="session")
def project() -> Path:
    """Give the project's folder."""
    return HERE.parents[1]
