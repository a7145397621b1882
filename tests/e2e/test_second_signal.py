"""The first signal drains; the second means now."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
import trio

from callflow.line import dial_socket, place_call
from tests.e2e.serving import ROOT, process, wait_for

BANK = str(ROOT / "examples" / "bank_ivr" / "ivr.py")


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_running_calls_at_once(told: signal.Signals, tmp_path: Path) -> None:
    with process("serve", BANK, "--port", "0", "--drain", "60", cwd=tmp_path) as running:
        line = await trio.to_thread.run_sync(wait_for, "--url", running)
        port = int(line.rpartition(":")[2].partition("/")[0])
        async with place_call(lambda: dial_socket("127.0.0.1", port)) as telephone:
            await telephone.wait(0.3)
            began = time.monotonic()
            running.send_signal(told)
            await trio.sleep(0.5)  # between the two signals of a person
            under_way = not telephone.ended.is_set()
            running.send_signal(told)
            with trio.fail_after(10):
                await telephone.ended.wait()
        _, said = await trio.to_thread.run_sync(running.communicate)

    assert (under_way, telephone.close_code, running.returncode) == (True, 1012, 0)
    assert ("Traceback" in said, time.monotonic() - began < 15) == (False, True)
