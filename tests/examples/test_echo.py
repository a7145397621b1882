"""The echo relay: what comes goes back, message for message, byte for byte; a key clears."""

from __future__ import annotations

from itertools import pairwise

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from callflow.line import Conditions
from callflow.server.settings import Settings
from callflow.session.inputs import EndCause
from callflow.wire.exotel import encode
from callflow.wire.messages import Clear, Dtmf, Media, Message
from examples.echo import echo
from tests.call.far_end import OPENING, START, dialled, text
from tests.call.stage import in_virtual_time, serving

SID = START.stream_sid


def media(*payloads: bytes) -> list[Media]:
    return [Media(payload=payload, stream_sid=SID) for payload in payloads]


async def echoed(*messages: Message, conditions: Conditions | None = None) -> list[Message]:
    """Call the relay, say these messages, leave when it has nothing more to say; give what came back."""
    async with serving(echo, conditions=conditions) as stage, trio.open_nursery() as nursery:
        peer = await dialled(stage.network, OPENING)
        await trio.sleep(1)  # the relay listens now
        nursery.start_soon(peer.read)
        await peer.send(*(text(encode(message)) for message in messages))
        await trio.sleep(20)
        nursery.cancel_scope.cancel()
        came = peer.messages
        peer.port.close()
    return came


def payloads(messages: list[Message]) -> list[bytes]:
    return [message.payload for message in messages if isinstance(message, Media)]


async def test_each_message_comes_back_at_once_with_the_same_bytes(autojump_clock: MockClock) -> None:
    spoken = [bytes([number]) * 320 for number in range(50)]

    came = await echoed(*media(*spoken))

    assert payloads(came) == spoken


@pytest.mark.parametrize("size", [1, 319, 321, 3_199, 99_999])
async def test_a_message_of_any_length_comes_back_as_it_was(size: int, autojump_clock: MockClock) -> None:
    came = await echoed(*media(b"\x07" * size))

    assert payloads(came) == [b"\x07" * size]


async def test_an_empty_message_does_not_come_back(autojump_clock: MockClock) -> None:
    came = await echoed(*media(b"", b"\x07" * 320))

    assert payloads(came) == [b"\x07" * 320]


async def test_nothing_but_audio_comes_back(autojump_clock: MockClock) -> None:
    came = await echoed(*media(b"\x07" * 320, b"\x08" * 320))

    assert [type(message) for message in came] == [Media, Media]


async def test_audio_that_comes_in_one_piece_with_start_comes_back(autojump_clock: MockClock) -> None:
    spoken = [b"\x07" * 320, b"\x08" * 320]
    async with serving(echo) as stage:
        peer = await dialled(stage.network, OPENING + b"".join(text(encode(message)) for message in media(*spoken)))
        await trio.sleep(1)
        came = peer.messages
        peer.port.close()

    assert payloads(came) == spoken


async def test_a_key_clears_what_was_not_played(autojump_clock: MockClock) -> None:
    before, after = media(b"\x07" * 320, b"\x08" * 320)

    came = await echoed(before, Dtmf(digit="5", stream_sid=SID), after)

    assert [type(message) for message in came] == [Media, Clear, Media]


async def test_the_echo_is_there_in_the_moment_of_the_word(autojump_clock: MockClock) -> None:
    async with serving(echo) as stage:
        peer = await dialled(stage.network, OPENING)
        moments = []
        for message in media(*[b"\x07" * 320] * 5):
            await peer.send(text(encode(message)))
            moments.append((trio.current_time(), len(peer.messages)))
            await trio.sleep(0.02)
        peer.port.close()

    assert [count for _, count in moments] == [1, 2, 3, 4, 5]
    assert {round(later - earlier, 3) for (earlier, _), (later, _) in pairwise(moments)} == {0.02}


lines = st.builds(
    Conditions,
    lag=st.sampled_from([0.0, 0.05]),
    split=st.booleans(),
    partial_sends=st.booleans(),
    would_block=st.sampled_from([0.0, 0.5]),
    capacity=st.sampled_from([2_000, 65_536]),
)


@given(spoken=st.lists(st.binary(min_size=1, max_size=800), max_size=20), conditions=lines)
def test_over_a_bad_line_nothing_is_lost_changed_or_out_of_order(spoken: list[bytes], conditions: Conditions) -> None:
    async def call() -> list[Message]:
        return await echoed(*media(*spoken), conditions=conditions)

    assert payloads(in_virtual_time(call)) == spoken


async def test_half_an_hour_is_enough(autojump_clock: MockClock) -> None:
    async with serving(echo, settings=Settings(idle=4_000.0)) as stage:
        peer = await dialled(stage.network, OPENING)
        await peer.read()
        peer.port.close()

    record = stage.record
    assert (record.cause, record.seconds, record.last_state) == (EndCause.FLOW, 1_800.0, "Done")


def test_it_says_nothing_of_its_own() -> None:
    assert (echo.raw, [state.__name__ for state in echo.graph.states]) == (True, ["Echo", "Done"])
