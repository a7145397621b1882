"""The laws of a call's life inside callflow, and the checker that judges stories by them.

They are the flow rules of the design (L1 to L16), read off the journal: nothing needs to watch the call while it runs.
"""

from __future__ import annotations

from collections.abc import Sequence

from callflow.session.timing import Timing
from callflow.testing.laws.activities import activities_only_post
from callflow.testing.laws.ends import errors_once, every_call_ends, hangup_preempts
from callflow.testing.laws.keys import every_key_once_and_in_order
from callflow.testing.laws.law import Law, Patience, Story
from callflow.testing.laws.moves import declared_moves, defaults_are_edges, subflows, superstates
from callflow.testing.laws.order import (
    late_results_are_dropped,
    none_stays_and_a_state_moves,
    one_event_at_a_time,
    the_mailbox_before_deadlines,
)
from callflow.testing.laws.sound import playback_belongs_to_its_state
from callflow.testing.laws.timers import frozen_while_detached, timers_at_their_moment
from callflow.testing.rules.rule import Breach, Verdict

__all__ = ["ALL", "Law", "Patience", "Story", "check"]

ALL = (
    one_event_at_a_time,
    none_stays_and_a_state_moves,
    late_results_are_dropped,
    the_mailbox_before_deadlines,
    timers_at_their_moment,
    frozen_while_detached,
    playback_belongs_to_its_state,
    every_key_once_and_in_order,
    hangup_preempts,
    errors_once,
    declared_moves,
    superstates,
    defaults_are_edges,
    subflows,
    activities_only_post,
    every_call_ends,
)
"""The laws, in order."""


def check(story: Story, *, laws: Sequence[Law] = ALL, timing: Timing = Timing(), late: float = 0.05) -> Verdict:
    """Judge the life of one call.

    Args:
        story: What was written down of it.
        laws: The laws to judge by.
        timing: The waits that the call had.
        late: Seconds that a timer may be noticed late. 0.002 in virtual time: a saved journal has milliseconds.
    """
    patience = Patience(
        late=late, end=timing.leave + timing.close, limit=timing.call + timing.leave, resume=timing.resume
    )
    cases = {law.id: list(law.examine(story, patience)) for law in laws}
    breaches = [
        Breach(law, case.at, case.broken, case.n) for law, found in cases.items() for case in found if case.broken
    ]
    return Verdict(tuple(laws), tuple(breaches), {law: len(found) for law, found in cases.items()})
