"""Lines of the log are written behind the back of whoever logs: nobody waits for a reader, and no line is torn."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

import pytest

from callflow.cli import logs
from callflow.cli.logs import Behind


class Plain(logging.Formatter):
    """The event, and a count where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        return " ".join([record.getMessage(), *(str(count) for count in [vars(record).get("count")] if count)])


@contextmanager
def log_to(stream: TextIO) -> Iterator[logging.Logger]:
    logger = logging.getLogger("callflow.server")
    before = [*logger.handlers], logger.level, logger.propagate
    handler = Behind(stream)
    handler.setFormatter(Plain())
    logger.handlers[:], logger.propagate = [handler], False
    logger.setLevel(logging.INFO)
    try:
        yield logger
    finally:
        logger.handlers[:], logger.propagate = before[0], before[2]
        logger.setLevel(before[1])
        handler.close()


@pytest.fixture
def pipe() -> Iterator[tuple[TextIOWrapper, TextIOWrapper]]:
    """Both ends of a pipe: to read, and to write."""
    source, sink = os.pipe()
    with open(source) as reader, open(sink, "w") as writer:  # noqa: PTH123  # descriptors have no path
        yield reader, writer


@pytest.fixture
def logger(pipe: tuple[TextIOWrapper, TextIOWrapper]) -> Iterator[logging.Logger]:
    """A logger whose lines go into the pipe."""
    with log_to(pipe[1]) as logger:
        yield logger


def flush(logger: logging.Logger) -> None:
    for handler in logger.handlers:
        if isinstance(handler, Behind):
            handler.wait_written()


def test_lines_are_written_in_order_and_whole(
    pipe: tuple[TextIOWrapper, TextIOWrapper], logger: logging.Logger
) -> None:
    for n in range(100):
        logger.info("line %d", n)

    assert [pipe[0].readline() for _ in range(100)] == [f"line {n}\n" for n in range(100)]


def test_what_was_logged_is_out_when_it_was_flushed(
    pipe: tuple[TextIOWrapper, TextIOWrapper], logger: logging.Logger
) -> None:
    os.set_blocking(pipe[0].fileno(), False)
    logger.info("the last one")
    flush(logger)

    assert os.read(pipe[0].fileno(), 100) == b"the last one\n"


def test_where_nobody_reads_nobody_waits_and_what_was_lost_is_counted(
    pipe: tuple[TextIOWrapper, TextIOWrapper], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MOST_LINES", 100)
    monkeypatch.setattr(logs, "LAST_LINES", 0.05)
    line = "x" * 1_000
    with log_to(pipe[1]) as logger:
        for _ in range(300):  # a third of them waits, and some stand in the pipe
            logger.info(line)
        flush(logger)
        read = [pipe[0].readline() for _ in range(100)]
        logger.info("somebody reads again")
        while read[-1] != "somebody reads again\n":
            read.append(pipe[0].readline())

    lost = [int(text.split()[-1]) for text in read if text.startswith("log lines lost ")]
    assert min(lost) > 0  # told more than once if the thread begins late
    assert read.count(f"{line}\n") + sum(lost) == 300


def test_a_reader_who_is_gone_is_survived(pipe: tuple[TextIOWrapper, TextIOWrapper], logger: logging.Logger) -> None:
    pipe[0].close()
    logger.info("nobody hears this")
    flush(logger)
    logger.info("nor this")

    flush(logger)


def test_a_disk_that_is_full_is_survived() -> None:
    with Path("/dev/full").open("w") as full, log_to(full) as logger:
        logger.info("no room for this")

        flush(logger)


def test_a_descriptor_that_does_not_wait_gets_whole_lines(
    pipe: tuple[TextIOWrapper, TextIOWrapper], logger: logging.Logger
) -> None:
    os.set_blocking(pipe[1].fileno(), False)
    line = "y" * 50_000
    for _ in range(5):
        logger.info(line)

    assert [pipe[0].readline() == f"{line}\n" for _ in range(5)] == [True] * 5


def handle(logger: logging.Logger, **record: object) -> None:
    """Give a record to our handler alone: what captures logs for a report would take it for text."""
    [handler] = [each for each in logger.handlers if isinstance(each, Behind)]
    handler.handle(logging.makeLogRecord(record))


def test_what_is_no_text_is_written_all_the_same(
    pipe: tuple[TextIOWrapper, TextIOWrapper], logger: logging.Logger
) -> None:
    handle(logger, msg="half a pair: \ud800")

    assert pipe[0].readline() == "half a pair: \\ud800\n"


def test_a_record_that_cannot_be_formatted_raises_nothing(
    pipe: tuple[TextIOWrapper, TextIOWrapper], capsys: pytest.CaptureFixture[str]
) -> None:
    with log_to(pipe[1]) as logger:
        handle(logger, msg="a number: %d", args=("none",))
        handle(logger, msg="the next")

        assert (pipe[0].readline(), "Logging error" in capsys.readouterr().err) == ("the next\n", True)
