"""Findings in the prompts of a flow: files that are absent or cannot be played, prompts that nobody could hear out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
from attrs import define, field

from callflow.errors import AudioError
from callflow.flow.checks.finding import Finding, Place
from callflow.flow.checks.handlers import Code, all_code, calls
from callflow.flow.checks.source import Sources
from callflow.flow.flow import Flow, prompts_of
from callflow.flow.prompts import Prompt, PromptLibrary
from callflow.flow.soundness import AnyState

LONG_QUESTION = 30.0
"""Seconds. Longer than this nobody listens to a question that cannot be answered before its end."""


def sounds(flow: Flow[Any], sources: Sources) -> Iterator[Finding]:
    """Find what is wrong with the prompts of a flow."""
    faults: list[AudioError] = []
    library = PromptLibrary(flow.folder, flow.rate, {}, {})
    try:
        if flow.folder.is_dir():
            library = PromptLibrary.load(flow.folder, flow.rate, faults)
    except AudioError as wrong:  # not one file, but what tells of them
        faults.append(wrong)
    prompts = _Prompts(flow, sources, library, faults)
    found = [*prompts.faulty(), *prompts.named(), *prompts.spoken()]
    yield from found if flow.folder.is_dir() else _no_folder(flow, found)


def _no_folder(flow: Flow[Any], found: list[Finding]) -> Iterator[Finding]:
    """Say once that the folder is not there, in place of each prompt that it does not have."""
    missing = [finding for finding in found if finding.check == "missing-prompt"]
    for first in missing[:1]:
        mistake = f"says a prompt, but there is no folder {flow.folder.name}"
        yield attrs.evolve(first, mistake=mistake, cure=f"make {flow.folder} and put the prompts there")


@define
class _Prompts:
    """The prompts of one flow."""

    flow: Flow[Any]
    sources: Sources
    library: PromptLibrary
    faults: list[AudioError]
    bad: frozenset[str] = field(init=False)
    """Names of files that are there, but cannot be played."""

    @bad.default
    def _names_of_bad(self) -> frozenset[str]:
        return frozenset(Path(fault.path).name for fault in self.faults)

    def faulty(self) -> Iterator[Finding]:
        """Files that cannot be played; told where the flow names them, else where it is made."""
        for fault in self.faults:
            place, where = self._who_names(Path(fault.path).name)
            mistake = f"{self._shown(fault)}: expected {fault.expected}, found {fault.found}"
            yield place.finding("prompt-file", where, mistake, fault.cure)

    def named(self) -> Iterator[Finding]:
        """Prompts in class lines that are not there, and questions that are too long to wait for."""
        for state, option, prompt in self._said():
            says = _who_says(state, option)
            clip = yield from self._clip(prompt, self.sources.place_of(says), says.__name__, [])
            if clip is not None and option == "prompt" and clip.seconds > LONG_QUESTION and _must_wait(state):
                yield self.sources.place_of(state).finding(
                    "long-question",
                    state.__name__,
                    f"asks for {clip.seconds:.0f} s, and no key is taken before the end",
                    'let keys cut it, barge_in="dtmf", or say most of it in a Say in front',
                )

        yield from self._apology()

    def spoken(self) -> Iterator[Finding]:
        """Prompts that code names in ``call.play`` and ``call.start``."""
        for code in all_code(self.flow, self.sources):
            for call in calls(code.body):
                if prompt := literal_prompt(call):
                    clip = yield from self._clip(prompt, code.at(call), code.where, self.library.languages)
                    yield from () if clip is None else _cut_by_time(code, call, clip.seconds)

    def _said(self) -> Iterator[tuple[AnyState, str, Prompt]]:
        """Give all prompts of class lines."""
        for state in self.flow.graph.all_states:
            yield from ((state, option, prompt) for option, prompt in prompts_of(state))

    def _apology(self) -> Iterator[Finding]:
        try:
            self.flow.check_apology(self.library)
        except AudioError as wrong:
            mistake = f"{self._shown(wrong)}: expected {wrong.expected}, found {wrong.found}"
            yield Place(*self.flow.made_at).finding("apology", f"Flow({self.flow.name!r})", mistake, wrong.cure)

    def _clip(self, prompt: Prompt, place: Place, where: str, languages: list[str]) -> Any:
        """Find a prompt at the top or in one of some languages; give a finding if it is in none.

        What class lines name must be at the top: the server looks for it there when it starts.
        """
        if self.bad & set(_names(prompt)):
            return None  # told already
        try:
            return self.library.clip(prompt)
        except AudioError as wrong:
            for language in languages:
                try:
                    return self.library.clip(prompt, language)
                except AudioError:
                    continue
            mistake = f"says {prompt!r}, but {self._shown(wrong)}: expected {wrong.expected}, found {wrong.found}"
            yield place.finding("missing-prompt", where, mistake, wrong.cure)
        return None

    def _shown(self, fault: AudioError) -> str:
        """Write a file as seen from the folder's parent; words as they are."""
        path, home = Path(fault.path), self.flow.folder.parent
        return str(path.relative_to(home)) if path.is_relative_to(home) else str(fault.path)

    def _who_names(self, file: str) -> tuple[Place, str]:
        for state, option, prompt in self._said():
            if file in _names(prompt):
                says = _who_says(state, option)
                return self.sources.place_of(says), says.__name__
        for code in all_code(self.flow, self.sources):
            for node in ast.walk(code.body):
                if isinstance(node, ast.Constant) and node.value == file:
                    return code.at(node), code.where
        return Place(*self.flow.made_at), f"Flow({self.flow.name!r})"


def _names(prompt: Prompt) -> tuple[str, ...]:
    """Name the files and words of a prompt; what a caller said, and tones, have no name."""
    parts = prompt if isinstance(prompt, tuple) else (prompt,)
    return tuple(part for part in parts if isinstance(part, str))


def _who_says(state: AnyState, option: str) -> AnyState:
    """Find the class whose line has the option: the furthest base that says the same."""
    said = getattr(state.options, option)
    same = [base for base in state.__mro__ if getattr(getattr(base, "options", None), option, None) == said]
    return next(base for base in reversed(same))


def _must_wait(state: AnyState) -> bool:
    return hasattr(state.options, "first_digit") and state.options.barge_in is None


def literal_prompt(call: ast.Call) -> Prompt | None:
    """Read the prompt of ``call.play("a.wav")``, if it stands there as it is."""
    match call:
        case ast.Call(func=ast.Attribute(value=ast.Name("call"), attr="play" | "start"), args=[first, *_]):
            try:
                prompt = ast.literal_eval(first)
            except ValueError:
                return None
            names = [prompt] if isinstance(prompt, str) else list(prompt) if isinstance(prompt, tuple) else [None]
            return prompt if names and all(isinstance(name, str) for name in names) else None
    return None


def _cut_by_time(code: Code, call: ast.Call, seconds: float) -> Iterator[Finding]:
    limit = getattr(getattr(code.scope.owner, "options", None), "timeout", None)
    if limit is not None and code.where.endswith(".run") and seconds >= limit:
        yield code.at(call).finding(
            "short-timeout",
            code.where,
            f"plays {seconds:.1f} s, but its time-out leaves the state after {limit:g} s",
            f"give the class line a timeout of more than {seconds:.0f} s",
        )
