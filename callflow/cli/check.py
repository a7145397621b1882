"""``callflow check FLOW …``: say what is wrong with flows, without running any of them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from types import TracebackType

import msgspec
from attrs import asdict, define, field

from callflow.cli.deep import facts_of, lines_of
from callflow.cli.import_errors import explained, last_line_of_users, shown
from callflow.errors import FlowDefinitionError
from callflow.flow.checks.everything import check_module
from callflow.flow.checks.finding import Finding, Place, finding_of
from callflow.flow.checks.source import Sources
from callflow.flow.deep.study import Study, study
from callflow.server.flow_argument import NoSuchFlow, module_and_flows

CLEAN, FOUND, NOT_IMPORTED = 0, 1, 2
"""Exit codes: nothing to say, findings, and a FLOW that cannot be imported."""

JSON_VERSION = 1
"""Goes up when a key of the JSON output changes its meaning or goes away; new keys may come without."""


def check(*flows: str, json: bool = False, deep: bool = False) -> int:
    """Find mistakes in flows before a caller does. They are imported; nothing is run, served or loaded.

    Args:
        flows: path/to/file.py or package.module, with :name for one of several flows.
        json: Print one JSON object instead of lines.
        deep: Walk the control graph as well, for every outcome of every state: longest silence, loops, uncut prompts.
    """
    if not flows:
        print("callflow: check needs a FLOW: path/to/file.py or package.module", file=sys.stderr)
        return NOT_IMPORTED
    report = Report(deep=deep)
    for flow in flows:
        report.look_at(flow)
    print(report.as_json() if json else report.as_text(), end="")
    return report.exit_code


@define
class Report:
    """What was found in all flows that were asked about."""

    deep: bool = False
    """Whether control flow is studied, too."""
    studies: list[Study] = field(factory=list)
    """What was found out about it."""
    names: list[str] = field(factory=list)
    """Names of the flows that were judged."""
    findings: list[Finding] = field(factory=list)
    failures: list[dict[str, str]] = field(factory=list)
    """Which FLOW could not be imported, and why."""

    def look_at(self, argument: str) -> None:
        """Import what *argument* names, and judge it."""
        try:
            with _quiet():
                module, flows = module_and_flows(argument)
        except FlowDefinitionError as wrong:
            self._add(finding_of(each, _place_of(each, wrong.__traceback__)) for each in (wrong, *wrong.others))
        except NoSuchFlow as wrong:
            self._fail(argument, str(wrong))
        except (Exception, SystemExit) as wrong:  # noqa: BLE001  # whatever a user's module raises; it is what we report
            self._fail(argument, explained(wrong))
        else:
            self.names += [each.name for each in flows]
            studies = [study(each) for each in flows] if self.deep else []
            self.studies += studies
            self._add(check_module(module, flows, studies))

    @property
    def exit_code(self) -> int:
        """Tell the exit code: a FLOW that cannot be imported weighs most."""
        return NOT_IMPORTED if self.failures else FOUND if self.findings else CLEAN

    def as_text(self) -> str:
        """Write one line a finding, as compilers do, and what was judged; failures go to standard error."""
        for failure in self.failures:
            print(f"callflow: {failure['message']}", file=sys.stderr)
        lines = [_line_of(finding) for finding in self.findings]
        if not self.findings and not self.failures:
            lines.append(f"{_count(len(self.names), 'flow')}: nothing found")
        elif self.findings:
            lines.append(_count(len(self.findings), "finding"))
        for each in self.studies:
            lines += ["", *lines_of(each)]
        return "".join(f"{line}\n" for line in lines)

    def as_json(self) -> str:
        """Write everything as one object."""
        found = [{**asdict(finding), "path": shown(finding.path)} for finding in self.findings]
        report = {"version": JSON_VERSION, "flows": self.names, "findings": found, "failures": self.failures}
        if self.deep:
            report["deep"] = [facts_of(each) for each in self.studies]
        return msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"

    def _add(self, findings: Sequence[Finding] | Iterator[Finding]) -> None:
        self.findings += [finding for finding in findings if finding not in self.findings]

    def _fail(self, argument: str, message: str) -> None:
        self.failures.append({"flow": argument, "message": message})


def _line_of(finding: Finding) -> str:
    where = f"{finding.where}: " if finding.where else ""
    return f"{shown(finding.path)}:{finding.line}: {where}{finding.mistake}; {finding.cure}  [{finding.check}]"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Send what a module prints to standard error: standard output belongs to the report."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def _place_of(error: FlowDefinitionError, trace: TracebackType | None) -> Place:
    """Find what has to change; where that is not known, the line of the user's that the error came from."""
    last = last_line_of_users(trace)
    if error.at is None:
        return last
    found = Sources().place_of(error.at)
    return found if found.path.is_file() else last
