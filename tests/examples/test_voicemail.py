"""The voicemail: what was said is kept, sample for sample, however the call ends."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest
import trio

from callflow import Recording, RecordingEnd
from examples.voicemail import Folder, voicemail
from tests.examples.scripts import play, voice

SAID = voice("message")
SAID_SECOND = voice("second_message")


class Kept:
    """A mailbox that a test reads."""

    def __init__(self) -> None:
        self.messages: list[Recording] = []

    async def keep(self, call_sid: str, said: Recording) -> None:
        await trio.lowlevel.checkpoint()
        self.messages.append(said)


def rest_is_silent(recording: bytes, *said: bytes) -> bool:
    """Whether a recording holds these pieces, in order, and nothing else."""
    for piece in said:
        before, found, recording = recording.partition(piece)
        if not found or any(before):
            return False
    return not any(recording)


@pytest.mark.parametrize(
    ("script", "said", "by"),
    [
        ("voicemail.call", [SAID_SECOND], "key"),
        ("voicemail_hangup.call", [SAID], "hangup"),
        ("voicemail_resumed.call", [SAID, SAID_SECOND], "hangup"),
    ],
)
def test_what_was_said_is_kept_sample_for_sample(script: str, said: list[bytes], by: str, tmp_path: Path) -> None:
    kept = Kept()

    played = play(voicemail.providing(kept), script, tmp_path)

    assert (played.code, [message.ended_by.value for message in kept.messages]) == (0, [by])
    assert rest_is_silent(kept.messages[0].pcm, *said)


async def test_a_message_is_a_file_of_its_call(tmp_path: Path) -> None:
    recording = Recording(pcm=SAID, rate=8000, ended_by=RecordingEnd.HANGUP)
    await Folder(tmp_path / "messages").keep("c1", recording)

    with wave.open(str(tmp_path / "messages" / "c1.wav")) as file:
        assert (file.getframerate(), file.readframes(file.getnframes())) == (8000, SAID)
