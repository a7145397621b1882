"""What happened in a call, told in few lines."""

from __future__ import annotations

import pytest

from callflow.call.journal import Kind
from callflow.testing.chronicle import chronicle
from tests.testing.stories import Line, entered, fate, pause, pressed, queued, story, taken, typed


def told(*lines: Line) -> list[str]:
    return [line.strip() for line in chronicle(story(*lines).entries)]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([taken(1.0, "1")], ["1.00  key 1"]),
        ([taken(1.0), pressed(1.3), taken(1.3), taken(2.3)], ["1.00  keys •••"]),
        ([typed(1.0, "held"), typed(1.3, "held")], ["1.00  2 keys are kept"]),
        ([typed(1.0, "held"), taken(1.0, "1")], ["1.00  a key is kept", "1.00  key 1"]),
        ([taken(1.0, "1"), taken(2.5, "2")], ["1.00  key 1", "2.50  key 2"]),
        (
            [taken(1.0, "1"), entered(1.0, "Think", 2), taken(1.2, "2")],
            ["1.00  key 1", "1.00  Think entered", "1.20  key 2"],
        ),
    ],
)
def test_keys_that_come_soon_after_another_are_told_in_one_line(lines: list[Line], expected: list[str]) -> None:
    assert told(*lines) == expected


def test_pauses_are_told() -> None:
    lines = queued(1, "music.wav"), pause(2, "music.wav"), pause(3, "music.wav", "resumed"), fate(4, "music.wav")

    assert told(*lines) == [
        "1.00  plays music.wav",
        "2.00  music.wav pauses",
        "3.00  music.wav goes on",
        "4.00  music.wav heard",
    ]


def test_a_cut_does_not_tell_how_long_the_prompt_would_have_been() -> None:
    cut = (1.5, Kind.PLAYBACK, "cut", {"prompt": "menu.wav", "seconds": 4.2, "at_least": 0.2, "at_most": 0.5})

    assert told(cut) == ["1.50  menu.wav cut"]
