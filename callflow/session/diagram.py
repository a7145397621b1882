"""Draws the session's table: a matrix with notes, what is done and how calls end as Markdown, the moves as Mermaid.

Everything comes from ``TABLE`` and ``ENDS``. ``python -m callflow.session.diagram docs/reference/session.md`` writes it
into that page, between its markers; without a page it is printed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from callflow.session.inputs import Verdict
from callflow.session.table import ENDS, LIVE, OPENING, TABLE, Cell, Effect, In, Row, S, otherwise

Table = Mapping[tuple[S, In], Cell]

BEGIN = "<!-- drawn from the table: begin -->"
END = "<!-- drawn from the table: end -->"

_SILENT = {
    Effect.NOTHING,
    Effect.ANNOUNCE,
    Effect.OPEN,
    Effect.RETURN,
    Effect.KEEP_EARLY,
    Effect.COUNT_MALFORMED,
    Effect.SEND,
    Effect.QUEUE_MARK,
    Effect.OVERTAKE,
}
"""Effects of which the flow is told nothing."""

_SYMBOLS = {Verdict.KEPT: "=", Verdict.IGNORED: "·", Verdict.ODD: "?", Verdict.FAULT: "!", Verdict.REFUSED: "✗"}

_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

_GROUPS = {"opening": OPENING, "live": LIVE}
"""Boxes of the diagram. What all states of one do alike is drawn once, from the box."""


def draw(table: Table = TABLE) -> str:
    """Draw everything that stands between the markers."""
    notes = _notes(table)
    return "\n\n".join(
        [
            "## The matrix",
            matrix(table, notes),
            "\n".join(f"{number}. {note}" for note, number in notes.items()),
            "## What is done",
            effects(table),
            "## How a call ends",
            ends(),
            "## The moves",
            f"```mermaid\n{mermaid(table)}\n```",
        ]
    )


def weave(page: str, drawn: str) -> str:
    """Put *drawn* between the markers of *page*, in place of what stands there."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{drawn}\n\n{END}{after}"


# The matrix.


def symbol(row: Row) -> str:
    """Say a row's verdict in one sign, and where it leads."""
    if row.verdict is Verdict.MOVED and row.target is not None:
        return f"{'→' if row.effect in _SILENT else '⇒'}{row.target.value}"
    return _SYMBOLS[row.verdict]


def matrix(table: Table, notes: Mapping[str, int]) -> str:
    """Draw a line for each input and a column for each state."""
    lines = ([kind.value, *(_in_cell(table[state, kind], notes) for state in S)] for kind in In)
    return _markdown(["input", *(f"`{state.value}`" for state in S)], lines)


def _in_cell(cell: Cell, notes: Mapping[str, int]) -> str:
    signs = " / ".join(map(symbol, cell))
    return signs if len(cell) == 1 else f"{signs} {str(notes[_note(cell)]).translate(_RAISED)}"


def _notes(table: Table) -> dict[str, int]:
    """Number what cells with several rows say, in the order in which the matrix shows them."""
    said = (_note(table[state, kind]) for kind in In for state in S if len(table[state, kind]) > 1)
    return {note: number for number, note in enumerate(dict.fromkeys(said), 1)}


def _note(cell: Cell) -> str:
    return "; ".join(f"{_guard(row)}: {symbol(row)}" for row in cell)


def _guard(row: Row) -> str:
    return "otherwise" if row.guard is otherwise else row.guard.__doc__ or row.guard.__name__


# What is done, and the ends.


def effects(table: Table) -> str:
    """List for each input what is done in which states, in the order of the matrix's signs."""
    done: dict[tuple[In, str], list[S]] = {}
    for kind in In:
        for state in S:
            done.setdefault((kind, _done(table[state, kind])), []).append(state)
    lines = ([kind.value, _states(states), words] for (kind, words), states in done.items() if words)
    return _markdown(["input", "in", "what is done"], lines)


def _done(cell: Cell) -> str:
    words = [row.effect.value for row in cell]
    return "" if set(words) == {Effect.NOTHING.value} else " / ".join(dict.fromkeys(words))


def _states(states: Sequence[S]) -> str:
    return ", ".join(f"`{state.value}`" for state in states)


def ends() -> str:
    """List what each input that can end a call makes of it."""
    lines = (
        [kind.value, f"`{end.cause.value}`" if end.cause else "–", str(end.code or "–")] for kind, end in ENDS.items()
    )
    return _markdown(["input", "cause", "close code"], lines)


def _markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *lines])


# The moves.

Edges = dict[tuple[str, str], list[str]]


def mermaid(table: Table = TABLE) -> str:
    """Draw the moves from one state to another as a Mermaid state diagram; what several states share, once."""
    names = [f'    state "{state.value}" as {_id(state)}' for state in S if _id(state) != state.value]
    boxes = [
        line
        for name, states in _GROUPS.items()
        for line in (f"    state {name} {{", *(f"        {state.value}" for state in states), "    }")
    ]
    arrows = [f"    {source} --> {target}: {', '.join(labels)}" for (source, target), labels in _edges(table).items()]
    return "\n".join(["stateDiagram-v2", *names, *boxes, "    [*] --> idle", *arrows, "    stopped --> [*]"])


def _edges(table: Table) -> Edges:
    edges: Edges = {}
    for source, target, label in _moves(table):
        edges.setdefault((source, target), []).append(label)
    return edges


def _moves(table: Table) -> Iterator[tuple[str, str, str]]:
    for kind in In:
        shared = {name: _common(table, kind, states) for name, states in _GROUPS.items()}
        for name, targets in shared.items():
            yield from ((name, _id(target), kind.value) for target in targets)
        for state in S:
            own = _targets(table, kind, state)
            group = next((name for name, states in _GROUPS.items() if state in states), None)
            drawn = shared[group] if group else []
            yield from ((_id(state), _id(target), kind.value) for target in own if target not in drawn)


def _common(table: Table, kind: In, states: Sequence[S]) -> list[S]:
    first, *others = (_targets(table, kind, state) for state in states)
    return [target for target in first if all(target in other for other in others)]


def _targets(table: Table, kind: In, state: S) -> list[S]:
    targets = (row.target for row in table[state, kind] if row.target is not None and row.target is not state)
    return list(dict.fromkeys(targets))


def _id(state: S) -> str:
    return state.name.lower() if "-" in state.value else state.value


if __name__ == "__main__":
    if sys.argv[1:]:
        path = Path(sys.argv[1])
        path.write_text(weave(path.read_text(encoding="utf-8"), draw()), encoding="utf-8")
    else:
        print(draw())
