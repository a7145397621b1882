"""A process that is told to stop under load: who is on the line hears why, and nobody comes in any more."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
import trio
from attrs import frozen

from callflow.errors import NotAnswered
from callflow.line import Profile, dial_socket, place_call
from tests.call.stage import LINE, PROMPTS, write_prompts
from tests.e2e.processes import Process
from tests.e2e.serving import process, wait_for

QUIET = Profile(keeps_sending_silence=False, retries=0)
CALLS = 20
DELAY, PATIENCE, BOUND = 1.0, 0.5, 20.0
SORRY = round(PROMPTS["sorry"][1] * LINE.bytes_per_second)
"""Bytes of the apology."""

FLOW = """
from __future__ import annotations
from callflow import Call, EndedCall, Flow, Hangup, State

class Stay(State[None], timeout=3000.0):
    def on_timeout(self, call: Call[None]) -> Bye:
        return Bye()

    def on_hangup(self, call: EndedCall[None]) -> None:
        with open("hangups", "a") as file:
            file.write(call.reason + "\\n")

class Bye(Hangup[None]): ...

line = Flow("line", start=Stay, prompts="prompts", apology="sorry.wav")
"""


@frozen
class Heard:
    """What became of a caller: the status of a refusal, or the close code and the bytes that were heard."""

    status: int | None
    close_code: int | None = None
    bytes_heard: int = 0


@frozen
class Stopped:
    """A process that was told to stop under load."""

    code: int
    seconds: float
    before: tuple[Heard, ...]
    """Those who were there."""
    early: Heard
    """Who came when it was not ready any more."""
    late: Heard
    """Who came later."""
    log: list[dict[str, object]]
    hangups: list[str]


async def call(port: int) -> Heard:
    try:
        async with place_call(lambda: dial_socket("127.0.0.1", port), profile=QUIET) as phone:
            await phone.ended.wait()
            return Heard(None, phone.close_code, phone.bytes_heard)
    except NotAnswered as refused:
        return Heard(refused.status)


async def stop_under_load(port: int, running: Process[str]) -> tuple[list[Heard], Heard, Heard, float]:
    heard: dict[str, Heard] = {}

    async def note(name: str) -> None:
        heard[name] = await call(port)

    async with trio.open_nursery() as nursery:
        for n in range(CALLS):
            nursery.start_soon(note, str(n))
        await trio.sleep(1.0)
        began = trio.current_time()
        running.send_signal(signal.SIGTERM)
        await trio.sleep(DELAY / 2)
        nursery.start_soon(note, "early")
        await trio.sleep_until(began + DELAY + 0.2)
        nursery.start_soon(note, "late")
    await trio.to_thread.run_sync(running.wait)
    early, late = heard.pop("early"), heard.pop("late")
    return list(heard.values()), early, late, trio.current_time() - began


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    folder = tmp_path_factory.mktemp("server")
    (folder / "flow.py").write_text(FLOW)
    (folder / "prompts").mkdir()
    write_prompts(folder / "prompts")
    waits = ("--drain-delay", str(DELAY), "--drain", str(PATIENCE))
    with process("serve", "flow.py", "--port", "0", "--log-json", *waits, cwd=folder) as running:
        port = int(wait_for("--url", running).rpartition(":")[2].partition("/")[0])
        before, early, late, seconds = trio.run(stop_under_load, port, running)
        _, log = running.communicate(timeout=60)
    lines = [json.loads(line) for line in log.splitlines()]
    hangups = Path(folder / "hangups").read_text().splitlines()
    return Stopped(running.returncode, seconds, tuple(before), early, late, lines, hangups)


def test_everybody_who_was_there_hears_the_apology_to_its_end(stopped: Stopped) -> None:
    assert stopped.before == (Heard(None, 1012, SORRY),) * CALLS


def test_who_comes_before_the_refusal_is_taken_and_who_comes_after_it_is_not(stopped: Stopped) -> None:
    assert (stopped.early, stopped.late) == (Heard(None, 1012, SORRY), Heard(503))


def test_the_process_ends_in_order_and_within_the_bound(stopped: Stopped) -> None:
    assert (stopped.code, stopped.seconds < DELAY + PATIENCE + BOUND) == (0, True)


def test_each_call_leaves_one_record_and_its_state_hears_of_the_end_once(stopped: Stopped) -> None:
    records = [line["record"] for line in stopped.log if line["event"] == "call ended"]
    causes = [record["cause"] for record in records if isinstance(record, dict)]

    assert (causes, stopped.hangups) == (["drain"] * (CALLS + 1), ["drain"] * (CALLS + 1))


def test_each_stage_is_told_with_its_counts(stopped: Stopped) -> None:
    told = [(line["stage"], line["calls"]) for line in stopped.log if line["event"] == "server draining"]
    last = stopped.log[-1]

    assert told == [("not ready", CALLS), ("refusing", CALLS + 1), ("apology", CALLS + 1)]
    assert (last["event"], last["calls"], last["drained"]) == ("server stopped", CALLS + 1, CALLS + 1)
