"""Odd messages: each is what it says."""

from __future__ import annotations

from callflow.errors import MalformedMessage
from callflow.line.oddities import Oddity, write
from callflow.wire.exotel import decode
from callflow.wire.messages import Dtmf, Start

MALFORMED = {
    Oddity.NO_KEY,
    Oddity.NAMELESS_MARK,
    Oddity.BAD_BASE64,
    Oddity.NO_OBJECT,
    Oddity.NO_JSON,
    Oddity.BINARY,
}


def is_malformed(oddity: Oddity) -> bool:
    try:
        decode(write(oddity, "s" * 32))
    except MalformedMessage:
        return True
    return False


def test_these_are_no_messages_and_the_others_are() -> None:
    assert {oddity for oddity in Oddity if is_malformed(oddity)} == MALFORMED


def test_a_key_may_be_a_number() -> None:
    assert decode(write(Oddity.KEY_AS_NUMBER, "s" * 32)) == Dtmf(digit="5", duration=0.1, stream_sid="s" * 32)


def test_another_call_starts_under_another_name() -> None:
    found = [decode(write(oddity, "s" * 32)) for oddity in (Oddity.START_AGAIN, Oddity.START_OF_ANOTHER_CALL)]

    assert [(type(one), one.stream_sid == "s" * 32) for one in found] == [(Start, True), (Start, False)]  # type: ignore[union-attr]
