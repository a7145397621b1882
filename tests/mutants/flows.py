"""Small flows for mutants that the others have no place for."""

from __future__ import annotations

from pathlib import Path

import trio

from callflow import Call, Dtmf, Flow, Hangup, Menu, PassthruReport, Say, State, StatusReport, Verdict, key

C = Call[None]

SLOW = "+910000000109"
"""Who has to wait until the flow has judged the call."""


class Greeting(Say[None], prompt="hello.wav", barge_in=None):
    """Heard to its end, whatever noise there is."""

    def then(self, call: C) -> Question:
        return Question()


class Question(Menu[None], prompt="menu.wav", barge_in="any", tries=1):
    @key("1")
    def book(self, call: C) -> Booking:
        return Booking()

    def on_failed(self, call: C, why: object) -> Bye:
        return Bye()


class Booking(State[None], timeout=20.0):
    """Talks while it books, and does not let go of the booking when the caller is gone."""

    async def run(self, call: C) -> Bye:
        call.start("long.wav")
        try:
            await trio.sleep(4.0)
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1.0)
        return Bye()

    def on_dtmf(self, call: C, key: Dtmf) -> Bye:
        return Bye()

    def on_timeout(self, call: C) -> Bye:
        return Bye()


class Bye(Hangup[None], prompt="bye.wav"):
    """The end."""


async def before_the_stream(report: PassthruReport) -> Verdict:
    """Judge a call, slowly for some."""
    if report.caller == SLOW:
        await trio.sleep(3.0)
    return Verdict(200)


def after_the_call(report: StatusReport) -> None:
    """Take a status callback."""


def make_small_flows(prompts: Path) -> dict[str, Flow[None]]:
    """Make them, by name."""
    flow: Flow[None] = Flow(
        "guards", start=Greeting, prompts=prompts, passthru=before_the_stream, status=after_the_call
    )
    return {"guards": flow}
