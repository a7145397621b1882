"""Writes a call script from the journal of a real call: keys, waits, what became of the line, and how the call ended.

A journal holds no digit of a secret and no sound, so neither does the script: an entry that was masked is typed by a
name that somebody has to give a value, and where the caller spoke stands a comment.
"""

from __future__ import annotations

import json
import math
import re
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field

from callflow.errors import SettingsError
from callflow.flow.secret import DOT
from callflow.line.grammar import render_step
from callflow.line.script import header_lines
from callflow.line.steps import (
    Drop,
    Ended,
    Ender,
    Enter,
    HangUp,
    Header,
    Press,
    Reach,
    Reconnect,
    Step,
    TakeOver,
    Wait,
)
from callflow.testing.deeds import KEY_HOLD

Line = Mapping[str, Any]
"""One line of a journal: ``n``, ``t``, ``kind``, ``what`` and what belongs to that."""

PATIENCE = 2.0
"""Times what a state or an end took in the real call, and ``SPARE`` seconds: that long a replay waits for it."""

SPARE = 5.0

TOGETHER = 2.0
"""Seconds from one key to the next within which they are one entry."""

UNKNOWN = (
    "# A journal does not say who called, with which parameters, at which rate, what was said, or which keys no state",
    "# took; the services behind the flow may answer otherwise now. Add what matters; the digits of $answers stand in",
    "# answers.toml.",
)


def read_journal(path: Path) -> list[Line]:
    """Read a file with one JSON object a line, as a server gives it at ``/events/CALL_SID``.

    Raises:
        SettingsError: It cannot be read, or is no whole journal.
    """
    try:
        lines = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeError, ValueError) as wrong:
        raise SettingsError(str(path), f"this is no journal ({wrong}); it has one JSON object a line") from wrong
    if not lines or any(not isinstance(line, dict) or {"n", "t", "kind", "what"} - line.keys() for line in lines):
        raise SettingsError(str(path), "this is no journal; each line of one has n, t, kind and what")
    if lines[0]["n"] != 1:
        raise SettingsError(str(path), "the beginning of the call is missing; follow it from its start")
    return lines


def call_script(journal: Sequence[Line], flow: str | None = None) -> str:
    """Write a call script that does what the caller did.

    Args:
        journal: The call's, from its first entry on.
        flow: What the script's ``flow`` line says; without one it is for ``callflow call``.
    """
    draft = _Draft(began=_start_of(journal))
    for line in journal:
        draft.read(line)
    draft.finish()
    return "\n".join([*UNKNOWN, *header_lines(Header(flow=flow)), *draft.lines]) + "\n"


def _start_of(journal: Sequence[Line]) -> float:
    return next((line["t"] for line in journal if line["what"] == "start"), 0.0)


@define
class _Entry:
    """Keys that belong together."""

    at: list[float]
    """When each was let go."""
    keys: str
    """Dots where they are secret."""
    state: str

    def goes_on(self, at: float, key: str, state: str) -> bool:
        """Say whether a key belongs to it: of a secret all that one state took, else what came soon."""
        if state not in ("", self.state) or (key == DOT) != (DOT in self.keys):
            return False
        return key == DOT or at - self.at[-1] <= TOGETHER


@define
class _Draft:
    """A script while it is written. The clock is the journal's."""

    began: float
    lines: list[str] = field(factory=list)
    _now: float = field(init=False)
    """When the last step is done."""
    _pressed: deque[float] = field(factory=deque)
    """When keys came that no state has taken yet."""
    _entry: _Entry | None = None
    _lost: bool = False
    _over: bool = False

    def __attrs_post_init__(self) -> None:
        self._now = self.began

    def read(self, line: Line) -> None:
        if self._over:
            return
        at = float(line["t"])
        match line["kind"], line["what"]:
            case "key", what:
                self._key(at, what, line)
            case "state", "entered":
                self._flush()
                self._reach(at, str(line["state"]))
            case "link", "detached":
                self._do(at, Drop())
                self._lost = True
            case "link", "reattach":
                self._do(at, Reconnect() if self._lost else TakeOver())
                self._lost = False
            case "speech", "ended":
                self._flush()
                self.lines.append(f"# here the caller spoke for {line.get('seconds', 0)} s: play FILE.wav")
            case "message", "stop":
                self._do(at, HangUp())
                self._over = True
            case "end", "hang up":
                self._end(at, str(line.get("cause", "")))

    def finish(self) -> None:
        """Write what is left, of a call that goes on or whose line did not come back."""
        self._flush()

    # Keys.

    def _key(self, at: float, what: str, line: Line) -> None:
        match what:
            case "pressed":
                self._pressed.append(at)
            case "taken":
                moment = self._pressed.popleft() if self._pressed else at
                self._take(moment, str(line["key"]), str(line.get("state", "")))
            case "dropped":
                for _ in range(int(line.get("count", 1))):
                    self._forget()
            case "late terminator" if self._pressed:
                self._take(self._pressed.pop(), "#", "")

    def _take(self, at: float, key: str, state: str) -> None:
        entry = self._entry
        if entry is not None and entry.goes_on(at, key, state):
            entry.at.append(at)
            entry.keys += key
            return
        self._flush()
        self._entry = _Entry([at], key, state)

    def _forget(self) -> None:
        if self._pressed:
            at = self._pressed.popleft()
            self._flush()
            self.lines.append(f"# {at - self.began:.1f} s after the start a key came that no state took")

    def _flush(self) -> None:
        entry, self._entry = self._entry, None
        if entry is None:
            return
        gaps = [later - at for at, later in zip(entry.at, entry.at[1:], strict=False)]
        gap = round(sum(gaps) / len(gaps), 2) if gaps else None
        if gap is not None and gap < KEY_HOLD:
            gap = KEY_HOLD
        self._wait(entry.at[0] - KEY_HOLD)
        if DOT in entry.keys:
            self._put(Enter(answer=_snake(entry.state) or "secret", gap=gap))
        else:
            self._put(Press(digits=entry.keys, gap=gap))
        self._now = max(self._now, entry.at[-1])

    # Everything else.

    def _reach(self, at: float, state: str) -> None:
        within = math.ceil(PATIENCE * max(0.0, at - self._now) + SPARE)
        self._put(Reach(name=state, within=float(within)))
        self._now = max(self._now, at)

    def _do(self, at: float, step: Step) -> None:
        self._flush()
        self._wait(at)
        self._put(step)
        self._now = max(self._now, at)

    def _end(self, at: float, cause: str) -> None:
        self._flush()
        if cause == "flow":
            within = math.ceil(PATIENCE * max(0.0, at - self._now) + SPARE)
            self._put(Ended(by=Ender.FLOW, within=float(within)))
        else:
            self.lines.append(f"# the server ended the call here: {cause}")
        self._over = True

    def _wait(self, until: float) -> None:
        seconds = round(until - self._now, 2)
        if seconds > 0:
            self._put(Wait(seconds=seconds))
            self._now = until

    def _put(self, step: Step) -> None:
        self.lines.append(render_step(step))


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
