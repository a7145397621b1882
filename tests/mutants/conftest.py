"""What mutants are played on."""

from __future__ import annotations

import pytest

from callflow.testing.rehearsal import Cast
from tests.mutants.scenes import make_casts


@pytest.fixture(scope="session")
def casts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Cast]:
    return make_casts(tmp_path_factory.mktemp("mutants") / "prompts")
