"""The tap: how long was spoken, on a stream to which nothing is ever sent."""

from __future__ import annotations

from pathlib import Path

from examples.tap import Talk, tap
from tests.examples.scripts import play, voice


class Told:
    """A report that a test reads."""

    def __init__(self) -> None:
        self.talks: list[tuple[Talk, float]] = []

    def tell(self, call_sid: str, talk: Talk, seconds: float) -> None:
        self.talks.append((talk, seconds))


def test_the_talk_time_is_that_of_the_voices_and_nothing_was_sent(tmp_path: Path) -> None:
    told = Told()
    played = play(tap.providing(told), "tap.call", tmp_path)
    [(talk, seconds)] = told.talks
    spoken = (len(voice("message")) + len(voice("second_message"))) / 16_000

    assert (played.code, played.record.media_out) == (0, 0)
    assert abs(talk.seconds - spoken) < 0.2 * spoken
    assert seconds > spoken
