"""Writes the reference of the lawbook, with the mutants of each law: ``python -m tests.mutants.page FILE``."""

from __future__ import annotations

import sys
from pathlib import Path

from callflow.testing.lawbook import LAWBOOK, Lawful
from callflow.testing.rules import RAW
from tests.mutants.mutant import Mutant
from tests.mutants.table import ALL

HEAD = """# The lawbook

Every call that a `CallMachine` makes is judged by these laws, whoever wrote the flow. `laws={"NAME": False}` in the
class line of a machine switches one off by its name, and a raw flow (`Flow(raw=True)`) is exempt from those that a
relay cannot keep. `pytest --callflow-laws` lists, for each machine, how often each law could have been broken: a
count of 0 says that nothing was judged.

*Looks at* is what has to be there for a law to have a case. *Finds alone* says which wrong lines in callflow itself, or
in the line simulator for R1 to R14, the law is known to find: callflow's own tests put each of them in, see this law
broken and no other, and a plain caller served all the same. Where a second law breaks with the first, it is named.
Rules (R) and laws (L) also stand, with their sides and kinds, in [rules and laws](rules.md).

This page is written by `python -m tests.mutants.page docs/reference/laws.md`.

## What a call is promised

| promise | kept by |
|---|---|
"""

PROMISES = {
    "Nothing is said before `start`": "nothing-before-start",
    "Nothing is said after the end, and the flow hears of it once": "silent-after-the-end hangup-preempts",
    "One connection carries one stream": "own-stream-sid one-line-each",
    "Every mark has one name, one fate, and its turn": "unique-marks one-end-of-each-wait marks-in-order",
    "No audio after a clear": "one-clear-and-nothing-old playback-belongs-to-its-state",
    "Whole chunks": "whole-blocks large-enough every-byte-in-order whole-and-in-order",
    "In step with real time: never too far ahead, never a gap": "within-the-lead no-gaps",
    "Only declared moves": "declared-moves defaults-are-edges none-stays-and-a-state-moves",
    "No timer of a state that was left": "timers-at-their-moment late-results-are-dropped",
    "An end in bounded time": "every-call-ends nothing-left closed-in-order",
    "Nothing is left of a call that is over": "no-orphans nothing-left",
    "One call's trouble is its own": "neighbours calls-told-apart nothing-fails-inside",
    "A line that comes back finds what it left": "resume-keeps-data frozen-while-detached",
    "Mailboxes are bounded": "mailbox-bounded every-key-once-and-in-order",
    "Secrets stay secret": "no-secrets",
    "A mark that a clear overtook never counts as heard": "cleared-is-not-heard",
    "A goodbye is heard to its end": "goodbye-is-heard",
    "No-input never fires while a prompt plays": "timers-at-their-moment",
    "Noise does not wipe a greeting that protects itself": "protected-prompts",
}
"""What a reader looks for, and the names of the laws that keep it."""


def write_page() -> str:
    """Write the page."""
    promises = [f"| {promise} | {_names(names)} |" for promise, names in PROMISES.items()]
    rows = [_row(law) for law in LAWBOOK.values()]
    titles = "| law | rule | says | looks at | raw flows | finds alone |"
    head = ["", "## The laws", "", titles, "|---|---|---|---|---|---|"]
    return HEAD + "\n".join([*promises, *head, *rows]) + "\n"


def _names(names: str) -> str:
    return ", ".join(f"`{name}`" for name in names.split())


def _row(law: Lawful) -> str:
    raw = "exempt" if law.rule in RAW else ""
    finds = "; ".join(_told(mutant) for mutant in ALL if mutant.law == law.name)
    return f"| `{law.name}` | {law.rule} | {law.sentence} | {law.reads} | {raw} | {finds} |"


def _told(mutant: Mutant) -> str:
    return mutant.words + (f" (with {_names(' '.join(mutant.also))})" if mutant.also else "")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(write_page(), "utf-8")
