"""The ordering rules of both sides (exotel.md §9), and the checker that judges wire logs by them.

Each rule is a function over the log that gives one ``Case`` for every time it could have been broken. Its sentence is
its docstring. Rules that need facts have no case where the log holds none: a premise of 0 says that nothing was judged.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from callflow.testing.rules.audio import (
    every_byte_in_order,
    large_enough,
    mark_behind_its_audio,
    one_clear_and_nothing_old,
    whole_blocks,
    within_the_lead,
)
from callflow.testing.rules.calls import (
    answered_first,
    applets_are_answered,
    calls_told_apart,
    closed_in_order,
    pings_are_answered,
    repeats_once,
)
from callflow.testing.rules.ends import (
    end_is_noticed,
    nothing_left,
    one_end_of_each_wait,
    one_report_of_the_end,
    unique_marks,
)
from callflow.testing.rules.exotel import (
    an_end_is_an_end,
    chunks_counted,
    connected_first,
    echoes_after_the_audio,
    echoes_in_order,
    echoes_of_what_was_sent,
    gone_after_stop,
    nothing_to_answer_one_way,
    numbered_from_start,
    one_stream_sid,
    silent_after_stop,
    start_once_and_early,
    timestamps_grow,
    whole_samples,
)
from callflow.testing.rules.order import (
    first_start_counts,
    nothing_before_start,
    numbered_without_gaps,
    numbers_change_nothing,
    own_stream_sid,
    rubbish_is_survived,
    silent_after_the_end,
    silent_one_way,
    whole_and_in_order,
)
from callflow.testing.rules.rule import Breach, Case, Kind, Limits, Rule, Verdict
from callflow.testing.wirelog import WireLog

__all__ = [
    "ALL",
    "EXOTEL",
    "LOW_LATENCY",
    "RAW",
    "SERVER",
    "Breach",
    "Case",
    "Kind",
    "Limits",
    "Rule",
    "Verdict",
    "check",
]

RAW = frozenset({"R17", "R18", "R19", "R20"})
"""What a raw flow is exempt from (ruling 16)."""

LOW_LATENCY = frozenset({"R18"})
"""What the low-latency profile is exempt from (exotel.md §21)."""

EXOTEL = (
    connected_first,
    start_once_and_early,
    one_stream_sid,
    numbered_from_start,
    chunks_counted,
    timestamps_grow,
    whole_samples,
    echoes_of_what_was_sent,
    echoes_in_order,
    echoes_after_the_audio,
    silent_after_stop,
    an_end_is_an_end,
    nothing_to_answer_one_way,
    gone_after_stop,
)
"""R1 to R14, in order: what Exotel does, or who plays it."""

SERVER = (
    nothing_before_start,
    own_stream_sid,
    whole_blocks,
    large_enough,
    every_byte_in_order,
    within_the_lead,
    mark_behind_its_audio,
    unique_marks,
    one_clear_and_nothing_old,
    one_end_of_each_wait,
    silent_after_the_end,
    whole_and_in_order,
    silent_one_way,
    end_is_noticed,
    one_report_of_the_end,
    nothing_left,
    rubbish_is_survived,
    first_start_counts,
    numbers_change_nothing,
    numbered_without_gaps,
    calls_told_apart,
    closed_in_order,
    answered_first,
    applets_are_answered,
    repeats_once,
    pings_are_answered,
)
"""R15 to R40, in order: what the server does."""

ALL = EXOTEL + SERVER


def check(
    log: WireLog,
    *,
    rules: Sequence[Rule] = SERVER,
    exempt: Collection[str] = (),
    lead: float = 0.4,
    chunk_seconds: float | None = None,
    notice: float = 0.05,
    grace: float = 5.0,
) -> Verdict:
    """Judge what passed on one connection, or on several of one server.

    Args:
        log: What passed, and the facts that are known.
        rules: The rules to judge by: the server's, unless ``EXOTEL`` or ``ALL`` are asked for.
        exempt: Numbers of rules that do not bind this stream, such as ``RAW`` or ``LOW_LATENCY``.
        lead: As in ``Limits``.
        chunk_seconds: As in ``Limits``.
        notice: As in ``Limits``.
        grace: As in ``Limits``.

    Raises:
        ValueError: *exempt* names a rule that does not exist.
    """
    unknown = set(exempt) - {rule.id for rule in ALL}
    if unknown:
        raise ValueError(f"there is no rule {sorted(unknown)}; the rules are {ALL[0].id} to {ALL[-1].id}")
    limits = Limits(lead=lead, chunk_seconds=chunk_seconds, notice=notice, grace=grace)
    judged = tuple(rule for rule in rules if rule.id not in exempt)
    parts = log.connections()
    cases = {
        rule.id: [case for each in ([log] if rule.whole else parts) for case in rule.examine(each, limits)]
        for rule in judged
    }
    breaches = [Breach(rule, case.at, case.broken) for rule, found in cases.items() for case in found if case.broken]
    return Verdict(judged, tuple(breaches), {rule: len(found) for rule, found in cases.items()})
