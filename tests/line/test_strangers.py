"""What is odd is done for real: a ping has its pong, and strangers their answers, while the call goes on."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from callflow.line.oddities import Oddity, Place, request_of
from callflow.testing.stage import Stage
from examples.echo import echo

ANSWERS = {
    Oddity.HANDSHAKE_WITHOUT_KEY: "HTTP/1.1 400 Bad Request",
    Oddity.HANDSHAKE_OF_OLD: "HTTP/1.1 426 Upgrade Required",
    Oddity.HANDSHAKE_BY_POST: "HTTP/1.1 405 Method Not Allowed",
    Oddity.HANDSHAKE_ELSEWHERE: "HTTP/1.1 404 Not Found",
    Oddity.NO_HANDSHAKE: "HTTP/1.1 426 Upgrade Required",
    Oddity.PING: "",
}


async def answer_of(oddity: Oddity) -> tuple[str, bool]:
    """Do it beside a call; give what was answered, and whether the call lives on."""
    stage = Stage(echo)
    async with trio.open_nursery() as nursery:
        await stage.open(nursery)
        phone = await stage.ring()
        await phone.send_odd(oddity)
        answer, is_over = "".join(answer for _, answer in phone.strangers), phone.ended.is_set()
        nursery.cancel_scope.cancel()
    return answer, not is_over


BESIDE = {oddity for oddity in Oddity if oddity.place is Place.BESIDE}


@pytest.mark.parametrize("oddity", sorted(BESIDE, key=str), ids=str)
def test_what_is_beside_a_call_is_answered_and_the_call_goes_on(oddity: Oddity) -> None:
    found = trio.run(answer_of, oddity, clock=MockClock(autojump_threshold=0))

    assert found == (ANSWERS[oddity], True)


def test_strangers_are_all_that_is_beside_a_call_but_for_pings() -> None:
    assert {oddity for oddity in Oddity if request_of(oddity)} == BESIDE - {Oddity.PING}
