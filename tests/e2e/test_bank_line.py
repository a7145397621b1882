"""The bank's line as a newcomer meets it: processes, a real socket, and the WAV listened to by numbers."""

from __future__ import annotations

import signal
import subprocess
import sys
import wave
from array import array
from pathlib import Path

import pytest
import trio
from attrs import frozen

from callflow.cli.call import call
from callflow.line.recognise import read_prompts
from callflow.line.tones import digits_in
from examples.bank_ivr.bank import Account, FakeBank
from examples.bank_ivr.ivr import bank_ivr
from tests.e2e.serving import ROOT, process, serving, wait_for

EXAMPLE = ROOT / "examples" / "bank_ivr"


@frozen
class Recording:
    """A stereo WAV, its sides apart."""

    channels: int
    rate: int
    caller: bytes
    bot: bytes


def read(path: Path) -> Recording:
    with wave.open(str(path)) as file:
        channels, rate, audio = file.getnchannels(), file.getframerate(), file.readframes(file.getnframes())
    samples = array("h", audio)
    return Recording(channels, rate, samples[0::2].tobytes(), samples[1::2].tobytes())


@frozen
class Found:
    """A prompt's own samples, found in a recording."""

    at: int
    name: str
    complete: bool


def prompts_in(audio: bytes) -> list[Found]:
    """Find every place where a quarter second of a prompt stands, sample for sample; not by our own recogniser."""
    found = []
    for prompt in read_prompts(EXAMPLE / "prompts", 8000):
        needle, at = prompt.pcm[1600:5600], -1
        while (at := audio.find(needle, at + 1)) >= 0:
            found.append(Found(at, prompt.name, prompt.pcm == audio[at - 1600 : at - 1600 + len(prompt.pcm)]))
    return sorted(found, key=lambda one: one.at)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Recording]:
    """One run of ``./run --once``, in a folder of its own."""
    folder = tmp_path_factory.mktemp("once")
    run = subprocess.run(
        [sys.executable, "-m", "callflow.cli.example", "--once"],
        cwd=folder, env={"PYTHONPATH": str(ROOT), "HOME": str(folder)}, text=True, capture_output=True, check=False,
        timeout=90,
    )  # fmt: skip
    [wav] = (folder / "calls").glob("*.wav")
    return run, read(wav)


def test_one_call_prints_its_states_and_holds(once: tuple[subprocess.CompletedProcess[str], Recording]) -> None:
    run, _ = once

    assert (run.returncode, run.stderr) == (0, "")
    assert "expectations hold" in run.stdout
    assert "4129" not in run.stdout


def test_its_recording_is_stereo_at_8_khz(once: tuple[subprocess.CompletedProcess[str], Recording]) -> None:
    _, recording = once

    assert (recording.channels, recording.rate) == (2, 8000)


def test_the_bots_side_holds_the_prompts_in_order_and_cut_where_they_were_cut(
    once: tuple[subprocess.CompletedProcess[str], Recording],
) -> None:
    _, recording = once

    heard = [(prompt.name, prompt.complete) for prompt in prompts_in(recording.bot)]

    assert heard[:4] == [("welcome", True), ("menu", False), ("pin", False), ("balance_is", True)]
    assert [name for name, _ in heard[4:14]] == [
        "twelve", "thousand", "three", "hundred", "and", "forty", "rupees", "and", "fifty", "paise",
    ]  # fmt: skip
    assert heard[-1] == ("goodbye", True)


def test_the_callers_side_holds_the_plain_key_and_the_phrase_and_no_tone_of_the_pin(
    once: tuple[subprocess.CompletedProcess[str], Recording],
) -> None:
    _, recording = once
    phrase = read_prompts(EXAMPLE / "voices", 8000)[0]

    assert digits_in(recording.caller, 8000) == "1"
    assert phrase.pcm[8000:12000] in recording.caller


async def test_another_balance_gives_other_words_and_other_audio(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bank = FakeBank(accounts={"+910000000105": Account(pin="4129", paise=7_00_00_000_00)})
    script = tmp_path / "rich.call"
    steps = ("hear menu", "keys 1", "hear pin", "type 4129", "hear crore complete", "wait 1s", "hangup")
    script.write_text("\n".join(("from +910000000105", *steps)))

    async with serving(bank_ivr.providing(bank)) as (_, port):
        url = f"ws://127.0.0.1:{port}/stream"
        code = await call(script, url=url, prompts=EXAMPLE / "prompts", wav=tmp_path / "rich.wav")

    names = [prompt.name for prompt in prompts_in(read(tmp_path / "rich.wav").bot)]
    assert (code, "Your balance is seven crore rupees" in capsys.readouterr().out) == (0, True)
    assert names[names.index("balance_is") :][:3] == ["balance_is", "seven", "crore"]


SIDE_BY_SIDE = 3
"""Real-time callers in this process, which is traced for coverage: more of them would hear gaps of their own making."""


@pytest.mark.timeout(180)  # seconds; the calls together last over 100
async def test_all_example_calls_hold_over_real_sockets(tmp_path: Path) -> None:
    codes: dict[str, int] = {}
    room = trio.CapacityLimiter(SIDE_BY_SIDE)

    async def one(script: Path, url: str) -> None:
        async with room:
            codes[script.stem] = await call(script, url=url, wav=tmp_path / f"{script.stem}.wav")

    scripts = sorted((EXAMPLE / "calls").glob("*.call"))
    with process("serve", str(EXAMPLE / "ivr.py"), "--port", "0", "--feed", cwd=tmp_path) as running:
        line = await trio.to_thread.run_sync(wait_for, "--url", running)
        async with trio.open_nursery() as nursery:
            for script in scripts:
                nursery.start_soon(one, script, line.split()[-1])

    assert codes == {script.stem: 0 for script in scripts}


def test_a_dead_server_costs_the_exit_code_and_is_named(tmp_path: Path) -> None:
    with process("call", "balance", "--url", "ws://127.0.0.1:9/stream", cwd=tmp_path) as running:
        _, said = running.communicate(timeout=30)

    assert (running.returncode, "127.0.0.1:9" in said, "Traceback" in said) == (1, True, False)


def test_serve_answers_says_what_to_enter_and_stops_on_sigterm(tmp_path: Path) -> None:
    with process("serve", str(EXAMPLE / "ivr.py"), "--port", "0", cwd=tmp_path) as running:
        line = wait_for("wss://YOUR.HOST/stream", running)
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=60)

    assert (running.returncode, "Voicebot" in line) == (0, True)


def test_a_port_that_is_taken_is_one_line_and_exit_3(tmp_path: Path) -> None:
    with process("serve", str(EXAMPLE / "ivr.py"), "--port", "0", cwd=tmp_path) as first:
        port = wait_for("--url", first).rpartition(":")[2].partition("/")[0]
        with process("serve", str(EXAMPLE / "ivr.py"), "--port", port, cwd=tmp_path) as second:
            _, said = second.communicate(timeout=60)

    assert (second.returncode, f"127.0.0.1:{port}" in said, "Traceback" in said) == (3, True, False)
