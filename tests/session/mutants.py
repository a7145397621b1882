"""Wrong tables, each wrong in one row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from attrs import evolve, frozen

from callflow.session.inputs import Input, Verdict
from callflow.session.table import TABLE, Cell, Effect, Facts, In, Row, S, otherwise


def never(facts: Facts, event: Input) -> bool:
    return False


@frozen
class Mutant:
    """A table with one wrong row, and what is wrong with it."""

    state: S
    kind: In
    number: int
    """How many rows stand before it in its cell."""
    change: str
    cell: Cell

    @property
    def table(self) -> Mapping[tuple[S, In], Cell]:
        return {**TABLE, (self.state, self.kind): self.cell}

    def __str__(self) -> str:
        return f"{self.kind.value} in {self.state.value}, row {self.number}: {self.change}"


def mutants() -> Iterator[Mutant]:
    """Give every table that is wrong in one row: in its verdict, target, effect or condition, or without it."""
    for (state, kind), cell in TABLE.items():
        for number, row in enumerate(cell):
            before, after = cell[:number], cell[number + 1 :]
            for change, wrong in _wrong(state, row):
                yield Mutant(state, kind, number, change, (*before, wrong, *after))
            yield Mutant(state, kind, number, "removed", before + after)


def _wrong(state: S, row: Row) -> Iterator[tuple[str, Row]]:
    for verdict in Verdict:
        if verdict is not row.verdict:
            yield f"verdict {verdict.value}", evolve(row, verdict=verdict)
    for target in S:
        if target is not (row.target or state):  # to stay, and to move to where it is, are the same
            yield f"target {target.value}", evolve(row, target=target)
    if row.target not in (None, state):
        yield "target none", evolve(row, target=None)
    for effect in Effect:
        if effect is not row.effect:
            yield f"effect {effect.name}", evolve(row, effect=effect)
    if row.guard is not otherwise:
        yield "always", evolve(row, guard=otherwise)
    yield "never", evolve(row, guard=never)
