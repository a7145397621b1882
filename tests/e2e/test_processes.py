"""What tests start ends with them: a pipe that it holds open is closed, however they end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest
from attrs import define

from tests.e2e.processes import DIES_WITH_US, STARTED, Process
from tests.e2e.serving import ROOT

RUN = """
import sys, time
from tests.e2e.processes import Process

Process(["sh", "-c", "echo started; exec sleep 600"], pass_fds=[int(sys.argv[1])])
time.sleep(600)
"""


@define
class Pipe:
    """Whoever was started with its end says, by being gone, that it is gone."""

    ours: int
    theirs: int
    open: bool = True

    def until_closed(self) -> bytes:
        """Close our copy of their end, and wait until nobody holds one; give what was written."""
        os.close(self.theirs)
        self.open = False
        with os.fdopen(self.ours, "rb", closefd=False) as file:
            return file.read()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe(*os.pipe())
    yield pipe
    os.close(pipe.ours)
    if pipe.open:
        os.close(pipe.theirs)


def test_leaving_the_block_ends_what_the_process_started_too(pipe: Pipe) -> None:
    with Process[str](
        ["sh", "-c", "sleep 600 & echo started; wait"], stdout=-1, text=True, pass_fds=[pipe.theirs]
    ) as run:
        assert run.stdout is not None
        run.stdout.readline()

    assert (pipe.until_closed(), run.returncode, run in STARTED) == (b"", -9, False)


def test_a_process_that_ended_by_itself_keeps_its_code() -> None:
    with Process[str](["sh", "-c", "exit 7"]) as run:
        run.wait()

    assert run.returncode == 7


@pytest.mark.skipif(not DIES_WITH_US, reason="setpriv, of Linux' util-linux, is not there")
def test_a_run_that_is_killed_takes_its_processes_along(pipe: Pipe) -> None:
    command = [sys.executable, "-c", RUN, str(pipe.theirs)]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    with Process[str](command, env=environment, stdout=-1, text=True, pass_fds=[pipe.theirs]) as run:
        assert run.stdout is not None
        run.stdout.readline()
        os.kill(run.pid, 9)  # not its group: nobody has the time to do that

    assert pipe.until_closed() == b""
