"""Flows that use everything keep every law: what the hunt found in them stays as regression tests of its own."""

from __future__ import annotations

import pytest
from hypothesis import settings

from callflow.testing.hunting import hunt, usual_settings
from callflow.testing.machine import CallMachine
from tests.testing.flows_of_all import CounterLine, LoungeLine, MessagesLine, OverheardLine, RelayLine

EXAMPLES = {"dev": 8, "ci": 16, "long": 300}
"""Calls of a run that chance makes, by profile."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("machine", [CounterLine, LoungeLine, MessagesLine, OverheardLine, RelayLine])
def test_a_flow_that_uses_everything_keeps_every_law(machine: type[CallMachine]) -> None:
    hunt(machine, settings(usual_settings(), max_examples=EXAMPLES[settings.get_current_profile_name()]))
