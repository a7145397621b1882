"""The log as the command line shows it: one line a record whatever stands in it, and no variables in a traceback."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callflow.cli.logs import show_logs

LIBRARY = logging.getLogger("callflow")
LOGGER = logging.getLogger("callflow.call")

NASTY = "a\nb\r\x1b[31mred\x00\x85\u2028=' \""
"""Ends lines, moves the cursor, colours, and confuses who splits at blanks."""


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Leave the library's logger as it was."""
    handlers, level = [*LIBRARY.handlers], LIBRARY.level
    yield
    LIBRARY.handlers[:] = handlers
    LIBRARY.setLevel(level)


class Terminal(io.StringIO):
    """Standard error of somebody who sits there."""

    def isatty(self) -> bool:
        return True


def shown(write: Callable[[], None], *, where: io.StringIO | None = None, **options: Any) -> str:
    """Show what *write* logs; give what stands on standard error then."""
    error = where or io.StringIO()
    with contextlib.redirect_stderr(error):
        show_logs(**options)
        write()
    return error.getvalue()


def ended() -> None:
    LOGGER.info("call ended", extra={"call_sid": "c1", "seconds": 3.5, "record": {"caller": "…05", "cause": "stop"}})


def keyed(pin: str) -> None:
    raise ValueError(f"a PIN of {len(pin)} digits\nis \x1b[31mwrong")


def failed() -> None:
    try:
        keyed("4129")
    except ValueError as error:
        LOGGER.exception("flow failed", exc_info=error, extra={"where": "AskPin.on_digits"})


# For people.


def test_a_record_is_a_line_with_its_time_level_event_and_fields() -> None:
    line = shown(ended)

    time, rest = line[:8], line[8:].split()
    assert (time[2] + time[5], rest[:4]) == ("::", ["[info", "]", "call", "ended"])
    assert "call_sid=c1" in rest
    assert "seconds=3.5" in rest


def test_a_line_has_colours_on_a_terminal_alone() -> None:
    assert ("\x1b[" in shown(ended), "\x1b[" in shown(ended, where=Terminal())) == (False, True)


@given(text=st.text())
@example(text=NASTY)
def test_whatever_stands_in_a_record_it_is_one_line(text: str) -> None:
    line = shown(lambda: LOGGER.info("%s", text, extra={"said": text, "record": {"said": text}}))

    controls = [sign for sign in line[:-1] if unicodedata.category(sign) in ("Cc", "Zl", "Zp")]
    assert (controls, line[-1]) == ([], "\n")


def test_an_error_comes_with_its_traceback_and_without_its_variables() -> None:
    lines = shown(failed).splitlines()

    assert "4129" not in "".join(line for line in lines if 'keyed("4129")' not in line)
    assert (lines[1], lines[-2:]) == (
        "Traceback (most recent call last):",
        ["ValueError: a PIN of 4 digits", "is \\x1b[31mwrong"],
    )


# For machines.


def test_a_record_is_a_json_object_with_its_fields() -> None:
    told = json.loads(shown(ended, as_json=True))

    assert told.pop("timestamp")[-1] == "Z"
    assert told == {
        "event": "call ended",
        "level": "info",
        "call_sid": "c1",
        "seconds": 3.5,
        "record": {"caller": "…05", "cause": "stop"},
    }


@given(text=st.text())
@example(text=NASTY)
def test_whatever_stands_in_a_record_it_is_one_json_line(text: str) -> None:
    line = shown(lambda: LOGGER.info("%s", text, extra={"said": text}), as_json=True)

    assert (json.loads(line)["said"], line.isascii(), line.count("\n"), line.count("\r")) == (text, True, 1, 0)


def test_what_json_does_not_know_is_written_all_the_same() -> None:
    told = json.loads(shown(lambda: LOGGER.info("odd", extra={"it": {1, 2}}), as_json=True))

    assert told["it"] == "{1, 2}"


def test_an_error_is_one_json_line_with_its_traceback_and_without_its_variables() -> None:
    line = shown(failed, as_json=True)

    told = json.loads(line)
    assert (told["event"], told["where"], line.count("\n")) == ("flow failed", "AskPin.on_digits", 1)
    assert "ValueError: a PIN of 4 digits" in told["exception"]
    assert "4129" not in told["exception"].replace('keyed("4129")', "")


# Which records.


def debug() -> None:
    LOGGER.debug("> media")


@pytest.mark.parametrize(("verbose", "lines"), [(False, 0), (True, 1)])
def test_details_are_shown_to_who_asks_for_them(verbose: bool, lines: int) -> None:
    assert shown(debug, verbose=verbose).count("\n") == lines


def test_logs_that_are_shown_twice_are_shown_once() -> None:
    def show_again() -> None:
        show_logs()
        ended()

    assert shown(show_again).count("\n") == 1


def test_other_libraries_logs_are_left_alone() -> None:
    assert shown(lambda: logging.getLogger("elsewhere").info("hello")) == ""
