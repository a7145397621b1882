"""Call scripts: what a caller does and expects, one thing a line. Pure: text to steps and back.

What may stand in a line says ``callflow.line.grammar``; what may stand after what, and above the first step, is said
here. What a step *does* stands in ``callflow.line.player``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from callflow.errors import ScriptError
from callflow.line.grammar import GRAMMAR, HEADER, Slot, form, render_step
from callflow.line.steps import (
    ACTS,
    Act,
    Branch,
    Drop,
    Ended,
    Enter,
    HalfClose,
    HangUp,
    Header,
    Play,
    Press,
    Quiet,
    Reconnect,
    Ring,
    RingAgain,
    Script,
    Service,
    Step,
    TakeOver,
)
from callflow.line.words import Words


def parse(text: str, path: Path | str = "script.call") -> Script:
    """Read a script.

    Args:
        text: What the file holds.
        path: Where it stands, for messages.

    Raises:
        ScriptError: A line cannot be read; the message names it and ends with the cure.
    """
    draft = _Draft(path)
    for number, line in enumerate(re.split(r"\r?\n", text), 1):
        words = Words(path, number, line)
        if words.more:
            draft.take(words)
    return draft.finish()


def render(script: Script) -> str:
    """Write a script so that ``parse`` reads the same again. Comments, and header lines that say the usual, go.

    Raises:
        ValueError: Words hold a quotation mark, which the grammar cannot write.
    """
    return "\n".join([*header_lines(script.header), *map(render_step, script.steps)]) + "\n"


def header_lines(header: Header) -> list[str]:
    """Write the lines of a header, those that say the usual left out."""
    usual = Header()
    unusual = {name: slot for name, slot in HEADER.items() if slot.write(header) != slot.write(usual)}
    return [f"{name} {text}" for name, slot in unusual.items() for text in slot.write(header)]


class _Draft:
    """A script while it is read."""

    def __init__(self, path: Path | str) -> None:
        self._path = path
        self._header: dict[str, Any] = {}
        self._parameters: dict[str, str] = {}
        self._moments: dict[str, list[Any]] = {"faults": [], "beside": []}
        self._steps: list[Step] = []

    def take(self, words: Words) -> None:
        verb = words.take("a verb")
        if verb in HEADER:
            self._set(verb, words)
        elif verb in GRAMMAR:
            self._add(verb, words)
        else:
            raise words.error(_unknown(verb))
        words.end()

    def _set(self, name: str, words: Words) -> None:
        if self._steps:
            raise words.error(f"{name!r} is a header line; write it above the first step")
        slot = HEADER[name]
        words.form = f"{name} {slot.form}"
        for attribute, value in slot.read(words).items():
            if attribute in self._moments:
                self._moments[attribute] += value
                continue
            known = self._parameters if name == "param" else self._header
            if attribute in known:
                raise words.error(f"{name!r} says this a second time; keep one of the two lines")
            known[attribute] = value

    def _add(self, verb: str, words: Words) -> None:
        kind, slots = GRAMMAR[verb]
        words.form = form(verb)
        step = kind(**_read_slots(slots, words), line=words.number)
        problem = _misplaced(step, self._steps)
        if problem:
            raise words.error(problem)
        self._steps.append(step)

    def finish(self) -> Script:
        if not self._steps:
            raise ScriptError(self._path, 1, "no step stands here; the shortest script is one line: hangup")
        moments: dict[str, Any] = {name: tuple(each) for name, each in self._moments.items()}
        header = Header(parameters=self._parameters, **moments, **self._header)
        return Script(header=header, steps=tuple(self._steps), path=self._path)


def _read_slots(slots: Sequence[Slot], words: Words) -> dict[str, Any]:
    """Read what has to stand there, in its order; then the options, in any."""
    options = [slot for slot in slots if slot.form.startswith("[")]
    values: dict[str, Any] = {}
    for slot in [*(slot for slot in slots if slot not in options), *options * len(options)]:
        found = slot.read(words)
        if found.keys() & values.keys():
            raise words.error(f"an option stands here twice; write: {words.form}")
        values.update(found)
    return values


def _misplaced(step: Step, before: list[Step]) -> str:
    """Say why a step cannot stand after these and what to do about it, or nothing."""
    turns = HangUp | Drop | HalfClose | Reconnect | RingAgain
    last = next((earlier for earlier in reversed(before) if isinstance(earlier, turns)), None)
    gone = last.line if isinstance(last, HangUp | Drop | HalfClose) else 0
    acts = {ACTS[type(earlier)] for earlier in before if type(earlier) in ACTS}
    match step:
        case Ring() if not all(isinstance(earlier, Service) for earlier in before):
            return "'ring' begins a call; make it the first step, behind service lines at the most"
        case Reconnect() if not isinstance(last, Drop | HalfClose):
            return "no line is lost here; write drop above it"
        case Press() | Enter() | Play() | HangUp() | Drop() | TakeOver() if gone:
            return f"the caller has gone in line {gone}; move that line below this one"
        case Quiet(of=act) if not acts or (act and act not in acts):
            done = "keys, type or play" if act is None else "keys or type" if act is Act.KEYS else "play"
            return f"the caller has done nothing that silences the bot; write {done} above it"
        case Branch() if not any(isinstance(earlier, HangUp | Drop | HalfClose | Ended) for earlier in before):
            return "a branch is chosen after the call; write hangup or ended above it"
    return ""


def _unknown(verb: str) -> str:
    if verb == "say":
        return "a script has no voice of its own; record the words and write: play FILE.wav"
    near = difflib.get_close_matches(verb, [*GRAMMAR, *HEADER], n=1)
    return f"no verb {verb!r}; " + (f"did you mean {near[0]!r}?" if near else f"the verbs are {', '.join(GRAMMAR)}")
