"""The pytest plugin: plays saved calls as tests, gives tests of calls a clock, and tells failed calls in few lines.

It collects ``.call`` files that name their flow, and leaves others alone. Async tests of modules that hold ``caller``
run in virtual time. A test that fails by a call that broke something prints that call, and no traceback. What runs of
machines have reached is listed at the end, where that is asked for.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio

from callflow.errors import CallflowError
from callflow.line.script_files import read_script
from callflow.testing.calling import caller
from callflow.testing.clock import VirtualClock
from callflow.testing.failure import CallFailed, Failure, RunFailed, failures_in
from callflow.testing.lawbook import table
from callflow.testing.replaying import Verdict, replay
from callflow.testing.seeding import trying
from pytest_callflow import (
    COVERAGE,
    LAWS,
    SCHEDULES,
    pytest_addoption,  # noqa: F401  # a hook of this plugin, too
)

PROPERTY = "call"
"""Name of the report's property that holds the verdict on a saved call, and its law."""

# Saved calls.


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take ``.call`` files that bring their flow along."""
    if file_path.suffix == ".call" and _brings_flow(file_path):
        return CallFile.from_parent(parent, path=file_path)
    return None


def _brings_flow(path: Path) -> bool:
    lines = path.read_text("utf-8", "replace").splitlines()
    return any(line.split()[:1] in (["flow"], ["machine"]) for line in lines)


class CallFile(pytest.File):
    """A ``.call`` file."""

    def collect(self) -> Iterator[CallItem]:
        yield CallItem.from_parent(self, name=self.path.stem)


class CallItem(pytest.Item):
    """A saved call, played as a test."""

    obj: Callable[[], None] = staticmethod(lambda: None)  # pytest-trio looks at every item's, to find async ones

    def runtest(self) -> None:
        script = read_script(self.path)
        played = replay(self.path)
        self.user_properties.append((PROPERTY, [played.verdict.value, script.header.law or ""]))
        if played.failure is not None:
            raise CallFailed(played.failure)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Tell a mistake in the file by its message alone."""
        if isinstance(excinfo.value, CallflowError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, self.name


def pytest_report_teststatus(report: pytest.CollectReport | pytest.TestReport) -> tuple[str, str, str] | None:
    """Say FIXED, PASSED or FAILED of a saved call."""
    said = _verdict(report)
    if said is None or report.when != "call":
        return None
    return report.outcome, "F" if said[0] == Verdict.FAILED.value else ".", said[0]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the saved calls that once broke a law, or do now; and what runs of machines have reached."""
    reports = [report for name in ("passed", "failed") for report in terminalreporter.stats.get(name, [])]
    _list_saved_calls(terminalreporter, reports)
    _list_coverage(terminalreporter, reports)
    _list_laws(terminalreporter, reports)


def _list_saved_calls(terminalreporter: pytest.TerminalReporter, reports: Sequence[pytest.TestReport]) -> None:
    told = [(report.nodeid, *said) for report in reports if (said := _verdict(report))]
    lines = [_line_of(*each) for each in told if each[2] or each[1] == Verdict.FAILED.value]
    if lines:
        terminalreporter.section("saved calls")
        for line in sorted(lines):
            terminalreporter.line(line)


def _verdict(report: pytest.CollectReport | pytest.TestReport) -> tuple[str, str] | None:
    said: Sequence[str] | None = dict(getattr(report, "user_properties", [])).get(PROPERTY)
    return None if said is None or getattr(report, "when", "") != "call" else (said[0], said[1])


def _line_of(nodeid: str, verdict: str, law: str) -> str:
    return f"{verdict}  {nodeid.partition('::')[0]}" + (f" (it once broke {law})" if law else "")


# The clock.


def run_in_virtual_time(
    main: Callable[..., Any], *args: Any, clock: trio.abc.Clock | None = None, **options: Any
) -> Any:
    """Run a test as ``trio.run``, in virtual time unless a fixture brings another clock."""
    return trio.run(main, *args, clock=clock or VirtualClock(), **options)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Have the async tests of modules that hold ``caller`` run in virtual time."""
    for item in items:
        if isinstance(item, pytest.Function) and _holds_caller(item.module) and _is_run_by_trio(item):
            _give_clock(item)


def _is_run_by_trio(item: pytest.Item) -> bool:
    """Whether pytest-trio is there: without it nobody knows its marker, nor runs async tests."""
    return any(item.config.pluginmanager.has_plugin(name) for name in ("trio", "pytest_trio.plugin"))


def _holds_caller(module: object) -> bool:
    return any(value is caller for value in vars(module).values())


def _give_clock(item: pytest.Function) -> None:
    given = getattr(item.obj, "hypothesis", None)
    if any("run" in marker.kwargs for marker in item.iter_markers("trio")):
        return  # the test names a runner of its own
    if given is None and inspect.iscoroutinefunction(item.obj):
        item.add_marker(pytest.mark.trio(run=run_in_virtual_time))
    elif given is not None and inspect.iscoroutinefunction(given.inner_test) and not item.get_closest_marker("trio"):
        given.inner_test = _each_in_virtual_time(given.inner_test)  # pytest-trio has one runner only for these


def _each_in_virtual_time(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Make a function of an async one that runs it; the name and the parameters stay."""

    @functools.wraps(test)
    def example(*args: object, **drawn: object) -> None:
        run_in_virtual_time(functools.partial(test, *args, **drawn))

    return example


# Schedules.

ORDER = "callflow_order"
"""The fixture that holds the seed of a test's task order."""


@pytest.fixture
def callflow_order(request: pytest.FixtureRequest) -> int:
    """Give the seed of the order in which tasks that are ready at once take their turns."""
    order: int = request.param
    return order


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one test into as many as there are orders to try."""
    count = metafunc.config.getoption(SCHEDULES)
    if count > 0 and inspect.iscoroutinefunction(metafunc.function):
        metafunc.fixturenames.append(ORDER)
        metafunc.parametrize(ORDER, range(count), indirect=True, ids=[f"order {number}" for number in range(count)])


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Run a test, and its async fixtures with it, in the order that it is about."""
    made = getattr(pyfuncitem, "callspec", None)
    order = None if made is None else made.params.get(ORDER)
    if not isinstance(order, int):
        return (yield)
    with trying(order):
        return (yield)


# Coverage.

REACHED = "callflow coverage"
"""Name of the report's property that holds what a machine has reached: so it gets out of a worker of xdist, too."""


def _note_coverage(item: pytest.Item) -> None:
    """Note what the run of a machine has reached, if the test was one."""
    machine: Any = getattr(getattr(item, "cls", None), "hunts", None)
    if machine is not None:
        item.user_properties.append((REACHED, machine.so_far.coverage.lines(machine.__name__)))


def _list_coverage(terminalreporter: pytest.TerminalReporter, reports: Sequence[pytest.TestReport]) -> None:
    found = [dict(report.user_properties).get(REACHED) for report in reports if report.when == "call"]
    reached = [lines for lines in found if isinstance(lines, list)]
    if reached:
        terminalreporter.section(REACHED)
        for lines in sorted(reached):
            terminalreporter.write_line("\n".join(lines))


# Laws.

JUDGED = "callflow laws"
"""Name of the report's property that holds what the laws were worth in the run of a machine."""


def _note_laws(item: pytest.Item) -> None:
    """Note how often each law could have been broken, and which the flow is exempt from or somebody switched off."""
    machine: Any = getattr(getattr(item, "cls", None), "hunts", None)
    if machine is not None:
        failure = machine.so_far.failure
        told = table(machine.bound, machine.so_far.premises, [] if failure is None else [failure.law])
        item.user_properties.append((JUDGED, [machine.__name__, *told.splitlines()]))


def _list_laws(terminalreporter: pytest.TerminalReporter, reports: Sequence[pytest.TestReport]) -> None:
    found = [dict(report.user_properties).get(JUDGED) for report in reports if report.when == "call"]
    for machine, *lines in sorted(lines for lines in found if isinstance(lines, list)):
        terminalreporter.section(f"{JUDGED}: {machine}")
        terminalreporter.write_line("\n".join(lines))


# Failures.


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Print of a call that broke something the call, in place of a traceback; keep it, where a hunt found it."""
    if call.when == "call" and item.config.getoption(COVERAGE):
        _note_coverage(item)
    if call.when == "call" and item.config.getoption(LAWS):
        _note_laws(item)
    report = yield
    if call.excinfo is not None and isinstance(call.excinfo.value, RunFailed):
        report.longrepr = str(call.excinfo.value)
    failures = None if call.excinfo is None else failures_in(call.excinfo.value)
    if failures:
        report.longrepr = "\n\n".join(str(_kept(each, item.path.parent) if each.found else each) for each in failures)
    return report


def _kept(failure: Failure, beside: Path) -> Failure:
    from callflow.testing.keeping import keep  # needs Hypothesis, which whoever hunts has  # noqa: PLC0415

    return keep(failure, beside)
