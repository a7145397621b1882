"""The survey: begun by a key or a word, and a line of a table for each call."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from examples.survey import QUESTIONS, Table, survey
from tests.call.stage import ringing
from tests.examples.scripts import play


class Noted:
    """Results that a test reads."""

    def __init__(self) -> None:
        self.rows: list[Mapping[str, int]] = []

    async def add(self, call_sid: str, given: Mapping[str, int]) -> None:
        await trio.lowlevel.checkpoint()
        self.rows.append(given)


@pytest.mark.parametrize(
    ("script", "answers"),
    [("survey_by_key.call", [5, 4, 5, 3, 5]), ("survey_by_voice.call", [2, 1])],
)
def test_what_a_script_answers_is_kept(script: str, answers: list[int], tmp_path: Path) -> None:
    results = Noted()

    played = play(survey.providing(results), script, tmp_path)

    assert (played.code, results.rows) == (0, [dict(zip(QUESTIONS, answers, strict=False))])


async def test_whoever_says_nothing_is_asked_another_time_and_leaves_no_line(autojump_clock: MockClock) -> None:
    results = Noted()
    async with ringing(survey.providing(results)) as (phone, stage):
        await phone.ended.wait()

    assert (stage.record.last_state, results.rows) == ("AnotherTime", [])


async def test_the_table_has_a_head_and_a_line_a_call(tmp_path: Path) -> None:
    table = Table(tmp_path / "survey.csv")
    await table.add("c1", {"waiting": 5, "friendly": 4})
    await table.add("c2", dict.fromkeys(QUESTIONS, 1))

    with (tmp_path / "survey.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [["call", *QUESTIONS], ["c1", "5", "4", "", "", ""], ["c2", *"11111"]]
