"""What Exotel should not have sent: survived, written down each time, logged once."""

from __future__ import annotations

from pathlib import Path

import pytest
from trio.testing import MockClock

from callflow import Call, Flow, Hangup, State
from callflow.call.journal import Kind
from callflow.line.profile import Profile
from tests.call.stage import played


class Waits(State[None], timeout=3.0):
    """Says nothing for three seconds."""

    def on_timeout(self, call: Call[None]) -> Done:
        return Done()


class Done(Hangup[None]):
    """The end."""


async def test_odd_messages_are_logged_once_of_each_kind_and_written_down_each_time(
    prompts: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    rubbish = Profile(breaks=frozenset({"R7"}))

    _, stage = await played(Flow("odd", start=Waits, prompts=prompts), line={"profile": rubbish})

    logged = [record.__dict__["kind"] for record in caplog.records if record.getMessage() == "message ignored"]
    written = [entry.what for entry in stage.journal(Kind.ODD)]
    assert logged == ["undecodable"]
    assert len(written) > 1
