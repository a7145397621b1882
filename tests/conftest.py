"""The library's logger as each test finds it, and the report of minutes per layer."""

from __future__ import annotations

import logging
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath

import pytest

pytest_plugins = ["callflow.testing.plugin", "pytester"]  # the first as an installation has it by its entry point


@pytest.fixture(autouse=True)
def library_logger() -> Iterator[None]:
    """Give the library's logger its level back: commands set it, and what a test before did must not count."""
    logger = logging.getLogger("callflow")
    level = logger.level
    yield
    logger.setLevel(level)


@pytest.fixture(autouse=True)
def modules_of_one_test(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Forget modules that a test wrote and imported: the next one writes its own of that name."""
    before = set(sys.modules)
    yield
    folder = str(tmp_path_factory.getbasetemp())
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(folder):
            del sys.modules[name]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how long the tests of each layer took, set-up and clean-up included, before the closing line."""
    seconds: defaultdict[str, float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds[layer(report.nodeid)] += report.duration
    terminalreporter.section("minutes per layer")
    for name, spent in sorted(seconds.items(), key=lambda item: -item[1]):
        terminalreporter.line(f"{spent / 60:6.2f}  {name}")


def layer(nodeid: str) -> str:
    """Name the layer of a test: its folder below ``tests/``, or the top folder where it is elsewhere.

    Layers mirror the package, so that a slow one points at the code.
    """
    folders = PurePosixPath(nodeid.partition("::")[0]).parent.parts
    return folders[1] if folders[:1] == ("tests",) and len(folders) > 1 else "/".join(folders[:1])
