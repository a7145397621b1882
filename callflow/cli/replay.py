"""``callflow replay FILE…``: play saved calls that bring their flow along, and say which are mended."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from callflow.cli.import_errors import explained
from callflow.errors import CallflowError, SettingsError
from callflow.line.script_files import read_script
from callflow.line.steps import Script
from callflow.server.flow_argument import load_flow_from, name_of
from callflow.testing.as_test import as_test
from callflow.testing.from_journal import call_script, read_journal
from callflow.testing.judging import sentence_of
from callflow.testing.replaying import Replay, Verdict, known_answers
from callflow.testing.replaying import replay as play_again

HOLD, FAILED, WRONG = 0, 1, 2
"""Exit codes: no call fails; one does; an order, a script or its flow is wrong."""


def replay(  # what is played, and what is made of it; all but the files by keyword
    *paths: Path,
    answer: list[str] | None = None,
    json: bool = False,
    pytest: bool = False,
    call: bool = False,
    flow: str | None = None,
) -> int:
    """Play saved calls against the flows that they name, in virtual time, and say FIXED, PASSED or FAILED of each.

    The exit code is 0 if none fails, 1 if one does, 2 if a file, its flow or an option is wrong.

    Args:
        paths: .call files with a flow line, and folders, in which all such are played.
        answer: What "type $name" types, as name=digits; may be given several times.
        json: Print one JSON object a call.
        pytest: Play nothing, and print each call as a test function.
        call: Play nothing: the files are journals of real calls, and each is printed as a call script.
        flow: With --call: the flow that the script names, as file.py:name.
    """
    try:
        if call:
            return _write_calls(paths, flow)
        scripts = [read_script(path) for path in _files(paths)]
        verdicts = [_write_test(script) if pytest else _play(script, answer or [], json=json) for script in scripts]
    except CallflowError as wrong:
        print(f"callflow replay: {wrong}", file=sys.stderr)
        return WRONG
    except (Exception, SystemExit) as wrong:  # noqa: BLE001  # whatever a user's module raises; it is what we report
        print(f"callflow replay: {explained(wrong)}", file=sys.stderr)
        return WRONG
    if not json and not pytest and len(verdicts) > 1:
        print(_sum(verdicts))
    return FAILED if Verdict.FAILED in verdicts else HOLD


def _write_calls(journals: Sequence[Path], flow: str | None) -> int:
    if not journals:
        raise SettingsError("FILE", "nothing is to be written; name a journal, one JSON object a line")
    for journal in journals:
        print(call_script(read_journal(journal), flow), end="")
    return HOLD


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    if not paths:
        raise SettingsError("FILE", "nothing is to be played; name .call files, or a folder that holds some")
    for path in paths:
        found = _saved_calls(path) if path.is_dir() else [path]
        if not found:
            raise SettingsError(str(path), "no .call file with a flow line is in this folder; name another")
        yield from found


def _saved_calls(folder: Path) -> list[Path]:
    """Find the scripts in a folder that name their flow; others are for a bot that is elsewhere."""
    return [path for path in sorted(folder.rglob("*.call")) if _brings_flow(read_script(path))]


def _brings_flow(script: Script) -> bool:
    return script.header.flow is not None or script.header.machine is not None


def _play(script: Script, given: Sequence[str], *, json: bool) -> Verdict:
    played = play_again(script, answers=known_answers(script, given))
    print(_as_json(played) if json else _as_text(played), flush=True)
    return played.verdict


def _as_text(played: Replay) -> str:
    law, failure = played.script.header.law, played.failure
    lines = list(played.timeline)
    if failure is not None:
        lines += [f"FAILED  {played.script.path}", *failure.verdict_lines()]
    elif law is not None:
        lines += [f"FIXED  {played.script.path}: it once broke {law}", *_indented(sentence_of(law))]
    else:
        lines += [f"PASSED  {played.script.path}"]
    return "\n".join(lines)


def _indented(sentence: str) -> list[str]:
    return [f"  {sentence}"] if sentence else []


def _as_json(played: Replay) -> str:
    failure = played.failure
    told = {
        "script": str(played.script.path),
        "verdict": played.verdict.value,
        "once_broke": played.script.header.law,
        "broke": None if failure is None else failure.law or None,
        "sentence": sentence_of(played.script.header.law or "") if failure is None else failure.sentence,
        "came": None if failure is None else failure.came,
        "where": [] if failure is None else list(failure.where),
        "timeline": list(played.timeline),
    }
    return msgspec.json.encode(told).decode()


def _sum(verdicts: Sequence[Verdict]) -> str:
    counts = [f"{verdicts.count(verdict)} {verdict.value}" for verdict in Verdict if verdict in verdicts]
    return f"{len(verdicts)} calls: {', '.join(counts)}"


def _write_test(script: Script) -> Verdict:
    path = Path(script.path)
    if script.header.flow is None:
        raise SettingsError(
            str(path), "it does not say which flow is called; write flow FILE:NAME above its first step"
        )
    module, name = name_of(load_flow_from(path.parent, script.header.flow))
    print(as_test(script, name=path.stem, module=module, flow=name))
    return Verdict.PASSED
