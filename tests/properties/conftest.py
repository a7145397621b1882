"""The flows of the generated calls, with their prompts."""

from __future__ import annotations

import pytest

from callflow import Flow
from tests.properties.flows import make_flows, write_prompts


@pytest.fixture(scope="module")
def flows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Flow[None]]:
    folder = tmp_path_factory.mktemp("prompts")
    write_prompts(folder)
    return make_flows(folder)
