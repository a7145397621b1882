"""The how-to pages, done as a reader does them: every file is saved, every command prints what the page says."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from callflow.line import MemoryNetwork, passthru, place_call
from callflow.server.flow_argument import load_flow
from callflow.server.settings import Settings
from tests.docs.reader import Asked, Reader, looks_like, reading, started, to_do, work_in
from tests.docs.tables import code, tables
from tests.test_docs import ROOT

HOW_TO = ROOT / "docs" / "how-to"
LOG_PAGE = ROOT / "docs" / "reference" / "log-and-journal.md"
DONE = [page for page in sorted(HOW_TO.glob("*.md")) if any(isinstance(step, Asked) for step in to_do(page))]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder that has the project's examples."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    work_in(tmp_path, monkeypatch)
    return tmp_path


@pytest.mark.parametrize("page", DONE, ids=lambda page: page.stem)
async def test_every_command_prints_what_the_page_says(
    page: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    autojump_clock: MockClock,
) -> None:
    differs = []
    async with reading(folder, monkeypatch, capsys) as reader:
        for step in to_do(page):
            if not isinstance(step, Asked):
                reader.save(*step)
            elif not looks_like(printed := await reader.do(step.words), step.printed):
                differs.append((step.words, printed, step.printed))

    assert differs == []


# Connect it to Exotel.

CONNECT = HOW_TO / "connect-it-to-exotel.md"


async def do_all(page: Path, reader: Reader) -> None:
    """Do what a page says, whatever it prints."""
    for step in to_do(page):
        if isinstance(step, Asked):
            await reader.do(step.words)
        else:
            reader.save(*step)


async def test_a_status_callback_reaches_the_flow(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], autojump_clock: MockClock
) -> None:
    async with reading(folder, monkeypatch, capsys) as reader:
        await do_all(CONNECT, reader)

    assert reader.server_says == ["c7 is over: no-answer"]


async def test_keys_of_a_gather_reach_the_call_without_their_quotes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], autojump_clock: MockClock
) -> None:
    async with reading(folder, monkeypatch, capsys) as reader:
        await do_all(CONNECT, reader)
        assert reader.server is not None

    assert reader.server.registry.announced("c4")["wish"] == "5"


def test_what_is_refused_has_the_kinds_of_the_log_page() -> None:
    [symptoms] = [table for table in tables(CONNECT) if table.columns[0] == "what you hear or see"]
    kinds = {code(cell)[2] for cell in symptoms.column("what you hear or see") if cell.startswith("`call refused`")}
    [told] = [row for table in tables(LOG_PAGE) for row in table.rows if "`call refused`" in row]

    assert (kinds - set(code(told[-1])), len(kinds)) == (set(), 4)


# Send a call to a person.

PERSON = HOW_TO / "send-a-call-to-a-person.md"
[CHAIN] = [table for table in tables(PERSON) if "URL" in table.columns]


def save_all(page: Path, folder: Path) -> None:
    """Save every file of a page."""
    for step in to_do(page):
        if not isinstance(step, Asked):
            (folder / step[0]).write_text(step[1], encoding="utf-8")


async def walk(network: MemoryNetwork, call_sid: str, phone_record: object) -> str:
    """Go through the page's table as Exotel would; give the applet where the call arrives."""
    rows = {row[0]: row for row in CHAIN.rows}
    at = CHAIN.rows[0][0]
    while at in rows:
        _, url, taken, other = rows[at]
        [address] = code(url)
        path = address.removeprefix("https://YOUR.HOST")
        status = await passthru(network.dial, call_sid=call_sid, before=False, stream=phone_record, path=path)  # type: ignore[arg-type]  # a StreamRecord
        at = taken if status == 302 else other
    return at


@pytest.mark.parametrize(
    ("key", "arrives"),
    [
        ("1", "Connect: the sales desk"),
        ("2", "Connect: the support desk"),
        ("9", "Hangup"),
        ("", "Connect: the reception"),
        ("hang up", "Connect: the reception"),
    ],
)
async def test_a_call_arrives_where_the_table_says(
    key: str, arrives: str, folder: Path, autojump_clock: MockClock
) -> None:
    save_all(PERSON, folder)
    server = started(load_flow(str(folder / "shop.py")), Settings())
    async with trio.open_nursery() as nursery:
        network = MemoryNetwork()
        network.listen(server.connect, nursery)
        async with place_call(network.dial, call_sid="c0ffee") as phone:
            await phone.wait(1.0)
            if key == "hang up":
                await phone.hang_up()
            else:
                await phone.press(key)
            await phone.ended.wait()
            record = phone.record()
        at = await walk(network, "c0ffee", record)
        nursery.cancel_scope.cancel()

    assert at == arrives


# Ask for a PIN.

PIN = HOW_TO / "ask-for-a-pin.md"
NO_DIGITS = ("4129", "1111")


async def test_a_pin_is_checked_once_though_the_line_was_lost_meanwhile(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], autojump_clock: MockClock
) -> None:
    save_all(PIN, folder)
    async with reading(folder, monkeypatch, capsys) as reader:
        await reader.do("./run serve pin.py")
        for script in ("right", "lost_check"):
            await reader.do(f"./run call {script} --prompts examples/bank_ivr/prompts")

    assert sys.modules["pin"].bank.checks == 2


def told_with(record: logging.LogRecord) -> dict[str, object]:
    """Give what a log line has in its ``extra``: no moments and numbers of ``logging`` itself, which are any digits."""
    plain = vars(logging.makeLogRecord({}))
    return {name: value for name, value in vars(record).items() if name not in plain}


async def test_no_digit_of_a_pin_is_in_anything_that_is_written(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    autojump_clock: MockClock,
) -> None:
    caplog.set_level(logging.DEBUG)
    save_all(PIN, folder)
    printed = ""
    async with reading(folder, monkeypatch, capsys) as reader:
        await reader.do("./run serve pin.py --feed")
        for script in ("right", "wrong", "locked", "lost_check", "slow"):
            printed += await reader.do(f"./run call {script} --prompts examples/bank_ivr/prompts")
        assert reader.server is not None
        kept = reader.server.registry.calls._journals.values()
        journals = [entry.line() for journal in kept for entry in journal.entries]

    own = [record for record in caplog.records if record.name.startswith("callflow")]
    logged = [f"{record.getMessage()} {told_with(record)}" for record in own]
    written = "\n".join([printed, *journals, *logged])
    assert ([digits for digits in NO_DIGITS if digits in written], "•" in written) == ([], True)
