"""A simulated caller: whole calls in a few lines, and failures that tell what was heard instead."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from callflow import EndCause, Flow
from callflow.errors import NotAnswered
from callflow.line.script import parse, render
from callflow.line.steps import Network
from callflow.line.telephone import LineEntry
from callflow.server.flow_argument import NoSuchFlow
from callflow.server.settings import Settings
from callflow.testing import Caller, CallFailed, NeedsVirtualTime, caller, run
from examples.bank_ivr.ivr import bank_ivr
from tests.testing.lines import AskPin, Bye, Guest, Vault, make_line


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Flow[Guest]:
    return make_line(tmp_path_factory.mktemp("prompts"))


async def test_whole_call(line: Flow[Guest]) -> None:
    async with caller(line) as c:
        await c.hears("welcome.wav")
        await c.press("4")
        await c.hears("bye.wav", complete=True)
        assert (await c.ended()).cause is EndCause.FLOW


def test_a_whole_call_has_five_lines() -> None:
    source, _ = inspect.getsourcelines(test_whole_call)

    assert len(source) - 1 == 5


# What can be looked at.


async def test_the_state_and_the_data_of_the_call_are_at_hand(line: Flow[Guest]) -> None:
    async with caller(line) as c:
        await c.hears("welcome.wav")
        await c.press("1")
        await c.reaches(AskPin)
        before = type(c.state)
        await c.type("4711")
        await c.ended()

    assert (before, type(c.state), c.data.verified) == (AskPin, Bye, True)


async def test_a_double_stands_before_the_flow_s_own_service(line: Flow[Guest]) -> None:
    class Generous(Vault):
        def fits(self, pin: object) -> bool:
            return True

    async with caller(line, services=[Generous()]) as c:
        await c.hears("menu.wav")
        await c.press("1")
        await c.type("0000")
        await c.ended()

    assert c.data.verified


async def test_what_was_heard_is_told_with_its_seconds(line: Flow[Guest]) -> None:
    async with caller(line) as c:
        await c.hears("welcome.wav", at_least=1.0)
        await c.press("1")
        await c.quiet(within=0.5)
        await c.hears("welcome.wav", cut=True)
        await c.hangs_up()

    assert [(heard.name, heard.cut) for heard in c.heard][:1] == [("welcome", True)]


# The line.


async def test_a_lost_line_comes_back_and_the_question_is_asked_again(line: Flow[Guest]) -> None:
    async with caller(line, lag=0.05) as c:
        await c.hears("welcome.wav")
        await c.press("1")
        await c.hears("pin.wav")
        await c.type("47")
        await c.drops(for_=3.0)
        await c.hears("pin.wav")
        await c.type("4711")
        record = await c.ended(by="flow")

    assert (record.links, c.data.verified) == (2, True)


async def test_a_line_that_stays_away_ends_the_call_by_the_network(line: Flow[Guest]) -> None:
    async with caller(line) as c:
        await c.hears("menu.wav")
        await c.drops()
        record = await c.ended()

    assert record.cause is EndCause.PEER_GONE


@pytest.mark.parametrize("seed", range(4))
async def test_what_crosses_with_the_end_breaks_no_rule(seed: int) -> None:
    async with caller(bank_ivr, seed=seed) as c:
        await c.hears("menu.wav", at_least=0.4)
        await c.drops(for_=2.0)
        record = await c.hangs_up()  # in the very moment in which the menu is said again

    assert record.links == 2


async def test_a_line_is_taken_over(line: Flow[Guest]) -> None:
    async with caller(line) as c:
        await c.hears("menu.wav")
        await c.takes_over()
        await c.hears("menu.wav")
        record = await c.hangs_up()

    assert record.links == 2


async def test_what_exotel_should_not_send_is_survived(line: Flow[Guest]) -> None:
    async with caller(line) as c:
        await c.hears("menu.wav")
        await c.sends_odd("start-again")
        await c.sends_odd("no-json")
        await c.press("4")
        record = await c.ended()

    assert record.cause is EndCause.FLOW


async def test_seconds_of_a_voice_cut_a_prompt(line: Flow[Guest]) -> None:
    async with caller(line) as c:
        await c.hears("welcome.wav", at_least=0.3)
        await c.speaks(1.0)
        await c.hears("welcome.wav", cut=True)
        await c.hangs_up()

    assert c.heard[0].seconds < 1.2


async def test_the_passthru_chooses_the_branch(line: Flow[Guest]) -> None:
    async with caller(line, announced=True) as c:
        await c.press("4")
        await c.ended()
        await c.branch("A")


async def test_another_call_of_the_same_caller_follows(line: Flow[Guest]) -> None:
    async with caller(line) as c:
        await c.hears("welcome.wav")
        await c.hangs_up()
        await c.rings_again()
        await c.hears("welcome.wav")
        await c.hangs_up()

    assert len(c.script().steps) == 5


# What fails.


async def failure(line: Flow[Guest], play: Callable[[Caller[Guest]], Awaitable[object]], **how: Any) -> list[str]:
    """Play a call that fails; give the lines of its failure."""
    with pytest.raises(CallFailed) as raised:
        async with caller(line, **how) as c:
            await play(c)
    return str(raised.value).splitlines()


async def test_what_was_heard_instead_is_told_with_place_call_and_timeline(line: Flow[Guest]) -> None:
    async def play(c: Caller[Guest]) -> None:
        await c.hears("welcome.wav")
        await c.press("1")
        await c.hears("bye.wav", within=1.0)

    lines = await failure(line, play)

    assert [re.sub(r"(py:)\d+", r"\1N", each) for each in lines] == [
        'expected to hear "bye" within 1 s',
        '  heard "pin" at 0.4 s, and it goes on',
        "  test_calling.py:N",
        "  in state AskPin, tests/testing/lines.py:N",
        "the call:",
        "  hear welcome",
        "  keys 1",
        "  hear bye within 1s",
        "what happened:",
        "    0.0  ◀ [we…                                                      cut off",
        "    0.0  = Welcome",
        "    0.1  ▶ keys 1",
        "    0.2  = Choice",
        "    0.2  = AskPin",
        "    0.4  ◀ [pin.wav]",
    ]


async def test_a_call_that_nobody_waited_for_fails_the_test(line: Flow[Guest]) -> None:
    lines = await failure(line, lambda c: c.hears("welcome.wav"))

    assert lines[:3] == [
        "a call is awaited to its end",
        "  the test did not wait for its end, 0.1 s after the answer; await c.ended() where the flow hangs up, or",
        "  c.hangs_up()",
    ]


async def test_user_code_that_raises_fails_the_test(line: Flow[Guest]) -> None:
    async def play(c: Caller[Guest]) -> None:
        await c.press("2")
        await c.ended()

    lines = await failure(line, play)

    assert lines[:2] == ["the flow's own code does not raise", "  Broken.run: KeyError"]


async def test_user_code_may_raise_where_the_test_says_so(line: Flow[Guest]) -> None:
    async with caller(line, may_fail=True) as c:
        await c.press("2")
        record = await c.ended()

    assert record.cause is EndCause.APP_ERROR


async def test_a_broken_rule_fails_the_test(line: Flow[Guest]) -> None:
    async def play(c: Caller[Guest]) -> None:
        c._performance.leg.phone.log.append(LineEntry(999, c.now, "out", '{"event":"clear","stream_sid":"other"}'))
        await c.hangs_up()

    lines = await failure(line, play)

    assert lines[0].startswith("R16: ")


async def test_a_task_that_is_left_fails_the_test(line: Flow[Guest]) -> None:
    async def play(c: Caller[Guest]) -> None:
        c._performance.nursery.start_soon(trio.sleep_forever)
        await c.hangs_up()

    lines = await failure(line, play)

    assert lines[:2] == ["of a call that is over nothing is left", "  left are 1 tasks"]


async def test_a_long_call_is_told_in_25_lines(line: Flow[Guest]) -> None:
    async def play(c: Caller[Guest]) -> None:
        await c.press("3")
        for _ in range(40):
            await c.press("5")
        await c.hears("pin.wav", within=0.1)

    assert len(await failure(line, play)) <= 25


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (lambda c: c.hears("welcom.wav"), "the flow has no prompt welcom.wav; did you mean welcome.wav?"),
        (lambda c: c.press("x"), "what is pressed has to be keys 0-9 * # and nothing else (1 signs were given)"),
        (lambda c: c.type("$pin"), "nobody knows $pin; give caller(answers={'pin': …})"),
    ],
)
async def test_a_mistake_in_the_test_is_told_with_its_cure(
    line: Flow[Guest], step: Callable[[Caller[Guest]], Awaitable[None]], words: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        async with caller(line) as c:
            await step(c)


# Secrets.


async def test_a_named_answer_stands_in_no_script_and_no_failure(line: Flow[Guest]) -> None:
    async def play(c: Caller[Guest]) -> None:
        await c.press("1")
        await c.type("8264")  # known by a name, and so written by it
        await c.hears("menu.wav", within=0.1)

    text = "\n".join(await failure(line, play, answers={"pin": "8264"}))

    assert ("type $pin" in text, "8264" in text) == (True, False)


# As a script.


async def test_a_call_is_saved_as_a_script_that_reads_back(line: Flow[Guest]) -> None:
    async with caller(line, number="+910000000107", seed=7, lag=0.05) as c:
        await c.hears("welcome.wav", at_least=0.5)
        await c.press("1", gap=0.2)
        await c.reaches("AskPin")
        await c.hangs_up()

    script = c.script()
    assert parse(render(script)) == script
    assert render(script).splitlines() == [
        "from +910000000107",
        "seed 7",
        "lag 0.05s",
        "order 7",
        "hear welcome for 0.5s",
        "keys 1 gap 0.2s",
        "state AskPin",
        "hangup",
    ]


async def test_a_flow_without_a_name_cannot_be_saved(line: Flow[Guest], tmp_path: Path) -> None:
    async with caller(line) as c:
        await c.hangs_up()

    with pytest.raises(NoSuchFlow, match=r"has no name in .*lines\.py; give it one there"):
        c.save(tmp_path / "short.call")


# The run.


def test_in_real_time_it_is_refused_with_the_cure(line: Flow[Guest]) -> None:
    async def main() -> None:
        async with caller(line):
            pass

    with pytest.raises(NeedsVirtualTime, match=r"run it by callflow\.testing\.run\(main\)"):
        trio.run(main)


def test_it_runs_without_pytest(line: Flow[Guest]) -> None:
    async def main(keys: str) -> EndCause:
        async with caller(line) as c:
            await c.press(keys)
            return (await c.ended()).cause

    assert run(main, "4") is EndCause.FLOW


def test_a_failure_comes_out_alone_and_in_no_group(line: Flow[Guest]) -> None:
    async def main() -> None:
        async with caller(line) as c:
            await c.hears("pin.wav", within=0.5)

    with pytest.raises(CallFailed):
        run(main)


def test_one_seed_gives_one_call(line: Flow[Guest]) -> None:
    async def main(seed: int) -> list[LineEntry]:
        async with caller(line, seed=seed, lag=0.05, network=Network.ROUGH) as c:
            await c.press("1")
            await c.type("4711")
            await c.ended()
        return c._performance.leg.phone.log

    one, same, other = (run(main, seed, seed=seed) for seed in (3, 3, 4))

    assert (one == same, one == other) == (True, False)


async def test_a_server_that_refuses_does_not_answer(line: Flow[Guest]) -> None:
    with pytest.raises(NotAnswered):
        async with caller(line, settings=Settings(credentials=("a:b",))):
            pass


async def test_cancelling_the_test_drops_the_call(line: Flow[Guest]) -> None:
    with trio.move_on_after(0.5) as scope:
        async with caller(line) as c:
            await c.hears("pin.wav")

    assert scope.cancelled_caught
