"""What pytest finds by its entry point where callflow is installed: the plugin proper, once there is anything for it.

It stands beside the package because a run of pytest that has nothing to do with calls should cost nothing: whatever is
inside of the package imports all of it. The plugin itself is ``callflow.testing.plugin``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PLUGIN = "callflow.testing.plugin"

SCHEDULES = "--callflow-schedules"
COVERAGE = "--callflow-coverage"
LAWS = "--callflow-laws"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the plugin, unless somebody has loaded it by name."""
    group = parser.getgroup("callflow")
    if any(SCHEDULES in option.names() for option in group.options):
        return
    group.addoption(
        SCHEDULES,
        type=int,
        default=0,
        metavar="N",
        help="run each chosen async test under N task orders: races show in some of them only; with -x up to the first",
    )
    group.addoption(
        COVERAGE,
        action="store_true",
        help="say of each CallMachine what its run has reached of the flow, and which edges it never took",
    )
    group.addoption(
        LAWS,
        action="store_true",
        help="say of each CallMachine how often each law could have been broken in its run, and which do not bind it",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Load the plugin where an option asks for it."""
    if any(map(config.getoption, (SCHEDULES, COVERAGE, LAWS))):
        _plugin(config)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Have the plugin look at the first call script; it is asked itself for those that follow."""
    if file_path.suffix != ".call" or parent.config.pluginmanager.has_plugin(PLUGIN):
        return None
    collected: pytest.Collector | None = _plugin(parent.config).pytest_collect_file(file_path, parent)
    return collected


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Load the plugin if a test module has imported the kit: it may hold callers, or machines."""
    if "callflow.testing" in sys.modules and not config.pluginmanager.has_plugin(PLUGIN):
        _plugin(config).pytest_collection_modifyitems(items)


def _plugin(config: pytest.Config) -> Any:
    config.pluginmanager.import_plugin(PLUGIN)
    plugin: ModuleType | None = config.pluginmanager.get_plugin(PLUGIN)
    assert plugin is not None, "it is imported above"
    return plugin
