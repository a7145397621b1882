"""Every example keeps every law and its own properties, whoever calls, and every way through it but few is taken."""

from __future__ import annotations

import pytest
from hypothesis import settings

from callflow.testing.hunting import hunt, usual_settings
from callflow.testing.machine import CallMachine
from tests.examples.machines import BankLine, EchoLine, QueueLine, SurveyLine, TapLine, VoicemailLine

EXAMPLES = {"dev": 30, "ci": 100, "long": 500}
"""Calls of a run that chance makes, by profile; before them each edge is tried on purpose."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("machine", [BankLine, EchoLine, QueueLine, SurveyLine, TapLine, VoicemailLine])
def test_an_example_keeps_every_law(machine: type[CallMachine]) -> None:
    hunt(machine, settings(usual_settings(), max_examples=EXAMPLES[settings.get_current_profile_name()]))
