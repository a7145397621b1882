"""What holds for every example."""

from __future__ import annotations

import pytest

from tests.examples.scripts import EXAMPLES

FLOWS = ["echo", "queue", "survey", "tap", "voicemail"]


@pytest.mark.parametrize("name", FLOWS)
def test_an_example_is_under_120_lines(name: str) -> None:
    assert len((EXAMPLES / f"{name}.py").read_text("utf-8").splitlines()) < 120


def test_every_file_of_the_folder_is_an_example_or_makes_sounds_for_them() -> None:
    files = {path.stem for path in EXAMPLES.glob("*.py")}

    assert files == {*FLOWS, "__init__", "make_prompts", "make_music"}
