"""A survey: begun by a key or by a word, five questions from data, each call one line of a CSV file.

``callflow serve examples/survey.py`` writes ``survey.csv`` where it is started. Whoever hangs up early counts as far as
they came.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

import trio
from attrs import Factory, define

from callflow import Call, Dtmf, EndedCall, Failed, Flow, Hangup, Menu, Prompt, Speech, State, key

QUESTIONS = ("waiting", "friendly", "solved", "clear", "recommend")
"""Names of the questions: of their prompts, and of the columns."""


@define
class Answers:
    """What one caller has answered, by question."""

    given: dict[str, int] = Factory(dict[str, int])


C = Call[Answers]


@runtime_checkable
class Results(Protocol):
    """Keeps what callers answer."""

    async def add(self, call_sid: str, given: Mapping[str, int]) -> None:
        """Keep the answers of one call."""


class Table:
    """Keeps them in a CSV file: one line a call, a column a question, empty where it was not answered."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def add(self, call_sid: str, given: Mapping[str, int]) -> None:
        await trio.to_thread.run_sync(self._append, [call_sid, *(given.get(name, "") for name in QUESTIONS)])

    def _append(self, row: list[int | str]) -> None:
        is_new = not self._path.exists()
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["call", *QUESTIONS], row] if is_new else [row])


class Invitation(State[Answers], timeout=20.0):
    async def run(self, call: C) -> None:
        await call.play("welcome.wav", barge_in="any")

    def on_dtmf(self, call: C, key: Dtmf) -> Question:
        return Question()

    def on_speech(self, call: C, speech: Speech) -> Question:
        return Question()

    def on_timeout(self, call: C) -> AnotherTime:
        return AnotherTime()


class Question(Menu[Answers], no_input="no_input.wav", no_match="no_match.wav", first_digit=8.0):
    number: int = 0

    def prompt_for(self, call: C) -> Prompt:
        return (f"{QUESTIONS[self.number]}.wav", "how.wav")

    @key("1", "2", "3", "4", "5")
    def answer(self, call: C, pressed: str) -> Question | Thanks:
        call.data.given[QUESTIONS[self.number]] = int(pressed)
        return Thanks() if self.number + 1 == len(QUESTIONS) else Question(self.number + 1)

    def on_failed(self, call: C, why: Failed) -> AnotherTime:
        return AnotherTime()


class Thanks(Hangup[Answers], prompt="thanks.wav"): ...


class AnotherTime(Hangup[Answers], prompt="another_time.wav"): ...


async def keep(call: EndedCall[Answers]) -> None:
    """Keep what was answered, however the call ended."""
    if call.data.given:
        await call.get(Results).add(call.call_sid, call.data.given)


survey = Flow(
    "survey",
    start=Invitation,
    data=Answers,
    prompts="prompts/survey",
    provide=[Table(Path("survey.csv"))],
    after=keep,
)
