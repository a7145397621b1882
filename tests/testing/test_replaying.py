"""Saved calls are played again, as often as wanted with the identical trace, against the flow that they name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from callflow.errors import CallflowError, ScriptError
from callflow.line.script import parse
from callflow.testing import caller, replay, run
from callflow.testing.replaying import Verdict
from examples.bank_ivr.ivr import bank_ivr
from tests.testing.saved import BROKEN, CALL, WHOLE, write_call, write_line


def test_a_call_that_still_breaks_the_flow_fails_and_says_how(tmp_path: Path) -> None:
    write_line(tmp_path, BROKEN)
    script = write_call(tmp_path)

    played = replay(script)

    assert played.failure is not None
    assert (played.verdict, played.failure.sentence, played.failure.came, played.failure.command) == (
        Verdict.FAILED,
        "no-errors: No handler and no run of the flow raises.",
        f"Choice.one: LookupError: oops ({tmp_path}/line.py:7), at 0.20 s",
        f"callflow replay {script}",
    )


def test_a_call_that_once_broke_a_law_is_fixed(tmp_path: Path) -> None:
    write_line(tmp_path)

    assert replay(write_call(tmp_path)).verdict is Verdict.FIXED


def test_a_call_of_which_no_law_is_named_passes(tmp_path: Path) -> None:
    write_line(tmp_path)

    assert replay(write_call(tmp_path, CALL.replace("law L10\n", ""))).verdict is Verdict.PASSED


def test_a_module_that_was_mended_meanwhile_is_read_again(tmp_path: Path) -> None:
    script = write_call(tmp_path)

    verdicts = []
    for source in (BROKEN, WHOLE):
        write_line(tmp_path, source)
        verdicts.append(replay(script).verdict)

    assert verdicts == [Verdict.FAILED, Verdict.FIXED]


def test_what_callers_of_the_kit_say_needs_no_file(tmp_path: Path) -> None:
    write_line(tmp_path)
    script = write_call(tmp_path, "flow ../line.py\nlaw no-errors\norder 0\nplay word.wav\nhangup\n")

    assert replay(script).verdict is Verdict.FIXED


def test_a_step_that_does_not_hold_is_named_by_its_line(tmp_path: Path) -> None:
    write_line(tmp_path)
    script = write_call(tmp_path, "flow ../line.py\nhear menu\nhear pin within 1s\n")

    failure = replay(script).failure

    assert failure is not None
    assert (failure.sentence, failure.came) == (
        'one.call:3: expected to hear "pin" within 1 s',
        "heard nothing",
    )


def test_two_replays_have_the_identical_trace(tmp_path: Path) -> None:
    write_line(tmp_path)
    script = write_call(tmp_path, CALL.replace("keys 1", "network rough\nhear menu\ndrop\nwait 2s\nreconnect\nkeys 1"))

    one, other = replay(script), replay(script)

    assert (len(one.trace) > 10, one.trace == other.trace, one.timeline == other.timeline) == (True, True, True)


@pytest.mark.parametrize(
    ("executor", "text"),
    [("replaying", CALL.replace("hangup", "ended by flow")), ("rehearsal", CALL)],
    ids=["listening", "as found"],
)
def test_the_order_of_tasks_is_the_script_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executor: str, text: str
) -> None:
    seeds: list[int] = []

    @contextmanager
    def noted(seed: int) -> Iterator[None]:
        seeds.append(seed)
        yield

    monkeypatch.setattr(f"callflow.testing.{executor}.task_order", noted)
    write_line(tmp_path)
    replay(write_call(tmp_path, text))

    assert seeds == [5]


NEWS = """\
from callflow import Call, Flow, Hangup, State


class Paper:
    async def read(self) -> str:
        return "menu.wav"


class Hello(State[None], timeout=5.0):
    async def run(self, call: Call[None]) -> "Bye":
        await call.play(await call.get(Paper).read())
        return Bye()

    def on_timeout(self, call: Call[None]) -> "Bye":
        return Bye()


class Bye(Hangup[None], prompt="bye.wav"): ...


