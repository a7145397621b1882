"""Prompts: what is absent or cannot be played is found where the flow names it, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flow.checks.conftest import HEAD, Judge, marked, places, write_wav


def play(prompt: str, timeout: float = 60.0, options: str = "") -> str:
    """Write a flow with a script that plays something."""
    return HEAD + (
        f"class Start(State[None], timeout={timeout}):\n    async def run(self, call: C) -> Bye:\n"
        f"        await call.play({prompt})\n        return Bye()\n    def on_timeout(self, call: C) -> Bye: ...\n"
        f"flow = Flow('flow', start=Start{options})\n"
    )


def say(line: str, options: str = "") -> str:
    """Write a flow with an announcement."""
    start = f"class Start(Say[None], {line}\n    def then(self, call: C) -> Bye: ...\n"
    return f"{HEAD}{start}flow = Flow('f', start=Start{options})\n"


CASES = {
    "a prompt that is there": say("prompt='menu.wav'):"),
    "a prompt of music's rate": say("prompt=('menu.wav', 'wide.wav')):  # finds: prompt-file"),
    "a prompt that is absent": say("prompt='mneu.wav'):  # finds: missing-prompt"),
    "words that nobody says": say("prompt='good day'):  # finds: missing-prompt"),
    "code that plays what is there": play("('menu.wav',)"),
    "code that plays music's rate": play("'wide.wav'  # finds: prompt-file\n"),
    "code that plays what is absent": play("('menu.wav', 'mneu.wav')  # finds: missing-prompt\n"),
    "code that says what nobody says": play("'good day'  # finds: missing-prompt\n"),
    "code that plays what it computes": play("f'{call.caller}.wav'"),
    "code that plays a word of its own": play("call.caller"),
    "a script that has no time for its prompt": play("'long.wav'  # finds: short-timeout\n", timeout=30.0),
    "a script that has time for its prompt": play("'long.wav'", timeout=41.0),
}


@pytest.mark.parametrize("code", CASES.values(), ids=CASES)
def test_what_is_wrong_with_a_prompt_is_found_where_it_is_named(code: str, judge: Judge) -> None:
    prompts = {"long": (8000, 40.0)} | ({"wide": (44100, 1.0)} if "wide" in code else {})

    assert places(judge(code, **prompts)) == marked(code)


def test_a_file_that_nobody_names_is_told_where_the_flow_is_made(judge: Judge) -> None:
    [found] = judge(say("prompt='menu.wav'):"), wide=(44100, 1.0))

    assert (found.line, found.check, found.where) == (13, "prompt-file", "Flow('f')")


def test_files_that_cannot_be_played_are_told_all_at_once(judge: Judge) -> None:
    code = say("prompt='wide.wav', barge_in=None):").replace(
        "class Bye(Hangup[None])", "class Bye(Hangup[None], prompt='high.wav')"
    )

    found = judge(code, wide=(44100, 1.0), high=(16000, 1.0))

    assert [(one.where, one.mistake) for one in found] == [
        ("Bye", "prompts/high.wav: expected 16-bit mono PCM at 8000 Hz, found 16-bit mono PCM at 16000 Hz"),
        ("Start", "prompts/wide.wav: expected 16-bit mono PCM at 8000 Hz, found 16-bit mono PCM at 44100 Hz"),
    ]


def test_the_cure_of_a_wrong_rate_is_a_command(judge: Judge) -> None:
    [found] = judge(CASES["a prompt of music's rate"], wide=(44100, 1.0))

    assert found.cure == "convert it: ffmpeg -i wide.wav -ar 8000 -ac 1 -c:a pcm_s16le NEW.wav"


def test_a_prompt_of_a_base_is_told_at_the_base(judge: Judge) -> None:
    code = HEAD + (
        "class Base(Say[None], prompt='mneu.wav'):  # finds: missing-prompt\n    def then(self, call: C) -> Bye: ...\n"
        "class Start(Base): ...\nclass Bye2(Bye): ...\nflow = Flow('f', start=Start, spare=[Bye2])\n"
    )

    assert places(judge(code)) == marked(code)


def test_a_missing_prompt_is_told_the_nearest_file(judge: Judge) -> None:
    [found] = judge(CASES["a prompt that is absent"])

    assert (found.mistake, found.cure) == (
        "says 'mneu.wav', but prompts/mneu.wav: expected this file, found none",
        "did you mean 'menu.wav'? If not, record it",
    )


def test_a_folder_that_is_absent_is_told_once(judge: Judge) -> None:
    code = say("prompt=('a.wav', 'b.wav')):", ", prompts='spoken'").replace(
        "Bye(Hangup[None])", "Bye(Hangup[None], prompt='c.wav')"
    )

    assert [(one.where, one.mistake) for one in judge(code)] == [
        ("Start", "says a prompt, but there is no folder spoken")
    ]


def test_what_code_plays_may_be_in_a_language_only(judge: Judge, tmp_path: Path) -> None:
    write_wav(tmp_path / "prompts" / "hi" / "namaste.wav", 8000, 1.0)

    assert judge(play("'namaste.wav'")) == []


def test_what_a_class_line_names_must_not_be_in_a_language_only(judge: Judge, tmp_path: Path) -> None:
    write_wav(tmp_path / "prompts" / "hi" / "namaste.wav", 8000, 1.0)

    assert [one.check for one in judge(say("prompt='namaste.wav'):"))] == ["missing-prompt"]


@pytest.mark.parametrize(
    ("seconds", "found"), [(9.0, []), (11.0, ["apology='sorry.wav' of Flow('f'): expected at most 10 s, found 11.0 s"])]
)
def test_an_apology_is_short(seconds: float, found: list[str], judge: Judge) -> None:
    code = say("prompt='menu.wav'):", ", apology='sorry.wav'")

    assert [one.mistake for one in judge(code, sorry=(8000, seconds))] == found


def test_a_table_of_words_that_is_wrong_is_one_finding(judge: Judge, tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "prompts.toml").write_text("[wrods]\n")

    found = [one for one in judge(say("prompt='menu.wav'):")) if one.check == "prompt-file"]

    assert [one.mistake for one in found] == [
        "prompts/prompts.toml: expected the table [words] and nothing else, found 'wrods'"
    ]


@pytest.mark.parametrize(
    ("barge_in", "seconds", "checks"), [("None", 31.0, ["long-question"]), ("None", 29.0, []), ("'dtmf'", 31.0, [])]
)
def test_a_long_question_may_be_cut(barge_in: str, seconds: float, checks: list[str], judge: Judge) -> None:
    code = HEAD + (
        f"class Start(CollectDigits[None], prompt='ask.wav', length=4, barge_in={barge_in}):\n"
        "    def on_digits(self, call: C, digits: Secret) -> Bye: ...\n"
        "    def on_failed(self, call: C, why: Failed) -> Bye: ...\nflow = Flow('f', start=Start)\n"
    )

    assert [one.check for one in judge(code, ask=(8000, seconds))] == checks
