"""What is said of the longest silence, beside calls of a caller who really says nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import examples
from callflow import Call, CollectDigits, Confirm, Done, Failed, Flow, GaveUp, Hangup, Say, SubFlow
from callflow.flow.deep.study import study
from callflow.testing.stage import Stage
from examples.bank_ivr.bank import FakeBank
from examples.bank_ivr.ivr import bank_ivr

C = Call[None]
PROMPTS = Path(examples.__file__).parent / "prompts" / "survey"


class Bye(Hangup[None], prompt="thanks.wav"): ...


class Enter(CollectDigits[None], prompt="how.wav", no_input="no_input.wav", length=2, tries=2, secret=False):
    def on_digits(self, call: C, digits: str) -> Done[str]:
        return Done(digits)

    def on_failed(self, call: C, why: Failed) -> GaveUp:
        return GaveUp(why)


class Ask(SubFlow[None, str], start=Enter):
    def on_done(self, call: C, result: str) -> Bye:
        return Bye()

    def on_failed(self, call: C, why: Failed) -> Sure:
        return Sure()


class Sure(Confirm[None], prompt="recommend.wav", reprompts=("how.wav",), tries=3, first_digit=2.0, failed=Bye):
    def on_yes(self, call: C) -> Bye:
        return Bye()

    def on_no(self, call: C) -> Bye:
        return Bye()


class Welcome(Say[None], prompt="welcome.wav"):
    def then(self, call: C) -> Ask:
        return Ask()


survey = Flow("survey", start=Welcome, prompts=PROMPTS)


def seconds_of_silence(flow: Flow[Any]) -> float:
    """Call a flow, do nothing, and tell how long the call lasted."""
    stage = Stage(flow)

    async def call() -> None:
        async with trio.open_nursery() as nursery:
            await stage.open(nursery)
            phone = await stage.ring(caller="+910000000105")
            await phone.ended.wait()
            nursery.cancel_scope.cancel()

    trio.run(call, clock=MockClock(autojump_threshold=0))
    return stage.records[0].seconds


@pytest.mark.parametrize(
    "flow", [survey, bank_ivr.providing(FakeBank(delay=4.99))], ids=["a survey with a sub-flow", "the bank"]
)
def test_a_silent_call_takes_as_long_as_was_said(flow: Flow[Any]) -> None:
    assert seconds_of_silence(flow) == pytest.approx(study(flow).silent.seconds, abs=0.5)
