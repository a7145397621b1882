"""The examples as their users run them: one process serves, another calls, over a real socket."""

from __future__ import annotations

import csv
import signal
import wave
from pathlib import Path

import pytest

from callflow.line.recording import read_wav
from examples.survey import QUESTIONS
from tests.e2e.serving import ROOT, process, wait_for

EXAMPLES = ROOT / "examples"
VOICES = EXAMPLES / "voices"


def call(example: str, script: str, folder: Path) -> tuple[int, str]:
    """Serve an example in one process and play a script in another; give the caller's exit code and what it printed.

    The server is told to stop then, and has to end in order.
    """
    with process("serve", str(EXAMPLES / f"{example}.py"), "--port", "0", cwd=folder) as server:
        url = wait_for("--url", server).split("--url ")[1].split()[0]
        path = str(EXAMPLES / "calls" / f"{script}.call")
        with process("call", path, "--url", url, "--wav", "call.wav", cwd=folder) as caller:
            said, errors = caller.communicate(timeout=100)
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=20) == 0
    return caller.returncode, said + errors


@pytest.mark.parametrize(
    ("script", "message"),
    [("voicemail", "second_message"), ("voicemail_hangup", "message"), ("voicemail_resumed", "message")],
)
def test_the_voicemail_keeps_what_was_said_sample_for_sample(script: str, message: str, tmp_path: Path) -> None:
    code, said = call("voicemail", script, tmp_path)
    [kept] = (tmp_path / "messages").glob("*.wav")
    with wave.open(str(kept)) as file:
        audio = file.readframes(file.getnframes())

    assert (code, read_wav(VOICES / f"{message}.wav", 8000) in audio) == (0, True), said


def test_the_queue_plays_tells_the_place_and_lets_go_to_an_agent(tmp_path: Path) -> None:
    code, said = call("queue", "queue", tmp_path)

    assert code == 0, said


@pytest.mark.parametrize(("script", "answers"), [("survey_by_key", "54535"), ("survey_by_voice", "21")])
def test_the_survey_writes_a_line_for_each_call(script: str, answers: str, tmp_path: Path) -> None:
    code, said = call("survey", script, tmp_path)
    with (tmp_path / "survey.csv").open(newline="") as file:
        head, row = csv.reader(file)

    assert (code, head, row[1:]) == (0, ["call", *QUESTIONS], [*answers, *[""] * (5 - len(answers))]), said


def test_the_tap_tells_how_long_was_spoken_and_sends_nothing(tmp_path: Path) -> None:
    code, said = call("tap", "tap", tmp_path)
    with wave.open(str(tmp_path / "call.wav")) as file:
        bot = file.readframes(file.getnframes())

    assert (code, any(bot[2::4]) or any(bot[3::4])) == (0, False), said
