"""What ``Flow(…)`` is given to call or to say is looked at when the flow is made, not when the first caller comes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from callflow import EndedCall, Flow, FlowDefinitionError, Hangup, PassthruReport, Verdict


class Bye(Hangup[None]):
    """The end."""


def nothing() -> Verdict:
    return Verdict()


def two(report: PassthruReport, more: int) -> Verdict:
    return Verdict()


async def later() -> None:
    """Makes data, too late."""


async def after(call: EndedCall[None]) -> None:
    """Comes after a call."""


class Judge:
    """Judges as an object, and by a method."""

    def __call__(self, report: PassthruReport) -> Verdict:
        return Verdict()

    async def method(self, report: PassthruReport, *, more: int = 1) -> Verdict:
        return Verdict()


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "a number for a function": ({"passthru": 200}, "passthru=200 is no function; write one that takes the PassthruRep"),
    "a URL for a function": ({"stream_url": "wss://x"}, "stream_url='wss://x' is no function; write one that takes"),
    "a function of nothing": ({"passthru": nothing}, " is given the PassthruReport and nothing else; let it take that"),
    "a function of too much": ({"status": two}, " is given the StatusReport and nothing else; let it take that"),
    "nothing to be told after": ({"after": later}, " is given the EndedCall and nothing else; let it take that"),
    "data that wait": ({"data": later}, " must not wait; write 'def', and let the run of a state wait for what it nee"),
    "a number for a verdict": ({"full": 302}, "full=302 is no Verdict; write Verdict(302) for branch B"),
    "a list for a prompt": ({"apology": ["a.wav"]}, "apology=['a.wav'] is no prompt; write the name of a file, or a t"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_its_cure(mistake: str) -> None:
    options, told = MISTAKES[mistake]

    with pytest.raises(FlowDefinitionError) as refused:
        Flow("f", start=Bye, **options)

    assert told in str(refused.value)


@pytest.mark.parametrize(
    "judge",
    [Judge(), Judge().method, lambda report: Verdict(), partial(two, more=1), Verdict],
    ids=["object", "method", "lambda", "partial", "class"],
)
def test_whatever_takes_the_request_may_judge(judge: Callable[..., Any]) -> None:
    flow = Flow("f", start=Bye, passthru=judge, stream_url=judge, status=judge, after=after)

    assert flow.passthru is judge
