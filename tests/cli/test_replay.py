"""``callflow replay``: plays saved calls, says which are mended, and writes them as tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from callflow.cli.app import run
from callflow.testing.laws.ends import errors_once
from tests.testing.saved import BROKEN, CALL, WHOLE, write_call, write_line


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_line(tmp_path)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, list[str], str]:
    """Run it; give its exit code, its lines, and what it says of mistakes."""
    code = run(["replay", *map(str, words)])
    out, err = capsys.readouterr()
    return code, out.splitlines(), err


def test_a_call_that_is_mended_is_told_with_its_timeline_and_its_law(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_call(here)

    code, lines, _ = said(capsys, "calls/one.call")

    assert (code, lines) == (
        0,
        [
            "   0.10  Choice entered",
            "   0.10  plays menu.wav",
            "   0.20  menu.wav cut",
            "   0.20  key 1",
            "   0.20  Bye entered",
            "   0.20  plays bye.wav",
            "   1.40  bye.wav heard",
            "   1.40  over: flow",
            "FIXED  calls/one.call: it once broke L10",
            f"  {errors_once.sentence}",
        ],
    )


def test_a_call_that_still_fails_says_what_and_where(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_line(here, BROKEN)
    write_call(here)

    code, lines, _ = said(capsys, "calls/one.call")

    assert (code, lines[-4:]) == (
        1,
        [
            "FAILED  calls/one.call",
            "no-errors: No handler and no run of the flow raises.",
            "  Choice.one: LookupError: oops (line.py:7), at 0.20 s",
            "  in state Choice, line.py:4",
        ],
    )


def test_it_says_the_same_ten_times_of_ten(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = write_call(here, CALL.replace("law L10", "network rough"))

    outputs = []
    for source in (BROKEN, WHOLE):
        write_line(here, source)
        outputs.append({str(said(capsys, script)) for _ in range(10)})

    assert [len(same) for same in outputs] == [1, 1]


def test_a_folder_is_played_and_counted(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_call(here)
    write_call(here, "flow ../line.py\nhear pin within 1s\n", "two")
    write_call(here, "hear of another bot\n".replace("of another bot", "menu"), "elsewhere")

    code, lines, _ = said(capsys, "calls")

    assert (code, lines[-1]) == (1, "2 calls: 1 FIXED, 1 FAILED")


def test_answers_come_by_name_and_are_not_shown(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_call(here, "flow ../line.py\ntype $choice\nended by flow\n")

    code, lines, _ = said(capsys, "calls/one.call", "--answer", "choice=1")

    assert (code, "  0.0  ▶ keys •" in lines) == (0, True)


def test_programs_read_one_object_a_call(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_line(here, BROKEN)
    write_call(here)

    code, lines, _ = said(capsys, "calls", "--json")

    told = json.loads(lines[0])
    assert (code, told["verdict"], told["once_broke"], told["came"], told["where"]) == (
        1,
        "FAILED",
        "L10",
        "Choice.one: LookupError: oops (line.py:7), at 0.20 s",
        ["in state Choice, line.py:4"],
    )


def test_a_call_is_written_as_a_test(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_call(here)

    code, lines, _ = said(capsys, "calls/one.call", "--pytest")

    assert (code, lines) == (
        0,
        [
            "from callflow.testing import caller",
            "from line import line",
            "",
            "",
            "async def test_one() -> None:",
            "    async with caller(line, seed=3, lag=0.05) as c:",
            '        await c.press("1")',
            "        await c.silent(2.0)",
            "        await c.hangs_up()",
            "",
        ],
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hangup\n", "it does not say which flow is called; write flow FILE:NAME above its first step"),
        ("flow ../line.py\nhaer menu\n", "calls/one.call:2: no verb 'haer'; did you mean 'hear'?"),
        ("flow ../line.py\ntype $pin\n", "calls/one.call:2: nobody knows $pin; give --answer pin=…"),
        ("flow ../lime.py\nhangup\n", "lime.py: there is no such file"),
        ("flow ../line.py\nplay no.wav\n", "no.wav"),
    ],
)
def test_a_mistake_is_one_line_and_no_call(
    here: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    write_call(here, text)

    code, lines, err = said(capsys, "calls/one.call")

    assert (code, lines, words in err, err.count("\n")) == (2, [], True, 1)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "callflow replay: FILE: nothing is to be played; name .call files, or a folder that holds some\n"),
        (["nothing.call"], "callflow replay: nothing.call: it cannot be read: FileNotFoundError; is that a script?\n"),
        (["prompts"], "callflow replay: prompts: no .call file with a flow line is in this folder; name another\n"),
    ],
)
def test_a_wrong_order_is_one_line(here: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str) -> None:
    assert said(capsys, *words) == (2, [], told)
