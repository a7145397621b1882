"""A wrong row is noticed: every row of the table is made wrong in every way, one at a time.

A session that obeys a wrong table differs from the right one only where the wrong row's cell is looked up. Since the
search compares everything at every step, it is enough to go all ways that end in that cell; where none of them ends in
a disagreement, the whole search would find none either.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import pytest

from callflow.session.table import TABLE, Cell, Effect, In, S, is_new_name, keep, to
from tests.session.mutants import Mutant, mutants
from tests.session.search import Way, replay, search

Ways = Mapping[tuple[S, In], Sequence[Way]]

MUTANTS = list(mutants())

ENDS_PASSTHRU = (In.SOCKET_OPENED, In.REATTACH, In.HANGUP, In.ATTACH_TIMER)
SURVIVORS = {
    "the call was announced already, so that noting it again changes nothing": {
        f"{kind.value} in passthru-received, row 0: effect ANNOUNCE" for kind in In if kind not in ENDS_PASSTHRU
    },
    "no mark is out: nothing is accounted for, and the timers that are stopped do not run": {
        "Passthru in stopped, row 0: effect FLUSH",
        "connected in accepted, row 0: effect FLUSH",
    },
}
"""Wrong rows that do what the right one does, by the reason."""


@pytest.fixture(scope="module")
def ways() -> Ways:
    """All ways that end in each cell: first a shortest for each of its rows, which nearly always is enough."""
    first, others = defaultdict[tuple[S, In], list[Way]](list), defaultdict[tuple[S, In], list[Way]](list)
    for (state, kind, _), found in search().ways.items():
        first[state, kind].append(found[0])
        others[state, kind] += found[1:]
    return {cell: [*first[cell], *others[cell]] for cell in TABLE}


def is_noticed(mutant: Mutant, ways: Ways) -> bool:
    table = mutant.table
    return any(replay(way, table) for way in ways[mutant.state, mutant.kind])


def test_every_wrong_row_is_noticed_but_those_that_change_nothing(ways: Ways) -> None:
    survivors = {str(mutant) for mutant in MUTANTS if not is_noticed(mutant, ways)}

    assert survivors == set().union(*SURVIVORS.values())


def test_hardly_any_wrong_row_changes_nothing() -> None:
    survivors = sum(map(len, SURVIVORS.values()))
    print(f"{len(MUTANTS)} wrong tables, {survivors} of them as good as the right one")

    assert survivors <= 0.05 * len(MUTANTS)


def test_every_row_is_made_wrong_in_its_verdict_its_target_its_effect_and_by_its_absence() -> None:
    made = {(it.state, it.kind, it.number, it.change.split()[0]) for it in MUTANTS}
    kinds = ("verdict", "target", "effect", "removed")

    assert {(*cell, n, kind) for cell, rows in TABLE.items() for n in range(len(rows)) for kind in kinds} <= made


@pytest.mark.parametrize(
    ("state", "kind", "cell"),
    [
        (S.DETACHED, In.SEND_MEDIA, (keep(Effect.SEND),)),
        (S.MARKED, In.SEND_CLEAR, (keep(Effect.SEND),)),
        (S.MARKED, In.REATTACH, (to(S.STREAMING, Effect.BEGIN),)),
        (S.CLEARED, In.SEND_MARK, (to(S.MARKED, Effect.QUEUE_MARK, is_new_name), *TABLE[S.CLEARED, In.SEND_MARK][1:])),
    ],
    ids=["audio while detached", "a clear overtakes nothing", "marks survive a reattach", "a mark ends the clearing"],
)
def test_the_search_stops_at_a_wrong_cell(state: S, kind: In, cell: Cell) -> None:
    assert search({**TABLE, (state, kind): cell}).breach != ""
