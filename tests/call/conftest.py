from __future__ import annotations

from pathlib import Path

import pytest

from tests.call.stage import write_prompts


@pytest.fixture(scope="session")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the prompts of the stage."""
    return write_prompts(tmp_path_factory.mktemp("prompts"))
