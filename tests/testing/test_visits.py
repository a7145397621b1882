"""How long a call was in a state, as its journal says."""

from __future__ import annotations

import pytest

from callflow.testing.visits import longest_visit
from tests.testing.stories import Line, entered, inside, left, link, over, story

OUTER: list[Line] = [entered(1.0, "Outer", 1), inside(2.0, "Inner", 2, "Outer")]


@pytest.mark.parametrize(
    ("state", "lines", "seconds"),
    [
        ("Think", [entered(1.0, "Think", 1)], 9.0),
        ("Think", [entered(1.0, "Other", 1)], 0.0),
        ("Think", [entered(1.0, "Think", 1), entered(3.0, "Think", 2), entered(8.0, "Other", 3)], 5.0),
        ("Think", [entered(1.0, "Think", 1), left(4.0, "Think", "run", "Other")], 3.0),
        ("Think", [entered(1.0, "Think", 1), over(6.0)], 5.0),
        ("Think", [entered(1.0, "Think", 1), link(2.0, "detached"), link(5.0, "resumed")], 6.0),
        ("Think", [entered(1.0, "Think", 1), link(2.0, "detached")], 1.0),
        ("Think", [entered(1.0, "Think", 1), link(2.0, "detached"), over(5.0)], 1.0),
        ("Think", [link(2.0, "detached"), link(5.0, "resumed")], 0.0),
        ("Outer", OUTER, 9.0),
        ("Inner", OUTER, 8.0),
        ("Inner", [*OUTER, inside(4.0, "Deeper", 3, "Outer")], 8.0),
        ("Inner", [*OUTER, left(4.0, "Inner", "then", "Deeper"), inside(4.0, "Deeper", 3, "Outer")], 2.0),
        ("Outer", [*OUTER, left(4.0, "Outer", "on_done", "Other"), entered(4.0, "Other", 4)], 3.0),
    ],
)
def test_a_visit_lasts_from_entering_to_leaving_without_the_time_that_no_line_was_there(
    state: str, lines: list[Line], seconds: float
) -> None:
    assert longest_visit(story(*lines).entries, state, 10.0) == pytest.approx(seconds)
