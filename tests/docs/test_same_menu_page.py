"""The page of the same menu elsewhere: its programs are as long as it says, and do what its table says of callflow."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest
import trio
from attrs import frozen
from trio.testing import MockClock

from callflow.call.journal import Entry, Kind
from callflow.line import MemoryNetwork, place_call
from callflow.server.flow_argument import load_flow
from callflow.server.settings import Settings
from tests.call.stage import QUIET, tone
from tests.docs.reader import started, to_do, work_in
from tests.docs.tables import tables
from tests.test_docs import ROOT

PAGE = ROOT / "docs" / "explanation" / "the-same-menu-elsewhere.md"
PROGRAMS = dict(step for step in to_do(PAGE) if isinstance(step, tuple))
[LENGTHS] = [table for table in tables(PAGE) if "lines" in table.columns]

PROMPTS = {"main": 3.0, "no_input": 0.5, "no_match": 0.6}
"""Seconds of those that are not a second long."""


@pytest.mark.parametrize(
    ("row", "name"), [("callflow, three departments", "departments.py"), ("callflow, two levels", "levels.py")]
)
def test_a_program_is_as_long_as_the_page_says(row: str, name: str) -> None:
    lines = [line for line in PROGRAMS[name].splitlines() if line.strip() and not line.lstrip().startswith("#")]

    assert str(len(lines)) == LENGTHS.by("", "lines")[row]


@frozen
class Told:
    """What the journal of a call tells of it."""

    entries: list[Entry]
    branch: str

    @property
    def spoken(self) -> list[str]:
        """The prompts, in order."""
        queued = " ".join(str(entry.details["prompt"]) for entry in self.of(Kind.PLAYBACK, "queued"))
        return queued.replace(".wav", "").split()

    def of(self, kind: Kind, what: str) -> list[Entry]:
        return [entry for entry in self.entries if (entry.kind, entry.what) == (kind, what)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder with the page's programs, and prompts that are tones."""
    work_in(tmp_path, monkeypatch)
    for name, text in PROGRAMS.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "prompts").mkdir()
    for name in ("main", "no_input", "no_match", "person", "sales", "support", "accounts", "phones", "printers"):
        with wave.open(str(tmp_path / "prompts" / f"{name}.wav"), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(tone(440, PROMPTS.get(name, 1.0)))
    return tmp_path


async def tell(program: Path, keys: str, *, at: float = 1.0, gap: float = 0.3) -> Told:
    """Call a program of the page, and press keys at some time."""
    flow = load_flow(str(program))
    server = started(flow, Settings())
    async with trio.open_nursery() as nursery:
        network = MemoryNetwork()
        network.listen(server.connect, nursery)
        async with place_call(network.dial, profile=QUIET) as phone:
            await phone.wait(at)
            await phone.press(keys, gap=gap)
            [task] = server.registry.live
            await phone.ended.wait()
        nursery.cancel_scope.cancel()
    last = {state.__name__: state for state in flow.graph.all_states}[server.records[0].last_state]
    return Told(list(task.driver.journal.entries), last.options.branch)


@pytest.mark.parametrize(("key", "branch"), [("1", "sales"), ("2", "support"), ("3", "accounts"), ("", "A")])
async def test_a_key_leads_to_its_department(key: str, branch: str, folder: Path, autojump_clock: MockClock) -> None:
    assert (await tell(folder / "departments.py", key)).branch == branch


async def test_without_a_key_it_asks_again_and_gives_up_after_three_tries(
    folder: Path, autojump_clock: MockClock
) -> None:
    told = await tell(folder / "departments.py", "")

    assert told.spoken == ["main", "no_input", "main", "no_input", "main", "person"]


async def test_it_waits_five_seconds_from_the_moment_the_prompt_was_heard(
    folder: Path, autojump_clock: MockClock
) -> None:
    told = await tell(folder / "departments.py", "")
    heard = told.of(Kind.PLAYBACK, "heard")[0]
    asked_again = told.of(Kind.PLAYBACK, "queued")[1]

    assert asked_again.at - heard.at == pytest.approx(5.0, abs=0.01)


async def test_a_key_that_fits_nothing_is_told_at_once_and_costs_a_try(folder: Path, autojump_clock: MockClock) -> None:
    told = await tell(folder / "departments.py", "777", gap=5.0)
    pressed, again = told.of(Kind.KEY, "pressed")[0], told.of(Kind.PLAYBACK, "queued")[1]

    assert (told.spoken, again.at == pressed.at) == (["main", "no_match", "main", "no_match", "main", "person"], True)


async def test_keys_that_come_early_answer_the_next_menu_unspoken(folder: Path, autojump_clock: MockClock) -> None:
    told = await tell(folder / "levels.py", "22", gap=0.0)

    assert (told.spoken, told.branch) == (["main", "printers"], "printers")


async def test_a_key_during_the_prompt_cuts_it_at_once(folder: Path, autojump_clock: MockClock) -> None:
    told = await tell(folder / "departments.py", "1")
    [pressed], [cleared] = told.of(Kind.KEY, "pressed"), told.of(Kind.MESSAGE, "send clear")

    assert (cleared.at == pressed.at, told.spoken) == (True, ["main", "sales"])


@pytest.mark.parametrize("keys", ["0", "20"])
async def test_nought_leads_to_a_person_from_both_levels(keys: str, folder: Path, autojump_clock: MockClock) -> None:
    told = await tell(folder / "levels.py", keys, gap=0.5)

    assert told.spoken[-1] == "person"


async def test_a_star_leads_back(folder: Path, autojump_clock: MockClock) -> None:
    told = await tell(folder / "levels.py", "2*1", gap=0.5)

    assert told.spoken == ["main", "support", "main", "sales"]
