"""What pytest lists of the laws: how often each had its chance, and which do not bind a flow."""

from __future__ import annotations

import pytest

from tests.testing.test_coverage import run

MACHINES = """
import pytest
from hypothesis import settings

from callflow.testing.hunting import usual_settings
from callflow.testing.machine import CallMachine
from examples.echo import echo


class Echo(CallMachine, flow=echo, laws={"no-orphans": False}): ...


TestEcho = Echo.TestCase
TestEcho.settings = settings(usual_settings(), max_examples=2, database=None)
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    (pytester.path / "test_echo.py").write_text(MACHINES)
    return pytester


def test_pytest_lists_the_laws_of_each_machine_when_it_is_asked(project: pytest.Pytester) -> None:
    result = run(project, "--callflow-laws")

    result.stdout.fnmatch_lines(
        [
            "*= callflow laws: Echo =*",
            "law * rule * premise * sentence",
            "connected-first * R1 * The first message is connected, and it occurs once.",
            "whole-blocks * R17 * exempt *",
            "no-orphans * K2 * off *",
        ]
    )


def test_pytest_lists_no_law_unasked(project: pytest.Pytester) -> None:
    run(project).stdout.no_fnmatch_line("*callflow laws*")
