"""The messages are plain frozen values."""

from __future__ import annotations

import typing

import pytest
from attrs import fields
from attrs.exceptions import FrozenInstanceError

from callflow.wire.messages import KEYS, Connected, Dtmf, Mark, Media, Message, Outbound, Start


def test_a_message_cannot_be_changed() -> None:
    mark = Mark(name="greeting")

    with pytest.raises(FrozenInstanceError):
        mark.name = "other"  # type: ignore[misc]


def test_messages_of_equal_content_are_equal() -> None:
    one, other = Dtmf(digit="5", duration=0.2), Dtmf(digit="5", duration=0.2)

    assert one == other


@pytest.mark.parametrize("kind", typing.get_args(Message))
def test_every_field_of_a_message_is_named_where_it_is_made(kind: type) -> None:
    by_position = [field.name for field in fields(kind) if not field.kw_only]

    assert by_position == []


def test_two_messages_never_share_their_parameters() -> None:
    one, other = Start(stream_sid="a", call_sid="b"), Connected()

    assert one.parameters is not other.parameters


def test_audio_is_shown_by_its_length_alone() -> None:
    media = Media(payload=b"secret words", stream_sid="s")

    assert repr(media) == (
        "Media(payload=<12 bytes>, stream_sid='s', sequence_number=None, chunk=None, timestamp=None, track='')"
    )


def test_a_telephone_has_twelve_keys() -> None:
    keys = sorted(KEYS)

    assert keys == sorted("0123456789*#")


def test_what_a_server_may_send_is_media_mark_and_clear() -> None:
    kinds = [kind.__name__ for kind in typing.get_args(Outbound)]

    assert kinds == ["Media", "Mark", "Clear"]