line = Flow("line", start=Hello, provide=[Paper()])
"""


def test_a_service_of_the_flow_fails_where_a_found_call_says_so(tmp_path: Path) -> None:
    write_line(tmp_path, NEWS)
    found = "flow ../line.py\nlaw no-errors\norder 0\nservice paper {way}\nring\nwait 9s\n"

    played = [replay(write_call(tmp_path, found.format(way=way))) for way in ("answers", "fails")]

    assert [each.verdict for each in played] == [Verdict.FIXED, Verdict.FAILED]


def test_a_service_hangs_where_a_script_says_so(tmp_path: Path) -> None:
    write_line(tmp_path, NEWS)
    script = "flow ../line.py\nservice paper hangs\nring\nstate Hello\nstate Bye within {seconds}s\n"

    played = [replay(write_call(tmp_path, script.format(seconds=seconds))) for seconds in (4, 6)]

    assert [each.verdict for each in played] == [Verdict.FAILED, Verdict.PASSED]


def test_a_service_that_nobody_knows_is_told(tmp_path: Path) -> None:
    write_line(tmp_path, NEWS)

    with pytest.raises(ScriptError, match="no double of a service 'bank'; those given are: paper"):
        replay(write_call(tmp_path, "flow ../line.py\nservice bank fails\nhear menu\n"))


def test_another_seed_is_another_call(tmp_path: Path) -> None:
    write_line(tmp_path)
    scripts = [
        write_call(tmp_path, f"flow ../line.py\nseed {seed}\nnetwork rough\nkeys 1\nended\n", f"call-{seed}")
        for seed in (1, 2)
    ]

    traces = [replay(script).trace for script in scripts]

    assert traces[0] != traces[1]


def test_another_call_of_the_same_caller_is_played(tmp_path: Path) -> None:
    write_line(tmp_path)

    played = replay(
        write_call(tmp_path, "flow ../line.py\nhear menu\nhangup\nagain\nhear menu\nkeys 1\nended by flow\n")
    )

    assert (played.verdict, len([line for line in played.timeline if "= Choice" in line])) == (Verdict.PASSED, 2)


def test_a_call_saved_from_a_test_is_played(tmp_path: Path) -> None:
    async def main() -> Path:
        async with caller(bank_ivr, answers={"pin": "4129"}) as c:
            await c.hears("menu.wav")
            await c.press("1")
            await c.type("4129")
            await c.hears("Your balance is")
            await c.speaks(0.5)
            await c.hangs_up()
        return c.save(tmp_path / "calls" / "balance.call")

    script = run(main)

    assert re.search(r"^flow .*ivr\.py:bank_ivr$", script.read_text(), re.MULTILINE)
    assert "4129" not in script.read_text()
    assert replay(script, answers={"pin": "4129"}).verdict is Verdict.PASSED


def test_answers_stand_beside_the_script(tmp_path: Path) -> None:
    write_line(tmp_path)
    (tmp_path / "calls").mkdir()
    (tmp_path / "calls" / "answers.toml").write_text('choice = "1"\n')
    script = write_call(tmp_path, "flow ../line.py\ntype $choice\nended by flow\n")

    assert replay(script).verdict is Verdict.PASSED


def test_a_missing_answer_is_told_before_anything_is_done(tmp_path: Path) -> None:
    write_line(tmp_path)

    with pytest.raises(ScriptError, match=r"nobody knows \$pin"):
        replay(write_call(tmp_path, "flow ../line.py\ntype $pin\n"))


def test_a_script_that_names_no_flow_is_refused_with_the_cure() -> None:
    with pytest.raises(CallflowError, match="it does not say which flow is called; write flow FILE:NAME above"):
        replay(parse("hangup\n"))


def test_a_server_that_refuses_is_a_failure(tmp_path: Path) -> None:
    refusing = WHOLE.replace("import Call,", "import Call, PassthruReport, Verdict,").replace(
        'line = Flow("line", start=Choice)',
        'line = Flow("line", start=Choice, passthru=lambda report: Verdict(302))',
    )
    write_line(tmp_path, refusing)

    failure = replay(write_call(tmp_path, "flow ../line.py\nring\nhangup\n")).failure

    assert failure is not None
    assert failure.came == "the Passthru before the stream was answered 302"


def test_a_flow_that_works_in_a_thread_is_a_failure_that_names_it(tmp_path: Path) -> None:
    slow = WHOLE.replace("from callflow", "import time\nimport trio\nfrom callflow", 1).replace(
        'class Choice(Menu[None], prompt="menu.wav"):',
        "class Look(State[None], timeout=5.0):\n"
        '    async def run(self, call: Call[None]) -> "Choice":\n'
        "        await trio.to_thread.run_sync(time.sleep, 0.01)\n"
        "        return Choice()\n\n"
        '    def on_timeout(self, call: Call[None]) -> "Choice":\n'
        "        return Choice()\n\n\n"
        'class Choice(Menu[None], prompt="menu.wav"):',
    )
    write_line(tmp_path, slow.replace("start=Choice", "start=Look").replace("Menu, key", "Menu, State, key"))

    failure = replay(write_call(tmp_path, "flow ../line.py\nhear menu\nhangup\n")).failure

    assert failure is not None
    assert failure.came.startswith("sleep runs in a thread, where no virtual time passes")
