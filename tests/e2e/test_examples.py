"""The examples as their users run them: one process serves, another calls, over a real socket."""

from __future__ import annotations

import csv
import signal
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from attrs import frozen

from callflow.line.recording import read_wav
from examples.survey import QUESTIONS
from tests.e2e.serving import ROOT, process, wait_for

EXAMPLES = ROOT / "examples"
VOICES = EXAMPLES / "voices"


SCRIPTS = {
    "voicemail": "voicemail",
    "voicemail_hangup": "voicemail",
    "voicemail_resumed": "voicemail",
    "queue": "queue",
    "survey_by_key": "survey",
    "survey_by_voice": "survey",
    "tap": "tap",
}
"""Each script with its example."""

ATTEMPTS = 3
"""What is wrong with an example is wrong each time."""

SIDE_BY_SIDE = 3
"""Real-time calls at once: they wait most of the time, but more of them would be late on a busy machine."""

pytestmark = pytest.mark.timeout(400)  # seconds; the calls together last nearly 180, and some are made again


@frozen
class Called:
    """An example that was called."""

    folder: Path
    """Where both processes ran."""
    code: int
    """The caller's exit code."""
    said: str
    """What the caller printed."""


def call(script: str, folder: Path) -> Called:
    """Play a script as often as a busy machine needs: audio that comes late has gaps, and is not what was recorded."""
    for attempt in range(ATTEMPTS - 1):
        if (called := call_once(script, folder / str(attempt))).code == 0:
            return called
    return call_once(script, folder / "last")


def call_once(script: str, folder: Path) -> Called:
    """Serve an example in one process and play a script in another.

    The server is told to stop then, and has to end in order.
    """
    folder.mkdir()
    example = SCRIPTS[script]
    with process("serve", str(EXAMPLES / f"{example}.py"), "--port", "0", cwd=folder) as server:
        url = wait_for("--url", server).split("--url ")[1].split()[0]
        path = str(EXAMPLES / "calls" / f"{script}.call")
        with process("call", path, "--url", url, "--wav", "call.wav", cwd=folder) as caller:
            said, errors = caller.communicate(timeout=100)
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=20) == 0
    return Called(folder, caller.returncode, said + errors)


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Called]:
    """Play every script."""
    folders = [tmp_path_factory.mktemp(script) for script in SCRIPTS]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as room:
        return dict(zip(SCRIPTS, room.map(call, SCRIPTS, folders), strict=True))


@pytest.mark.parametrize(
    ("script", "message"),
    [("voicemail", "second_message"), ("voicemail_hangup", "message"), ("voicemail_resumed", "message")],
)
def test_the_voicemail_keeps_what_was_said_sample_for_sample(
    script: str, message: str, called: dict[str, Called]
) -> None:
    [kept] = (called[script].folder / "messages").glob("*.wav")
    with wave.open(str(kept)) as file:
        audio = file.readframes(file.getnframes())

    heard = read_wav(VOICES / f"{message}.wav", 8000) in audio
    assert (called[script].code, heard) == (0, True), called[script].said


def test_the_queue_plays_tells_the_place_and_lets_go_to_an_agent(called: dict[str, Called]) -> None:
    assert called["queue"].code == 0, called["queue"].said


@pytest.mark.parametrize(("script", "answers"), [("survey_by_key", "54535"), ("survey_by_voice", "21")])
def test_the_survey_writes_a_line_for_each_call(script: str, answers: str, called: dict[str, Called]) -> None:
    done = called[script]
    with (done.folder / "survey.csv").open(newline="") as file:
        head, row = csv.reader(file)

    assert (done.code, head, row[1:]) == (0, ["call", *QUESTIONS], [*answers, *[""] * (5 - len(answers))]), done.said


def test_the_tap_tells_how_long_was_spoken_and_sends_nothing(called: dict[str, Called]) -> None:
    done = called["tap"]
    with wave.open(str(done.folder / "call.wav")) as file:
        bot = file.readframes(file.getnframes())

    assert (done.code, any(bot[2::4]) or any(bot[3::4])) == (0, False), done.said
