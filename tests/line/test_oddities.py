"""What is odd: each is what it says, on a telephone that plays to a bot and as a message by itself."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from callflow.errors import MalformedMessage
from callflow.line.oddities import BEGINNINGS, STEPS, Oddity, Place, write
from callflow.line.playout import MarkDue, Playout
from callflow.line.profile import Profile
from callflow.line.sender import Sender
from callflow.wire.audio import AudioFormat
from callflow.wire.exotel import decode
from callflow.wire.messages import Connected, Dtmf, Mark, Media, Message, Start, Stop
from tests.line.bot import QUIET, ringing

SID = "s" * 32
START = Start(stream_sid=SID, call_sid="c" * 32, account_sid="acme1", caller="+910000000105", called="00000000319")
MESSAGES = [oddity for oddity in Oddity if oddity.place is Place.STREAM]
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
        decode(write(oddity, SID))
    except MalformedMessage:
        return True
    return False


def test_these_are_no_messages_and_the_others_are() -> None:
    assert {oddity for oddity in MESSAGES if is_malformed(oddity)} == MALFORMED


@pytest.mark.parametrize("oddity", [Oddity.KEY_AS_NUMBER, Oddity.FLAT_KEY])
def test_a_key_may_be_a_number_or_stand_at_the_top(oddity: Oddity) -> None:
    assert decode(write(oddity, SID)) == Dtmf(digit="5", duration=0.1, stream_sid=SID)


def test_media_may_be_numbered_in_other_types_spelled_in_another_case_or_bare() -> None:
    silence = bytes(320)

    assert [decode(write(each, SID)) for each in (Oddity.NUMBERED_MEDIA, Oddity.CAMEL_MEDIA, Oddity.BARE_MEDIA)] == [
        Media(payload=silence, stream_sid=SID, sequence_number=7, chunk=4, timestamp=0.08),
        Media(payload=silence, stream_sid=SID, sequence_number=7),
        Media(payload=silence),
    ]


def test_another_call_starts_under_another_name() -> None:
    found = [decode(write(oddity, SID)) for oddity in (Oddity.START_AGAIN, Oddity.START_OF_ANOTHER_CALL)]

    assert [(type(one), one.stream_sid == SID) for one in found] == [(Start, True), (Start, False)]  # type: ignore[union-attr]


@pytest.mark.parametrize("oddity", [oddity for oddity in Oddity if oddity.place is not Place.STREAM])
def test_what_is_no_single_message_is_not_written(oddity: Oddity) -> None:
    with pytest.raises(ValueError, match=f"{oddity.value} is no single message"):
        write(oddity, SID)


def test_a_script_can_do_all_of_them_but_for_what_does_not_come() -> None:
    assert set(Oddity) - set(STEPS.values()) - set(BEGINNINGS.values()) == {Oddity.PASSTHRU_NEVER}


# How a stream begins.


def beginning(oddity: Oddity) -> list[Message]:
    sender = Sender(START, Profile(begins=oddity))
    return [decode(text) for text in [*sender.connected(), *sender.start()]]


@pytest.mark.parametrize(
    ("oddity", "kinds"),
    [
        (Oddity.NO_CONNECTED, [Start]),
        (Oddity.EARLY_MEDIA, [Connected, Media, Start]),
        (Oddity.START_TWICE, [Connected, Start, Start]),
        (Oddity.BARE_START, [Connected, Start]),
    ],
)
def test_a_stream_begins_as_it_is_told(oddity: Oddity, kinds: list[type[Message]]) -> None:
    assert [type(message) for message in beginning(oddity)] == kinds


def test_a_bare_start_has_ids_and_numbers_alone() -> None:
    assert beginning(Oddity.BARE_START)[1] == START


def test_a_profile_begins_with_nothing_that_is_in_the_middle() -> None:
    with pytest.raises(ValueError, match="begins is how a stream begins, which bad-base64 is not"):
        Profile(begins=Oddity.BAD_BASE64)


# What becomes of an echo.


def echoes(oddity: Oddity) -> list[tuple[str, float]]:
    """Play three messages of 0.1 s with a mark each, the first of them odd; give the echoes with their moments."""
    playout, sender = Playout(AudioFormat()), Sender(START)
    playout.next_echo = sender.next_echo = oddity
    for name in ("a", "b", "c"):
        playout.media(bytes(1600), 0.0)
        playout.mark(name, 0.0)
    due = [fact for fact in playout.advance(9.0) if isinstance(fact, MarkDue)]
    told = [(decode(text), fact.at) for fact in due for text in sender.mark(fact.name)]
    return [(message.name, round(at, 6)) for message, at in told if isinstance(message, Mark)]


@pytest.mark.parametrize(
    ("oddity", "came"),
    [
        (Oddity.MARK_AGAIN, [("a", 0.1), ("a", 0.1), ("b", 0.2), ("c", 0.3)]),
        (Oddity.MARKS_SWAPPED, [("b", 0.2), ("a", 0.2), ("c", 0.3)]),
        (Oddity.LATE_MARK, [("a", 1.1), ("b", 1.1), ("c", 1.1)]),
        (Oddity.LOST_MARK, [("b", 0.2), ("c", 0.3)]),
    ],
)
def test_the_next_echo_is_odd_and_those_behind_it_are_not(oddity: Oddity, came: list[tuple[str, float]]) -> None:
    assert echoes(oddity) == came


# How a call ends.


async def test_a_call_may_end_with_two_stops(autojump_clock: MockClock) -> None:
    async with ringing(profile=QUIET) as (phone, bot):
        await phone.send_odd(Oddity.STOP_AGAIN)
        await trio.sleep(1.0)

    assert [type(message) for _, message in bot.read[2:]] == [Stop, Stop]
    assert phone.ended_by == "caller"


async def test_a_call_may_be_closed_in_order_without_a_stop(autojump_clock: MockClock) -> None:
    async with ringing(profile=QUIET) as (phone, bot):
        await phone.send_odd(Oddity.NO_STOP)
        await trio.sleep(1.0)

    assert [type(message) for _, message in bot.read[2:]] == []
    assert (phone.ended_by, phone.close_code) == ("caller", 1000)


async def test_how_a_stream_begins_is_nothing_to_do_while_it_is_on(autojump_clock: MockClock) -> None:
    async with ringing(profile=QUIET) as (phone, _):
        with pytest.raises(ValueError, match="early-media is nothing that a stream does while it is on"):
            await phone.send_odd(Oddity.EARLY_MEDIA)
