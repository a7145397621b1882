"""The bank's line, call by call, in virtual time."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from callflow.session.inputs import EndCause
from examples.bank_ivr.bank import Account, FakeBank, PinCheck, Transfer, example_accounts
from examples.bank_ivr.ivr import say_balance, say_transfer
from tests.examples.bank_calls import CALLS, play, write

SCRIPTS = sorted(CALLS.glob("*.call"))

CALLER = "from +910000000105\n"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_example_call_holds(script: Path, tmp_path: Path) -> None:
    codes, _ = play([script], FakeBank(), tmp_path)

    assert codes == [0]


def test_the_same_calls_hold_over_a_slow_line(tmp_path: Path) -> None:
    patient = [path for path in SCRIPTS if path.stem in ("person", "locked", "stranger")]

    codes, _ = play(patient, FakeBank(), tmp_path, lag=0.05)

    assert codes == [0, 0, 0]


def test_a_locked_account_stays_locked_in_the_next_call(tmp_path: Path) -> None:
    bank = FakeBank()
    steps = "hear menu\nkeys 1\nhear pin\ntype 0000\nhear locked complete\nended by flow\n"
    again = write(tmp_path, "from +910000000107\n" + steps)

    codes, _ = play([CALLS / "locked.call", again], bank, tmp_path)

    assert codes == [0, 0]


def test_a_right_pin_forgets_the_wrong_ones(tmp_path: Path) -> None:
    bank = FakeBank()
    steps = "hear menu\nkeys 1\nhear pin\ntype 1111\nhear pin_wrong complete\ntype 4129\nhear balance_is\nhangup\n"
    script = write(tmp_path, CALLER + steps)

    codes, _ = play([script], bank, tmp_path)

    assert (codes, bank.accounts["+910000000105"].wrong) == ([0], 0)


def test_another_balance_gives_other_words(tmp_path: Path) -> None:
    bank = FakeBank(accounts={"+910000000105": Account(pin="4129", paise=2_50_000_00)})
    words = '"Your balance is two lakh fifty thousand rupees"'
    script = write(tmp_path, f"{CALLER}hear menu\nkeys 1\nhear pin\ntype 4129\nhear {words} complete\nhangup\n")

    codes, _ = play([script], bank, tmp_path)

    assert codes == [0]


def test_who_is_verified_is_not_asked_again(tmp_path: Path) -> None:
    steps = "hear menu\nkeys 1\nhear pin\ntype 4129\nhear anything_else\nkeys 2\nhear transfer_is within 3s\nhangup\n"
    script = write(tmp_path, CALLER + steps)

    codes, _ = play([script], FakeBank(), tmp_path)

    assert codes == [0]


@pytest.mark.parametrize("bank", [FakeBank(down=True), FakeBank(delay=30.0)], ids=["down", "slow"])
def test_a_bank_that_does_not_answer_is_apologised_for(bank: FakeBank, tmp_path: Path) -> None:
    script = write(tmp_path, CALLER + "hear welcome complete\nhear slow within 20s complete\nended by flow\n")

    codes, _ = play([script], bank, tmp_path)

    assert codes == [0]


def test_a_failed_expectation_is_named_and_costs_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = write(tmp_path, CALLER + "hear menu\nkeys 0\nhear goodbye within 3s\n")

    codes, _ = play([script], FakeBank(), tmp_path)

    printed = capsys.readouterr()
    assert (codes, "own.call:4" in printed.out + printed.err) == ([1], True)


def test_the_record_says_how_the_call_ended(tmp_path: Path) -> None:
    _, server = play([CALLS / "person.call"], FakeBank(), tmp_path)

    assert [(record.cause, record.last_state) for record in server.records] == [(EndCause.FLOW, "Person")]


def without_clock(record: logging.LogRecord) -> dict[str, object]:
    """What a record holds but for its times and ids, in whose figures any four digits turn up by chance."""
    chance = {"created", "msecs", "relativeCreated", "thread", "process", "lineno", "taskName"}
    return {name: value for name, value in record.__dict__.items() if name not in chance}


def test_a_pin_stands_in_no_log_and_in_no_line_of_the_journal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    bank = FakeBank(accounts={"+910000000105": Account(pin="8264", paise=100)})
    script = write(tmp_path, CALLER + "hear menu\nkeys 1\nhear pin\ntype $canary gap 0.2s\nhear balance_is\nhangup\n")
    (tmp_path / "answers.toml").write_text('canary = "8264"\n')

    codes, server = play([script], bank, tmp_path)

    journal = "".join(entry.line() for one in server.registry.calls._journals.values() for entry in one.entries)
    said = "".join(f"{record.getMessage()} {without_clock(record)}" for record in caplog.records)
    printed = capsys.readouterr()
    assert codes == [0]
    assert [sink for sink in (journal, said, printed.out, printed.err, repr(server.records)) if "8264" in sink] == []


def test_balances_and_transfers_are_said_in_full() -> None:
    assert say_balance(-75_00) == ("overdrawn.wav", "seventy.wav", "five.wav", "rupees.wav")
    assert say_transfer(None) == ("no_transfer.wav",)
    assert say_transfer(Transfer(100, "0091"))[-6:] == (
        "received_from.wav",
        "account_ending.wav",
        "zero.wav",
        "zero.wav",
        "nine.wav",
        "one.wav",
    )


def test_pin_checks_are_a_closed_set() -> None:
    assert {check.name for check in PinCheck} == {"RIGHT", "WRONG", "LOCKED"}


def test_example_accounts_are_fresh_for_each_bank() -> None:
    example_accounts()["+910000000105"].wrong = 3

    assert example_accounts()["+910000000105"].wrong == 0
