"""A token is good for one call, from the request that made it until the call cannot come back."""

from __future__ import annotations

import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from callflow.server import tokens as rooms
from callflow.server.tokens import MOST_TOKENS, Tokens
from tests.call.stage import in_virtual_time


async def test_a_token_is_for_its_call(autojump_clock: MockClock) -> None:
    tokens = Tokens()
    one, other = tokens.mint("one"), tokens.mint("other")

    assert (tokens.call_of(one), tokens.call_of(other)) == ("one", "other")


async def test_nobody_can_guess_one(autojump_clock: MockClock) -> None:
    made = {Tokens().mint("one") for _ in range(100)}

    assert (len(made), {len(text) for text in made}) == (100, {32})


async def test_what_is_no_token_is_for_no_call(autojump_clock: MockClock) -> None:
    tokens = Tokens()
    token = tokens.mint("one")

    assert [
        tokens.call_of(shown) for shown in (None, "", "x", token[:-1], token + "x", "\udcff", token.swapcase())
    ] == [None] * 7


async def test_a_request_that_is_repeated_gets_the_same_token(autojump_clock: MockClock) -> None:
    tokens = Tokens()

    assert (tokens.mint("one") == tokens.mint("one"), len(tokens)) == (True, 1)


async def test_a_token_whose_call_does_not_come_is_forgotten(autojump_clock: MockClock) -> None:
    tokens = Tokens(unused=60.0)
    token, good = tokens.mint("one"), []
    for pause in (59.9, 0.2):
        await trio.sleep(pause)
        good.append(tokens.call_of(token))

    assert (good, len(tokens)) == (["one", None], 0)


async def test_a_token_outlives_its_call_by_the_time_of_a_resume(autojump_clock: MockClock) -> None:
    tokens = Tokens(unused=60.0, after=10.0)
    token, good = tokens.mint("one"), []
    tokens.begun("one")
    await trio.sleep(3600)
    good.append(tokens.call_of(token))
    tokens.over("one")
    for pause in (9.9, 0.2):
        await trio.sleep(pause)
        good.append(tokens.call_of(token))

    assert good == ["one", "one", None]


async def test_a_token_lives_as_long_as_any_call_of_its_name(autojump_clock: MockClock) -> None:
    tokens = Tokens(after=10.0)
    token = tokens.mint("one")
    tokens.begun("one")
    tokens.begun("one")
    tokens.over("one")
    await trio.sleep(11)

    assert tokens.call_of(token) == "one"


async def test_a_call_without_a_token_begins_and_ends(autojump_clock: MockClock) -> None:
    tokens = Tokens()
    tokens.begun("one")
    tokens.over("one")

    assert len(tokens) == 0


async def test_a_flood_of_requests_takes_no_token_from_a_live_call(autojump_clock: MockClock) -> None:
    tokens = Tokens()
    live, waiting = tokens.mint("live"), tokens.mint("waiting")
    tokens.begun("live")
    for number in range(MOST_TOKENS):
        tokens.mint(f"call{number}")

    assert (tokens.call_of(live), tokens.call_of(waiting), len(tokens)) == ("live", None, MOST_TOKENS + 1)


@given(st.lists(st.tuples(st.sampled_from("mbot"), st.sampled_from("xyz"), st.floats(0, 100)), max_size=30))
def test_both_ways_to_a_token_agree(steps: list[tuple[str, str, float]]) -> None:
    async def follow() -> Tokens:
        tokens = Tokens()
        for what, call_sid, pause in steps:
            await trio.sleep(pause)
            step = {"m": tokens.mint, "b": tokens.begun, "o": tokens.over, "t": tokens.call_of}[what]
            step(call_sid)
        return tokens

    tokens = in_virtual_time(follow)

    assert {id(token) for token in tokens._by_call.values()} == {id(token) for token in tokens._by_digest.values()}
    assert all(rooms._digest(token.text) == digest for digest, token in tokens._by_digest.items())
